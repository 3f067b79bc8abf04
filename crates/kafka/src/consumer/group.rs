//! The thread of a consumer, and what others ask of it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::RawRecord;
use super::badge::Badge;
use super::call::CallError;
use super::context::Context;
use super::queue::{Queue, Taken, TapEnd, TapError};
use super::serve::{Client, Command, Name, only};
use super::strangers;
use crate::Connection;

/// How long one call to a broker may take.
pub(super) const CALL: Duration = Duration::from_secs(10);
/// How long the thread may take until it has dealt with what others asked of it before, and has sought.
const TAP_WITHIN: Duration = Duration::from_secs(30);
/// The thread looks so often whether something was asked of it.
pub(super) const POLL: Duration = Duration::from_millis(20);
/// librdkafka's defaults.
const SESSION_TIMEOUT_MS: u64 = 45_000;
const MAX_POLL_INTERVAL_MS: u64 = 300_000;

/// What a group's member reads.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// How to connect.
    pub connection: Connection,
    /// The group.
    pub group: String,
    /// Topics; one that begins with `^` is a pattern.
    pub topics: Vec<String>,
    /// Memory for the records of one partition that wait, in bytes.
    pub buffer_bytes_max: usize,
    /// Whether readers want to know when a broker has nothing more.
    pub tells_end: bool,
}

/// Which partitions came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// They are this member's; nothing is read before they are tapped.
    Assigned(Vec<(String, i32)>),
    /// They have to be released.
    Revoked(Vec<(String, i32)>),
    /// They are somebody else's already.
    Lost(Vec<(String, i32)>),
}

/// The first offset that a partition still has, and the one after its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionEnds {
    /// The first offset.
    pub low: i64,
    /// The offset that the next record will get.
    pub high: i64,
}

/// A member of a consumer group. Clones are the same member; it leaves when told to.
#[derive(Clone)]
pub struct Group {
    consumer: Arc<Client>,
    commands: Sender<Command>,
    settings: Arc<GroupSettings>,
    badge: Arc<Badge>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Group {
    /// Makes the member and joins the group with a badge for others to see; changes come out of the receiver, or why there will be
    /// none.
    ///
    /// # Errors
    /// When a member of the group has another badge, librdkafka refuses the properties or the topics, or there is no thread to be
    /// had.
    pub fn join(
        settings: GroupSettings,
        badge: Badge,
    ) -> Result<(Self, Receiver<Result<GroupChange, String>>), String> {
        let max_poll = settings.connection.number("max.poll.interval.ms").unwrap_or(MAX_POLL_INTERVAL_MS);
        let (tell, changes) = channel();
        let (commands, asked) = channel();
        let context = Context {
            changes: tell,
            commands: Mutex::new(asked),
            served: Mutex::default(),
            release_within: Duration::from_millis(max_poll / 2),
            told_at: Mutex::default(),
            waited: Mutex::default(),
        };
        let mut config = settings.connection.client_config();
        let client_id = badge.client_id(settings.connection.properties.get("client.id").map(String::as_str));
        for (name, value) in [
            ("client.id", client_id.as_str()),
            ("group.id", settings.group.as_str()),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("allow.auto.create.topics", "false"),
            ("enable.partition.eof", if settings.tells_end { "true" } else { "false" }),
        ] {
            config.set(name, value);
        }
        if !settings.connection.properties.contains_key("fetch.queue.backoff.ms") {
            // The default of a second stalls a consumer that is faster than its brokers.
            config.set("fetch.queue.backoff.ms", "10");
        }
        let consumer: Client = config.create_with_context(context).map_err(|error| error.to_string())?;
        let session = settings.connection.number("session.timeout.ms").unwrap_or(SESSION_TIMEOUT_MS);
        let members = strangers::refuse(&consumer, &settings.group, &badge)?;
        if members > 0 {
            tracing::info!(
                group = %settings.group,
                members,
                "the consumer group has members already, so partitions may come late or not at all; a process that was killed \
                 counts until its session.timeout.ms ({session} ms here) is over"
            );
        }
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| error.to_string())?;
        let group = Self {
            consumer: Arc::new(consumer),
            commands,
            settings: Arc::new(settings),
            badge: Arc::new(badge),
            thread: Arc::default(),
        };
        let consumer = Arc::clone(&group.consumer);
        let thread = std::thread::Builder::new()
            .name(format!("kafka {}", group.settings.group))
            .spawn(move || poll(&consumer, Duration::from_millis(session)))
            .map_err(|error| error.to_string())?;
        *group.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok((group, changes))
    }

