//! The rows of one partition, first of the history, then of the topic.

use sluicegate_core::{Batch, BoxError, Offset, PartitionId, Progress, Reader, Rejected};

use super::align::Alignment;
use super::cut::{BEFORE, Cut, Kept, keep};
use super::source::{Shared, lock};

/// Which side is being read.
pub(super) enum Side {
    History(Box<dyn Reader>),
    Live(Box<dyn Reader>),
}

pub(super) struct HybridReader {
    partition: PartitionId,
    live: Shared,
    alignment: Alignment,
    cut: Cut,
    side: Side,
    start: Offset,
    /// Rows of the history before this offset were worked on already.
    from: i64,
    /// The offset after the last row of the history that was handed out.
    next: Option<i64>,
    rows: u64,
    left_out: u64,
}

impl HybridReader {
    pub(super) fn new(
        partition: PartitionId,
        live: Shared,
        alignment: Alignment,
        cut: Cut,
        side: Side,
        from: Option<Offset>,
        from_row: i64,
    ) -> Self {
        let first = match (&side, cut.is_before()) {
            (Side::History(_), true) => Offset(-BEFORE),
            (Side::History(_), false) => Offset(0),
            (Side::Live(reader), _) => reader.start(),
        };
        let start = from.unwrap_or(first).max(first);
        Self { partition, live, alignment, cut, side, start, from: from_row, next: None, rows: 0, left_out: 0 }
    }

    /// The number at the end of the partition's name.
    fn number(&self) -> i64 {
        self.partition.as_str().rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(-1)
    }

    fn of_history(&mut self, batch: &Batch) -> Result<Batch, BoxError> {
        let aligned = self.alignment.apply(batch.records())?;
        let routes = |key: Option<&str>| lock(&self.live).routes(&self.partition, key).unwrap_or(true);
        let Kept { offsets, rows } =
            self.cut.history(batch.records(), &aligned, batch.offsets(), self.number(), &routes)?;
        self.left_out += (aligned.num_rows() - offsets.len()) as u64;
        let batch = Batch::new(self.partition.clone(), offsets, keep(&aligned, &rows)?)?;
        // A replay of what the topic has lost begins in the middle of the history.
        let done = batch.offsets().iter().take_while(|offset| offset.0 < self.from).count();
        let batch = batch.slice(done, batch.len() - done);
        self.next = batch.offsets().last().map(|last| last.next().0).or(self.next);
        Ok(batch)
    }

    fn of_topic(&mut self, batch: Batch) -> Result<Batch, BoxError> {
        let Some(rows) = self.cut.live(batch.records())? else { return Ok(batch) };
        let offsets = batch.offsets().iter().zip(rows.values().iter()).filter(|(_, kept)| *kept);
        let offsets = sluicegate_core::Offsets::sparse(offsets.map(|(offset, _)| offset.0).collect::<Vec<i64>>())?;
        self.left_out += (batch.len() - offsets.len()) as u64;
        Ok(Batch::new(self.partition.clone(), offsets, keep(batch.records(), &rows)?)?)
    }

    /// The history is over.
    fn hand_over(&mut self) -> Result<(), BoxError> {
        let from = if self.cut.is_before() { None } else { self.next.or((self.from > 0).then_some(self.from)) };
        let reader = lock(&self.live).open(&self.partition, from.map(Offset))?;
        tracing::info!(
            partition = %self.partition, rows = self.rows, left_out = self.left_out, from = reader.start().0,
            "the history is worked on; going on with the topic"
        );
        self.side = Side::Live(reader);
        Ok(())
    }
}

impl Reader for HybridReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        let batch = match &mut self.side {
            Side::History(reader) => match reader.next_batch()? {
                Some(batch) => self.of_history(&batch)?,
                None => {
                    self.hand_over()?;
                    return self.next_batch();
                }
            },
            Side::Live(reader) => match reader.next_batch()? {
                Some(batch) => self.of_topic(batch)?,
                None => return Ok(None),
            },
        };
        self.rows += batch.len() as u64;
        Ok(Some(batch))
    }

    fn start(&self) -> Offset {
        self.start
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        match &mut self.side {
            Side::History(reader) | Side::Live(reader) => reader.take_rejected(),
        }
    }

    fn progress(&self) -> Progress {
        let mut progress = Progress::new(self.rows, None);
        if let Side::Live(reader) = &self.side {
            progress.rows_behind = reader.progress().rows_behind;
        }
        progress.rows_left_out = self.left_out;
        progress
    }
}
