//! Running all shards of a pipeline.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use sluicegate_core::{ComponentKind, Metrics};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::contain::panic_message;
use crate::shard::{Outcome, Shard};
use crate::{Pipeline, Place, RunReport, StreamError, Workers};

/// How a pipeline is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Where components publish their numbers.
    pub metrics: Metrics,
    /// Cancelled, it ends the run cleanly: sources stop, operators and sinks finish with what was read.
    pub cancel: CancellationToken,
    /// Threads for operators that compute heavily; as many shards run at a time.
    pub worker_threads: NonZeroUsize,
    /// Leaves checkpoints and committed positions of earlier runs behind and begins where the settings say.
    pub begin_anew: bool,
}

impl Default for RunOptions {
    /// As many worker threads as the machine has cores, metrics of its own, and a token that nobody cancels.
    fn default() -> Self {
        Self {
            metrics: Metrics::new(),
            cancel: CancellationToken::new(),
            worker_threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            begin_anew: false,
        }
    }
}

impl RunOptions {
    /// Publishes into `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Ends cleanly when `cancel` is cancelled.
    #[must_use]
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Uses `count` worker threads.
    #[must_use]
    pub fn worker_threads(mut self, count: NonZeroUsize) -> Self {
        self.worker_threads = count;
        self
    }

    /// Leaves checkpoints and committed positions of earlier runs behind.
    #[must_use]
    pub fn begin_anew(mut self, anew: bool) -> Self {
        self.begin_anew = anew;
        self
    }
}

impl Pipeline {
    /// Runs every shard to its end. Must be awaited inside a Tokio runtime.
    ///
    /// A shard is the path of one partition. It has its own instance of every operator and sink, and is one task; as many shards
    /// run at a time as there are worker threads. The result of a partition depends neither on that number nor on the others.
    ///
    /// When [`RunOptions::cancel`] is cancelled, each running shard ends after the batch that its chain is at work on, its sinks
    /// are finished, shards that have not begun do not begin, and the report says that it was interrupted.
    ///
    /// When the returned future is dropped, running shards are dropped as they stand, with their sinks unfinished. Dropping
    /// blocks until each worker thread is through with the call it is in.
    ///
    /// # Errors
    /// The first failure of any shard. The other shards are then stopped as they stand; sinks of shards that were complete
    /// before stay finished, all others are dropped unfinished before this returns.
    pub async fn run(self, options: RunOptions) -> Result<RunReport, StreamError> {
        let workers = Workers::new(options.worker_threads)?;
        let stop = CancellationToken::new();
        let failure = Arc::new(OnceLock::new());
        let mut waiting = self.shards_of(&options, &workers, &stop).into_iter();
        let mut running = JoinSet::new();
        let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
        loop {
            while running.len() < workers.count() && !stop.is_cancelled() && !options.cancel.is_cancelled() {
                let Some((index, shard)) = waiting.next() else { break };
                let failure = Arc::clone(&failure);
                running.spawn(async move { (index, shard.run(&failure).await) });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((index, outcome))) => outcomes.extend(outcome.map(|outcome| (index, outcome))),
                Some(Err(error)) => {
                    // Not to be had from a component: all their code runs contained.
                    let _ = failure.set(lost_task(error));
                    stop.cancel();
                }
            }
        }
        if let Some(error) = failure.get() {
            return Err(error.clone());
        }
        outcomes.sort_by_key(|(index, _)| *index);
        let interrupted = outcomes.iter().any(|(_, outcome)| outcome.interrupted) || waiting.next().is_some();
        Ok(RunReport { interrupted, rows: outcomes.into_iter().flat_map(|(_, outcome)| outcome.rows).collect() })
    }

    fn shards_of(self, options: &RunOptions, workers: &Workers, stop: &CancellationToken) -> Vec<(usize, Shard)> {
        let mut shards = Vec::new();
        for tree in self.trees {
            for partition in tree.partitions.iter() {
                let shard = Shard {
                    source_name: tree.name.clone(),
                    source: Arc::clone(&tree.source),
                    partition: partition.clone(),
                    consumers: Arc::clone(&tree.consumers),
                    metrics: options.metrics.clone(),
                    roster: workers.roster(),
                    cancel: options.cancel.clone(),
                    stop: stop.clone(),
                };
                shards.push((shards.len(), shard));
            }
        }
        shards
    }
}

fn lost_task(error: JoinError) -> StreamError {
    let place = Place { kind: ComponentKind::Source, component: Arc::from("shard"), partition: None };
    let message = match error.try_into_panic() {
        Ok(payload) => panic_message(&*payload),
        Err(error) => error.to_string(),
    };
    StreamError::Panicked { place, message }
}
