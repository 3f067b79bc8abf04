//! The two sources as one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use sluicegate_core::{BoxError, Ledger, Membership, Offset, PartitionId, Reader, Source};

use super::align::Alignment;
use super::cut::{BEFORE, Cut};
use super::reader::{HybridReader, Side};

/// A source that readers of its partitions share.
pub(super) type Shared = Arc<Mutex<Box<dyn Source>>>;

pub(super) fn lock(source: &Shared) -> MutexGuard<'_, Box<dyn Source>> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A history and what goes on after it.
pub(super) struct HybridSource {
    history: Shared,
    live: Shared,
    alignment: Alignment,
    cut: Cut,
}

impl HybridSource {
    pub(super) fn new(history: Box<dyn Source>, live: Box<dyn Source>, alignment: Alignment, cut: Cut) -> Self {
        Self { history: Arc::new(Mutex::new(history)), live: Arc::new(Mutex::new(live)), alignment, cut }
    }

    /// The reader of all of the history, from a row on.
    fn open_history(&self, from: i64) -> Result<Box<dyn Reader>, BoxError> {
        let mut history = lock(&self.history);
        let log = history.partitions()?.into_iter().next().ok_or("the history has no partition")?;
        history.open(&log, (from > 0).then_some(Offset(from)))
    }
}

impl Source for HybridSource {
    fn schema(&self) -> SchemaRef {
        lock(&self.live).schema()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        lock(&self.live).partitions()
    }

    fn is_live(&self) -> bool {
        true
    }

    fn routes(&self, partition: &PartitionId, key: Option<&str>) -> Option<bool> {
        lock(&self.live).routes(partition, key)
    }

    fn siblings(&self, partition: &PartitionId) -> Result<Vec<PartitionId>, BoxError> {
        lock(&self.live).siblings(partition)
    }

    fn origins(&self, partition: &PartitionId, before: &[PartitionId]) -> Result<Vec<PartitionId>, BoxError> {
        lock(&self.live).origins(partition, before)
    }

    /// Of the live side: how long the history is may change, and is found in the positions.
    fn identity(&self) -> Option<String> {
        lock(&self.live).identity()
    }

    fn membership(&mut self, fingerprint: &str) -> Result<Option<Box<dyn Membership>>, BoxError> {
        lock(&self.live).membership(fingerprint)
    }

    fn ledger(&mut self, partition: &PartitionId) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        lock(&self.live).ledger(partition)
    }

    /// A position below 0 is one in the history. Where the history has the topic's own offsets, the topic is asked first, and
    /// the history only for what the topic keeps no longer.
    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let (side, from_row) = match from {
            None => (Side::History(self.open_history(0)?), i64::MIN),
            Some(Offset(from)) if from < 0 => (Side::History(self.open_history(from + BEFORE)?), i64::MIN),
            Some(from) if self.cut.is_before() => (Side::Live(lock(&self.live).open(partition, Some(from))?), i64::MIN),
            Some(from) => match lock(&self.live).open(partition, Some(from)) {
                Ok(reader) => (Side::Live(reader), i64::MIN),
                Err(_) => (Side::History(self.open_history(0)?), from.0),
            },
        };
        let (live, alignment, cut) = (Arc::clone(&self.live), self.alignment.clone(), self.cut.clone());
        Ok(Box::new(HybridReader::new(partition.clone(), live, alignment, cut, side, from, from_row)))
    }
}
