//! What readers ask of the thread of a consumer, and how it is done.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::call::CallError;
use super::context::Context;
use super::group::{CALL, POLL};
use super::queue::{Queue, TapError};

/// What a reader is told in whose place another one reads.
const ELSEWHERE: &str = "the partition is read from another place now";

/// Topic and number of a partition.
pub(super) type Name = (String, i32);

pub(super) type Client = BaseConsumer<Context>;

/// What is asked.
pub(crate) enum Command {
    Tap {
        name: Name,
        from: i64,
        queue: Arc<Queue>,
        /// The queue that it comes in place of, if its reader had one before.
        instead: Option<Arc<Queue>>,
        answer: Sender<Result<(), CallError>>,
    },
    Resume(Name),
    Release(Name),
    Leave,
}

/// What the thread knows of its partitions.
#[derive(Default)]
pub(crate) struct Served {
    /// Partitions that are read, and where their records go.
    pub(crate) taken: HashMap<Name, Arc<Queue>>,
    /// Partitions that were told as assigned and not yet released.
    pub(crate) told: HashSet<Name>,
    pub(crate) leaving: bool,
}

impl Served {
    /// Whether a reader may begin. One that goes on may not where another has begun since, or the partition was released: a shard
    /// that begins again does not wait for its reader of before.
    fn admits(&self, name: &Name, instead: Option<&Arc<Queue>>) -> bool {
        instead.is_none_or(|own| self.taken.get(name).is_some_and(|queue| Arc::ptr_eq(queue, own)))
    }
}

impl Context {
    /// Does what somebody asked for.
    pub(crate) fn serve(&self, consumer: &Client, command: Command) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        match command {
            Command::Tap { name, from, queue, instead, answer } => {
                let done = if served.admits(&name, instead.as_ref()) {
                    begin(consumer, &name, from, served.taken.contains_key(&name))
                } else {
                    Err(CallError::Refused(ELSEWHERE.to_owned()))
                };
                if done.is_ok()
                    && let Some(before) = served.taken.insert(name, queue)
                {
                    before.fail(TapError::Failed(ELSEWHERE.to_owned()));
                }
                let _ = answer.send(done);
            }
            Command::Resume(name) => {
                if served.taken.contains_key(&name)
                    && let Err(error) = consumer.resume(&only(&name))
                {
                    tracing::warn!("{}-{} cannot be resumed: {error}", name.0, name.1);
                }
            }
            Command::Release(name) => {
                served.taken.remove(&name);
                served.told.remove(&name);
            }
            Command::Leave => served.leaving = true,
        }
    }
}

pub(super) fn only((topic, partition): &Name) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, *partition);
    list
}

/// Seeks, and lets records come. `again`: the partition was read before.
fn begin(consumer: &Client, name: &Name, from: i64, again: bool) -> Result<(), CallError> {
    let until = Instant::now() + CALL;
    loop {
        let error = match consumer.seek(&name.0, name.1, Offset::Offset(from), CALL) {
            Ok(()) => return Ok(consumer.resume(&only(name))?),
            Err(error) => error,
        };
        // librdkafka has given up on a partition whose offsets are gone, and does not seek in it any more.
        if again && matches!(error, KafkaError::Seek(_)) {
            return Ok(assign_anew(consumer, name, from)?);
        }
        if Instant::now() >= until {
            return Err(error.into());
        }
        // An assignment takes a moment to be in force.
        std::thread::sleep(POLL);
    }
}

/// Takes a partition out of what is fetched and puts it back at an offset. The group is not told, and need not be.
fn assign_anew(consumer: &Client, name: &Name, from: i64) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&name.0, name.1, Offset::Offset(from))?;
    consumer.incremental_unassign(&only(name))?;
    consumer.incremental_assign(&list)?;
    consumer.resume(&only(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_on_only_where_nobody_has_begun_since() {
        let name = ("trades".to_owned(), 0);
        let queue = || Arc::new(Queue::new(1));
        let (old, new) = (queue(), queue());
        let mut served = Served::default();
        assert!(served.admits(&name, None));
        assert!(!served.admits(&name, Some(&old)), "it was released");
        served.taken.insert(name.clone(), Arc::clone(&old));
        assert!(served.admits(&name, Some(&old)));
        assert!(served.admits(&name, None), "a shard that begins again does not wait for its reader of before");
        served.taken.insert(name.clone(), Arc::clone(&new));
        assert!(!served.admits(&name, Some(&old)));
        assert!(served.admits(&name, Some(&new)));
    }
}
