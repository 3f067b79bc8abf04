//! librdkafka alone: what reading, writing and committing exactly once cost without anything else.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::events::{PARTITIONS, TOPIC, client, create};
use super::pipelines::COMMIT_MS;
use crate::process;
use crate::running::Done;

const CALL: Duration = Duration::from_secs(30);

/// Consumes all events and produces as many records of `record_bytes` bytes, in transactions that also hold the offsets.
pub(super) fn run(
    bootstrap: &str,
    name: &str,
    events: usize,
    record_bytes: usize,
) -> Done<(Duration, Option<Duration>)> {
    let out = format!("{name}-out");
    create(bootstrap, &[&out])?;
    let (before, begun) = (process::processor_time(), Instant::now());
    let producer: ThreadedProducer<DefaultProducerContext> =
        client(bootstrap).set("transactional.id", name).create()?;
    producer.init_transactions(CALL)?;
    let mut config = client(bootstrap);
    config
        .set("group.id", name)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10");
    let consumer: BaseConsumer = config.create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let payload = vec![b'x'; record_bytes];
    let (mut done, mut next) = (0, vec![0i64; PARTITIONS as usize]);
    while done < events {
        producer.begin_transaction()?;
        let open = Instant::now();
        while done < events && open.elapsed() < Duration::from_millis(COMMIT_MS) {
            let Some(record) = consumer.poll(Duration::from_millis(20)) else { continue };
            let record = record?;
            next[record.partition() as usize] = record.offset() + 1;
            let key = record.key().unwrap_or_default();
            let send = || BaseRecord::to(&out).key(key).payload(&payload);
            while producer.send(send()).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
            done += 1;
        }
        while producer.in_flight_count() > 0 {
            producer.flush(Duration::from_millis(1)).ok();
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in next.iter().enumerate() {
            offsets.add_partition_offset(TOPIC, partition as i32, Offset::Offset(*next))?;
        }
        let group = consumer.group_metadata().ok_or("the consumer has no group")?;
        producer.send_offsets_to_transaction(&offsets, &group, CALL)?;
        producer.commit_transaction(CALL)?;
    }
    let wall = begun.elapsed();
    Ok((wall, process::processor_time().zip(before).map(|(after, before)| after.saturating_sub(before))))
}
