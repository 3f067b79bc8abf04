//! The partitions, which of them are this process's, and where their positions are committed.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    BoxError, Change, ConfigError, Ledger, Membership, Offset, PartitionId, Passing, Reader, Roles, Source,
};
use sluicegate_kafka::{
    Badge, CallError, Group, GroupChange, GroupSettings, LedgerSpec, Member, Partitioner, Transactions,
    find_partitions_of, is_compacted, partition_of,
};

use super::columns::Columns;
use super::position::{KafkaStart, KafkaStop};
use super::reader::KafkaReader;
use crate::SourceError;

/// How long a broker may take to say which offsets a partition has.
pub(super) const CALL: Duration = Duration::from_secs(30);

/// How partitions are read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) component: String,
    pub(super) columns: Columns,
    pub(super) start: KafkaStart,
    pub(super) stop: Option<KafkaStop>,
    pub(super) fail_on_error: bool,
    pub(super) skip_missing: bool,
    pub(super) batch_rows: usize,
    pub(super) linger: Duration,
}

/// Kafka topics as a source.
pub(super) struct KafkaSource {
    settings: GroupSettings,
    reading: Reading,
    pipeline: String,
    /// Those of topics that are named, as they were when the source was connected.
    partitions: Vec<(String, i32)>,
    /// How many each topic has, as far as it was asked, those of patterns among them.
    counts: Mutex<BTreeMap<String, usize>>,
    partitioner: Partitioner,
    transactions: Arc<Transactions>,
    /// Of a transaction, and of waiting for a broker.
    times: (Duration, Duration),
    group: Option<Group>,
}

impl KafkaSource {
    pub(super) fn new(
        settings: GroupSettings,
        reading: Reading,
        pipeline: String,
        (partitions, partitioner): (Vec<(String, i32)>, Partitioner),
        transactions: Arc<Transactions>,
        times: (Duration, Duration),
    ) -> Self {
        let counts = partitions.iter().fold(BTreeMap::new(), |mut counts, (topic, _)| {
            *counts.entry(topic.clone()).or_default() += 1;
            counts
        });
        let (counts, group) = (Mutex::new(counts), None);
        Self { settings, reading, pipeline, partitions, counts, partitioner, transactions, times, group }
    }

    /// How many partitions a topic has that has one of this number: as it is known, or else as the cluster says.
    fn known_count(&self, topic: &str, number: i32) -> Result<usize, SourceError> {
        let known = self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        match known {
            Some(count) if usize::try_from(number).is_ok_and(|number| number < count) => Ok(count),
            _ => self.count(topic, number),
        }
    }

    /// How many partitions a topic has now that has, or had, one of this number; 0 where it is not there any more.
    fn count(&self, topic: &str, number: i32) -> Result<usize, SourceError> {
        let failed = |error: ConfigError| SourceError::Kafka { topic: topic.to_owned(), message: error.to_string() };
        let Some(found) = find_partitions_of(&self.settings.connection, topic, "topics").map_err(failed)? else {
            return Ok(0);
        };
        // A broker that has not heard of the newest one yet.
        let count = found.max(usize::try_from(number).map_or(0, |number| number + 1));
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), count);
        Ok(count)
    }

    fn group(&self) -> Result<&Group, SourceError> {
        self.group.as_ref().ok_or_else(|| SourceError::Kafka {
            topic: self.settings.topics.join(", "),
            message: "the group was not joined before a partition was opened".to_owned(),
        })
    }
}

/// What a partition is called.
fn id((topic, number): &(String, i32)) -> PartitionId {
    PartitionId::new(format!("{topic}-{number}"))
}

/// A broker that is away may come back, so the shard begins again.
pub(super) fn not_served(partition: &PartitionId, error: CallError) -> SourceError {
    match error {
        CallError::Unanswered(_) => {
            SourceError::Unanswered { partition: partition.to_string(), source: Passing::new(error) }
        }
        error => SourceError::Kafka { topic: partition.to_string(), message: error.to_string() },
    }
}

