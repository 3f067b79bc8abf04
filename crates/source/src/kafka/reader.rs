//! The rows of one partition.

use std::time::{Duration, Instant};

use sluicegate_core::{Batch, BoxError, Offset, Offsets, PartitionId, Progress, Reader, Rejected};
use sluicegate_formats::{BadRecord, DecodeError, Decoder};
use sluicegate_kafka::{CallError, PartitionEnds, RawRecord, Tap, TapEnd, TapError};

use super::source::{CALL, Reading, not_served};
use crate::SourceError;

/// A reader that waits for events says so this often.
const IDLE: Duration = Duration::from_millis(100);
/// A reader that knows of more but got none for so long seeks again. Where partitions move a lot, a member was seen not to fetch one
/// that it had been given, for good; seeking where one stands costs nothing and sets it going.
const STALLED: Duration = Duration::from_secs(10);
/// How far behind it is, a reader asks the broker this often, and waits at most so long for the answer.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_WITHIN: Duration = Duration::from_millis(500);

/// What comes when records are taken: some, or that there are none, or that no more will come.
type Taken = Result<(Vec<RawRecord>, Option<TapEnd>), TapError>;

/// The records of a partition, as a reader needs them.
pub(super) trait Records: Send {
    /// Takes records, or says that there are none.
    fn take(&self, rows: usize, linger: Duration, wait: Duration) -> Taken;
    /// Goes on at another offset.
    fn seek(&mut self, to: i64) -> Result<(), CallError>;
    /// Which offsets there are.
    fn ends(&self, within: Duration) -> Result<PartitionEnds, CallError>;
}

impl Records for Tap {
    fn take(&self, rows: usize, linger: Duration, wait: Duration) -> Taken {
        Self::take(self, rows, linger, wait)
    }

    fn seek(&mut self, to: i64) -> Result<(), CallError> {
        *self = self.again(to)?;
        Ok(())
    }

    fn ends(&self, within: Duration) -> Result<PartitionEnds, CallError> {
        Self::ends(self, within)
    }
}

pub(super) struct KafkaReader {
    partition: PartitionId,
    name: (String, i32),
    from: Box<dyn Records>,
    reading: Reading,
    decoder: Box<dyn Decoder>,
    first: i64,
    next: i64,
    stop: Option<i64>,
    /// The end of the partition when it was opened.
    end: i64,
    /// Where an end before `stop` was told once, and is believed when it is told again.
    doubted: Option<i64>,
    rejected: Vec<Rejected>,
    rows: u64,
    high: Option<i64>,
    asked_at: Option<Instant>,
    /// Since when nothing has come.
    idle_since: Option<Instant>,
    /// [`STALLED`].
    stalled: Duration,
}

impl KafkaReader {
    pub(super) fn new(
        partition: PartitionId,
        name: (String, i32),
        from: Box<dyn Records>,
        reading: Reading,
        (first, next): (i64, i64),
        (stop, end): (Option<i64>, i64),
    ) -> Result<Self, BoxError> {
        let decoder = reading.columns.decoder();
        let (doubted, rejected, rows, high, asked_at) = (None, Vec::new(), 0, None, None);
        Ok(Self {
            partition,
            name,
            from,
            reading,
            decoder,
            first,
            next,
            stop,
            end,
            doubted,
            rejected,
            rows,
            high,
            asked_at,
            idle_since: None,
            stalled: STALLED,
        })
    }

    /// Decodes records. Those that are no rows are kept for the dead letters.
    fn decode(&mut self, records: &[RawRecord]) -> Result<Batch, BoxError> {
        let mut good: Vec<&RawRecord> = Vec::with_capacity(records.len());
        for record in records {
            match self.decoder.push(record.payload.as_deref()) {
                Ok(()) => good.push(record),
                Err(DecodeError::Bad(bad)) => self.reject(record, bad)?,
                Err(DecodeError::Failed(error)) => {
                    let (partition, offset) = (self.partition.to_string(), record.offset);
                    return Err(SourceError::Unreadable { partition, offset, source: error }.into());
                }
            }
        }
        let decoded = self.decoder.take()?;
        if !decoded.bad.is_empty() {
            // Found only when the rows were taken. Dead letters are in the order of their offsets.
            let places: Vec<usize> = decoded.bad.iter().map(|(place, _)| *place).collect();
            for (place, bad) in decoded.bad {
                if let Some(record) = good.get(place) {
                    self.reject(record, bad)?;
                }
            }
            let all = std::mem::take(&mut good).into_iter().enumerate();
            good = all.filter(|(place, _)| !places.contains(place)).map(|(_, record)| record).collect();
            self.rejected.sort_by_key(|letter| letter.offset);
        }
        let (topic, number) = (&self.name.0, self.name.1);
        let rows = self.reading.columns.rows(topic, number, &decoded.rows, &good)?;
        self.rows += good.len() as u64;
        let offsets = Offsets::sparse(good.iter().map(|record| record.offset).collect::<Vec<i64>>())?;
        Ok(Batch::new(self.partition.clone(), offsets, rows)?)
    }

