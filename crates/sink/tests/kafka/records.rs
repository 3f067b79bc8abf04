//! Which part of a row becomes which part of a record.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use sluicegate_kafka::{Partitioner, partition_of};

use crate::support::{bootstrap, create_topic, name, visible};
use crate::{Run, batch, bind, context, rows, shard};

/// The records of partition 0, as they are.
pub(crate) fn messages(topic: &str, partition: i32, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap()).set("group.id", "reader").create().unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&all).unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        if let Some(Ok(message)) = consumer.poll(Duration::from_secs(1)) {
            found.push(message.detach());
        }
    }
    found
}

#[test]
fn a_row_is_a_record_with_key_headers_time_and_a_json_object() {
    let topic = name("full");
    create_topic(&topic, 1);
    let settings = format!("topic = '{topic}'\nkey = 'name'\nheaders = ['number', 'name']\ntimestamp = 'time'");
    let mut run = Run::start(&settings, &rows(&[]).schema(), &context());
    run.sink.write(&batch(0, rows(&["é\n"]))).unwrap();
    run.commit(1);
    let message = messages(&topic, 0, 1).remove(0);
    assert_eq!(message.key(), Some("é\n".as_bytes()));
    assert_eq!(
        std::str::from_utf8(message.payload().unwrap()),
        Ok(r#"{"name":"é\n","number":0,"time":"1970-01-01T00:00:01Z"}"#)
    );
    assert_eq!(message.timestamp().to_millis(), Some(1000));
    let headers = message.headers().unwrap();
    let headers: Vec<_> = headers.iter().map(|header| (header.key, header.value.unwrap().to_vec())).collect();
    assert_eq!(headers, [("number", b"0".to_vec()), ("name", "é\n".as_bytes().to_vec())]);
}

#[test]
fn several_key_columns_are_a_json_array() {
    let topic = name("keys");
    create_topic(&topic, 1);
    let settings = format!("topic = '{topic}'\nkey = ['name', 'number']");
    let mut run = Run::start(&settings, &rows(&[]).schema(), &context());
    run.sink.write(&batch(0, rows(&["a"]))).unwrap();
    run.commit(1);
    assert_eq!(messages(&topic, 0, 1)[0].key(), Some(br#"["a","0"]"#.as_slice()));
}

#[test]
fn each_row_goes_to_the_topic_that_its_column_names() {
    let (first, second) = (name("named"), name("named"));
    create_topic(&first, 1);
    create_topic(&second, 1);
    let settings = format!("topic = '{first}'\ntopic_column = 'name'\nvalue = 'number'");
    let mut run = Run::start(&settings, &rows(&[]).schema(), &context());
    run.sink.write(&batch(0, rows(&[&second, &first, &second]))).unwrap();
    run.commit(3);
    assert_eq!((visible(&first, 1), visible(&second, 1)), (vec!["1".to_owned()], vec!["0".into(), "2".into()]));
}

#[test]
fn keys_go_to_the_partitions_that_the_partitioner_says() {
    let keys = ["a", "b", "kafka", "key-17", "x"];
    for (partitioner, setting) in
        [(Partitioner::Murmur2Random, "murmur2_random"), (Partitioner::ConsistentRandom, "consistent_random")]
    {
        let topic = name("routed");
        create_topic(&topic, 4);
        let settings = format!(
            "topic = '{topic}'\nkey = 'name'\nvalue = 'name'\ndelivery = 'at-least-once'\npartitioner = '{setting}'\ncompression = 'zstd'"
        );
        let factory = bind(&settings, &rows(&[]).schema(), &context()).unwrap();
        let mut sink = factory.open(&shard("out")).unwrap();
        sink.write(&batch(0, rows(&keys))).unwrap();
        sink.flush().unwrap();
        for partition in 0..4 {
            let expected: Vec<&str> = keys
                .into_iter()
                .filter(|key| partition_of(partitioner, Some(key.as_bytes()), 4) == Some(partition))
                .collect();
            let found = messages(&topic, partition as i32, expected.len());
            let found: Vec<_> = found.iter().map(|message| message.key().unwrap()).collect();
            assert_eq!(found, expected.iter().map(|key| key.as_bytes()).collect::<Vec<_>>(), "{setting} {partition}");
        }
    }
}