    /// Who this member is, for commits on its behalf; `None` while it is none.
    pub fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    /// Looks whether a member of the group works for another pipeline. Worth asking when the first partitions are assigned: of two
    /// that joined at the same time, neither saw the other before.
    ///
    /// # Errors
    /// When one does: both are named, with what to do.
    pub fn refuse_strangers(&self) -> Result<(), String> {
        strangers::refuse(&self.consumer, &self.settings.group, &self.badge).map(drop)
    }

    /// Which offsets a partition has.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn ends(&self, topic: &str, partition: i32, within: Duration) -> Result<PartitionEnds, CallError> {
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, within)?;
        Ok(PartitionEnds { low, high })
    }

    /// The first offset whose record is of this time or later; the end where there is none.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn offset_at(&self, topic: &str, partition: i32, time_ms: i64) -> Result<i64, CallError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(topic, partition, Offset::Offset(time_ms))?;
        let found = self.consumer.offsets_for_times(asked, CALL)?;
        match found.find_partition(topic, partition).map(|found| found.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset),
            _ => Ok(self.ends(topic, partition, CALL)?.high),
        }
    }

    /// Reads a partition that was assigned, from an offset on. A tap that was opened on it before runs dry.
    ///
    /// # Errors
    /// When the partition is not this member's, or no broker answers.
    pub fn tap(&self, topic: &str, partition: i32, from: i64) -> Result<Tap, CallError> {
        self.begin_tap((topic.to_owned(), partition), from, None)
    }

    fn begin_tap(&self, name: Name, from: i64, instead: Option<Arc<Queue>>) -> Result<Tap, CallError> {
        let queue = Arc::new(Queue::new(self.settings.buffer_bytes_max));
        let (answer, answered) = channel();
        let command = Command::Tap { name: name.clone(), from, queue: Arc::clone(&queue), instead, answer };
        self.commands.send(command).map_err(|_| gone())?;
        answered.recv_timeout(TAP_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                let limit = TAP_WITHIN.as_secs();
                CallError::Unanswered(format!("the Kafka consumer was busy for more than {limit} s"))
            }
            RecvTimeoutError::Disconnected => gone(),
        })??;
        Ok(Tap { queue, name, group: self.clone() })
    }

    /// The shard of a revoked partition is gone.
    pub fn release(&self, topic: &str, partition: i32) {
        // The thread is gone only when the member left.
        let _ = self.commands.send(Command::Release((topic.to_owned(), partition)));
    }

    /// Leaves the group, so that others may have the partitions at once.
    pub fn leave(&self) {
        let _ = self.commands.send(Command::Leave);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in there was told as it happened.
            let _ = thread.join();
        }
    }
}

fn gone() -> CallError {
    CallError::Refused("the Kafka consumer has stopped".to_owned())
}

/// The records of one partition, from some offset on.
pub struct Tap {
    queue: Arc<Queue>,
    name: Name,
    group: Group,
}

