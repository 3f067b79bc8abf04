//! Places at which a test lets the process die, so that recovery is tried at every step.
//!
//! A place costs one load as long as nobody arms it, and no binary but that of the tests does.

use std::sync::OnceLock;

use crate::PartitionId;

type Hook = fn(Place<'_>);

static HOOK: OnceLock<Hook> = OnceLock::new();

/// A place that a shard has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its name.
    pub name: &'static str,
    /// The partition of the shard.
    pub partition: &'a PartitionId,
    /// Whether output was given away that is not committed; `None` where that is not known.
    pub output_open: Option<bool>,
}

/// Calls `hook` whenever a place is reached, for the rest of the process. Only the first call counts.
pub fn arm(hook: Hook) {
    // A second hook would be another test's, in a process that is not its own.
    let _ = HOOK.set(hook);
}

/// Reaches a place.
#[inline]
pub fn reach(name: &'static str, partition: &PartitionId) {
    if let Some(hook) = HOOK.get() {
        hook(Place { name, partition, output_open: None });
    }
}

/// Reaches a place where it is known whether output was given away that is not committed.
#[inline]
pub fn reach_with(name: &'static str, partition: &PartitionId, output_open: impl FnOnce() -> bool) {
    if let Some(hook) = HOOK.get() {
        hook(Place { name, partition, output_open: Some(output_open()) });
    }
}
