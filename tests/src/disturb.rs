//! What can happen to a live pipeline. Each of these makes it happen and holds the outcome against an undisturbed run.
//!
//! All panic with a message that says what differs, so that a test fails, and `cargo xtask torture` names the line.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sluicegate_testkit::kafka::Broker;

use crate::kafka::{Feeder, committed_offset, create, produce};
use crate::outcome::{assert_same, assert_traces_hold};
use crate::running::Running;
use crate::site::{Dice, PARTITIONS, Site, bad_among, kill, meter_events, signal, stop};
use crate::torture::resident_kib;

/// Processes that may join before one dies while it gives a partition up.
const TRIES: usize = 12;

/// A topic with events, an undisturbed run over it, and a site to disturb.
pub(crate) struct Stage {
    reference: Site,
    pub(crate) disturbed: Site,
    topic: String,
    events: usize,
}

impl Stage {
    pub(crate) fn set(command: &str, bootstrap: &str, topic: &str, events: usize, more: &str) -> Self {
        create(bootstrap, &[(topic, PARTITIONS)]);
        produce(bootstrap, topic, PARTITIONS, meter_events(events));
        let reference = Site::new(command, bootstrap, &format!("{topic}-reference"), topic, "stop = \"end\"");
        reference.run_to_its_end();
        let disturbed = Site::new(command, bootstrap, &format!("{topic}-disturbed"), topic, more);
        Self { reference, disturbed, topic: topic.to_owned(), events }
    }

    fn rows(&self) -> usize {
        self.events - bad_among(self.events)
    }

    pub(crate) fn assert_same(&self) {
        assert_same(&self.disturbed, &self.reference, &self.topic, self.events);
        assert!(assert_traces_hold(&self.disturbed.place.path("traces")) > 10);
    }
}

/// A process is stopped by SIGSTOP for longer than its session lasts, a second one takes over, and the first goes on: it writes
/// nothing, says why, and ends.
pub fn zombie(command: &str, bootstrap: &str, topic: &str, events: usize) {
    let stage = Stage::set(command, bootstrap, topic, events, "");
    let site = &stage.disturbed;
    let mut first = site.start();
    site.wait_for_rows(300, Duration::from_secs(60));
    signal(&first, "-STOP");
    let mut second = site.start();
    site.wait_for_rows(stage.rows(), Duration::from_secs(180));
    signal(&first, "-CONT");
    assert_eq!(site.ended(&mut first, Duration::from_secs(60)), Some(1), "{}", site.log());
    let log = site.log();
    assert!(log.contains("taken this partition over") || log.contains("session time-out"), "{log}");
    stop(site, &mut second);
    stage.assert_same();
}

/// A process is stopped in mid-work, another goes on, the topic is silent for three times as long as a transaction may be open,
/// and more events come.
pub fn stop_and_silence(command: &str, bootstrap: &str, topic: &str, events: usize) {
    create(bootstrap, &[(topic, PARTITIONS)]);
    produce(bootstrap, topic, PARTITIONS, meter_events(events / 2));
    let name = format!("{topic}-disturbed");
    let site = Site::new(command, bootstrap, &name, topic, "transaction_timeout_ms = 1000");
    let mut child = site.start();
    site.wait_for_rows(200, Duration::from_secs(60));
    stop(&site, &mut child);
    let mut child = site.start();
    site.wait_for_rows(events / 2 - bad_among(events / 2), Duration::from_secs(180));
    std::thread::sleep(Duration::from_secs(3));
    produce(bootstrap, topic, PARTITIONS, meter_events(events).skip(events / 2));
    site.wait_for_rows(events - bad_among(events), Duration::from_secs(180));
    stop(&site, &mut child);
    let reference = Site::new(command, bootstrap, &format!("{topic}-reference"), topic, "stop = \"end\"");
    reference.run_to_its_end();
    assert_same(&site, &reference, topic, events);
}

