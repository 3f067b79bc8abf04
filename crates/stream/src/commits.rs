//! What the shards of a pipeline commit with.

use std::path::PathBuf;
use std::time::Duration;

use sluicegate_checkpoint::{About, CheckpointConfig, ShardStore, Store};
use sluicegate_core::PartitionId;

use crate::marks::Cadence;

/// Time between two commits of a pipeline without checkpoints.
const COMMIT_EVERY_DEFAULT: Duration = Duration::from_millis(500);

/// The checkpoints of a pipeline, and how its shards use them.
#[derive(Clone)]
pub(crate) struct Commits {
    /// The place and the settings; `None` where the pipeline keeps no checkpoints.
    pub(crate) store: Option<(Store, CheckpointConfig)>,
    pub(crate) about: About,
    /// What was committed before is left behind on purpose.
    pub(crate) begin_anew: bool,
    /// A folder for traces of the commit protocol.
    pub(crate) trace: Option<PathBuf>,
}

impl Commits {
    pub(crate) fn shard_store(&self, partition: &PartitionId) -> Option<ShardStore> {
        self.store.as_ref().map(|(store, _)| store.shard(partition))
    }

    /// When barriers come to shards whose positions are committed apart from checkpoints, or with them.
    pub(crate) fn cadence(&self, apart: bool) -> Cadence {
        let config = self.store.as_ref().map(|(_, config)| config);
        let commit_every =
            config.map_or(COMMIT_EVERY_DEFAULT, |config| Duration::from_millis(config.commit_interval_ms));
        Cadence {
            commit_every: apart.then_some(commit_every),
            checkpoint_every: config.map(|config| Duration::from_millis(config.interval_ms)),
            checkpoint_rows: config.and_then(|config| config.every_events),
        }
    }
}
