//! `sluice run` on a real broker: whatever happens to it, what others read is what an undisturbed run would have written, and
//! what it has learned is the same to the last bit.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sluicegate_checkpoint::{CheckpointConfig, Store};
use sluicegate_core::{PartitionId, States};
use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::Workplace;
use sluicegate_tests::kafka::{Seen, committed, create, produce};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const PARTITIONS: i32 = 3;
const KEYS: usize = 50;

fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}")))
}

/// A pipeline that forecasts and learns the topic `<topic>`, and writes `<name>.out` and `<name>.rejects`.
fn pipeline(bootstrap: &str, name: &str, topic: &str, stop: &str) -> String {
    format!(
        r#"
name = "{name}"
[checkpoint]
path = "checkpoints"
interval_ms = 150
commit_interval_ms = 40
[source.events]
type = "kafka"
bootstrap_servers = "{bootstrap}"
properties = {{ "session.timeout.ms" = "3000", "heartbeat.interval.ms" = "300" }}
topics = "{topic}"
schema = {{ meter = "string", load = "float64", ts = "timestamp-s" }}
time = "ts"
key = "meter"
batch_rows = 64
{stop}
[operator.forecast]
type = "forecast"
input = "events"
targets = ["load"]
layout = "wide"
model = {{ hidden = 8 }}
[sink.forecasts]
type = "kafka"
input = "forecast"
bootstrap_servers = "{bootstrap}"
topic = "{name}.out"
key = "key"
[sink.rejects]
type = "kafka"
input = "dead-letters"
bootstrap_servers = "{bootstrap}"
topic = "{name}.rejects"
"#
    )
}

/// Events of fifty meters; some records are no JSON.
fn events(count: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..count).map(|event| {
        let meter = format!("m{}", event / PARTITIONS as usize % KEYS);
        let load = 10.0 + 3.0 * (event as f64 * 0.013).sin() + (event % 7) as f64 * 0.1;
        let value = match event % 997 {
            500 => format!("no JSON {event}"),
            _ => format!(r#"{{"meter":"{meter}","load":{load},"ts":{}}}"#, event / KEYS * 3600),
        };
        (meter, value.into_bytes())
    })
}

struct Site {
    place: Workplace,
    name: String,
}

impl Site {
    fn new(bootstrap: &str, name: &str, topic: &str, stop: &str) -> Self {
        create(bootstrap, &[(&format!("{name}.out"), PARTITIONS), (&format!("{name}.rejects"), 1)]);
        let place = Workplace::new(SLUICE);
        place.write("live.toml", &pipeline(bootstrap, name, topic, stop));
        Self { place, name: name.to_owned() }
    }

    fn command(&self) -> Command {
        self.place.command(&["run", "live.toml", "--quiet", "--trace-protocol", "traces"])
    }

    fn start(&self) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.place.path("log")).unwrap();
        self.command().stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    fn run_to_its_end(&self) {
        let ended = self.command().output().unwrap();
        assert!(ended.status.success(), "{}\n{}", self.log(), String::from_utf8_lossy(&ended.stderr));
    }

    /// What was learned, by partition.
    fn states(&self, topic: &str) -> Vec<States> {
        let base = self.place.path("");
        let store = Store::open(&CheckpointConfig::new("checkpoints"), &base, &self.name).unwrap();
        let state = |partition: i32| {
            let mut shard = store.shard(&PartitionId::new(format!("{topic}-{partition}")));
            let newest = shard.list().unwrap().pop().unwrap().reference;
            shard.read(&newest).unwrap().states
        };
        (0..PARTITIONS).map(state).collect()
    }
}

