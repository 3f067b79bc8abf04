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
    /// The broker had nothing more when it was asked last.
    at_end: bool,
    failure: Option<String>,
}

/// What a reader gets.
pub(crate) struct Taken {
    pub(crate) records: Vec<RawRecord>,
    /// Enough room again for the consumer to go on.
    pub(crate) resume: bool,
    /// Nothing waits, and the broker had nothing more.
    pub(crate) at_end: bool,
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
        state.at_end = false;
        state.size_bytes += record.size_bytes();
        state.records.push_back(record);
        let full = state.size_bytes >= self.size_bytes_max && !state.paused;
        state.paused |= full;
        drop(state);
        self.changed.notify_one();
        full
    }

    pub(crate) fn reached_end(&self) {
        self.lock().at_end = true;
        self.changed.notify_one();
    }

    /// Nothing more will come, for this reason.
    pub(crate) fn fail(&self, why: &str) {
        self.lock().failure.get_or_insert_with(|| why.to_owned());
        self.changed.notify_one();
    }

    /// Takes up to `rows` records: as soon as there are so many, or when `linger` has passed since the first, or when none has
    /// come for `wait`.
    pub(crate) fn take(&self, rows: usize, linger: Duration, wait: Duration) -> Result<Taken, String> {
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
            let ready = state.records.len() >= rows || state.paused || state.records.is_empty() && state.at_end;
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
        let at_end = records.is_empty() && state.at_end;
        Ok(Taken { records, resume, at_end })
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
    fn what_waits_is_handed_out_before_a_failure_is_told() {
        let queue = Queue::new(10_000);
        queue.push(record(0));
        queue.fail("gone");
        let take = || queue.take(9, Duration::ZERO, Duration::ZERO);
        assert_eq!(take().unwrap().records.len(), 1);
        assert_eq!(take().err().as_deref(), Some("gone"));
    }
}
