//! Carries out what the commit protocol decides for one shard while it runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::{BoxFuture, try_join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use sluicegate_checkpoint::protocol::{Action, Event, Last, Protocol, Refusal};
use sluicegate_checkpoint::{About, ShardStore};
use sluicegate_core::{Barrier, Commit, LedgerError, Offset, Purpose, States, failpoint};
use tokio::sync::mpsc;

use crate::StreamError;
use crate::gate::{Arrival, Go};
use crate::marks::Signals;
use crate::shard_metrics::ShardMetrics;
use crate::shared_ledger::SharedLedger;
use crate::sink::SinkHandle;
use crate::trace::Trace;

/// How a shard's coordination came to its end.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Everything is committed and nothing follows.
    Done,
    /// What was done since the last commit is void; the shard begins again from there.
    Restart(String),
}

/// What a shard commits with.
pub(crate) struct Books {
    pub(crate) protocol: Protocol,
    pub(crate) ledger: SharedLedger,
    pub(crate) store: Option<Arc<Mutex<ShardStore>>>,
    pub(crate) about: About,
    /// What was committed before is left behind on purpose, until something is committed.
    pub(crate) anew: Arc<AtomicBool>,
    pub(crate) metrics: ShardMetrics,
    pub(crate) trace: Option<Trace>,
}

/// What becomes of work that was begun.
pub(crate) enum Answer {
    Event(Event),
    Refused(LedgerError),
}

impl Books {
    /// Tells the protocol what happened and returns what is to be done.
    pub(crate) fn on(&mut self, event: Event) -> Result<Vec<Action>, StreamError> {
        let told = self.trace.is_some().then(|| event.clone());
        let actions = self.protocol.on(event).map_err(|error| self.metrics.broken(error))?;
        if let (Some(trace), Some(event)) = (&mut self.trace, told) {
            trace.record(&event, &actions);
        }
        Ok(actions)
    }

    /// Writes a checkpoint on a thread that may block.
    pub(crate) fn write(&self, position: Offset, states: States) -> BoxFuture<'static, Answer> {
        let (store, about, metrics) = (self.store.clone(), self.about.clone(), self.metrics.clone());
        let work = move || {
            let begun = Instant::now();
            let size: usize = states.values().map(Vec::len).sum();
            let store = store?;
            let written = store.lock().unwrap_or_else(PoisonError::into_inner).write(position, states, &about);
            match written {
                Ok(reference) => {
                    metrics.checkpoint_written(&reference, size, begun.elapsed());
                    Some(reference)
                }
                Err(error) => {
                    metrics.checkpoint_failed(position, &error);
                    None
                }
            }
        };
        tokio::task::spawn_blocking(work)
            .map(|written| Answer::Event(written.ok().flatten().map_or(Event::WriteFailed, Event::Written)))
            .boxed()
    }

    /// Commits on a thread that may block.
    pub(crate) fn commit(&self, commit: Commit) -> BoxFuture<'static, Answer> {
        let (ledger, metrics, anew) = (self.ledger.clone(), self.metrics.clone(), Arc::clone(&self.anew));
        let work = move || {
            let begun = Instant::now();
            let result = ledger.commit(&commit);
            if result.is_ok() {
                anew.store(false, Ordering::Release);
            }
            metrics.committed(&commit, begun.elapsed(), &result);
            result
        };
        tokio::task::spawn_blocking(work)
            .map(|result| match result {
                Ok(Ok(())) => Answer::Event(Event::Committed),
                Ok(Err(error)) => Answer::Refused(error),
                Err(error) => Answer::Refused(LedgerError::Failed(error.into())),
            })
            .boxed()
    }

    /// Removes old checkpoints on a thread that may block, and only tells when that fails.
    pub(crate) fn prune(&self, keep: sluicegate_core::CheckpointRef) {
        let (Some(store), metrics) = (self.store.clone(), self.metrics.clone()) else { return };
        drop(tokio::task::spawn_blocking(move || {
            // A write that is under way has the lock and comes first.
            if let Err(error) = store.lock().unwrap_or_else(PoisonError::into_inner).prune(&keep) {
                metrics.prune_failed(&error);
            }
        }));
    }

    /// The event that a ledger's refusal stands for, or the error that it is.
    pub(crate) fn event_of(&self, error: LedgerError) -> Result<(Event, String), StreamError> {
        match error {
            LedgerError::Fenced(_) => Ok((Event::Fenced, error.to_string())),
            LedgerError::Lost(_) => Ok((Event::CommitLost, error.to_string())),
            error => Err(self.metrics.failed("its position cannot be committed", error)),
        }
    }
}

/// Coordinates the sinks of one shard from its first row to its end.
pub(crate) struct Coordinator<'a> {
    pub(crate) books: &'a mut Books,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    /// The sinks at the ends of the chains, and the one that takes dead letters.
    pub(crate) sinks: Vec<SinkHandle>,
    pub(crate) letters: Option<SinkHandle>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) work: FuturesUnordered<BoxFuture<'static, Result<Answer, StreamError>>>,
    /// Sinks that wait at a barrier, and the barrier.
    pub(crate) held: Vec<Arrival>,
    /// What was deposited at the last checkpoint barrier.
    pub(crate) states: States,
    /// A checkpoint barrier has come, and until it is dealt with there may be no other.
    pub(crate) checkpoint_met: bool,
    pub(crate) last_words: String,
}

