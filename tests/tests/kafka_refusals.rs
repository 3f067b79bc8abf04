//! What cannot work with Kafka is refused through the command, with what to do, before anything is written.
#![expect(clippy::panic, reason = "helpers of tests")]

use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, produce};
use sluicegate_tests::{Ended, Workplace};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const SECRET: &str = "hunter2-never-shown";

fn broker() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap()
}

/// A pipeline that hands text records on: `source` and `sink` are further lines of theirs.
fn pipeline(name: &str, source: &str, sink: &str) -> String {
    format!(
        r#"
name = "{name}"
[checkpoint]
path = "checkpoints"
[source.events]
type = "kafka"
format = "text"
stop = "end"
{source}
[sink.out]
type = "kafka"
input = "events"
{sink}
"#
    )
}

fn run(place: &Workplace, text: &str, more: &[&str]) -> Ended {
    place.write("pipeline.toml", text);
    let mut args = vec!["run", "pipeline.toml", "--quiet"];
    args.extend(more);
    place.run(&args)
}

/// Runs it, holds the exit code, and returns what it said, on one line.
fn refused(text: &str, code: i32) -> String {
    let place = Workplace::new(SLUICE);
    let ended = run(&place, text, &[]);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
    ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn at(bootstrap: &str, rest: &str) -> String {
    format!("bootstrap_servers = '{bootstrap}'\n{rest}")
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(said.contains(part), "no `{part}` in: {said}"));
}

#[test]
fn a_broker_that_does_not_listen_is_named_and_the_password_is_not() {
    let secret = format!("topics = 't'\nproperties = {{ 'sasl.password' = '{SECRET}' }}");
    let said = refused(&pipeline("deaf", &at("127.0.0.1:1", &secret), &at("127.0.0.1:1", "topic = 'o'")), 2);
    assert_says(&said, &["no Kafka broker answers at 127.0.0.1:1", "is it up"]);
}

#[test]
fn topics_that_are_not_there_are_named_by_their_setting() {
    let broker = broker();
    create(broker, &[("known", 1)]);
    let known = at(broker, "topic = 'known'");
    let said = refused(&pipeline("unknown", &at(broker, "topics = 'nowhere'"), &known), 2);
    assert_says(&said, &["topics", "the cluster has no topic `nowhere`", "create it first"]);
    let said = refused(&pipeline("unknown", &at(broker, "topics = 'known'"), &at(broker, "topic = 'nowhere'")), 2);
    assert_says(&said, &["topic", "the cluster has no topic `nowhere`", "create it first"]);
}

#[test]
fn properties_that_load_code_run_commands_or_belong_to_the_protocol_are_refused_in_source_and_sink() {
    for (name, why) in [
        ("plugin.library.paths", "it loads code"),
        ("sasl.kerberos.kinit.cmd", "it runs a command"),
        ("isolation.level", "never read"),
        ("transactional.id", "who may commit"),
    ] {
        let bad = format!("properties = {{ '{name}' = '{SECRET}' }}");
        let text = pipeline("properties", &at(broker(), &format!("topics = 't'\n{bad}")), &at(broker(), "topic = 'o'"));
        assert_says(&refused(&text, 2), &[name, why]);
    }
}

#[test]
fn a_record_that_its_topic_does_not_take_is_named_by_its_offset_and_nothing_is_committed() {
    let broker = broker();
    create(broker, &[("wide", 1)]);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let narrow = NewTopic::new("narrow", 1, TopicReplication::Fixed(1)).set("max.message.bytes", "300");
    let made = futures::executor::block_on(admin.create_topics([&narrow], &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|topic| drop(topic.unwrap()));
    let records = ["short".to_owned(), "short too".to_owned(), "long".repeat(200)];
    produce(broker, "wide", 1, records.map(|text| (String::new(), text.into_bytes())));
    let said = refused(&pipeline("oversized", &at(broker, "topics = 'wide'"), &at(broker, "topic = 'narrow'")), 1);
    assert_says(&said, &["wide-0", "did not arrive in topic `narrow`", "max.message.bytes"]);
    assert!(committed(broker, "narrow", 1).is_empty());
}

#[test]
fn a_deleted_group_is_refused_while_there_are_checkpoints_and_the_override_that_is_named_works() {
    let broker = broker();
    create(broker, &[("forgotten", 1), ("forgotten.out", 1)]);
    produce(broker, "forgotten", 1, (0..20).map(|row| (String::new(), format!("r{row}").into_bytes())));
    let place = Workplace::new(SLUICE);
    let text = pipeline("forgotten", &at(broker, "topics = 'forgotten'"), &at(broker, "topic = 'forgotten.out'"));
    let written = || committed(broker, "forgotten.out", 1).values().map(Vec::len).sum::<usize>();
    let ended = run(&place, &text, &[]);
    assert_eq!((ended.code, written()), (Some(0), 20), "{ended:?}");
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let gone = futures::executor::block_on(admin.delete_groups(&["sluicegate.forgotten"], &options)).unwrap();
    gone.into_iter().for_each(|group| drop(group.unwrap()));
    let ended = run(&place, &text, &[]);
    assert_eq!((ended.code, written()), (Some(1), 20), "{ended:?}");
    assert_says(&ended.stderr, &["there are checkpoints, but no committed position", "--fresh"]);
    let ended = run(&place, &text, &["--fresh", "forgotten"]);
    assert_eq!((ended.code, written()), (Some(0), 40), "{ended:?}");
}

#[test]
fn exactly_once_from_one_cluster_to_another_is_refused_before_anything_is_read() {
    let here = broker();
    let there = Broker::start_as("AnotherClusterOfTests0").unwrap();
    create(here, &[("crossing", 1)]);
    create(there.bootstrap(), &[("crossed", 1)]);
    let text = |delivery: &str| {
        let sink = format!("topic = 'crossed'\n{delivery}");
        pipeline("crossing", &at(here, "topics = 'crossing'"), &at(there.bootstrap(), &sink))
    };
    let said = refused(&text(""), 2);
    assert_says(&said, &["AnotherClusterOfTests0", "one transaction cannot span two", "\"at-least-once\""]);
    let place = Workplace::new(SLUICE);
    produce(here, "crossing", 1, [(String::new(), b"r".to_vec())]);
    let ended = run(&place, &text("delivery = 'at-least-once'"), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(committed(there.bootstrap(), "crossed", 1).values().map(Vec::len).sum::<usize>(), 1);
}
