//! What happens when partitions come and go, and when brokers do.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::group::GroupChange;
use super::serve::{Command, Served};

/// Logged at most so often: a broker that is away is told about many times a second.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Shares what happens to a consumer with those who read its partitions.
pub(crate) struct Context {
    pub(crate) changes: Sender<Result<GroupChange, String>>,
    pub(crate) commands: Mutex<Receiver<Command>>,
    pub(crate) served: Mutex<Served>,
    /// How long the shards of revoked partitions have to commit and end.
    pub(crate) release_within: Duration,
    pub(crate) told_at: Mutex<Option<Instant>>,
    /// Time that polling waited for shards to end.
    pub(crate) waited: Mutex<Duration>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *told_at = Some(Instant::now());
            tracing::warn!("Kafka: {error}: {reason}");
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let names: Vec<(String, i32)> =
            partitions.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
        let result = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            // Where reading begins is known only when the shard is; until then nothing is fetched.
            let end = partitions.set_all_offsets(Offset::End);
            end.and_then(|()| consumer.incremental_assign(partitions)).and_then(|()| consumer.pause(partitions)).map(
                |()| {
                    if !names.is_empty() {
                        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
                        served.told.extend(names.iter().cloned());
                        self.tell(GroupChange::Assigned(names));
                    }
                },
            )
        } else {
            if consumer.assignment_lost() {
                self.tell(GroupChange::Lost(names.clone()));
            } else if !names.is_empty() {
                self.tell(GroupChange::Revoked(names.clone()));
            }
            let begun = Instant::now();
            self.wait_for_release(consumer, &names);
            *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += begun.elapsed();
            consumer.incremental_unassign(partitions)
        };
        if let Err(error) = result {
            let _ = self.changes.send(Err(format!("partitions cannot be assigned: {error}")));
        }
    }
}

impl Context {
    fn tell(&self, change: GroupChange) {
        // Nobody listens any more when the source is gone.
        let _ = self.changes.send(Ok(change));
    }

    /// Serves others until the shards of these partitions are gone, or their time is over.
    fn wait_for_release(&self, consumer: &BaseConsumer<Self>, names: &[(String, i32)]) {
        let until = Instant::now() + self.release_within;
        let held =
            |served: &Served| names.iter().any(|name| served.taken.contains_key(name) || served.told.contains(name));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!("shards of revoked partitions did not end in time; they are fenced when they commit");
                break;
            }
            {
                let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
                if served.leaving || !held(&served) {
                    break;
                }
            }
            let command = {
                let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
                commands.recv_timeout(left.min(Duration::from_millis(50)))
            };
            match command {
                Ok(command) => self.serve(consumer, command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            served.taken.remove(name);
            served.told.remove(name);
        }
    }
}