/// Holds what a disturbed run wrote and learned against an undisturbed one.
fn assert_same(bootstrap: &str, disturbed: &Site, reference: &Site, topic: &str, count: usize) {
    let rows = |site: &Site| in_order(committed(bootstrap, &format!("{}.out", site.name), PARTITIONS));
    let (got, expected) = (rows(disturbed), rows(reference));
    let bad = (0..count).filter(|event| event % 997 == 500).count();
    assert_eq!(expected.len(), count - bad);
    let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
    assert_eq!((differs, got.len()), (None, expected.len()), "{}", disturbed.log());
    let letters = |site: &Site| {
        let mut letters = committed(bootstrap, &format!("{}.rejects", site.name), 1).remove(&0).unwrap_or_default();
        letters.sort();
        letters
    };
    assert_eq!(letters(disturbed).len(), bad);
    assert_eq!(letters(disturbed), letters(reference));
    for (partition, (got, expected)) in disturbed.states(topic).iter().zip(reference.states(topic)).enumerate() {
        assert!(*got == expected, "what partition {partition} learned differs");
    }
}

/// The rows of a topic by the partition and offset of the events that they are of. Rows of one such partition must come in its
/// order; those of several may come between each other as they like.
fn in_order(topic: BTreeMap<i32, Vec<Seen>>) -> Vec<((String, i64), Seen)> {
    let mut all = Vec::new();
    for records in topic.into_values() {
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for record in records {
            let row: serde_json::Value = serde_json::from_slice(record.1.as_deref().unwrap()).unwrap();
            let (partition, offset) = (row["partition"].as_str().unwrap().to_owned(), row["offset"].as_i64().unwrap());
            let before = last.insert(partition.clone(), offset);
            assert!(before.is_none_or(|before| before < offset), "{partition}: {offset} after {before:?}");
            all.push(((partition, offset), record));
        }
    }
    all.sort();
    all
}

/// Every trace of the commit protocol that the processes left is one that the protocol allows.
fn assert_traces_hold(folder: &Path) -> usize {
    let mut events = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let lines = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        events += sluicegate_checkpoint::trace::replay(lines).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }
    events
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until the child has ended and returns its exit code.
fn ended(child: &mut Child, within: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("it did not end within {within:?}");
}

fn outputs_so_far(bootstrap: &str, site: &Site) -> usize {
    committed(bootstrap, &format!("{}.out", site.name), PARTITIONS).values().map(Vec::len).sum()
}

#[test]
fn killed_again_and_again_it_writes_and_learns_every_event_once() {
    const EVENTS: usize = 30_000;
    let bootstrap = broker().bootstrap();
    create(bootstrap, &[("killed", PARTITIONS)]);
    produce(bootstrap, "killed", PARTITIONS, events(EVENTS));
    let reference = Site::new(bootstrap, "killed-reference", "killed", "stop = \"end\"");
    let disturbed = Site::new(bootstrap, "killed-disturbed", "killed", "stop = \"end\"");
    reference.run_to_its_end();
    let mut dice = Dice(7);
    let (mut kills, mut ended_by_itself) = (0, false);
    while kills < 25 && !ended_by_itself {
        let mut child = disturbed.start();
        std::thread::sleep(Duration::from_millis(300 + dice.below(2_600)));
        ended_by_itself = child.try_wait().unwrap().is_some();
        // SIGKILL: nothing is told, nothing is tidied up.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(!ended_by_itself);
    }
    assert!(kills >= 10, "only {kills} kills hit a running process; {}", disturbed.log());
    disturbed.run_to_its_end();
    assert_same(bootstrap, &disturbed, &reference, "killed", EVENTS);
    assert!(assert_traces_hold(&disturbed.place.path("traces")) > 100);
}

