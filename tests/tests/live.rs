//! `sluice run` on a real broker: whatever happens to it, what others read is what an undisturbed run would have written, and
//! what it has learned is the same to the last bit.
#![expect(clippy::panic, reason = "helpers of tests")]

use std::sync::OnceLock;
use std::time::Duration;

use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::disturb;
use sluicegate_tests::kills::{PLACES, kills};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

fn bootstrap() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap()
}

#[test]
fn killed_at_every_step_and_at_random_it_writes_and_learns_every_event_once() {
    // Many events: a machine that is at rest works on some thousand of each partition between two kills, and none may come to the end.
    let done = kills(SLUICE, bootstrap(), "killed", 240_000, 25, 7);
    // Shards take turns; `cargo xtask torture` kills each of them at each place.
    assert_eq!(done.steps.len(), PLACES.len());
    assert!(done.hits >= 23, "only {} kills hit a running process", done.hits);
}

#[test]
fn a_zombie_writes_nothing_and_says_why_it_stops() {
    disturb::zombie(SLUICE, bootstrap(), "zombie", 24_000);
}

#[test]
fn a_stop_in_mid_span_loses_nothing_and_a_silent_topic_keeps_it_alive() {
    disturb::stop_and_silence(SLUICE, bootstrap(), "stopped", 6_000);
}

#[test]
fn partitions_that_move_and_a_death_while_one_is_given_up_change_nothing() {
    disturb::rebalances(SLUICE, bootstrap(), "moved", 12_000, 3);
}

#[test]
fn when_the_broker_is_away_it_waits_and_goes_on_by_itself() {
    // A broker of its own, since the others need theirs.
    let mut broker = Broker::start().unwrap();
    disturb::broker_away(SLUICE, &mut broker, "away", 12_000, Duration::from_secs(5));
}
