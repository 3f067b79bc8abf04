//! The `sluice` command with the built-in components, and places at which it can be made to die.
//!
//! `SLUICEGATE_FAILPOINT=name:count` kills the process, as `kill -9` would, when the place called `name` is reached for the
//! `count`-th time, with output open where it is known.

use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sluicegate_core::failpoint::{self, Place};

static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let chosen = std::env::var("SLUICEGATE_FAILPOINT").ok()?;
    let (name, count) = chosen.rsplit_once(':')?;
    Some((name.to_owned(), count.parse().ok()?))
});
static REACHED: AtomicU64 = AtomicU64::new(0);

fn strike(place: Place) {
    let Some((name, count)) = &*CHOSEN else { return };
    if name != place.name || place.output_open == Some(false) || REACHED.fetch_add(1, Ordering::Relaxed) + 1 != *count {
        return;
    }
    // Whoever waits for it takes this line for the proof that the place was hit.
    eprintln!("failpoint {name}:{count} output_open={:?}", place.output_open);
    let own = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &own]).status();
    std::process::abort();
}

fn main() -> ExitCode {
    failpoint::arm(strike);
    sluicegate_cli::main_with(|_| Ok(()))
}
