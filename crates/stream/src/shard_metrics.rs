//! The numbers and log lines of one shard's recovery, commits and checkpoints, and the errors that name it.

use std::sync::Arc;
use std::time::Duration;

use sluicegate_checkpoint::protocol::{Refusal, Unexpected};
use sluicegate_checkpoint::{About, CheckpointError};
use sluicegate_core::{BoxError, CheckpointRef, Commit, Counter, Gauge, LedgerError, Metrics, Offset, PartitionId};

use crate::StreamError;
use crate::coordinator::explained;

/// What a shard is doing, as the gauge `shard_state` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardState {
    /// Being recovered: nothing is worked on.
    Starting = 0,
    /// At work.
    Running = 1,
    /// Committing what it has, to end.
    Stopping = 2,
    /// Ended.
    Done = 3,
}

/// The numbers of one shard. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct ShardMetrics {
    partition: PartitionId,
    state: Gauge,
    restarts: Counter,
    commits: Counter,
    commit_failures: Counter,
    commit_ns: Counter,
    position: Gauge,
    checkpoints: Counter,
    checkpoint_failures: Counter,
    checkpoint_ns: Counter,
    checkpoint_bytes: Gauge,
}

impl ShardMetrics {
    /// The partition of the shard.
    pub(crate) fn partition(&self) -> &PartitionId {
        &self.partition
    }

    pub(crate) fn new(metrics: &Metrics, source: &str, partition: &PartitionId) -> Self {
        let labels = [("source", source), ("partition", partition.as_str())];
        Self {
            partition: partition.clone(),
            state: metrics.gauge("shard_state", &labels),
            restarts: metrics.counter("restarts", &labels),
            commits: metrics.counter("commits", &labels),
            commit_failures: metrics.counter("commit_failures", &labels),
            commit_ns: metrics.counter("commit_ns", &labels),
            position: metrics.gauge("committed_position", &labels),
            checkpoints: metrics.counter("checkpoints", &labels),
            checkpoint_failures: metrics.counter("checkpoint_failures", &labels),
            checkpoint_ns: metrics.counter("checkpoint_ns", &labels),
            checkpoint_bytes: metrics.gauge("checkpoint_state_bytes", &labels),
        }
    }

    pub(crate) fn state(&self, state: ShardState) {
        self.state.set(state as u8 as f64);
    }

    pub(crate) fn restarted(&self, why: &str, wait: Duration) {
        self.restarts.add(1);
        let wait_ms = wait.as_millis() as u64;
        tracing::warn!(partition = %self.partition, wait_ms, "begins again from its last commit: {why}");
    }

    pub(crate) fn committed(&self, commit: &Commit, took: Duration, result: &Result<(), LedgerError>) {
        self.commit_ns.add(nanos(took));
        match result {
            Ok(()) => {
                self.commits.add(1);
                self.position.set(commit.position.0 as f64);
            }
            Err(error) => {
                self.commit_failures.add(1);
                tracing::warn!(partition = %self.partition, position = commit.position.0, "a commit failed: {error}");
            }
        }
    }

    pub(crate) fn checkpoint_written(&self, reference: &CheckpointRef, size_bytes: usize, took: Duration) {
        self.checkpoints.add(1);
        self.checkpoint_ns.add(nanos(took));
        self.checkpoint_bytes.set(size_bytes as f64);
        let (name, position, took_ms) = (&*reference.name, reference.position.0, took.as_millis() as u64);
        tracing::debug!(partition = %self.partition, name, position, size_bytes, took_ms, "checkpoint written");
    }

    pub(crate) fn checkpoint_failed(&self, position: Offset, error: &CheckpointError) {
        self.checkpoint_failures.add(1);
        let position = position.0;
        tracing::error!(partition = %self.partition, position, "a checkpoint could not be written: {}", chain(error));
    }

    pub(crate) fn prune_failed(&self, error: &CheckpointError) {
        tracing::warn!(partition = %self.partition, "old checkpoints could not be removed: {}", chain(error));
    }

    pub(crate) fn checkpoint_unusable(&self, reference: &CheckpointRef, error: &CheckpointError) {
        let name = &*reference.name;
        tracing::error!(partition = %self.partition, name, "a checkpoint cannot be used: {}", chain(error));
    }

    pub(crate) fn recovered(&self, from: Offset, committed: Offset) {
        let (from, committed) = (from.0, committed.0);
        tracing::info!(partition = %self.partition, from, committed, replayed = committed - from, "recovered");
    }

    pub(crate) fn refused(&self, why: Refusal, words: String) -> StreamError {
        StreamError::Recovery { partition: self.partition.clone(), message: explained(why, &words), source: None }
    }

    pub(crate) fn failed(&self, what: &str, error: impl Into<BoxError>) -> StreamError {
        let source = Some(Arc::from(error.into()));
        StreamError::Recovery { partition: self.partition.clone(), message: what.to_owned(), source }
    }

    pub(crate) fn gone(&self, message: String) -> StreamError {
        StreamError::Recovery { partition: self.partition.clone(), message, source: None }
    }

    /// Commits so far, in this process.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Tells where a checkpoint was made by other arithmetic: the run goes on, but not bit by bit as it would have there.
    pub(crate) fn compare_arithmetic(&self, now: &About, then: &About) {
        for (operator, arithmetic) in &then.arithmetic {
            let here = now.arithmetic.get(operator).map_or("none", String::as_str);
            if here != arithmetic {
                tracing::warn!(
                    partition = %self.partition,
                    operator,
                    "its checkpoint was made by the arithmetic `{arithmetic}`; here it is `{here}`, so results go on but not bit by bit"
                );
            }
        }
    }

    pub(crate) fn broken(&self, error: Unexpected) -> StreamError {
        let message = error.to_string();
        StreamError::Recovery { partition: self.partition.clone(), message, source: None }
    }

    pub(crate) fn cut_off(&self) -> StreamError {
        let message = "its sinks went away in the middle of a commit".to_owned();
        StreamError::Recovery { partition: self.partition.clone(), message, source: None }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An error and what lies behind it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}