impl Tap {
    /// Which offsets the partition has.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn ends(&self, within: Duration) -> Result<PartitionEnds, CallError> {
        self.group.ends(&self.name.0, self.name.1, within)
    }

    /// Reads on from another offset. This tap runs dry.
    ///
    /// # Errors
    /// When somebody else has tapped the partition since, or it was released; when no broker answers.
    pub fn again(&self, from: i64) -> Result<Self, CallError> {
        self.group.begin_tap(self.name.clone(), from, Some(Arc::clone(&self.queue)))
    }

    /// Takes up to `rows` records, as soon as there are so many, or `linger` after the first; none when none came for `wait`, or
    /// the broker had no more, which is then said once.
    ///
    /// # Errors
    /// When no more will come.
    pub fn take(
        &self,
        rows: usize,
        linger: Duration,
        wait: Duration,
    ) -> Result<(Vec<RawRecord>, Option<TapEnd>), TapError> {
        let Taken { records, resume, end } = self.queue.take(rows, linger, wait)?;
        if resume {
            let _ = self.group.commands.send(Command::Resume(self.name.clone()));
        }
        Ok((records, end))
    }
}

/// The thread's work, until it is told to leave.
fn poll(consumer: &Client, session: Duration) {
    let context = consumer.context();
    loop {
        loop {
            let command = {
                let commands = context.commands.lock().unwrap_or_else(PoisonError::into_inner);
                commands.recv_timeout(Duration::ZERO)
            };
            match command {
                Ok(command) => context.serve(consumer, command),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        if context.served.lock().unwrap_or_else(PoisonError::into_inner).leaving {
            consumer.unsubscribe();
            // Lets the group know; partitions that were not released are nobody's to wait for any more.
            drop(consumer.poll(POLL));
            return;
        }
        let begun = Instant::now();
        let message = consumer.poll(POLL);
        let waited = std::mem::take(&mut *context.waited.lock().unwrap_or_else(PoisonError::into_inner));
        // Heartbeats go on while shards are waited for, but not while the process is stopped or the machine asleep.
        let away = begun.elapsed().saturating_sub(waited);
        if away > session {
            let message = format!(
                "this process was away for {:.0} s, longer than the session time-out of {:.0} s, so others may have its partitions; start it again",
                away.as_secs_f64(),
                session.as_secs_f64()
            );
            let _ = context.changes.send(Err(message));
            return;
        }
        match message {
            None => {}
            Some(Ok(message)) => {
                let name = (message.topic().to_owned(), message.partition());
                let queue = context.served.lock().unwrap_or_else(PoisonError::into_inner).taken.get(&name).cloned();
                let Some(queue) = queue else { continue };
                if queue.push(RawRecord::of(&message))
                    && let Err(error) = consumer.pause(&only(&name))
                {
                    tracing::warn!("{}-{} cannot be paused: {error}", name.0, name.1);
                }
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                // rdkafka does not say of which topic. How far each one was read is known here, after all of its records.
                let served = context.served.lock().unwrap_or_else(PoisonError::into_inner);
                let positions = consumer.position().ok();
                let of_number: Vec<_> = served.taken.iter().filter(|((_, other), _)| *other == number).collect();
                for (name, queue) in &of_number {
                    let found = positions.as_ref().and_then(|all| all.find_partition(&name.0, number));
                    let position = match found.map(|found| found.offset()) {
                        Some(Offset::Offset(position)) => Some(position),
                        _ => None,
                    };
                    queue.reached_end(TapEnd { position, certain: of_number.len() == 1 });
                }
            }
            Some(Err(error)) => told(context, &error),
        }
    }
}

/// Some errors pass by themselves; others end what waits for records.
fn told(context: &Context, error: &KafkaError) {
    let lasting = match error.rdkafka_error_code() {
        Some(
            code @ (RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
            | RDKafkaErrorCode::Fatal),
        ) => Some(code),
        _ => None,
    };
    match lasting {
        None => tracing::warn!("Kafka: {error}"),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            let served = context.served.lock().unwrap_or_else(PoisonError::into_inner);
            // Of which partition is not said; each reader looks whether it is its own.
            served.taken.values().for_each(|queue| queue.fail(TapError::OffsetsGone));
        }
        Some(_) => drop(context.changes.send(Err(error.to_string()))),
    }
}