impl<'a> Coordinator<'a> {
    pub(crate) fn new(
        books: &'a mut Books,
        arrivals: mpsc::Receiver<Arrival>,
        sinks: Vec<SinkHandle>,
        letters: Option<SinkHandle>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            books,
            arrivals,
            sinks,
            letters,
            signals,
            work: FuturesUnordered::new(),
            held: Vec::new(),
            states: States::new(),
            checkpoint_met: false,
            last_words: String::new(),
        }
    }

    /// Runs until the shard is done or has to begin again.
    ///
    /// # Errors
    /// When the shard cannot go on.
    pub(crate) async fn run(mut self) -> Result<Verdict, StreamError> {
        loop {
            let answer = tokio::select! {
                Some(answer) = self.work.next(), if !self.work.is_empty() => answer?,
                arrival = self.arrivals.recv() => {
                    let Some(arrival) = arrival else { return Err(self.books.metrics.cut_off()) };
                    self.held.push(arrival);
                    if self.held.len() < self.sinks.len() {
                        continue;
                    }
                    Answer::Event(self.aligned().await?)
                }
            };
            let event = match answer {
                Answer::Event(event) => event,
                Answer::Refused(error) => {
                    let (event, words) = self.books.event_of(error)?;
                    self.last_words = words;
                    event
                }
            };
            for action in self.books.on(event)? {
                if let Some(verdict) = self.act(action)? {
                    return Ok(verdict);
                }
            }
            if self.checkpoint_met && self.books.protocol.may_checkpoint() {
                self.checkpoint_met = false;
                self.signals.allow_checkpoints();
            }
        }
    }

    /// All sinks wait at one barrier: the dead letters before it arrive too.
    async fn aligned(&mut self) -> Result<Event, StreamError> {
        let Some(barrier) = self.held.first().map(|arrival| arrival.barrier.clone()) else {
            return Err(self.books.metrics.cut_off());
        };
        if let Some(letters) = &self.letters {
            if barrier.purpose() == Purpose::End {
                letters.finish().await?;
            }
            letters.flush(&barrier).await?;
        }
        let position = barrier.position();
        if barrier.is_checkpoint() {
            self.states = Barrier::take_states(&barrier);
            self.checkpoint_met = true;
        }
        if barrier.purpose() == Purpose::Stop {
            failpoint::reach("stop.flushed", self.books.metrics.partition());
        }
        let last = match barrier.purpose() {
            Purpose::Commit | Purpose::Checkpoint => None,
            Purpose::Stop => Some(Last::Stopped),
            Purpose::End => Some(Last::Ended),
        };
        Ok(Event::Aligned { position, checkpoint: barrier.is_checkpoint(), last })
    }

    fn act(&mut self, action: Action) -> Result<Option<Verdict>, StreamError> {
        match action {
            Action::Write(position) => {
                let states = std::mem::take(&mut self.states);
                self.work.push(self.books.write(position, states).map(Ok).boxed());
            }
            Action::Commit(commit) => self.work.push(self.books.commit(commit).map(Ok).boxed()),
            Action::Publish => {
                let sinks: Vec<SinkHandle> = self.sinks.iter().chain(&self.letters).cloned().collect();
                let publish = async move {
                    try_join_all(sinks.iter().map(SinkHandle::publish)).await?;
                    Ok(Answer::Event(Event::Published))
                };
                self.work.push(publish.boxed());
            }
            Action::Prune(keep) => self.books.prune(keep),
            Action::Resume => self.release(Go::On),
            Action::RequestBarrier => self.signals.request_barrier(),
            Action::Finish => {
                self.release(Go::Home);
                return Ok(Some(Verdict::Done));
            }
            Action::Restart => return Ok(Some(Verdict::Restart(std::mem::take(&mut self.last_words)))),
            Action::Refuse(why) => return Err(self.books.metrics.refused(why, std::mem::take(&mut self.last_words))),
            // What belongs to the beginning of a shard, which is over.
            Action::TakeOver | Action::Restore(_) | Action::Open { .. } | Action::Run => {}
        }
        Ok(None)
    }

    fn release(&mut self, go: Go) {
        for arrival in self.held.drain(..) {
            // A sink that is gone needs no answer.
            let _ = arrival.go.send(go);
        }
    }
}

/// What a refusal means for whoever runs the pipeline.
pub(crate) fn explained(why: Refusal, words: &str) -> String {
    match why {
        Refusal::Fenced => format!("{words}; run one process per partition, or let them share a consumer group"),
        Refusal::CommitsAreGone => "there are checkpoints, but no committed position goes with them (committed offsets expire, and a consumer group can be renamed or deleted); to begin with the state of no event, start over on purpose with --fresh".to_owned(),
        Refusal::CheckpointsAreGone => "the checkpoint that its committed position needs cannot be used, nor can an older one (`sluice checkpoint verify` says why); bring the checkpoints back, or start over on purpose with --fresh".to_owned(),
        Refusal::CommitWithoutCheckpoint => "a position was committed without a checkpoint, so no state goes with it: the pipeline had no [checkpoint] then; start over on purpose with --fresh".to_owned(),
        Refusal::CheckpointsNotKept => "its committed position goes with a checkpoint, but the pipeline has no [checkpoint] now; bring the table back, or start over on purpose with --fresh".to_owned(),
        Refusal::LastCheckpointNotWritten => "its checkpoint could not be written (see the log), so what was done since the one before is not kept; make room or mend the place that [checkpoint] names, and run again".to_owned(),
    }
}
