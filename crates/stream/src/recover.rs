//! From the ledger's last commit to a shard that is ready to run.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use sluicegate_checkpoint::protocol::{Action, Event};
use sluicegate_checkpoint::{Checkpoint, ShardStore};
use sluicegate_core::{BoxError, CheckpointRef, Commit, LedgerError, Offset, States, failpoint};
use tokio_util::task::TaskTracker;

use crate::StreamError;
use crate::coordinator::{Answer, Books};
use crate::marks::{Marks, Signals};
use crate::plant::{Plant, Planter};
use crate::shard::{Recovery, Shard};
use crate::shard_metrics::ShardMetrics;
use crate::warm::Begins;

impl Shard {
    /// Takes the shard over, puts its newest state back and opens it where that was taken.
    ///
    /// `apart`: positions are committed apart from checkpoints.
    pub(crate) async fn recover(
        &self,
        books: &mut Books,
        apart: bool,
        sinks: &TaskTracker,
        signals: &Arc<Signals>,
    ) -> Result<Recovery, StreamError> {
        let anew = books.anew.load(Ordering::Acquire);
        let mut actions = VecDeque::from(books.on(Event::Started)?);
        let mut states: Option<States> = None;
        let mut plant: Option<Plant> = None;
        let mut words = String::new();
        while let Some(action) = actions.pop_front() {
            let answer = match action {
                Action::TakeOver => take_over(books, anew).await?,
                Action::Restore(reference) => Answer::Event(restore(books, reference, &mut states).await?),
                Action::Open { from, suppress_until } => {
                    let begins = match (states.take(), from) {
                        (Some(states), _) => Begins::Again(states),
                        (None, None) if books.store.is_some() => self.beginning(books, anew).await?,
                        (None, _) => Begins::Cold,
                    };
                    let planted = self.open(books, apart, sinks, signals, begins, from, suppress_until).await?;
                    let opened = planted.opened;
                    plant = Some(planted);
                    Answer::Event(Event::Opened(opened))
                }
                Action::Write(position) => {
                    let first = plant.as_mut().map(|plant| std::mem::take(&mut plant.first_states));
                    books.write(position, first.unwrap_or_default()).await
                }
                Action::Commit(commit) => books.commit(commit).await,
                Action::Publish => {
                    for sink in plant.as_ref().map(Plant::sinks).unwrap_or_default() {
                        sink.publish().await?;
                    }
                    Answer::Event(Event::Published)
                }
                Action::Prune(keep) => {
                    books.prune(keep);
                    continue;
                }
                Action::Refuse(why) => return Err(books.metrics.refused(why, words)),
                Action::Restart => return Ok(Recovery::Again(words)),
                // What belongs to a shard that runs.
                Action::Run | Action::Resume | Action::RequestBarrier | Action::Finish => continue,
            };
            let event = match answer {
                Answer::Event(event) => event,
                Answer::Refused(error) => {
                    let (event, said) = books.event_of(error)?;
                    words = said;
                    event
                }
            };
            actions.extend(books.on(event)?);
        }
        plant.map(|plant| Recovery::Ready(Box::new(plant))).ok_or_else(|| books.metrics.cut_off())
    }

    #[expect(clippy::too_many_arguments, reason = "what the protocol says, and what is needed to do it")]
    async fn open(
        &self,
        books: &Books,
        apart: bool,
        sinks: &TaskTracker,
        signals: &Arc<Signals>,
        begins: Begins,
        from: Option<Offset>,
        suppress_until: Offset,
    ) -> Result<Plant, StreamError> {
        let planter = match (&books.store, begins) {
            (None, _) => Planter::new(self, sinks),
            (Some(_), Begins::Cold) => Planter::with_states(self, sinks, None),
            (Some(_), Begins::Warm(warm)) => Planter::warm(self, sinks, warm),
            (Some(_), Begins::Again(states)) => Planter::with_states(self, sinks, Some(states)),
        };
        let committed = books.protocol.committed();
        let ended = committed.filter(|commit| commit.ended).map(|commit| commit.position);
        let cadence = self.commits.cadence(apart);
        let marks = |opened: Offset| {
            let signals = Arc::clone(signals);
            let marks = Marks::new(self.partition.clone(), cadence, signals, opened, suppress_until);
            Some((marks, ended == Some(opened)))
        };
        let plant = planter.plant(from, self.cancel.clone(), marks).await?;
        if let Some(from) = from {
            if plant.opened > from {
                let message = format!(
                    "reading has to go on at offset {from}, but the source has only offsets from {} on; what lies between is gone, so it cannot be worked on any more: bring it back, or start over on purpose with --fresh",
                    plant.opened
                );
                return Err(books.metrics.gone(message));
            }
            books.metrics.recovered(from, suppress_until);
            if from < suppress_until {
                failpoint::reach("replay.before", &self.partition);
            }
        }
        Ok(plant)
    }
}

/// Asks the ledger, on a thread that may block.
async fn take_over(books: &Books, anew: bool) -> Result<Answer, StreamError> {
    type Found = Result<(Option<Commit>, Result<bool, BoxError>), LedgerError>;
    let (ledger, store) = (books.ledger.clone(), books.store.clone());
    let ask = move || -> Found {
        let committed = ledger.take_over()?;
        if anew {
            return Ok((None, Ok(false)));
        }
        let any = |store: &Arc<Mutex<ShardStore>>| store.lock().unwrap_or_else(PoisonError::into_inner).has_any();
        Ok((committed, store.as_ref().map_or(Ok(false), any).map_err(Into::into)))
    };
    let found = tokio::task::spawn_blocking(ask).await.unwrap_or_else(|error| Err(LedgerError::Failed(error.into())));
    match found {
        Ok((committed, Ok(checkpoints))) => Ok(Answer::Event(Event::TookOver { committed, checkpoints })),
        Ok((_, Err(error))) => Err(books.metrics.failed("its checkpoints cannot be listed", error)),
        Err(error) => Ok(Answer::Refused(error)),
    }
}

/// Reads the checkpoint, or where that is damaged the newest intact one before it. One that cannot be asked for is not damaged, and
/// nothing is gone back to because of it.
async fn restore(books: &Books, reference: CheckpointRef, states: &mut Option<States>) -> Result<Event, StreamError> {
    let Some(store) = books.store.clone() else { return Ok(Event::NothingToRestore) };
    let metrics = books.metrics.clone();
    let read = tokio::task::spawn_blocking(move || read_intact(&store, &reference, &metrics)).await;
    match read.map_err(|_| books.metrics.cut_off())?? {
        None => Ok(Event::NothingToRestore),
        Some(checkpoint) => {
            books.metrics.compare_arithmetic(&books.about, &checkpoint.about);
            *states = Some(checkpoint.states);
            Ok(Event::Restored(checkpoint.reference))
        }
    }
}

fn read_intact(
    store: &Mutex<ShardStore>,
    reference: &CheckpointRef,
    metrics: &ShardMetrics,
) -> Result<Option<Checkpoint>, StreamError> {
    let away = |error| {
        metrics.failed("its checkpoint cannot be read, which says nothing of its state; start again when it can", error)
    };
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    match store.read(reference) {
        Ok(checkpoint) => return Ok(Some(checkpoint)),
        Err(error) if error.is_damage() => metrics.checkpoint_unusable(reference, &error),
        Err(error) => return Err(away(error)),
    }
    store.newest_before(reference).map_err(away)
}
