//! Between Kafka topics and Parquet files through the command: exactly once through kill -9, and `sluice produce`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, produce};
use sluicegate_tests::{Workplace, events, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

fn broker() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap()
}

/// Runs the pipeline again and again and kills it each time a little later, and then lets it end.
fn run_with_kills(place: &Workplace, kills: u64) {
    let args = ["run", "pipeline.toml", "--quiet"];
    for kill in 1..=kills {
        let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + 170 * kill));
        // SIGKILL, unless it has ended already.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ended = place.run(&args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn rows_of_a_topic_are_in_files_once_after_kills_and_others_can_read_them() {
    const ROWS: usize = 20_000;
    let broker = broker();
    create(broker, &[("to-files", 1)]);
    let row = |row: usize| (String::new(), format!(r#"{{"n":{row}}}"#).into_bytes());
    produce(broker, "to-files", 1, (0..ROWS).map(row));
    let place = Workplace::new(SLUICE);
    place.write(
        "pipeline.toml",
        &format!(
            r#"
name = "to-files"
[checkpoint]
path = "checkpoints"
interval_ms = 100
commit_interval_ms = 40
[source.events]
type = "kafka"
bootstrap_servers = "{broker}"
properties = {{ "session.timeout.ms" = "1000", "heartbeat.interval.ms" = "200" }}
topics = "to-files"
schema = {{ n = "int64" }}
batch_rows = 16
stop = "end"
[sink.out]
type = "parquet"
input = "events"
path = "out"
"#
        ),
    );
    run_with_kills(&place, 6);
    let found: RecordBatch = read_folder(&place.path("out"));
    let numbers = found.column_by_name("n").unwrap().as_primitive::<Int64Type>();
    assert!(numbers.values().iter().copied().eq(0..ROWS as i64), "{} rows", numbers.len());
    let script =
        "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); print(t.num_rows, sum(t['n'].to_pylist()))";
    let Some(python) = std::env::var_os("SLUICEGATE_PYTHON") else {
        panic!("`cargo xtask test` sets SLUICEGATE_PYTHON")
    };
    let read = Command::new(python).args(["-c", script]).arg(place.path("out")).output().unwrap();
    let sum = ROWS * (ROWS - 1) / 2;
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), format!("{ROWS} {sum}"), "{read:?}");
}

#[test]
fn rows_of_a_file_are_in_a_topic_once_and_in_order_after_kills() {
    const ROWS: usize = 20_000;
    let broker = broker();
    create(broker, &[("from-files", 1)]);
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", ROWS);
    place.write(
        "pipeline.toml",
        &format!(
            r#"
name = "from-files"
[checkpoint]
path = "checkpoints"
interval_ms = 100
commit_interval_ms = 40
[source.events]
type = "parquet"
path = "events.parquet"
batch_rows = 16
[sink.out]
type = "kafka"
input = "events"
bootstrap_servers = "{broker}"
topic = "from-files"
value = "note"
"#
        ),
    );
    run_with_kills(&place, 6);
    assert_eq!(values("from-files"), (0..ROWS).map(|row| format!("n{row}")).collect::<Vec<_>>());
}

/// The values of the one partition of a topic.
fn values(topic: &str) -> Vec<String> {
    let records = committed(broker(), topic, 1).remove(&0).unwrap_or_default();
    records.into_iter().map(|(_, value)| String::from_utf8(value.unwrap()).unwrap()).collect()
}

#[test]
fn produce_writes_every_row_in_order_with_its_key_and_one_partition_for_a_key() {
    let broker = broker();
    create(broker, &[("produced", 3)]);
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", 400);
    let args =
        ["produce", "events.parquet", "--topic", "produced", "--bootstrap", broker, "--key", "meter", "--rate", "4000"];
    let ended = place.run(&args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("produced: 400 rows in "), "{ended:?}");
    let found = committed(broker, "produced", 3);
    let expected = events(400);
    let notes = expected.column_by_name("note").unwrap().as_string::<i32>();
    for (meter, first) in [("a", 0), ("b", 1)] {
        let of_meter = |records: &Vec<sluicegate_tests::kafka::Seen>| -> Vec<String> {
            let mine = records.iter().filter(|(key, _)| key.as_deref() == Some(meter.as_bytes()));
            let note = |value: &[u8]| {
                serde_json::from_slice::<serde_json::Value>(value).unwrap()["note"].as_str().unwrap().to_owned()
            };
            mine.map(|(_, value)| note(value.as_deref().unwrap())).collect()
        };
        let mut holding: Vec<Vec<String>> = found.values().map(of_meter).filter(|rows| !rows.is_empty()).collect();
        assert_eq!(holding.len(), 1, "the key {meter} is in one partition");
        let wanted: Vec<String> = (first..400).step_by(2).map(|row| notes.value(row).to_owned()).collect();
        assert_eq!(holding.pop(), Some(wanted));
    }
}

