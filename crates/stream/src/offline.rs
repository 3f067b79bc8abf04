//! What is done to the positions and states of a pipeline while it does not run.

use std::sync::PoisonError;

use sluicegate_checkpoint::CheckpointError;
use sluicegate_core::{BoxError, CheckpointRef, Commit, Delivery, LedgerError, PartitionId, ShardContext};

use crate::commits::Ledgered;
use crate::pipeline::{Tree, sinks_of};
use crate::shard_metrics::chain;
use crate::{Pipeline, StreamError};

/// A partition that was given the state of another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sown {
    /// The new partition.
    pub partition: PartitionId,
    /// The one that its keys came to before; `None` where they came to several, so that it begins cold.
    pub from: Option<(PartitionId, CheckpointRef)>,
}

impl Pipeline {
    /// Lets a partition go back to an earlier checkpoint: the next run goes on from there, with the state that it holds.
    ///
    /// Rows since then are worked on once more, and what transactional and as-written sinks were given of them is written once
    /// more. Checkpoints that are newer are removed. A process that runs the partition is fenced. Blocks.
    ///
    /// # Errors
    /// When the pipeline keeps no checkpoints, the checkpoint is damaged or not there, or a sink has made rows visible that it
    /// cannot take back; nothing has changed then. When the position cannot be committed.
    pub fn rewind(&self, partition: &PartitionId, checkpoint: &str) -> Result<Commit, StreamError> {
        let refused = |message: String| StreamError::Recovery { partition: partition.clone(), message, source: None };
        let store = self.store()?.ok_or_else(|| refused("the pipeline has no [checkpoint]".to_owned()))?;
        let tree = self.trees.iter().find(|tree| tree.partitions.contains(partition)).ok_or_else(|| {
            let all = self.trees.iter().flat_map(|tree| tree.partitions.iter().map(PartitionId::as_str));
            refused(format!("the pipeline has no such partition; there are: {}", all.collect::<Vec<_>>().join(", ")))
        })?;
        let consumers = || tree.consumers.iter().chain(&self.letters);
        let staged = sinks_of(consumers()).into_iter().find(|(_, factory)| factory.delivery() == Delivery::Staged);
        if let Some((name, _)) = staged {
            return Err(refused(format!(
                "sink `{name}` has made rows visible since, and cannot take them back; move what it wrote away and start over on purpose with --fresh"
            )));
        }
        let mut shard = store.shard(partition);
        let reference = shard.reference_of(checkpoint).map_err(|error| match error {
            CheckpointError::Missing { file } => refused(format!(
                "there is no checkpoint `{checkpoint}` ({file} is missing); `sluice checkpoint list` shows which there are"
            )),
            error => error.into(),
        })?;
        shard.read(&reference)?;
        let context = |name: &str| ShardContext::new(partition.clone(), name, sluicegate_core::Metrics::new());
        let mut source = tree.source.lock().unwrap_or_else(PoisonError::into_inner);
        let ledgered = Ledgered::of(&mut **source, sinks_of(consumers()), Some(&shard), partition, context);
        let failed = |error: LedgerError| refused(format!("its position cannot be moved: {}", chain(&error)));
        let mut ledger = match ledgered {
            Ok(Some(found)) => found.ledger,
            Ok(None) => return Err(refused("its position is committed nowhere".to_owned())),
            Err(error) => return Err(refused(format!("its position cannot be moved: {}", chain(&*error)))),
        };
        let committed = ledger.take_over().map_err(failed)?;
        if committed.is_none_or(|commit| commit.position < reference.position) {
            return Err(refused(format!(
                "the checkpoint {checkpoint} is at offset {}, which no commit has come to",
                reference.position
            )));
        }
        let commit = Commit { position: reference.position, checkpoint: Some(reference.clone()), ended: false };
        ledger.commit(&commit).map_err(failed)?;
        shard.forget_after(&reference)?;
        Ok(commit)
    }

    /// Gives partitions that a source has gained the states of those that their keys came to before. Blocks.
    ///
    /// `cold`: a partition whose keys came to several others begins with the state of no event, instead of being refused.
    ///
    /// # Errors
    /// When the pipeline keeps no checkpoints, a state cannot be read or written, or keys of one partition came to several.
    pub fn reshard(&self, cold: bool) -> Result<Vec<Sown>, StreamError> {
        let mut all = Vec::new();
        for tree in &self.trees {
            all.extend(self.reshard_source(tree, cold)?);
        }
        Ok(all)
    }

    fn reshard_source(&self, tree: &Tree, cold: bool) -> Result<Vec<Sown>, StreamError> {
        let refused = |partition: &PartitionId, message: String| StreamError::Recovery {
            partition: partition.clone(),
            message,
            source: None,
        };
        let Some(store) = self.store()? else {
            let partition = PartitionId::new(&tree.name);
            return Err(refused(&partition, "the pipeline has no [checkpoint]".to_owned()));
        };
        let Some(known) = store.known_partitions(&tree.name)? else { return Ok(Vec::new()) };
        let source = tree.source.lock().unwrap_or_else(PoisonError::into_inner);
        let unanswered = |partition: &PartitionId, error: BoxError| {
            refused(partition, format!("its source cannot say which partitions there are: {}", chain(&*error)))
        };
        let mut all = tree.partitions.to_vec();
        for partition in &known {
            // Of a topic that a pattern names.
            if !all.contains(partition) {
                all.extend(source.siblings(partition).map_err(|error| unanswered(partition, error))?);
            }
        }
        let mut sown = Vec::new();
        for partition in all.iter().filter(|partition| !known.contains(partition)) {
            let origins = source.origins(partition, &known).map_err(|error| unanswered(partition, error))?;
            let from = match origins.as_slice() {
                [] => continue,
                [one] => {
                    let newest = store.shard(one).newest()?;
                    Some((
                        one.clone(),
                        newest.ok_or_else(|| {
                            refused(
                                partition,
                                format!("its keys came to `{one}`, of which there is no checkpoint that can be read"),
                            )
                        })?,
                    ))
                }
                _ if cold => None,
                several => {
                    let names: Vec<&str> = several.iter().map(PartitionId::as_str).collect();
                    return Err(refused(
                        partition,
                        format!(
                            "its keys came to several partitions before ({}), and states cannot be put together; enlarge the topic to a multiple of {} partitions, or let such partitions begin cold: --cold",
                            names.join(", "),
                            several.len()
                        ),
                    ));
                }
            };
            sown.push((partition.clone(), from));
        }
        // All is known to be possible: now it is done.
        let mut done = Vec::new();
        for (partition, from) in sown {
            if let Some((_, checkpoint)) = &from {
                store.shard(&partition).sow(checkpoint)?;
            }
            done.push(Sown { partition, from: from.map(|(donor, checkpoint)| (donor, checkpoint.reference)) });
        }
        let new: Vec<PartitionId> = done.iter().map(|sown| sown.partition.clone()).collect();
        store.note_partitions(&tree.name, &new)?;
        Ok(done)
    }
}
