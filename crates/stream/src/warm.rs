//! The state that a shard begins with for which nothing was committed yet.

use std::sync::{Arc, Mutex, PoisonError};

use sluicegate_checkpoint::{CheckpointError, NewPartitions, ShardStore, StartFrom, StartKeys, Store};
use sluicegate_core::{BoxError, PartitionId, Source, States};

use crate::StreamError;
use crate::coordinator::Books;
use crate::plant::{Keeps, Warm};
use crate::shard::Shard;

/// With which states a shard begins.
pub(crate) enum Begins {
    /// Those of no event.
    Cold,
    /// Those that others learned.
    Warm(Warm),
    /// Its own, of a checkpoint.
    Again(States),
}

/// What is asked of the checkpoints, on a thread that may block.
struct Question {
    source: Arc<Mutex<Box<dyn Source>>>,
    source_name: String,
    partition: PartitionId,
    siblings: Arc<[PartitionId]>,
    own: Option<(Store, Arc<Mutex<ShardStore>>)>,
    start_from: Option<(Store, StartFrom)>,
    new_partitions: NewPartitions,
    anew: bool,
}

impl Shard {
    /// What the shard begins with: the state that it was given when its partition was split off, or else what `start_from`
    /// says. A partition that keys of others have moved to is refused, unless it may begin cold.
    ///
    /// # Errors
    /// When the partition is refused, or the states cannot be read.
    pub(crate) async fn beginning(&self, books: &Books, anew: bool) -> Result<Begins, StreamError> {
        let store = self.commits.store.as_ref().map(|(store, _)| store.clone());
        let question = Question {
            source: Arc::clone(&self.source),
            source_name: self.source_name.clone(),
            partition: self.partition.clone(),
            siblings: Arc::clone(&self.siblings),
            own: store.zip(books.store.clone()),
            start_from: self.commits.start_from.clone(),
            new_partitions: self.commits.new_partitions(),
            anew,
        };
        let answered = tokio::task::spawn_blocking(move || question.answer()).await;
        let answered = answered.unwrap_or_else(|error| Err(error.into()));
        answered.map_err(|error| books.metrics.failed("it cannot begin", error))
    }
}

impl Question {
    fn answer(self) -> Result<Begins, BoxError> {
        let Some((store, own)) = &self.own else { return Ok(Begins::Cold) };
        let known = match store.known_partitions(&self.source_name)? {
            Some(known) if !self.anew => known,
            _ => {
                store.note_partitions(&self.source_name, &self.siblings)?;
                self.siblings.to_vec()
            }
        };
        let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
        if self.anew {
            own.remove_seed()?;
        } else if let Some(states) = own.seed()? {
            let from = "what it was given when the partitions were split".to_owned();
            return Ok(self.warm(states, from, self.routed()));
        }
        if !known.contains(&self.partition) {
            self.admit(store, &known)?;
        }
        let Some((donors, start)) = &self.start_from else { return Ok(Begins::Cold) };
        let (states, from) = donated(donors, start)?;
        let keeps: Keeps = match start.keys {
            StartKeys::Own => self.routed(),
            StartKeys::All => Arc::new(|_| true),
            StartKeys::None => Arc::new(|_| false),
        };
        Ok(self.warm(states, from, keeps))
    }

    fn warm(&self, states: States, from: String, keeps: Keeps) -> Begins {
        tracing::info!(partition = %self.partition, "begins with {from}");
        Begins::Warm(Warm { states, from, keeps })
    }

    /// The keys that come to the partition, as far as the source knows.
    fn routed(&self) -> Keeps {
        let (source, partition) = (Arc::clone(&self.source), self.partition.clone());
        Arc::new(move |key| {
            let source = source.lock().unwrap_or_else(PoisonError::into_inner);
            source.routes(&partition, key).unwrap_or(true)
        })
    }

    /// A partition that was not there before: do keys come to it now that came to others?
    ///
    /// The first of partitions that nobody knew of yet, such as those of a topic that a pattern names, is noted together with the
    /// others, so that only one which comes later is taken for new.
    fn admit(&self, store: &Store, known: &[PartitionId]) -> Result<(), BoxError> {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let origins = source.origins(&self.partition, known)?;
        if !origins.is_empty() && self.new_partitions == NewPartitions::Refuse {
            let from: Vec<&str> = origins.iter().map(PartitionId::as_str).collect();
            return Err(format!(
                "it is new, and its keys came to {} before, where what was learned of them is; give it their state with `sluice checkpoint reshard`, or let it begin without: [checkpoint] new_partitions = \"cold\"",
                from.join(", ")
            )
            .into());
        }
        if !origins.is_empty() {
            tracing::warn!(partition = %self.partition, "a new partition begins with the state of no event");
            return Ok(store.note_partitions(&self.source_name, std::slice::from_ref(&self.partition))?);
        }
        Ok(store.note_partitions(&self.source_name, &source.siblings(&self.partition)?)?)
    }
}

/// The states that `start_from` names.
fn donated(donors: &Store, start: &StartFrom) -> Result<(States, String), BoxError> {
    let of = |name: &str| format!("`start_from`: pipeline `{}`{name}", start.pipeline);
    let partition = match &start.partition {
        Some(partition) => PartitionId::new(partition),
        None => match <[PartitionId; 1]>::try_from(donors.shards()?) {
            Ok([only]) => only,
            Err(all) if all.is_empty() => return Err(format!("{} has no checkpoints there", of("")).into()),
            Err(all) => {
                let names: Vec<&str> = all.iter().map(PartitionId::as_str).collect();
                return Err(format!("{} has several partitions; say which: {}", of(""), names.join(", ")).into());
            }
        },
    };
    let at = format!(", partition `{partition}`");
    match donors.shard(&partition).newest()? {
        Some(checkpoint) => {
            Ok((checkpoint.states, format!("the checkpoint {} of {}", checkpoint.reference.name, of(&at))))
        }
        None => Err(format!("{} has no checkpoint that can be read", of(&at)).into()),
    }
}

impl From<CheckpointError> for StreamError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoints { source: Arc::new(error) }
    }
}
