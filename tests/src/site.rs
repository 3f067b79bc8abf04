//! A live pipeline on a broker, with a folder of its own, to be disturbed or left alone.

use std::fs::{File, OpenOptions};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluicegate_checkpoint::{CheckpointConfig, Store};
use sluicegate_core::{PartitionId, States};

use crate::Workplace;
use crate::kafka::{committed, create};
use crate::running::Running;

/// Partitions of a topic.
pub const PARTITIONS: i32 = 3;
/// Keys of the events.
pub const KEYS: usize = 50;
/// One event of so many is no JSON.
const BAD_EVERY: usize = 997;
/// The longest that anything but the work itself may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pipeline that forecasts and learns the topic `<topic>`, and writes `<name>.out` and `<name>.rejects`. `more` are further
/// lines of the source.
pub fn pipeline(bootstrap: &str, name: &str, topic: &str, more: &str) -> String {
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
{more}
[operator.forecast]
type = "forecast"
input = "events"
targets = ["load"]
mixture = false
layout = "wide"
# The slower backend: there must be work left to be disturbed in.
model = {{ hidden = 8, backend = "libtorch" }}
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

/// Events of fifty meters, key and value; some are no JSON.
pub fn meter_events(count: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..count).map(|event| {
        let meter = format!("m{}", event / PARTITIONS as usize % KEYS);
        let load = 10.0 + 3.0 * (event as f64 * 0.013).sin() + (event % 7) as f64 * 0.1;
        let value = match event % BAD_EVERY {
            500 => format!("no JSON {event}"),
            _ => format!(r#"{{"meter":"{meter}","load":{load},"ts":{}}}"#, event / KEYS * 3600),
        };
        (meter, value.into_bytes())
    })
}

/// How many of the first `count` events are no JSON.
pub fn bad_among(count: usize) -> usize {
    (0..count).filter(|event| event % BAD_EVERY == 500).count()
}

/// A pipeline with its folder and its topics.
pub struct Site {
    /// The folder: `live.toml`, `log`, `checkpoints` and `traces`.
    pub place: Workplace,
    /// The pipeline's name.
    pub name: String,
    bootstrap: String,
}

impl Site {
    /// Makes the topics `<name>.out` and `<name>.rejects` and a folder with the pipeline.
    pub fn new(command: &str, bootstrap: &str, name: &str, topic: &str, more: &str) -> Self {
        create(bootstrap, &[(&format!("{name}.out"), PARTITIONS), (&format!("{name}.rejects"), 1)]);
        let place = Workplace::new(command);
        place.write("live.toml", &pipeline(bootstrap, name, topic, more));
        Self { place, name: name.to_owned(), bootstrap: bootstrap.to_owned() }
    }

    /// The broker's address.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The command that runs it, not yet started.
    pub fn command(&self) -> Command {
        self.place.command(&["run", "live.toml", "--quiet", "--trace-protocol", "traces", "--log-level", "debug"])
    }

    /// Where its processes write what they have to say.
    pub fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.place.path("log")).expect("a log file")
    }

    /// Starts a process.
    pub fn start(&self) -> Running {
        self.start_with(None)
    }

    /// Starts a process that dies at a place: `name[@partition]:count[:open]`.
    ///
    /// One that dies while it stops commits less often: else a shard has hardly ever something open when it is told to.
    pub fn start_with(&self, failpoint: Option<&str>) -> Running {
        let mut command = self.command();
        if let Some(failpoint) = failpoint {
            command.env("SLUICEGATE_FAILPOINT", failpoint);
        }
        if failpoint.is_some_and(|failpoint| failpoint.starts_with("stop.")) {
            command.args(["--set", "checkpoint.commit_interval_ms=300"]);
        }
        Running::start(command.stdout(Stdio::null()).stderr(self.log_file()))
    }

    /// Waits until one of its processes has ended and returns its exit code; `None` after a signal.
    pub fn ended(&self, child: &mut Child, within: Duration) -> Option<i32> {
        ended_or(child, within, &|| self.log())
    }

    /// What its processes have said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    /// Runs it until its source ends.
    pub fn run_to_its_end(&self) {
        let ended = self.command().output().expect("the command starts");
        assert!(ended.status.success(), "{}\n{}", self.log(), String::from_utf8_lossy(&ended.stderr));
    }

    /// How many rows others can read by now.
    pub fn rows_so_far(&self) -> usize {
        committed(&self.bootstrap, &format!("{}.out", self.name), PARTITIONS).values().map(Vec::len).sum()
    }

    /// Waits until others can read so many rows.
    pub fn wait_for_rows(&self, rows: usize, within: Duration) {
        let begun = Instant::now();
        while self.rows_so_far() < rows {
            assert!(begun.elapsed() < within, "{} of {rows} rows after {within:?}; {}", self.rows_so_far(), self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a process is at work on so many partitions, or has ended: of each it has come to a barrier, for which it takes rows.
    pub fn wait_until_at_work(&self, child: &mut Child, partitions: usize) {
        self.wait_for_event("\"Aligned\"", child, partitions);
    }

    /// Waits until a process has opened so many partitions, whether there are rows or not.
    pub fn wait_until_open(&self, child: &mut Child, partitions: usize) {
        self.wait_for_event("\"Opened\"", child, partitions);
    }

    /// Whether a process has opened so many partitions.
    pub fn is_open(&self, child: &Child, partitions: usize) -> bool {
        self.partitions_with("\"Opened\"", child) >= partitions
    }

    fn wait_for_event(&self, event: &str, child: &mut Child, partitions: usize) {
        let begun = Instant::now();
        // One that has ended comes to nothing more; why it did is for the caller to look at.
        while self.partitions_with(event, child) < partitions && child.try_wait().expect("a process of ours").is_none()
        {
            assert!(begun.elapsed() < PATIENCE, "process {} is not at work: {}", child.id(), self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// In the traces of how many partitions of a process an event is.
    fn partitions_with(&self, event: &str, child: &Child) -> usize {
        let process = format!("-{}-", child.id());
        let Ok(traces) = std::fs::read_dir(self.place.path("traces")) else { return 0 };
        let of_process = traces
            .flatten()
            .map(|file| file.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&process)));
        of_process.filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(event))).count()
    }

    /// What was learned, by partition of `topic`.
    pub fn states(&self, topic: &str) -> Vec<States> {
        let store =
            Store::open(&CheckpointConfig::new("checkpoints"), &self.place.path(""), &self.name).expect("checkpoints");
        let state = |partition: i32| {
            let shard = store.shard(&PartitionId::new(format!("{topic}-{partition}")));
            shard.newest().expect("a list of checkpoints").expect("a checkpoint").states
        };
        (0..PARTITIONS).map(state).collect()
    }
}

/// Sends a signal, such as `-TERM`.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "{name} cannot be sent to {}", child.id());
}

/// Kills a process: nothing is told, nothing is tidied up.
pub fn kill(child: &mut Child) {
    child.kill().expect("a process of ours");
    child.wait().expect("a process of ours");
}

/// Waits until a process has ended and returns its exit code; `None` after a signal.
pub fn ended(child: &mut Child, within: Duration) -> Option<i32> {
    ended_or(child, within, &String::new)
}

/// The same; where it does not end, it is killed, and `said` tells what it had to say.
fn ended_or(child: &mut Child, within: Duration, said: &dyn Fn() -> String) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a process of ours") {
            return status.code();
        }
        if begun.elapsed() >= within {
            kill(child);
            panic!("it did not end within {within:?}: {}", said());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks a process to stop and makes sure that it does so cleanly.
pub fn stop(site: &Site, child: &mut Child) {
    signal(child, "-TERM");
    assert_eq!(site.ended(child, PATIENCE), Some(0), "{}", site.log());
}

/// Numbers that look random and are the same every time.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
