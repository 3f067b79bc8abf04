//! Partitions that come and go while a pipeline runs.

use std::time::Duration;

use crate::{BoxError, PartitionId};

/// Tells which partitions of a source are this process's to read, as it changes.
///
/// For sources whose partitions are shared out between processes. A shard is started for each partition that is assigned and
/// ended for each that is revoked; whoever revokes waits for [`Membership::released`], within the time that the source allows.
pub trait Membership: Send {
    /// Waits for the next change, at most for `wait`; `Ok(None)` when there was none.
    ///
    /// # Errors
    /// When this process can no longer be a member.
    fn next(&mut self, wait: Duration) -> Result<Option<Change>, BoxError>;

    /// The shard of a revoked partition has committed what it had and is gone.
    fn released(&mut self, partition: &PartitionId);

    /// Leaves for good, after every shard has ended. Others may have the partitions at once.
    fn leave(&mut self);
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// These are this process's from now on.
    Assigned(Vec<PartitionId>),
    /// These have to be given up: their shards commit, end and are released.
    Revoked(Vec<PartitionId>),
    /// These are somebody else's already: their shards are dropped as they stand and commit nothing.
    Lost(Vec<PartitionId>),
}
