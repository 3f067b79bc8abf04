//! The consumer that reads committed offsets. It never subscribes.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use sluicegate_core::{Commit, LedgerError, Offset};

use super::LedgerSpec;
use super::attempt::come_back_soon;
use super::verdict::{is_passing, ledger_error, verdict};
use crate::produce::plain;

/// Limit of one request for the committed offset.
const REQUEST: Duration = Duration::from_secs(5);
/// Before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// A client of the group that is no member of it.
pub(super) struct Group(BaseConsumer);

impl Group {
    /// Connects.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when librdkafka refuses the settings.
    pub(super) fn new(spec: &LedgerSpec) -> Result<Self, LedgerError> {
        let mut config = spec.client.client_config();
        come_back_soon(&mut config);
        config
            .set("group.id", &spec.group)
            // An offset that another producer is about to commit is waited for, not passed over.
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config.create().map(Self).map_err(|error| {
            LedgerError::Failed(format!("cannot make a consumer of the group `{}`: {error}", spec.group).into())
        })
    }

    /// What a transaction of a process without membership commits with.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when librdkafka has none.
    pub(super) fn metadata(&self) -> Result<ConsumerGroupMetadata, LedgerError> {
        self.0.poll(Duration::ZERO);
        self.0.group_metadata().ok_or_else(|| LedgerError::Failed("the consumer has no group".into()))
    }

    /// What was committed last; waits for the broker until `deadline`.
    ///
    /// # Errors
    /// [`LedgerError::Lost`] when the broker does not answer, [`LedgerError::Failed`] when what was committed is not ours.
    pub(super) fn committed(&self, spec: &LedgerSpec, deadline: Instant) -> Result<Option<Commit>, LedgerError> {
        let doing =
            || format!("cannot read the offset of group `{}` in {}-{}", spec.group, spec.topic, spec.topic_partition);
        loop {
            let error = match self.ask(spec) {
                Ok((offset, metadata)) => return commit_of(spec, offset, &metadata),
                Err(error) => error,
            };
            let passing = error.rdkafka_error_code().is_some_and(is_passing);
            if !passing || Instant::now() >= deadline {
                return Err(ledger_error(verdict(&error), &doing(), &error));
            }
            tracing::debug!("{}, trying again: {}", doing(), plain(&error));
            std::thread::sleep(PAUSE);
        }
    }

    fn ask(&self, spec: &LedgerSpec) -> Result<(KafkaOffset, String), KafkaError> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(&spec.topic, spec.topic_partition);
        self.0.poll(Duration::ZERO);
        let found = self.0.committed_offsets(wanted, REQUEST)?;
        let element = found
            .find_partition(&spec.topic, spec.topic_partition)
            .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
        element.error()?;
        Ok((element.offset(), element.metadata().to_owned()))
    }
}

/// The offset that is committed for a position. Below 0 are positions in a history that comes before the topic; the note
/// beside the offset knows them.
pub(super) fn carried_by(commit: &Commit) -> i64 {
    commit.position.0.max(0)
}

/// The commit that an offset and its metadata stand for.
fn commit_of(spec: &LedgerSpec, offset: KafkaOffset, metadata: &str) -> Result<Option<Commit>, LedgerError> {
    let offset = match offset {
        KafkaOffset::Offset(offset) => Offset(offset),
        _ => return Ok(None),
    };
    let LedgerSpec { group, topic, topic_partition, .. } = spec;
    match Commit::parse(metadata) {
        Some(commit) if carried_by(&commit) == offset.0 => Ok(Some(commit)),
        Some(commit) => Err(LedgerError::Failed(
            format!(
                "the offset of group `{group}` in {topic}-{topic_partition} is {offset}, but the note beside it says {}: somebody has moved it by hand; move it back, or delete the group's offset to start over",
                commit.position
            )
            .into(),
        )),
        None => Err(LedgerError::Failed(
            format!(
                "the group `{group}` has committed the offset {offset} in {topic}-{topic_partition}, but not by this program: somebody else uses the group; set another `group`, or delete the group's offset (kafka-consumer-groups --delete-offsets) to start over"
            )
            .into(),
        )),
    }
}