/// The broker forgets what the group committed, while checkpoints are there: refused, with an override that begins anew. For a
/// broker that forgets within minutes.
pub fn expired_offsets(command: &str, bootstrap: &str, topic: &str, events: usize) {
    let stage = Stage::set(command, bootstrap, topic, events, "stop = \"end\"");
    let site = &stage.disturbed;
    site.run_to_its_end();
    stage.assert_same();
    let (begun, group) = (Instant::now(), format!("sluicegate.{}", site.name));
    while (0..PARTITIONS).any(|partition| committed_offset(bootstrap, &group, topic, partition).is_some()) {
        assert!(begun.elapsed() < Duration::from_secs(300), "the broker does not forget");
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut refused = site.start();
    assert_eq!(site.ended(&mut refused, Duration::from_secs(60)), Some(1), "{}", site.log());
    let log = site.log();
    assert!(log.contains("there are checkpoints, but no committed position") && log.contains("--fresh"), "{log}");
    // Nothing was written meanwhile.
    stage.assert_same();
    let anew = site.command().args(["--fresh", &site.name]).output().expect("the command starts");
    assert!(anew.status.success(), "{}", String::from_utf8_lossy(&anew.stderr));
    assert_eq!(site.rows_so_far(), 2 * stage.rows());
    assert!(site.states(topic) == stage.reference.states(topic), "what was learned differs");
}

/// The broker is killed, is away for a while, and comes back: the pipeline goes on by itself. `false` where the broker is
/// somebody else's, and so not ours to kill.
pub fn broker_away(command: &str, broker: &mut Broker, topic: &str, events: usize, away: Duration) -> bool {
    let bootstrap = broker.bootstrap().to_owned();
    let stage = Stage::set(command, &bootstrap, topic, events, "");
    let site = &stage.disturbed;
    let mut child = site.start();
    site.wait_for_rows(300, Duration::from_secs(60));
    if broker.kill().is_err() {
        kill(&mut child);
        return false;
    }
    std::thread::sleep(away);
    broker.restart().unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    while site.rows_so_far() < stage.rows() {
        assert!(begun.elapsed() < Duration::from_secs(180), "{}", site.log());
        assert!(child.try_wait().expect("a process of ours").is_none(), "{}", site.log());
        std::thread::sleep(Duration::from_millis(300));
    }
    stop(site, &mut child);
    stage.assert_same();
    true
}

/// The broker takes nothing for a while, with a large backlog before it: the pipeline waits, holds no more memory than it states,
/// and goes on. Returns the most resident memory before and meanwhile, in KiB.
pub fn slow_output(command: &str, broker: &mut Broker, topic: &str, events: usize, slow: Duration) -> (u64, u64) {
    let bootstrap = broker.bootstrap().to_owned();
    let stage = Stage::set(command, &bootstrap, topic, events, "stop = \"end\"");
    let site = &stage.disturbed;
    let mut child = site.start();
    site.wait_for_rows(300, Duration::from_secs(60));
    let before = resident_kib(child.id());
    broker.pause().unwrap_or_else(|error| panic!("{error}"));
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < slow {
        most = most.max(resident_kib(child.id()));
        std::thread::sleep(Duration::from_millis(100));
    }
    broker.resume().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(site.ended(&mut child, Duration::from_secs(180)), Some(0), "{}", site.log());
    stage.assert_same();
    (before, most)
}

/// A second process joins and leaves `times` times while events are worked on, so that partitions move at each. In the middle
/// one process dies while it commits a partition that it gives up, with output open.
pub fn rebalances(command: &str, bootstrap: &str, topic: &str, events: usize, times: usize) {
    create(bootstrap, &[(topic, PARTITIONS)]);
    let feed = Feed::new(bootstrap, topic);
    feed.send(events / 2);
    let site = &Site::new(command, bootstrap, &format!("{topic}-disturbed"), topic, "");
    let mut steady = site.start();
    site.wait_for_rows(100, Duration::from_secs(60));
    for time in 0..times {
        if time == times / 2 {
            kill(&mut steady);
            steady = feed.steadily(|| die_while_giving_up(site));
            continue;
        }
        let mut joining = site.start();
        feed.send(events / 2 / times);
        site.wait_until_open(&mut joining, 1);
        stop(site, &mut joining);
    }
    site.wait_for_rows(feed.sent() - bad_among(feed.sent()), Duration::from_secs(180));
    stop(site, &mut steady);
    let whole = Site::new(command, bootstrap, &format!("{topic}-whole"), topic, "stop = \"end\"");
    whole.run_to_its_end();
    assert_same(site, &whole, topic, feed.sent());
    assert!(assert_traces_hold(&site.place.path("traces")) > 10);
}

/// Revoking is a stop of the shard: the process that has all partitions dies there, the one that joins takes over, and another
/// one goes on alone.
fn die_while_giving_up(site: &Site) -> Running {
    let before = site.log().len();
    let mut steady = site.start_with(Some("stop.flushed:1:open"));
    site.wait_until_open(&mut steady, PARTITIONS as usize);
    let mut joining = site.start();
    // A shard that has just lost its commit to the new generation is given up as it stands, without a last flush, and one that
    // has just committed has nothing open; then the next one to join brings it about.
    for _ in 0..TRIES {
        if gives_up_or_dies(site, &mut steady, &mut joining) {
            break;
        }
        stop(site, &mut joining);
        joining = site.start();
    }
    site.ended(&mut steady, Duration::from_secs(20));
    let said = site.log()[before..].to_owned();
    let hit = |line: &str| line.starts_with("failpoint stop.flushed@") && line.ends_with("output_open=Some(true)");
    assert!(said.lines().any(hit), "{said}");
    std::thread::sleep(Duration::from_millis(1_000));
    stop(site, &mut joining);
    site.start()
}

/// Events that are sent bit by bit.
struct Feed {
    feeder: Feeder,
    sent: AtomicUsize,
}

impl Feed {
    /// Of a steady stream, how many are sent at once, and the time between two times: several within one commit.
    const DROP: (usize, Duration) = (30, Duration::from_millis(50));

    fn new(bootstrap: &str, topic: &str) -> Self {
        Self { feeder: Feeder::new(bootstrap, topic, PARTITIONS), sent: AtomicUsize::new(0) }
    }

    /// How many were sent so far.
    fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends the next ones.
    fn send(&self, count: usize) {
        let from = self.sent.fetch_add(count, Ordering::Relaxed);
        self.feeder.send(meter_events(from + count).skip(from));
    }

    /// Sends for as long as something is done.
    fn steadily<T>(&self, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    self.send(Self::DROP.0);
                    std::thread::sleep(Self::DROP.1);
                }
            });
            // Also when it fails: the thread is waited for.
            let done = catch_unwind(AssertUnwindSafe(work));
            over.store(true, Ordering::Relaxed);
            self.feeder.arrived();
            done.unwrap_or_else(|failure| resume_unwind(failure))
        })
    }
}