/// Topic and number of a partition.
fn parse(partition: &PartitionId) -> Result<(String, i32), SourceError> {
    let parsed = partition.as_str().rsplit_once('-').and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
    let (topic, number) = parsed.ok_or_else(|| SourceError::UnknownPartition {
        partition: partition.to_string(),
        known: "those called after a topic and a number, such as `trades-0`".to_owned(),
    })?;
    Ok((topic.to_owned(), number))
}

impl Source for KafkaSource {
    fn schema(&self) -> SchemaRef {
        self.reading.columns.schema()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(self.partitions.iter().map(id).collect())
    }

    fn is_live(&self) -> bool {
        true
    }

    fn routes(&self, partition: &PartitionId, key: Option<&str>) -> Option<bool> {
        let (topic, number) = parse(partition).ok()?;
        let count = u32::try_from(self.known_count(&topic, number).ok()?).ok()?;
        let goes_to = partition_of(self.partitioner, key.map(str::as_bytes), count)?;
        Some(i64::from(goes_to) == i64::from(number))
    }

    fn siblings(&self, partition: &PartitionId) -> Result<Vec<PartitionId>, BoxError> {
        let (topic, number) = parse(partition)?;
        let count = i32::try_from(self.count(&topic, number)?)?;
        Ok((0..count).map(|number| id(&(topic.clone(), number))).collect())
    }

    fn origins(&self, partition: &PartitionId, before: &[PartitionId]) -> Result<Vec<PartitionId>, BoxError> {
        let (topic, number) = parse(partition)?;
        let of_topic = |other: &PartitionId| parse(other).ok().filter(|(name, _)| *name == topic);
        let before: Vec<i32> = before.iter().filter_map(of_topic).map(|(_, number)| number).collect();
        if before.is_empty() || before.contains(&number) {
            return Ok(Vec::new());
        }
        let came = came_from(number, self.count(&topic, number)?, &before);
        Ok(came.into_iter().map(|number| id(&(topic.clone(), number))).collect())
    }

    /// Topics, and what divides the rows among models.
    fn identity(&self) -> Option<String> {
        let mut topics = self.settings.topics.clone();
        topics.sort();
        let key = Roles::of(&self.schema()).key;
        Some(format!("topics {topics:?}, key {key:?}"))
    }

    fn membership(&mut self, fingerprint: &str) -> Result<Option<Box<dyn Membership>>, BoxError> {
        let topic = self.settings.topics.join(", ");
        let failed = |message| SourceError::Kafka { topic, message };
        let badge = Badge { pipeline: self.pipeline.clone(), fingerprint: fingerprint.to_owned() };
        let (group, changes) = Group::join(self.settings.clone(), badge).map_err(failed)?;
        self.group = Some(group.clone());
        Ok(Some(Box::new(Members { group, changes, any: false })))
    }

