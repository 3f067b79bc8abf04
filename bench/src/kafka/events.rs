//! The events: in a topic as JSON, and in files.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::running::Done;

pub(super) const PARTITIONS: i32 = 4;
pub(super) const KEYS: usize = 10_000;
pub(super) const TOPIC: &str = "bench-events";
const PATIENCE: Duration = Duration::from_secs(60);
/// Records whose size is looked at.
const LOOKED_AT: usize = 1_000;

pub(super) fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// Makes topics of as many partitions.
pub(super) fn create(bootstrap: &str, names: &[&str]) -> Done {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    let new: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = tokio::runtime::Runtime::new()?.block_on(admin.create_topics(&new, &options))?;
    for topic in made {
        topic.map_err(|(name, code)| format!("the topic {name} cannot be made: {code}"))?;
    }
    Ok(())
}

struct Event {
    meter: String,
    load: f64,
    ts_ms: i64,
}

fn event(number: usize) -> Event {
    let (key, tick) = (number % KEYS, number / KEYS);
    let load = 10.0
        + (key % 17) as f64
        + 3.0 * ((tick as f64 + key as f64) * 0.26).sin()
        + (number * 7919 % 1000) as f64 * 1e-3;
    Event { meter: format!("meter-{key:05}"), load, ts_ms: 1_700_000_000_000 + tick as i64 * 60_000 }
}

/// Writes the topic and, as a file for each partition, `events/`. Returns the mean size of an event in bytes.
pub(super) fn prepare(bootstrap: &str, folder: &Path, events: usize) -> Done<usize> {
    create(bootstrap, &[TOPIC])?;
    let producer: ThreadedProducer<DefaultProducerContext> = client(bootstrap).set("linger.ms", "20").create()?;
    let mut bytes = 0;
    for number in 0..events {
        let Event { meter, load, ts_ms } = event(number);
        let value = format!(
            r#"{{"meter":"{meter}","load":{load:.6},"ts":{ts_ms},"unit":"kW","site":"north-{:03}","ok":true}}"#,
            number % 97
        );
        bytes += value.len();
        let partition = (number % PARTITIONS as usize) as i32;
        let record = || BaseRecord::to(TOPIC).partition(partition).key(&meter).payload(&value);
        while producer.send(record()).is_err() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    producer.flush(PATIENCE)?;
    std::fs::create_dir_all(folder.join("events"))?;
    for partition in 0..PARTITIONS as usize {
        let own: Vec<Event> = (partition..events).step_by(PARTITIONS as usize).map(event).collect();
        let times = own.iter().map(|event| event.ts_ms * 1000);
        let columns: [(&str, ArrayRef); 3] = [
            ("meter", Arc::new(StringArray::from_iter_values(own.iter().map(|event| &event.meter)))),
            ("load", Arc::new(Float64Array::from_iter_values(own.iter().map(|event| event.load)))),
            ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        ];
        let rows = RecordBatch::try_from_iter(columns)?;
        let file = File::create(folder.join(format!("events/{partition}.parquet")))?;
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None)?;
        writer.write(&rows)?;
        writer.close()?;
    }
    Ok(bytes / events.max(1))
}

/// The mean size of the first records of a topic, in bytes.
pub(super) fn mean_bytes(bootstrap: &str, topic: &str) -> Done<usize> {
    let mut config = client(bootstrap);
    config.set("group.id", "bench-sizes").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let (mut count, mut bytes) = (0, 0);
    while count < LOOKED_AT {
        let record = consumer.poll(PATIENCE).ok_or("the topic that was written is empty")??;
        bytes += record.payload_len();
        count += 1;
    }
    Ok(bytes / count)
}