#[test]
fn a_zombie_writes_nothing_and_says_why_it_stops() {
    const EVENTS: usize = 24_000;
    let bootstrap = broker().bootstrap();
    create(bootstrap, &[("zombie", PARTITIONS)]);
    produce(bootstrap, "zombie", PARTITIONS, events(EVENTS));
    let reference = Site::new(bootstrap, "zombie-reference", "zombie", "stop = \"end\"");
    reference.run_to_its_end();
    // Both processes use one folder for checkpoints, as processes of one group do.
    let site = Site::new(bootstrap, "zombie-disturbed", "zombie", "");
    let mut first = site.start();
    let begun = Instant::now();
    while outputs_so_far(bootstrap, &site) < 300 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", site.log());
    }
    signal(&first, "-STOP");
    let mut second = site.start();
    let bad = (0..EVENTS).filter(|event| event % 997 == 500).count();
    while outputs_so_far(bootstrap, &site) < EVENTS - bad {
        assert!(begun.elapsed() < Duration::from_secs(150), "{}", site.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    signal(&first, "-CONT");
    assert_eq!(ended(&mut first, Duration::from_secs(60)), Some(1), "{}", site.log());
    let log = site.log();
    assert!(log.contains("taken this partition over") || log.contains("session time-out"), "{log}");
    signal(&second, "-TERM");
    assert_eq!(ended(&mut second, Duration::from_secs(60)), Some(0), "{}", site.log());
    assert_same(bootstrap, &site, &reference, "zombie", EVENTS);
}

#[test]
fn a_stop_in_mid_span_loses_nothing_and_a_silent_topic_keeps_it_alive() {
    const EVENTS: usize = 6_000;
    let bootstrap = broker().bootstrap();
    create(bootstrap, &[("stopped", PARTITIONS)]);
    produce(bootstrap, "stopped", PARTITIONS, events(EVENTS / 2));
    // A transaction may stay open for a second only: silence must not keep one open.
    let site = Site::new(bootstrap, "stopped-disturbed", "stopped", "transaction_timeout_ms = 1000");
    let mut child = site.start();
    let begun = Instant::now();
    while outputs_so_far(bootstrap, &site) < 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", site.log());
    }
    signal(&child, "-TERM");
    assert_eq!(ended(&mut child, Duration::from_secs(60)), Some(0), "{}", site.log());
    let mut child = site.start();
    let bad = |count: usize| (0..count).filter(|event| event % 997 == 500).count();
    while outputs_so_far(bootstrap, &site) < EVENTS / 2 - bad(EVENTS / 2) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", site.log());
    }
    std::thread::sleep(Duration::from_secs(3));
    produce(bootstrap, "stopped", PARTITIONS, events(EVENTS).skip(EVENTS / 2));
    while outputs_so_far(bootstrap, &site) < EVENTS - bad(EVENTS) {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", site.log());
    }
    signal(&child, "-TERM");
    assert_eq!(ended(&mut child, Duration::from_secs(60)), Some(0), "{}", site.log());
    let reference = Site::new(bootstrap, "stopped-reference", "stopped", "stop = \"end\"");
    reference.run_to_its_end();
    assert_same(bootstrap, &site, &reference, "stopped", EVENTS);
}

#[test]
fn when_the_broker_is_away_it_waits_and_goes_on_by_itself() {
    const EVENTS: usize = 12_000;
    // A broker of its own, since the others need theirs.
    let mut broker = Broker::start().unwrap();
    let bootstrap = broker.bootstrap().to_owned();
    create(&bootstrap, &[("away", PARTITIONS)]);
    produce(&bootstrap, "away", PARTITIONS, events(EVENTS));
    let reference = Site::new(&bootstrap, "away-reference", "away", "stop = \"end\"");
    reference.run_to_its_end();
    let site = Site::new(&bootstrap, "away-disturbed", "away", "");
    let mut child = site.start();
    let begun = Instant::now();
    while outputs_so_far(&bootstrap, &site) < 300 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", site.log());
    }
    if broker.kill().is_err() {
        // Somebody else's broker is not ours to kill.
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    std::thread::sleep(Duration::from_secs(5));
    broker.restart().unwrap();
    let bad = (0..EVENTS).filter(|event| event % 997 == 500).count();
    while outputs_so_far(&bootstrap, &site) < EVENTS - bad {
        assert!(begun.elapsed() < Duration::from_secs(180), "{}", site.log());
        assert!(child.try_wait().unwrap().is_none(), "{}", site.log());
        std::thread::sleep(Duration::from_millis(300));
    }
    signal(&child, "-TERM");
    assert_eq!(ended(&mut child, Duration::from_secs(60)), Some(0), "{}", site.log());
    assert_same(&bootstrap, &site, &reference, "away", EVENTS);
}
