//! Where rejected records go: to the sink that takes dead letters, counted, told, and never lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sluicegate_core::{Batch, BoxError, Offset, Offsets, Rejected, ShardContext};

use crate::StreamError;
use crate::sink::SinkHandle;

/// After so many letters of a shard only those whose number is a power of two are logged.
const LOGGED_FIRST: u64 = 10;

/// The dead letters of one shard. Clones share it.
#[derive(Clone)]
pub(crate) struct Letters(Arc<Inner>);

struct Inner {
    shard: ShardContext,
    sink: SinkHandle,
    /// The sink is not given again what was committed before.
    skips_replay: bool,
    next: AtomicI64,
    seen: AtomicU64,
}

impl Letters {
    /// Letters for a sink. `skips_replay`: it keeps what it was given before the last commit.
    pub(crate) fn new(shard: ShardContext, sink: SinkHandle, skips_replay: bool) -> Self {
        Self(Arc::new(Inner { shard, sink, skips_replay, next: AtomicI64::new(0), seen: AtomicU64::new(0) }))
    }

    /// Hands records over. `replay`: they were rejected, and committed, before.
    ///
    /// # Errors
    /// That of the sink.
    pub(crate) async fn post(&self, rejected: &[Rejected], replay: bool) -> Result<(), StreamError> {
        if replay && self.0.skips_replay {
            return Ok(());
        }
        if !replay {
            rejected.iter().for_each(|letter| self.0.tell(letter));
        }
        let batch = self
            .0
            .batch(rejected)
            .map_err(|error| StreamError::Failed { place: self.0.sink.place().clone(), source: Arc::from(error) })?;
        self.0.sink.write(batch).await
    }

    /// The sink that takes them.
    pub(crate) fn sink(&self) -> &SinkHandle {
        &self.0.sink
    }
}

impl Inner {
    fn batch(&self, rejected: &[Rejected]) -> Result<Batch, BoxError> {
        let records = Rejected::to_records(rejected)?;
        // Two letters may have one offset, which their rows say; as rows they are numbered anew.
        let first = self.next.fetch_add(rejected.len() as i64, Ordering::Relaxed);
        let offsets = Offsets::dense(Offset(first), rejected.len())?;
        Ok(Batch::new(self.shard.partition.clone(), offsets, records)?)
    }

    fn tell(&self, letter: &Rejected) {
        let labels = [
            ("component", letter.component.as_str()),
            ("partition", self.shard.partition.as_str()),
            ("reason", letter.reason),
        ];
        self.shard.metrics.counter("rejected_rows", &labels).add(1);
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if seen <= LOGGED_FIRST || seen.is_power_of_two() {
            tracing::warn!(
                component = letter.component,
                partition = %letter.partition,
                offset = letter.offset.0,
                reason = letter.reason,
                letters = seen,
                "sent to the dead letters: {}",
                letter.message
            );
        }
    }
}
