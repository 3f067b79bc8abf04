//! Topics on a real broker, by a client that is not ours.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// The longest that a broker may take for anything; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record as others see it: key and value.
pub type Seen = (Option<Vec<u8>>, Option<Vec<u8>>);

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// Makes topics, each with so many partitions.
pub fn create(bootstrap: &str, topics: &[(&str, i32)]) {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create().expect("a client");
    let new: Vec<NewTopic<'_>> =
        topics.iter().map(|(name, count)| NewTopic::new(name, *count, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = futures::executor::block_on(admin.create_topics(&new, &options)).expect("an answer");
    made.into_iter().for_each(|topic| drop(topic.expect("a new topic")));
}

/// Writes records, record `n` to partition `n` modulo `partitions`, and returns when all have arrived.
pub fn produce(bootstrap: &str, topic: &str, partitions: i32, records: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let feeder = Feeder::new(bootstrap, topic, partitions);
    feeder.send(records);
    feeder.arrived();
}

/// Writes records for as long as it is there.
pub struct Feeder {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
    partitions: i32,
}

impl Feeder {
    /// One that writes to `topic`.
    pub fn new(bootstrap: &str, topic: &str, partitions: i32) -> Self {
        let producer = client(bootstrap).set("enable.idempotence", "true").create().expect("a client");
        Self { producer, topic: topic.to_owned(), partitions }
    }

    /// Sends records, record `n` of these to partition `n` modulo the number of partitions.
    pub fn send(&self, records: impl IntoIterator<Item = (String, Vec<u8>)>) {
        for (place, (key, value)) in records.into_iter().enumerate() {
            let partition = place as i32 % self.partitions;
            let record =
                || BaseRecord::to(&self.topic).partition(partition).key(key.as_bytes()).payload(value.as_slice());
            while self.producer.send(record()).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Returns when all have arrived.
    pub fn arrived(&self) {
        self.producer.flush(PATIENCE).expect("all records arrive");
    }
}

/// The committed records of a topic, by partition.
pub fn committed(bootstrap: &str, topic: &str, partitions: i32) -> BTreeMap<i32, Vec<Seen>> {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "the eyes of a test")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a client");
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&all).expect("an assignment");
    let (mut seen, mut ended) = (BTreeMap::new(), 0);
    let begun = Instant::now();
    while ended < partitions && begun.elapsed() < PATIENCE {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                let records: &mut Vec<Seen> = seen.entry(record.partition()).or_default();
                records.push((owned(record.key()), owned(record.payload())));
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    assert_eq!(ended, partitions, "the topic {topic} could not be read to its end");
    seen
}

/// What a group has committed in a partition; `None` where the broker knows of nothing.
pub fn committed_offset(bootstrap: &str, group: &str, topic: &str, partition: i32) -> Option<i64> {
    let consumer: BaseConsumer = client(bootstrap).set("group.id", group).create().expect("a client");
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition(topic, partition);
    let found = consumer.committed_offsets(wanted, PATIENCE).expect("an answer");
    match found.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => Some(offset),
        _ => None,
    }
}

/// Writes records, each to the partition that Java's producer would choose for its key, and returns when all have arrived.
pub fn produce_by_key(bootstrap: &str, topic: &str, records: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let mut config = client(bootstrap);
    config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a client");
    for (key, value) in records {
        let record = || BaseRecord::to(topic).key(key.as_bytes()).payload(value.as_slice());
        while producer.send(record()).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    producer.flush(PATIENCE).expect("all records arrive");
}

/// Deletes the records of a partition before an offset.
pub fn delete_before(bootstrap: &str, topic: &str, partition: i32, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create().expect("a client");
    let mut ends = TopicPartitionList::new();
    ends.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a partition");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let done = futures::executor::block_on(admin.delete_records(&ends, &options)).expect("an answer");
    assert!(done.elements().iter().all(|element| element.error().is_ok()), "records cannot be deleted");
}

/// Gives a topic more partitions.
pub fn enlarge(bootstrap: &str, topic: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create().expect("a client");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let wanted = NewPartitions::new(topic, partitions);
    let done = futures::executor::block_on(admin.create_partitions([&wanted], &options)).expect("an answer");
    done.into_iter().for_each(|topic| drop(topic.expect("a larger topic")));
}