/// Two sources in one pipeline, each with a sink of its own: what went through Kafka is what it was in the file.
#[test]
fn rows_come_back_from_a_topic_of_arrow_records_beside_the_file_that_they_are_of() {
    let broker = broker();
    create(broker, &[("arrow", 1)]);
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", 400);
    let args = ["produce", "events.parquet", "--topic", "arrow", "--bootstrap", broker, "--format", "arrow-ipc"];
    let ended = place.run(&args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    place.write(
        "pipeline.toml",
        &format!(
            r#"
name = "arrow"
[checkpoint]
path = "checkpoints"
[source.topic]
type = "kafka"
bootstrap_servers = "{broker}"
topics = "arrow"
format = "arrow-ipc"
schema = {{ meter = "string", load = "float64", note = "string" }}
stop = "end"
[source.file]
type = "parquet"
path = "events.parquet"
[sink.of-topic]
type = "parquet"
input = "topic"
path = "of-topic"
[sink.of-file]
type = "parquet"
input = "file"
path = "of-file"
"#
        ),
    );
    let ended = place.run(&["run", "pipeline.toml", "--quiet"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (topic, file) = (read_folder(&place.path("of-topic")), read_folder(&place.path("of-file")));
    assert_eq!((topic.num_rows(), file.num_rows()), (400, 400));
    for column in ["meter", "load", "note"] {
        assert_eq!(topic.column_by_name(column), file.column_by_name(column), "{column}");
    }
}

#[test]
fn produce_names_a_topic_that_is_not_there_and_ends_cleanly_when_asked() {
    let broker = broker();
    create(broker, &[("slow", 1)]);
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", 5_000);
    let ended = place.run(&["produce", "events.parquet", "--topic", "nowhere", "--bootstrap", broker]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.starts_with("error: `sink.topic.topic`: the cluster has no topic `nowhere`"), "{ended:?}");
    let args = ["produce", "events.parquet", "--topic", "slow", "--bootstrap", broker, "--rate", "100", "--quiet"];
    let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Not by reading: a reader is told of the end only in a pause, and there is none.
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    while client.fetch_watermarks("slow", 0, Duration::from_secs(20)).unwrap().1 < 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // A beginning of the rows, each once.
    let seen = values("slow");
    assert!((20..5_000).contains(&seen.len()), "{}", seen.len());
    let noted = |(row, value): (usize, &String)| value.contains(&format!("\"note\":\"n{row}\""));
    assert!(seen.iter().enumerate().all(noted));
}

#[test]
fn without_a_sink_for_dead_letters_the_run_stops_at_the_record_and_goes_on_there_once_there_is_one() {
    let broker = broker();
    create(broker, &[("mixed", 1)]);
    let bad = |row: usize| if row == 7 { b"no JSON".to_vec() } else { format!(r#"{{"n":{row}}}"#).into_bytes() };
    produce(broker, "mixed", 1, (0..20).map(|row| (String::new(), bad(row))));
    let place = Workplace::new(SLUICE);
    let text = format!(
        r#"
name = "mixed"
[checkpoint]
path = "checkpoints"
[source.events]
type = "kafka"
bootstrap_servers = "{broker}"
topics = "mixed"
schema = {{ n = "int64" }}
stop = "end"
[sink.out]
type = "parquet"
input = "events"
path = "out"
"#
    );
    place.write("pipeline.toml", &text);
    let ended = place.run(&["run", "pipeline.toml", "--quiet"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the record at offset 7 of partition `mixed-0`"), "{said}");
    assert!(said.contains("dead-letters"), "{said}");
    let letters = "[sink.letters]\ntype = \"parquet\"\ninput = \"dead-letters\"\npath = \"letters\"\n";
    place.write("pipeline.toml", &format!("{text}{letters}"));
    let mut ended = place.run(&["run", "pipeline.toml", "--quiet"]);
    // With a sink more it is another pipeline, and a broker at work takes a moment to let a member go.
    for _ in 0..20 {
        if !ended.stderr.contains("another pipeline uses the consumer group") {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
        ended = place.run(&["run", "pipeline.toml", "--quiet"]);
    }
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(read_folder(&place.path("out")).num_rows(), 19);
    let letters = read_folder(&place.path("letters"));
    let payload = letters.column_by_name("payload").unwrap().as_binary::<i32>();
    assert_eq!((letters.num_rows(), payload.value(0)), (1, b"no JSON".as_slice()));
}
