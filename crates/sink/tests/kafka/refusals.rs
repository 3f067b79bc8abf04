//! What cannot work is refused, with what to do.

use crate::support::{create_topic, name};
use crate::{KafkaConfig, Run, SinkConfig, batch, bind, context, rows, shard};

fn refusal(settings: &str) -> String {
    bind(settings, &rows(&[]).schema(), &context()).err().unwrap().to_string()
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert_eq!(refusal(""), "`topic`: no topic is given; set `topic`, or `topic_column`");
    assert_eq!(refusal("topic = 't'\nkey = 'nam'"), "`key`: the input has no column `nam`; did you mean `name`?");
    assert_eq!(refusal("topic = 't'\ntimestamp = 'number'"), "`timestamp`: the column holds Int64, not times");
    assert!(refusal("topic = 't'\nkey = []").contains("records without a key"));
    for settings in ["topics = 't'", "topic = 't'\ndelivery = 'twice'", "topic = 't'\ncompression = 'rar'"] {
        let settings = format!("bootstrap_servers = 'x'\n{settings}");
        assert!(toml::from_str::<KafkaConfig>(&settings).is_err(), "{settings}");
    }
}

#[test]
fn a_topic_that_does_not_exist_is_refused_before_anything_runs() {
    assert_eq!(
        refusal("topic = 'no-such-topic'"),
        "`topic`: the cluster has no topic `no-such-topic`; create it first, or name another"
    );
    assert!(refusal("topic = 'no such topic'").contains("no name for a topic"));
}

#[test]
fn a_broker_that_does_not_answer_is_named() {
    let config: KafkaConfig = toml::from_str("bootstrap_servers = '127.0.0.1:1'\ntopic = 't'").unwrap();
    let refused = config.bind(&rows(&[]).schema(), &context()).err().unwrap();
    assert_eq!(refused.key, "bootstrap_servers");
    assert!(refused.message.contains("no Kafka broker answers at 127.0.0.1:1"), "{refused}");
}

#[test]
fn exactly_once_without_a_position_in_kafka_is_refused() {
    let topic = name("nowhere");
    create_topic(&topic, 1);
    let factory = bind(&format!("topic = '{topic}'"), &rows(&[]).schema(), &context()).unwrap();
    let refused = factory.open(&shard("out").keeps_checkpoints(false)).err().unwrap().to_string();
    assert!(refused.contains("`delivery`") && refused.contains("partition history"), "{refused}");
}

#[test]
fn sinks_that_ask_for_different_producers_are_refused() {
    let topic = name("shared");
    create_topic(&topic, 1);
    let context = context();
    let input = rows(&[]).schema();
    bind(&format!("topic = '{topic}'\ncompression = 'lz4'"), &input, &context).unwrap();
    let refused = bind(&format!("topic = '{topic}'\ncompression = 'zstd'"), &input, &context).err().unwrap();
    assert!(refused.message.contains("`compression.type` = lz4, this one has zstd"), "{refused}");
    bind(&format!("topic = '{topic}'\ncompression = 'zstd'\ndelivery = 'at-least-once'"), &input, &context).unwrap();
}

#[test]
fn a_record_that_is_too_long_is_refused_by_offset_size_and_setting() {
    let topic = name("long");
    create_topic(&topic, 1);
    let settings = format!("topic = '{topic}'\nvalue = 'name'\nmessage_size_max_bytes = 1000");
    let mut run = Run::start(&settings, &rows(&[]).schema(), &context());
    let refused = run.sink.write(&batch(41, rows(&["a", &"x".repeat(1001)]))).unwrap_err().to_string();
    assert_eq!(
        refused.replace(&topic, "T"),
        "the row at offset 42 gives a record of 1001 bytes for topic `T`, and `message_size_max_bytes` allows 1000; raise it, and the topic's `max.message.bytes` if that is smaller, or write fewer columns"
    );
}

#[test]
fn every_setting_is_documented() {
    let schema = schemars::schema_for!(KafkaConfig);
    let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    assert_eq!(properties.len(), 16);
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}
