//! The `sluice` command with the built-in components, and places at which it can be made to die.
//!
//! `SLUICEGATE_FAILPOINT=name[@partition]:count[:open]` kills the process, as `kill -9` would, when the place called `name` is reached for
//! the `count`-th time, by the shard of `partition` where one is named. Times at which no output is open do not count: where a place tells
//! it, ever; with `open`, also where it does not, by what the shard has sent and committed.

use std::collections::HashMap;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use sluicegate_core::PartitionId;
use sluicegate_core::failpoint::{self, Place};

/// Where to die.
struct Chosen {
    name: String,
    partition: Option<String>,
    count: u64,
    open: bool,
}

static CHOSEN: LazyLock<Option<Chosen>> = LazyLock::new(|| {
    let chosen = std::env::var("SLUICEGATE_FAILPOINT").ok()?;
    let mut parts = chosen.split(':');
    let (place, count) = (parts.next()?, parts.next()?.parse().ok()?);
    let (name, partition) = match place.split_once('@') {
        Some((name, partition)) => (name, Some(partition.to_owned())),
        None => (place, None),
    };
    Some(Chosen { name: name.to_owned(), partition, count, open: parts.next() == Some("open") })
});
static REACHED: AtomicU64 = AtomicU64::new(0);
/// Shards that have sent something which is not committed.
static OPEN: LazyLock<Mutex<HashMap<PartitionId, bool>>> = LazyLock::new(Mutex::default);

/// Follows what a shard has open. At a commit it is closed before the place behind it is reached, and told there as it was.
fn follow(place: Place<'_>) -> bool {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.entry(place.partition.clone()).or_default();
    let before = *open;
    match place.name {
        "send.after" => *open = true,
        "init.after" | "commit.after" => *open = false,
        _ => {}
    }
    before || *open
}

fn strike(place: Place<'_>) {
    let Some(chosen) = &*CHOSEN else { return };
    let followed = follow(place);
    let output_open = place.output_open.or(chosen.open.then_some(followed));
    let here = chosen.name == place.name
        && chosen.partition.as_deref().is_none_or(|partition| partition == place.partition.as_str());
    if !here || output_open == Some(false) || REACHED.fetch_add(1, Ordering::Relaxed) + 1 != chosen.count {
        return;
    }
    // Whoever waits for it takes this line for the proof that the place was hit.
    eprintln!("failpoint {}@{}:{} output_open={output_open:?}", place.name, place.partition, chosen.count);
    let own = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &own]).status();
    std::process::abort();
}

fn main() -> ExitCode {
    failpoint::arm(strike);
    sluicegate_cli::main_with(|_| Ok(()))
}
