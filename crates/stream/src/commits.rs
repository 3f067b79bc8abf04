//! What the shards of a pipeline commit with.

use std::path::PathBuf;
use std::time::Duration;

use sluicegate_checkpoint::{About, CheckpointConfig, NewPartitions, ShardStore, StartFrom, Store};
use sluicegate_core::{BoxError, Ledger, PartitionId, ShardContext, SinkFactory, Source};

use crate::marks::Cadence;

/// Time between two commits of a pipeline without checkpoints.
const COMMIT_EVERY_DEFAULT: Duration = Duration::from_millis(500);

/// The checkpoints of a pipeline, and how its shards use them.
#[derive(Clone)]
pub(crate) struct Commits {
    /// The place and the settings; `None` where the pipeline keeps no checkpoints.
    pub(crate) store: Option<(Store, CheckpointConfig)>,
    /// Where partitions begin whose keys and parameters come from another pipeline, and the settings.
    pub(crate) start_from: Option<(Store, StartFrom)>,
    pub(crate) about: About,
    /// A folder for traces of the commit protocol.
    pub(crate) trace: Option<PathBuf>,
}

impl Commits {
    pub(crate) fn shard_store(&self, partition: &PartitionId) -> Option<ShardStore> {
        self.store.as_ref().map(|(store, _)| store.shard(partition))
    }

    /// What happens when a source has gained partitions.
    pub(crate) fn new_partitions(&self) -> NewPartitions {
        self.store.as_ref().map(|(_, config)| config.new_partitions).unwrap_or_default()
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

/// Where a shard's position is committed.
pub(crate) struct Ledgered {
    pub(crate) ledger: Box<dyn Ledger>,
    /// Positions are committed apart from checkpoints.
    pub(crate) apart: bool,
}

impl Ledgered {
    /// With the source, or else with the first of the sinks that can, or else with the checkpoints; `None` where nothing is.
    pub(crate) fn of<'a>(
        source: &mut dyn Source,
        sinks: impl IntoIterator<Item = (&'a str, &'a dyn SinkFactory)>,
        store: Option<&ShardStore>,
        partition: &PartitionId,
        context: impl Fn(&str) -> ShardContext,
    ) -> Result<Option<Self>, BoxError> {
        if let Some(ledger) = source.ledger(partition)? {
            return Ok(Some(Self { ledger, apart: true }));
        }
        let Some(store) = store else { return Ok(None) };
        for (name, factory) in sinks {
            if let Some(ledger) = factory.ledger(&context(name).keeps_checkpoints(true))? {
                return Ok(Some(Self { ledger, apart: true }));
            }
        }
        Ok(Some(Self { ledger: Box::new(store.ledger()), apart: false }))
    }
}