    fn ledger(&mut self, partition: &PartitionId) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        let (topic, number) = parse(partition)?;
        let mut spec = LedgerSpec::new(
            self.settings.connection.clone(),
            self.settings.group.clone(),
            topic,
            number,
            partition.clone(),
            format!("sluicegate.{}.{partition}", self.pipeline),
        );
        // Whoever has not joined moves positions by hand while nothing runs.
        if let Some(group) = self.group.clone() {
            spec.member = Member::Subscribed(Arc::new(move || group.metadata()));
        }
        (spec.transaction_timeout, spec.retry) = self.times;
        Ok(Some(self.transactions.ledger(spec)))
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let (topic, number) = parse(partition)?;
        let group = self.group()?;
        let failed = |error| not_served(partition, error);
        // Topics with a name of their own were looked at before anything began.
        let by_pattern = !self.settings.topics.contains(&topic);
        if by_pattern && !self.reading.skip_missing && is_compacted(&self.settings.connection, &topic) {
            return Err(SourceError::Compacted { partition: format!("{topic}-{number}") }.into());
        }
        let ends = group.ends(&topic, number, CALL).map_err(failed)?;
        let wanted = match from {
            Some(Offset(from)) => from,
            None => self.reading.start.offset(group, &topic, number, ends).map_err(failed)?,
        };
        let first = if wanted < ends.low && from.is_none() {
            ends.low
        } else if wanted < ends.low {
            if !self.reading.skip_missing {
                let (partition, low) = (format!("{topic}-{number}"), ends.low);
                return Err(SourceError::MissingOffsets { partition, wanted, low }.into());
            }
            tracing::warn!(
                partition = %partition, from = wanted, to = ends.low,
                "records that were still to be read are gone from the topic; going on without them"
            );
            ends.low
        } else if wanted > ends.high {
            let (partition, high) = (format!("{topic}-{number}"), ends.high);
            return Err(SourceError::BeyondEnd { partition, wanted, high }.into());
        } else {
            wanted
        };
        let stop = match &self.reading.stop {
            None => None,
            Some(stop) => Some(stop.offset(group, &topic, number, ends).map_err(failed)?),
        };
        let tap = group.tap(&topic, number, first).map_err(failed)?;
        Ok(Box::new(KafkaReader::new(
            partition.clone(),
            (topic, number),
            Box::new(tap),
            self.reading.clone(),
            // What is skipped counts as read: whoever goes on from a position gets everything from there on that is left.
            (from.map_or(first, |from| from.0), first),
            (stop, ends.high),
        )?))
    }
}

/// The partitions that keys of the partition `number` came to when there were only those of `before`, of a topic that has `count`
/// now. A partitioner takes the hash of a key modulo the number of partitions, so they came from one where the number was
/// multiplied, and from any otherwise.
fn came_from(number: i32, count: usize, before: &[i32]) -> Vec<i32> {
    if count == 0 || before.is_empty() || before.contains(&number) {
        return Vec::new();
    }
    match usize::try_from(number) {
        Ok(number) if count.is_multiple_of(before.len()) => vec![(number % before.len()) as i32],
        _ => before.to_vec(),
    }
}

/// This process as a member of the group.
struct Members {
    group: Group,
    changes: Receiver<Result<GroupChange, String>>,
    /// Whether any partition was ever assigned.
    any: bool,
}

impl Membership for Members {
    fn next(&mut self, wait: Duration) -> Result<Option<Change>, BoxError> {
        let ids = |names: Vec<(String, i32)>| names.iter().map(id).collect();
        match self.changes.recv_timeout(wait) {
            Ok(Ok(GroupChange::Assigned(names))) => {
                if !std::mem::replace(&mut self.any, true) {
                    self.group.refuse_strangers()?;
                }
                Ok(Some(Change::Assigned(ids(names))))
            }
            Ok(Ok(GroupChange::Revoked(names))) => Ok(Some(Change::Revoked(ids(names)))),
            Ok(Ok(GroupChange::Lost(names))) => Ok(Some(Change::Lost(ids(names)))),
            Ok(Err(why)) => Err(why.into()),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("the Kafka consumer has stopped".into()),
        }
    }

    fn released(&mut self, partition: &PartitionId) {
        if let Ok((topic, number)) = parse(partition) {
            self.group.release(&topic, number);
        }
    }

    fn leave(&mut self) {
        self.group.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_new_partition_came_from_one_where_the_number_was_multiplied() {
        assert_eq!(came_from(5, 6, &[0, 1, 2]), [2]);
        assert_eq!(came_from(3, 4, &[0, 1, 2]), [0, 1, 2]);
        assert_eq!(came_from(1, 6, &[0, 1, 2]), [0i32; 0], "it was there before");
        assert_eq!(came_from(1, 2, &[]), [0i32; 0], "nothing was there before");
        assert_eq!(came_from(1, 0, &[0]), [0i32; 0], "the topic is gone");
    }
}
