//! The records of one partition that wait for its reader.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::RawRecord;

/// Records between the consumer thread and one reader.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    size_bytes_max: usize,
}

#[derive(Default)]
struct State {
    records: VecDeque<RawRecord>,
    size_bytes: usize,
    /// The consumer has paused the partition, because so much waits.
    paused: bool,
    /// The broker had nothing more when it was asked last, and nobody was told yet.
    end: Option<TapEnd>,
    failure: Option<TapError>,
}

/// The broker had nothing more, at least of one topic's partition of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapEnd {
    /// Everything before this offset was handed out, marks of transactions and aborted records counted; `None` where that is not
    /// known.
    pub position: Option<i64>,
    /// It was this very partition.
    pub certain: bool,
}

/// Why a tap has run dry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// Offsets that were still to be read are gone from some partition that this member reads.
    #[error("offsets that were still to be read are gone from a topic")]
    OffsetsGone,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// What a reader gets.
pub(crate) struct Taken {
    pub(crate) records: Vec<RawRecord>,
    /// Enough room again for the consumer to go on.
    pub(crate) resume: bool,
    /// Nothing waits, and the broker had nothing more. Told once.
    pub(crate) end: Option<TapEnd>,
}

impl Queue {
    pub(crate) fn new(size_bytes_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), size_bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record; true when the partition has to be paused now.
    pub(crate) fn push(&self, record: RawRecord) -> bool {
        let mut state = self.lock();
        state.end = None;
        state.size_bytes += record.size_bytes();
        state.records.push_back(record);
        let full = state.size_bytes >= self.size_bytes_max && !state.paused;
        state.paused |= full;
        drop(state);
        self.changed.notify_one();
        full
    }

    pub(crate) fn reached_end(&self, end: TapEnd) {
        self.lock().end = Some(end);
        self.changed.notify_one();
    }

    /// Nothing more will come, for this reason.
    pub(crate) fn fail(&self, why: TapError) {
        self.lock().failure.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Takes up to `rows` records: as soon as there are so many, or when `linger` has passed since the first, or when none has
    /// come for `wait`.
    pub(crate) fn take(&self, rows: usize, linger: Duration, wait: Duration) -> Result<Taken, TapError> {
        let begun = Instant::now();
        let mut state = self.lock();
        let mut first_at = None;
        loop {
            if state.records.is_empty()
                && let Some(why) = &state.failure
            {
                return Err(why.clone());
            }
            let now = Instant::now();
            if !state.records.is_empty() {
                first_at.get_or_insert(now);
            }
            let until = first_at.map_or(begun + wait, |first| first + linger);
            let ready = state.records.len() >= rows || state.paused || state.records.is_empty() && state.end.is_some();
            if ready || now >= until {
                break;
            }
            let waited = self.changed.wait_timeout(state, until - now);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        let count = rows.min(state.records.len());
        let records: Vec<RawRecord> = state.records.drain(..count).collect();
        state.size_bytes -= records.iter().map(RawRecord::size_bytes).sum::<usize>();
        let resume = state.paused && state.size_bytes <= self.size_bytes_max / 2;
        state.paused &= !resume;
        let end = if records.is_empty() { state.end.take() } else { None };
        Ok(Taken { records, resume, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64) -> RawRecord {
        RawRecord { offset, timestamp_ms: None, key: None, payload: Some(vec![0; 1000]), headers: Vec::new() }
    }

    #[test]
    fn a_full_queue_asks_for_a_pause_once_and_for_more_when_half_is_taken() {
        let queue = Queue::new(10_000);
        let asked: Vec<bool> = (0..12).map(|offset| queue.push(record(offset))).collect();
        assert_eq!(asked.iter().filter(|asked| **asked).count(), 1);
        let take = |rows| queue.take(rows, Duration::ZERO, Duration::ZERO).unwrap();
        assert!(!take(2).resume);
        let taken = take(8);
        assert!(taken.resume && taken.records.first().is_some_and(|record| record.offset == 2));
        assert!(!take(8).resume);
    }

    #[test]
    fn the_end_is_told_once_and_not_before_what_waits() {
        let queue = Queue::new(10_000);
        let end = TapEnd { position: Some(1), certain: true };
        let take = || queue.take(9, Duration::ZERO, Duration::ZERO).unwrap().end;
        queue.push(record(0));
        queue.reached_end(end);
        assert_eq!((take(), take(), take()), (None, Some(end), None));
        queue.reached_end(end);
        queue.push(record(1));
        assert_eq!((take(), take()), (None, None));
    }

    #[test]
    fn what_waits_is_handed_out_before_a_failure_is_told() {
        let queue = Queue::new(10_000);
        queue.push(record(0));
        queue.fail(TapError::OffsetsGone);
        let take = || queue.take(9, Duration::ZERO, Duration::ZERO);
        assert_eq!(take().unwrap().records.len(), 1);
        assert_eq!(take().err(), Some(TapError::OffsetsGone));
    }
}
