//! A broker, topics, and reading back what is visible in them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part; helpers of tests may panic"
)]

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use sluicegate_core::PartitionId;
use sluicegate_kafka::{Connection, LedgerSpec, Record};
use sluicegate_testkit::kafka::Broker;

/// Address of the broker that all tests of one program share. It ends with the program.
pub(crate) fn bootstrap() -> String {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap().to_owned()
}

pub(crate) fn connection() -> Connection {
    connection_to(&bootstrap())
}

pub(crate) fn connection_to(address: &str) -> Connection {
    Connection { bootstrap_servers: address.to_owned(), properties: BTreeMap::new() }
}

/// A name that no other test uses, also on a broker that outlives the test.
pub(crate) fn name(stem: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("{stem}-{time:x}-{next}")
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

pub(crate) fn create_topic(topic: &str, partitions: i32) {
    // Records of tests may be of 1970, and are not to be cleared away.
    create_topic_with(topic, partitions, &[("retention.ms", "-1")]);
}

pub(crate) fn create_topic_with(topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    let mut wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        wanted = wanted.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    for made in block_on(admin.create_topics([&wanted], &options)).unwrap() {
        made.unwrap();
    }
}

/// Everything that a reader of committed records sees in a topic, by partition and offset.
pub(crate) fn visible(topic: &str, partitions: i32) -> Vec<String> {
    visible_at(&bootstrap(), topic, partitions)
}

pub(crate) fn visible_at(address: &str, topic: &str, partitions: i32) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                found.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned())
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    found
}

/// A ledger of its own group for partition 0 of `topic`.
pub(crate) fn spec(topic: &str) -> LedgerSpec {
    LedgerSpec::new(
        connection(),
        format!("sluicegate.{topic}"),
        topic,
        0,
        PartitionId::new(format!("{topic}-0")),
        format!("sluicegate.{topic}.{topic}-0"),
    )
}

pub(crate) fn record<'a>(topic: &'a str, payload: &'a str, offset: i64) -> Record<'a> {
    Record {
        topic,
        partition: Some(0),
        key: None,
        payload: Some(payload.as_bytes()),
        headers: &[],
        timestamp_ms: None,
        offset: sluicegate_core::Offset(offset),
    }
}
