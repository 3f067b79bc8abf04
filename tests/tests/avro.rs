//! Avro with a real schema registry, written and read by clients that are not ours.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::process::{Command, Stdio};
use std::time::Duration;

use sluicegate_testkit::kafka::{Broker, SchemaRegistry};
use sluicegate_tests::Workplace;
use sluicegate_tests::kafka::{committed, create, produce};
use sluicegate_tests::site::{ended, signal};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

/// Registers a schema and writes events of it with fastavro and kafka-python: `write BOOTSTRAP REGISTRY TOPIC FROM TO VERSION`;
/// or reads all committed records of a topic back, as JSON lines: `read BOOTSTRAP REGISTRY TOPIC`.
const PYTHON: &str = r#"
import io, json, struct, sys, urllib.request
import fastavro
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
what, bootstrap, registry, topic, *rest = sys.argv[1:]
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(registry + path, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    return json.load(urllib.request.urlopen(request))
if what == "write":
    start, end, version = map(int, rest)
    fields = [
        {"name": "meter", "type": "string"},
        {"name": "load", "type": ["null", "float" if version > 1 else "double"], "default": None},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    ]
    if version > 1:
        fields.append({"name": "note", "type": "string", "default": ""})
    schema = {"type": "record", "name": "Reading", "namespace": "test", "fields": fields}
    number = ask(f"/subjects/{topic}-value/versions", {"schema": json.dumps(schema)})["id"]
    parsed, producer = fastavro.parse_schema(schema), KafkaProducer(bootstrap_servers=bootstrap)
    for n in range(start, end):
        out = io.BytesIO()
        row = {"meter": f"m{n % 3}", "load": None if n % 50 == 7 else n % 24 + 0.5, "ts": n * 1000, "kind": "AB"[n % 2]}
        if version > 1:
            row["note"] = "new"
        fastavro.schemaless_writer(out, parsed, row)
        producer.send(topic, struct.pack(">bI", 0, number) + out.getvalue(), key=row["meter"].encode(), partition=0)
    producer.flush()
else:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", consumer_timeout_ms=4000)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    schemas = {}
    for record in consumer:
        magic, number = struct.unpack(">bI", record.value[:5])
        assert magic == 0
        if number not in schemas:
            schemas[number] = fastavro.parse_schema(json.loads(ask(f"/schemas/ids/{number}")["schema"]))
        print(json.dumps(fastavro.schemaless_reader(io.BytesIO(record.value[5:]), schemas[number]), default=str))
"#;

fn python(args: &[&str]) -> String {
    let interpreter = std::env::var_os("SLUICEGATE_PYTHON").unwrap();
    let output = Command::new(interpreter).args(["-c", PYTHON]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn rows(bootstrap: &str, topic: &str) -> usize {
    committed(bootstrap, topic, 1).values().map(Vec::len).sum()
}

fn wait_for(bootstrap: &str, topic: &str, count: usize, log: &dyn Fn() -> String) {
    for _ in 0..100 {
        if rows(bootstrap, topic) >= count {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{} of {count} rows: {}", rows(bootstrap, topic), log());
}

#[test]
fn records_of_a_registry_become_forecasts_in_it_and_a_registry_that_is_away_is_waited_for() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let registry = SchemaRegistry::start().unwrap_or_else(|error| panic!("{error}"));
    let (bootstrap, url) = (broker.bootstrap(), registry.url());
    create(bootstrap, &[("readings", 1), ("forecasts", 1), ("rejects", 1)]);
    python(&["write", bootstrap, url, "readings", "0", "300", "1"]);
    let place = Workplace::new(SLUICE);
    place.write(
        "avro.toml",
        &format!(
            r#"
name = "avro"
[checkpoint]
path = "checkpoints"
commit_interval_ms = 50
[source.readings]
type = "kafka"
bootstrap_servers = "{bootstrap}"
topics = "readings"
format = "avro"
avro = {{ registry = {{ url = "{url}", username = "me", password = "${{REGISTRY_PASSWORD}}" }} }}
metadata = ["headers", "offset"]
time = "ts"
key = "meter"
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
layout = "wide"
model = {{ hidden = 4 }}
[sink.forecasts]
type = "kafka"
input = "forecast"
bootstrap_servers = "{bootstrap}"
topic = "forecasts"
key = "key"
format = "avro"
avro = {{ registry = {{ url = "{url}" }}, name = "test.Forecast" }}
[sink.rejects]
type = "kafka"
input = "dead-letters"
bootstrap_servers = "{bootstrap}"
topic = "rejects"
"#
        ),
    );
    // A schema that nobody registered, and bytes that are none.
    let foreign = |id: u8| [0, 0, 0, 77, id, 2, 2, 65].to_vec();
    produce(bootstrap, "readings", 1, [("x".to_owned(), foreign(1)), ("y".to_owned(), b"text".to_vec())]);
    let log = std::fs::File::create(place.path("log")).unwrap();
    let mut command = place.command(&["run", "avro.toml", "--quiet", "--log-level", "info"]);
    command.env("REGISTRY_PASSWORD", "hunter2-registry").stdout(Stdio::null()).stderr(log);
    let mut run = command.spawn().unwrap();
    let said = || std::fs::read_to_string(place.path("log")).unwrap();
    wait_for(bootstrap, "forecasts", 300, &said);
    wait_for(bootstrap, "rejects", 2, &said);

    // Another schema: its records wait for the registry, and are not lost to the dead letters.
    python(&["write", bootstrap, url, "readings", "300", "301", "2"]);
    wait_for(bootstrap, "forecasts", 301, &said);
    registry.pause();
    let unknown = [vec![0, 0, 0, 88, 1], vec![2, 2, 65]].concat();
    produce(bootstrap, "readings", 1, [("z".to_owned(), unknown)]);
    for _ in 0..300 {
        if said().contains("does not answer") {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(said().contains("does not answer"), "{}", said());
    assert_eq!(rows(bootstrap, "rejects"), 2, "a registry that is away is no record's fault");
    registry.resume();
    python(&["write", bootstrap, url, "readings", "301", "400", "2"]);
    wait_for(bootstrap, "forecasts", 400, &said);
    wait_for(bootstrap, "rejects", 3, &said);
    signal(&run, "-TERM");
    assert_eq!(ended(&mut run, Duration::from_secs(60)), Some(0), "{}", said());
    assert!(!said().contains("hunter2"), "{}", said());

    let read = python(&["read", bootstrap, url, "forecasts"]);
    let forecasts: Vec<serde_json::Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(forecasts.len(), 400);
    assert_eq!(forecasts[301]["key"], "m1");
    let load =
        |n: usize| forecasts[n].as_object().unwrap().iter().find(|(name, _)| name.contains("load")).unwrap().1.clone();
    assert!(!load(399).is_null());
    let reasons: Vec<String> = committed(bootstrap, "rejects", 1)
        .remove(&0)
        .unwrap()
        .into_iter()
        .map(|(key, _)| String::from_utf8(key.unwrap()).unwrap())
        .collect();
    assert_eq!(reasons, ["x", "y", "z"]);
    for reason in ["unknown-schema", "undecodable"] {
        assert!(said().contains(reason), "{}", said());
    }
}

#[test]
fn a_subject_that_is_not_there_and_a_registry_that_is_not_are_refused_by_name() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let registry = SchemaRegistry::start().unwrap_or_else(|error| panic!("{error}"));
    create(broker.bootstrap(), &[("empty", 1)]);
    let place = Workplace::new(SLUICE);
    let check = |url: &str| {
        let source = format!(
            "name = \"avro\"\n[source.a]\ntype = \"kafka\"\nbootstrap_servers = \"{}\"\ntopics = \"empty\"\nformat = \"avro\"\n\
             avro = {{ registry = {{ url = \"{url}\" }} }}\n[sink.b]\ntype = \"console\"\ninput = \"a\"\n",
            broker.bootstrap()
        );
        place.write("avro.toml", &source);
        let ended = place.run(&["check", "avro.toml"]);
        assert_eq!(ended.code, Some(2));
        ended.stderr
    };
    let none = check(registry.url());
    assert!(none.contains("`source.a.avro.subject`: the registry has no subject `empty-value`"), "{none}");
    let away = check("http://127.0.0.1:1");
    assert!(away.contains("the schema registry http://127.0.0.1:1/ does not answer"), "{away}");
}