/// Waits until a process has given a partition up to one that joins, or has died. Whether it has died.
fn gives_up_or_dies(site: &Site, steady: &mut Child, joining: &mut Child) -> bool {
    while !site.is_open(joining, 1) {
        if died(steady, Duration::from_millis(50)) {
            return true;
        }
        assert!(joining.try_wait().expect("a process of ours").is_none(), "{}", site.log());
    }
    // It says so and then dies.
    died(steady, Duration::from_secs(1))
}

/// Whether a process ends within a time.
fn died(child: &mut Child, within: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < within {
        if child.try_wait().expect("a process of ours").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// SIGTERM at random moments, `times` times: each process ends cleanly, with exit code 0.
pub fn terminations(command: &str, bootstrap: &str, topic: &str, events: usize, times: usize, seed: u64) -> usize {
    let stage = Stage::set(command, bootstrap, topic, events, "stop = \"end\"");
    let mut dice = Dice(seed);
    let mut clean = 0;
    for _ in 0..times {
        let mut child = stage.disturbed.start();
        // From before it listens for signals (then it just dies) to mid-work.
        std::thread::sleep(Duration::from_millis(dice.below(2_500)));
        signal(&child, "-TERM");
        match stage.disturbed.ended(&mut child, Duration::from_secs(60)) {
            Some(0) => clean += 1,
            None => {}
            code => panic!("exit code {code:?} after SIGTERM: {}", stage.disturbed.log()),
        }
    }
    stage.disturbed.run_to_its_end();
    stage.assert_same();
    clean
}