    /// Keeps a record that is no row for the dead letters, or fails at it.
    fn reject(&mut self, record: &RawRecord, bad: BadRecord) -> Result<(), BoxError> {
        if self.reading.fail_on_error {
            let (partition, offset) = (self.partition.to_string(), record.offset);
            return Err(SourceError::BadRecord { partition, offset, message: bad.message }.into());
        }
        self.rejected.push(Rejected {
            component: self.reading.component.clone(),
            partition: self.partition.clone(),
            offset: Offset(record.offset),
            reason: bad.reason,
            message: bad.message,
            time_us: record.timestamp_ms.and_then(|millis| millis.checked_mul(1000)),
            key: record.key.clone(),
            payload: record.payload.clone(),
            headers: record.headers.clone(),
        });
        Ok(())
    }

    /// Some partition lost records that were still to be read. If it is this one, its first record is what can be gone on with, if
    /// anything may; if not, reading goes on where it was.
    fn tap_again(&mut self) -> Result<(), SourceError> {
        let low = self.from.ends(CALL).map_err(|error| not_served(&self.partition, error))?.low;
        if self.next < low {
            if !self.reading.skip_missing {
                let (partition, wanted) = (self.partition.to_string(), self.next);
                return Err(SourceError::MissingOffsets { partition, wanted, low });
            }
            tracing::warn!(
                partition = %self.partition, from = self.next, to = low,
                "records that were still to be read are gone from the topic; going on without them"
            );
            self.next = low;
        }
        self.seek_next()
    }

    /// Whether nothing has come for long though there is more. What is there may be for nobody's eyes, such as the marks of
    /// transactions: then this is said again and again, and does no harm.
    fn has_stalled(&mut self) -> bool {
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        let stalled = self.high.is_some_and(|high| high > self.next) && since.elapsed() >= self.stalled;
        if stalled {
            self.idle_since = None;
        }
        stalled
    }

    fn seek_next(&mut self) -> Result<(), SourceError> {
        self.from.seek(self.next).map_err(|error| not_served(&self.partition, error))
    }

    fn ask_how_far_behind(&mut self) {
        if self.asked_at.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            return;
        }
        self.asked_at = Some(Instant::now());
        // A broker that is away says nothing; the last answer is then the best there is.
        if let Ok(ends) = self.from.ends(ASK_WITHIN) {
            self.high = Some(ends.high);
        }
    }
}

impl Reader for KafkaReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        if self.stop.is_some_and(|stop| self.next >= stop) {
            return Ok(None);
        }
        self.ask_how_far_behind();
        let (mut records, end) = match self.from.take(self.reading.batch_rows, self.reading.linger, IDLE) {
            Ok(taken) => taken,
            Err(TapError::OffsetsGone) => {
                self.tap_again()?;
                (Vec::new(), None)
            }
            Err(error) => {
                let topic = self.partition.to_string();
                return Err(SourceError::Kafka { topic, message: error.to_string() }.into());
            }
        };
        // What lies between the last record and the stop may be for nobody's eyes: marks of transactions, and aborted records.
        if let (Some(end), Some(stop)) = (end, self.stop)
            && (end.position.is_some_and(|position| position >= stop) || end.certain && stop <= self.end)
        {
            // An end may be told that was met before reading began here: a partition stands at its end until it is sought.
            // Sought once more, one that has nothing says so again.
            if self.doubted.replace(self.next) == Some(self.next) {
                return Ok(None);
            }
            self.seek_next()?;
        }
        if let Some(last) = records.last() {
            self.next = last.offset.saturating_add(1);
            self.idle_since = None;
        } else if self.has_stalled() {
            tracing::debug!(partition = %self.partition, next = self.next, "nothing has come for long; seeking again");
            self.seek_next()?;
        }
        if let Some(stop) = self.stop {
            records.retain(|record| record.offset < stop);
        }
        self.decode(&records).map(Some)
    }

    fn start(&self) -> Offset {
        Offset(self.first)
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    fn progress(&self) -> Progress {
        let total = self.stop.map(|stop| u64::try_from(stop.saturating_sub(self.first)).unwrap_or(0));
        let mut progress = Progress::new(self.rows, total);
        progress.rows_behind = self.high.map(|high| u64::try_from(high.saturating_sub(self.next)).unwrap_or(0));
        progress
    }
}

#[cfg(test)]
mod tests;
