//! The Kafka source against a real broker, which all tests here share.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../../kafka/tests/support/mod.rs"]
mod support;

mod bounds;
mod records;
mod retention;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sluicegate_core::{
    Batch, BoxError, Change, ConfigError, Membership, Offset, PartitionId, PipelineContext, Reader, Rejected, Source,
    SourceConfig,
};
use sluicegate_source::KafkaConfig;

/// Longer than anything takes; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn connect(settings: &str, properties: &str) -> Result<Box<dyn Source>, ConfigError> {
    let settings = format!(
        "bootstrap_servers = '{}'\nformat = 'text'\nlinger_ms = 1\nproperties = {{ 'topic.metadata.refresh.interval.ms' = '300'{properties} }}\n{settings}",
        support::bootstrap()
    );
    let config: KafkaConfig = toml::from_str(&settings).unwrap();
    config.connect(&PipelineContext::new(support::name("pipeline"), "."))
}

/// A source that has joined its group.
struct Joined {
    source: Box<dyn Source>,
    members: Box<dyn Membership>,
    assigned: Vec<PartitionId>,
}

impl Joined {
    fn new(settings: &str) -> Self {
        Self::with(settings, "")
    }

    /// With further properties of librdkafka.
    fn with(settings: &str, properties: &str) -> Self {
        let mut source = connect(settings, properties).unwrap();
        let members = source.membership("").unwrap().unwrap();
        Self { source, members, assigned: Vec::new() }
    }

    /// Waits until so many partitions are assigned.
    fn assigned(mut self, count: usize) -> Self {
        self.wait_for(count);
        self
    }

    fn wait_for(&mut self, count: usize) {
        let begun = Instant::now();
        while self.assigned.len() < count {
            assert!(begun.elapsed() < PATIENCE, "only {:?} were assigned", self.assigned);
            if let Some(Change::Assigned(ids)) = self.members.next(Duration::from_millis(100)).unwrap() {
                self.assigned.extend(ids);
            }
        }
        self.assigned.sort();
    }

    fn open(&mut self, partition: &str, from: Option<i64>) -> Result<Box<dyn Reader>, BoxError> {
        self.source.open(&PartitionId::new(partition), from.map(Offset))
    }

    /// The offsets of a partition, read to its end.
    fn all(&mut self, partition: &str) -> Vec<i64> {
        offsets(&to_the_end(&mut *self.open(partition, None).unwrap()).0)
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        for partition in std::mem::take(&mut self.assigned) {
            self.members.released(&partition);
        }
        self.members.leave();
    }
}

fn to_the_end(reader: &mut dyn Reader) -> (Vec<Batch>, Vec<Rejected>) {
    let (mut batches, mut rejected, begun) = (Vec::new(), Vec::new(), Instant::now());
    while let Some(batch) = reader.next_batch().unwrap() {
        assert!(begun.elapsed() < PATIENCE, "it does not end: {:?}", offsets(&batches));
        batches.push(batch);
        rejected.extend(reader.take_rejected());
    }
    (batches, rejected)
}

/// Reads until so many rows have come.
fn rows(reader: &mut dyn Reader, count: usize) -> Vec<Batch> {
    let (mut batches, begun) = (Vec::<Batch>::new(), Instant::now());
    while batches.iter().map(Batch::len).sum::<usize>() < count {
        assert!(begun.elapsed() < PATIENCE, "only {:?} came", offsets(&batches));
        batches.extend(reader.next_batch().unwrap());
    }
    batches
}

fn offsets(batches: &[Batch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.offsets().iter().map(|offset| offset.0).collect::<Vec<_>>()).collect()
}

fn producer(properties: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", support::bootstrap()).set("enable.idempotence", "true");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// Writes so many records to one partition, the one at offset `n` with the timestamp of `n + 1` seconds.
fn fill(topic: &str, partition: i32, count: i64) {
    fill_at(topic, partition, (1..=count).map(|second| second * 1000));
}

/// Writes one record for each timestamp, in milliseconds. None may be 0, which stands for the time of sending.
fn fill_at(topic: &str, partition: i32, timestamps: impl IntoIterator<Item = i64>) {
    let producer = producer(&[]);
    for timestamp in timestamps {
        let record = BaseRecord::<(), _>::to(topic).partition(partition).payload("r").timestamp(timestamp);
        producer.send(record).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Writes records in a transaction that is aborted.
fn abort(topic: &str, partition: i32, count: i64) {
    let producer = producer(&[("transactional.id", &support::name("aborts"))]);
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    for _ in 0..count {
        producer.send(BaseRecord::<(), _>::to(topic).partition(partition).payload("void")).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
}

/// Counts of rows by partition.
fn counts(joined: &mut Joined, partitions: &[String]) -> BTreeMap<String, usize> {
    partitions.iter().map(|partition| (partition.clone(), joined.all(partition).len())).collect()
}
