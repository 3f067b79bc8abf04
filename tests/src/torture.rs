//! The lines of `cargo xtask torture`.

use std::time::{Duration, Instant};

use sluicegate_testkit::kafka::Broker;

use crate::disturb;
use crate::full;
use crate::kafka::{create, produce};
use crate::kills::{self, PLACES};
use crate::site::{PARTITIONS, Site, meter_events, stop};

/// How long it all takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Some minutes.
    Quick,
    /// Most of an hour.
    Full,
}

impl Length {
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// One line: something that happens, and what must hold then.
pub struct Line {
    /// What to call it by.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// Makes it happen; panics where something does not hold, and says in a few words what was found otherwise.
    pub run: fn(&str, &mut Broker, Length, u64) -> String,
}

/// All lines, in order.
pub fn lines() -> Vec<Line> {
    vec![
        Line { name: "kills", what: "killed at every step of the protocol and at random", run: kills },
        Line { name: "zombie", what: "stopped for longer than its session, then continued", run: zombie },
        Line { name: "rebalances", what: "a second process joins and leaves", run: rebalances },
        Line { name: "broker", what: "the broker is away and comes back", run: broker_away },
        Line { name: "slow-output", what: "the broker takes nothing for a while", run: slow_output },
        Line { name: "silence", what: "no event for longer than a transaction may be open", run: silence },
        Line { name: "expiry", what: "the broker forgets what the group committed", run: expiry },
        Line { name: "terminations", what: "SIGTERM at random moments", run: terminations },
        Line { name: "full-disk", what: "no room for checkpoints, then room again", run: full_disk },
        Line { name: "full-sink", what: "no room for the files of a Parquet sink, then room again", run: full_sink },
        Line { name: "memory", what: "a steady stream, resident memory over time", run: memory },
    ]
}

fn kills(command: &str, broker: &mut Broker, length: Length, seed: u64) -> String {
    let (times, events) = length.pick((40, 400_000), (200, 2_000_000));
    let done = kills::kills(command, broker.bootstrap(), "kills", events, times, seed);
    assert!(done.hits >= times * 9 / 10, "only {} of {times} kills hit a running process", done.hits);
    // A short run has each place once, in one shard or another.
    let steps = PLACES.len() * length.pick(1, PARTITIONS as usize);
    assert!(done.steps.len() >= steps, "only {} of {steps} pairs of place and shard were hit", done.steps.len());
    format!(
        "{} kills, {} of them at {} places in {PARTITIONS} shards ({} pairs); output and states equal",
        done.hits,
        done.at_places,
        PLACES.len(),
        done.steps.len()
    )
}

fn zombie(command: &str, broker: &mut Broker, _: Length, _: u64) -> String {
    disturb::zombie(command, broker.bootstrap(), "zombie", 24_000);
    "fenced, said so, wrote nothing; output and states equal".to_owned()
}

fn rebalances(command: &str, broker: &mut Broker, length: Length, _: u64) -> String {
    let times = length.pick(3, 10);
    disturb::rebalances(command, broker.bootstrap(), "rebalances", 24_000, times);
    format!("{times} rebalances in a row; output and states equal")
}

fn broker_away(command: &str, broker: &mut Broker, length: Length, _: u64) -> String {
    let away = Duration::from_secs(length.pick(5, 30));
    assert!(
        disturb::broker_away(command, broker, "broker", 12_000, away),
        "the broker at KAFKA_BOOTSTRAP is not ours to kill; unset it"
    );
    format!("{} s away, went on by itself; output and states equal", away.as_secs())
}

/// The bound: 32 MiB for what waits to be sent and 16 MiB for what waits to be worked on, for each of three partitions.
fn slow_output(command: &str, broker: &mut Broker, length: Length, _: u64) -> String {
    let slow = Duration::from_secs(length.pick(10, 30));
    let (before, most) = disturb::slow_output(command, broker, "slow-output", 150_000, slow);
    assert!(most <= before + 3 * (32 + 16) * 1024, "{most} KiB while the broker took nothing, {before} KiB before");
    format!(
        "{} s; {} MiB before, at most {} MiB meanwhile; output and states equal",
        slow.as_secs(),
        before / 1024,
        most / 1024
    )
}

fn silence(command: &str, broker: &mut Broker, _: Length, _: u64) -> String {
    disturb::stop_and_silence(command, broker.bootstrap(), "silence", 6_000);
    "three times as long; output and states equal".to_owned()
}

/// On a broker of its own, which forgets after a minute.
fn expiry(command: &str, _: &mut Broker, _: Length, _: u64) -> String {
    let forgetful = Broker::start_forgetful().unwrap_or_else(|error| panic!("{error}"));
    disturb::expired_offsets(command, forgetful.bootstrap(), "expiry", 6_000);
    "refused with the override that works; output and states equal".to_owned()
}

fn terminations(command: &str, broker: &mut Broker, length: Length, seed: u64) -> String {
    let times = length.pick(10, 50);
    let clean = disturb::terminations(command, broker.bootstrap(), "terminations", 150_000, times, seed);
    assert!(clean * 2 > times, "only {clean} of {times} processes had begun to listen for signals");
    format!("{clean} of {times} clean stops, the others before it listened; output and states equal")
}

/// Checkpoints cannot be written: with a limit to the size of files, and on a small file system that is full. Where none can be
/// mounted, the line falls short.
fn full_disk(command: &str, broker: &mut Broker, _: Length, _: u64) -> String {
    full::limited_checkpoints(command, broker.bootstrap(), "limited-disk", 12_000);
    full::full_checkpoints(command, broker.bootstrap(), "full-disk", 12_000);
    "with files limited and with a full file system: no checkpoint half-written was read; output and states equal"
        .to_owned()
}

fn full_sink(command: &str, broker: &mut Broker, _: Length, _: u64) -> String {
    full::full_sink(command, broker.bootstrap(), "full-sink", 12_000);
    "stopped twice and named the file, nothing half-written was to be seen; files equal in the end".to_owned()
}

/// Feeds a pipeline at a steady rate and looks at its resident memory. The bound: in the second half of the time it is nowhere
/// more than a tenth above the most of the first half, after a minute (a tenth of the time in short runs) to warm up.
fn memory(command: &str, broker: &mut Broker, length: Length, _: u64) -> String {
    let time = Duration::from_secs(length.pick(60, 600));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("memory", PARTITIONS)]);
    let site = Site::new(command, bootstrap, "memory-run", "memory", "");
    let mut child = site.start();
    let begun = Instant::now();
    let mut samples: Vec<(Duration, u64)> = Vec::new();
    let mut sent = 0;
    while begun.elapsed() < time {
        produce(bootstrap, "memory", PARTITIONS, meter_events(sent + 1_000).skip(sent));
        sent += 1_000;
        samples.push((begun.elapsed(), resident_kib(child.id())));
        std::thread::sleep(Duration::from_millis(500));
    }
    stop(&site, &mut child);
    let warm = time / 10;
    let most = |from: Duration, to: Duration| {
        samples.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, kib)| *kib).max().unwrap_or(0)
    };
    let (first, second) = (most(warm, time / 2), most(time / 2, time));
    assert!(first > 0 && second * 10 <= first * 11, "{second} KiB in the second half, {first} KiB in the first");
    format!(
        "{} s, {sent} events, at most {} MiB in the first half and {} MiB in the second",
        time.as_secs(),
        first / 1024,
        second / 1024
    )
}

/// Resident memory of a process, as Linux tells it.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
