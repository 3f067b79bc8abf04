//! One partition's whole path through a pipeline.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use sluicegate_checkpoint::protocol::{Protocol, Rules};
use sluicegate_core::{Delivery, Metrics, PartitionId, ShardContext, Source};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::StreamError;
use crate::commits::{Commits, Ledgered};
use crate::coordinator::{Books, Coordinator, Verdict};
use crate::gate::Gate;
use crate::marks::Signals;
use crate::pipeline::{Consumer, sinks_of};
use crate::plant::{Plant, Planter};
use crate::reader::HowEnded;
use crate::report::ComponentRows;
use crate::shard_metrics::{ShardMetrics, ShardState};
use crate::shared_ledger::SharedLedger;
use crate::sink::{Duties, SinkWriter};
use crate::trace::Trace;
use crate::workers::Roster;

/// Times that a shard begins again without a commit in between, before the run fails.
const RESTARTS_MAX: u32 = 30;
/// How long a shard waits before it begins again: longer each time, up to the second.
const RESTART_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Everything needed to run one partition from its source to its sinks.
pub(crate) struct Shard {
    pub(crate) source_name: String,
    pub(crate) source: Arc<Mutex<Box<dyn Source>>>,
    pub(crate) partition: PartitionId,
    /// All partitions that the source had when it was connected.
    pub(crate) siblings: Arc<[PartitionId]>,
    pub(crate) consumers: Arc<[Consumer]>,
    /// The sink that takes dead letters.
    pub(crate) letters: Option<Consumer>,
    pub(crate) commits: Commits,
    /// What was committed before is left behind on purpose, until something is committed. Shared by all shards of the partition
    /// in this run, so that one that comes back goes on.
    pub(crate) anew: Arc<AtomicBool>,
    pub(crate) metrics: Metrics,
    pub(crate) roster: Roster,
    /// Ends the source; everything read so far is completed.
    pub(crate) cancel: CancellationToken,
    /// Drops everything as it stands.
    pub(crate) stop: CancellationToken,
}

/// How a shard went that came to its end.
pub(crate) struct Outcome {
    pub(crate) interrupted: bool,
    pub(crate) rows: Vec<ComponentRows>,
}

/// How one attempt went.
enum Attempt {
    Over(Outcome),
    Again(String),
}

/// How recovery went.
pub(crate) enum Recovery {
    Ready(Box<Plant>),
    Again(String),
    Cancelled,
}

