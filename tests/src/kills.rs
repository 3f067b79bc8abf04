//! Kills: at every step of the protocol, shard by shard, and at random times.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::disturb::Stage;
use crate::site::{Dice, PARTITIONS, Site, kill, signal};

/// A place of the protocol at which a shard that commits to Kafka is made to die.
pub struct Place {
    /// Its name.
    pub name: &'static str,
    /// How often a shard passes it at most before that. Places that are passed once in a process are few.
    most: u64,
    /// Whether the shard has output open there, which is then waited for. Not before its first row, and not while it repeats rows.
    open: bool,
}

const fn open(name: &'static str, most: u64) -> Place {
    Place { name, most, open: true }
}

const fn closed(name: &'static str, most: u64) -> Place {
    Place { name, most, open: false }
}

/// Every one of them.
pub const PLACES: [Place; 19] = [
    closed("init.before", 1),
    closed("init.after", 1),
    closed("begin.before", 3),
    closed("begin.after", 3),
    open("send.after", 130),
    open("flush.before", 3),
    open("flush.after", 3),
    open("commit.flush.before", 3),
    open("send_offsets.before", 3),
    open("send_offsets.after", 3),
    open("commit.before", 3),
    open("commit.after", 3),
    open("checkpoint.files.before", 2),
    open("checkpoint.manifest.before", 2),
    open("checkpoint.manifest.after", 2),
    open("prune.before", 2),
    closed("replay.before", 1),
    closed("replay.after", 1),
    // A clean stop; one of a partition that is given up is among the rebalances.
    open("stop.flushed", 1),
];

/// Processes that may end or be killed before one dies at a place that not every process comes to.
const TRIES: usize = 12;

/// What was killed where.
#[derive(Debug, Default)]
pub struct Kills {
    /// Kills that hit a running process.
    pub hits: usize,
    /// Those of them that hit at a place.
    pub at_places: usize,
    /// Which shard died at which place.
    pub steps: BTreeSet<(&'static str, i32)>,
}

/// Kills a pipeline `times` times: half at the places of the protocol, all of them at least once, and half at random times. From
/// one round over the places to the next it is another shard's turn, so that three rounds kill each shard at each place.
pub fn kills(command: &str, bootstrap: &str, topic: &str, events: usize, times: usize, seed: u64) -> Kills {
    let stage = Stage::set(command, bootstrap, topic, events, "stop = \"end\"");
    let mut dice = Dice(seed);
    let mut done = Kills::default();
    let rounds = (times / (2 * PLACES.len())).max(1);
    for round in 0..rounds {
        for (place, at) in PLACES.iter().zip(0..) {
            let shard = (at + round as i32 + seed as i32).rem_euclid(PARTITIONS);
            die_at(&stage.disturbed, place, &format!("{topic}-{shard}"), &mut dice);
            done.steps.insert((place.name, shard));
            done.at_places += 1;
            done.hits += 1;
        }
    }
    while done.hits < times {
        let mut child = stage.disturbed.start();
        std::thread::sleep(Duration::from_millis(300 + dice.below(2_600)));
        let over = child.try_wait().expect("a process of ours").is_some();
        kill(&mut child);
        if over {
            break;
        }
        done.hits += 1;
    }
    stage.disturbed.run_to_its_end();
    stage.assert_same();
    done
}

/// Lets processes run until one dies at a place, in the shard of a partition, and makes sure that it did, with output open where
/// there may be any.
fn die_at(site: &Site, place: &Place, partition: &str, dice: &mut Dice) {
    let name = place.name;
    let count = 1 + dice.below(place.most);
    let chosen = format!("{name}@{partition}:{count}");
    let proof = format!("failpoint {chosen} output_open={:?}", place.open.then_some(true));
    for _ in 0..TRIES {
        let before = site.log().len();
        let mut child = site.start_with(Some(&if place.open { format!("{chosen}:open") } else { chosen.clone() }));
        let code = if name.starts_with("stop.") {
            site.wait_until_at_work(&mut child, PARTITIONS as usize);
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            if child.try_wait().expect("a process of ours").is_none() {
                signal(&child, "-TERM");
            }
            site.ended(&mut child, Duration::from_secs(60))
        } else if name.starts_with("replay.") {
            // Only a shard that committed after its last checkpoint has anything to repeat.
            site.wait_until_at_work(&mut child, PARTITIONS as usize);
            std::thread::sleep(Duration::from_millis(dice.below(200)));
            kill(&mut child);
            None
        } else {
            site.ended(&mut child, Duration::from_secs(60))
        };
        let said = site.log()[before..].to_owned();
        if said.lines().any(|line| line == proof) {
            assert_eq!(code, None, "{said}");
            return;
        }
        let may_miss = code == Some(0) && name.starts_with("stop.") || code.is_none() && name.starts_with("replay.");
        assert!(may_miss, "{chosen} was not hit (exit code {code:?}): {said}");
    }
    panic!("{chosen} was not hit by {TRIES} processes: {}", site.log());
}