impl Shard {
    /// Runs the shard. When this returns, the sinks are finished, or dropped and gone.
    ///
    /// A failure is kept in `failure` if it is the first. `None` after that, or when the shard was stopped.
    pub(crate) async fn run(self, failure: &OnceLock<StreamError>) -> Option<Outcome> {
        let state = ShardMetrics::new(&self.metrics, &self.source_name, &self.partition);
        state.state(ShardState::Starting);
        let sinks = TaskTracker::new();
        let ledger = self.ledger(&state);
        let outcome = match &ledger {
            Err(error) => Some(Err(error.clone())),
            Ok(ledger) => tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                outcome = self.attempts(ledger.as_ref(), &sinks, &state) => Some(outcome),
            },
        };
        sinks.close();
        sinks.wait().await;
        if let Ok(Some((ledger, _))) = &ledger {
            ledger.give_up().await;
        }
        state.state(ShardState::Done);
        match outcome {
            None => None,
            Some(Ok(outcome)) => Some(outcome),
            Some(Err(error)) => {
                // A later failure than the one that is kept already tells nothing new.
                let _ = failure.set(error);
                None
            }
        }
    }

    /// Runs the shard as often as it takes until it is done.
    async fn attempts(
        &self,
        ledger: Option<&(SharedLedger, bool)>,
        sinks: &TaskTracker,
        metrics: &ShardMetrics,
    ) -> Result<Outcome, StreamError> {
        let mut fruitless = 0;
        for attempt in 0.. {
            let before = metrics.commits();
            let result = match ledger {
                None => self.flow(sinks).await.map(Attempt::Over),
                Some((ledger, apart)) => self.committed_flow(sinks, ledger, *apart, attempt, metrics).await,
            };
            // The next attempt must not meet a sink of this one.
            sinks.close();
            sinks.wait().await;
            sinks.reopen();
            let why = match result {
                Ok(Attempt::Over(outcome)) => return Ok(outcome),
                Ok(Attempt::Again(why)) => why,
                Err(error) => match error.may_pass().filter(|_| ledger.is_some()) {
                    Some(why) => why,
                    None => return Err(error),
                },
            };
            fruitless = if metrics.commits() > before { 0 } else { fruitless + 1 };
            if fruitless > RESTARTS_MAX {
                return Err(metrics.failed("it began again and again without a single commit", why));
            }
            let wait = RESTART_WAIT.0.saturating_mul(1 << fruitless.min(10)).min(RESTART_WAIT.1);
            metrics.state(ShardState::Starting);
            metrics.restarted(&why, wait);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.cancel.cancelled() => {
                    return Ok(Outcome { interrupted: true, rows: Vec::new() });
                }
            }
        }
        Err(metrics.cut_off())
    }

    fn ledger(&self, metrics: &ShardMetrics) -> Result<Option<(SharedLedger, bool)>, StreamError> {
        let store = self.commits.shard_store(&self.partition);
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let sinks = sinks_of(self.consumers.iter().chain(&self.letters));
        let found = Ledgered::of(&mut **source, sinks, store.as_ref(), &self.partition, |name| self.context(name));
        let found = found.map_err(|error| metrics.failed("it cannot be taken over", error))?;
        Ok(found.map(|Ledgered { ledger, apart }| (SharedLedger::new(ledger), apart)))
    }

    /// Runs without commits: once through, and done.
    async fn flow(&self, sinks: &TaskTracker) -> Result<Outcome, StreamError> {
        let plant = Planter::new(self, sinks).plant(None, self.cancel.clone(), |_| None).await?;
        let state = ShardMetrics::new(&self.metrics, &self.source_name, &self.partition);
        state.state(ShardState::Running);
        let Plant { leaves, letters, ending, meters, .. } = plant;
        let drive = |leaf: crate::plant::Leaf| {
            let duties = Duties { gate: None, letters: letters.clone(), skips_replay: false, replay: false };
            async move {
                let mut sink = leaf.sink;
                sink.drive_with(leaf.stream, duties).await.map(|()| sink)
            }
        };
        let settled = try_join_all(leaves.into_iter().map(drive)).await?;
        // Every row of every sink is written; from here on only `finish` itself can fail.
        join_all(settled.into_iter().map(SinkWriter::finish)).await.into_iter().collect::<Result<(), _>>()?;
        if let Some(letters) = &letters {
            letters.sink().finish().await?;
        }
        Ok(self.outcome(ending.get(), &meters))
    }

    /// Recovers the shard and runs it, with commits.
    async fn committed_flow(
        &self,
        sinks: &TaskTracker,
        ledger: &SharedLedger,
        apart: bool,
        attempt: u64,
        metrics: &ShardMetrics,
    ) -> Result<Attempt, StreamError> {
        let store = self.commits.shard_store(&self.partition).map(|store| Arc::new(Mutex::new(store)));
        let mut sink_types = sinks_of(self.consumers.iter().chain(&self.letters)).into_iter();
        let rules = Rules {
            commits_apart: apart,
            keeps_checkpoints: store.is_some(),
            has_staged: store.is_some() && sink_types.any(|(_, factory)| factory.delivery() == Delivery::Staged),
        };
        let trace = self.commits.trace.as_deref();
        let mut books = Books {
            protocol: Protocol::new(rules),
            ledger: ledger.clone(),
            store,
            about: self.commits.about.clone(),
            anew: Arc::clone(&self.anew),
            metrics: metrics.clone(),
            trace: trace.map(|folder| Trace::begin(folder, &self.partition, attempt, rules)),
        };
        let signals = Arc::<Signals>::default();
        // Nothing has been done yet that would have to be committed.
        let recovered = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Recovery::Cancelled,
            recovered = self.recover(&mut books, apart, sinks, &signals) => recovered?,
        };
        let plant = match recovered {
            Recovery::Ready(plant) => plant,
            Recovery::Again(why) => return Ok(Attempt::Again(why)),
            Recovery::Cancelled => return Ok(Attempt::Over(Outcome { interrupted: true, rows: Vec::new() })),
        };
        metrics.state(ShardState::Running);
        self.work(*plant, &mut books, signals).await
    }

    async fn work(&self, plant: Plant, books: &mut Books, signals: Arc<Signals>) -> Result<Attempt, StreamError> {
        let Plant { leaves, letters, ending, meters, opened, .. } = plant;
        let replay = books.protocol.committed().is_some_and(|commit| opened < commit.position);
        let metrics = books.metrics.clone();
        let (gate, arrivals) = Gate::new(leaves.len());
        let handles = leaves.iter().map(|leaf| leaf.sink.handle().clone()).collect();
        let letters_sink = letters.as_ref().map(|letters| letters.sink().clone());
        let drive = |leaf: crate::plant::Leaf| {
            let (gate, letters) = (Some(gate.clone()), letters.clone());
            let duties = Duties { gate, letters, skips_replay: leaf.skips_replay, replay };
            async move {
                let mut sink = leaf.sink;
                sink.drive_with(leaf.stream, duties).await
            }
        };
        let mut driving = pin!(try_join_all(leaves.into_iter().map(drive)));
        let mut coordinating = pin!(Coordinator::new(books, arrivals, handles, letters_sink, signals).run());
        let mut stopping = false;
        let verdict = loop {
            tokio::select! {
                biased;
                verdict = &mut coordinating => break verdict?,
                driven = &mut driving => match driven {
                    // They end when the coordinator says so.
                    Ok(_) => break coordinating.await?,
                    Err(_) if matches!(ending.get(), HowEnded::NothingNew | HowEnded::InterruptedReplay) => {
                        break Verdict::Done;
                    }
                    Err(error) => return Err(error),
                },
                () = self.cancel.cancelled(), if !stopping => {
                    stopping = true;
                    metrics.state(ShardState::Stopping);
                }
            }
        };
        match verdict {
            Verdict::Done => Ok(Attempt::Over(self.outcome(ending.get(), &meters))),
            Verdict::Restart(why) => Ok(Attempt::Again(why)),
        }
    }

    fn outcome(&self, ended: HowEnded, meters: &[(crate::Place, crate::meter::Meter)]) -> Outcome {
        let rows = meters.iter().map(|(place, meter)| ComponentRows::read(place, &self.partition, meter)).collect();
        let interrupted = matches!(ended, HowEnded::Interrupted | HowEnded::InterruptedReplay);
        Outcome { interrupted, rows }
    }

    pub(crate) fn context(&self, component: &str) -> ShardContext {
        ShardContext::new(self.partition.clone(), component, self.metrics.clone())
    }
}
