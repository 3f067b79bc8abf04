//! What can go wrong with a pipeline, and in which component.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sluicegate_checkpoint::CheckpointError;
use sluicegate_core::config::LocatedError;
use sluicegate_core::{BoxError, ComponentKind, LedgerError, Offset, PartitionId, Passing, Rejected, ShardContext};

use crate::shard_metrics::chain;

/// A component of a running pipeline, on one partition: where an error comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the component is.
    pub kind: ComponentKind,
    /// Its name in the pipeline.
    pub component: Arc<str>,
    /// The partition; `None` where none has been seen yet.
    pub partition: Option<PartitionId>,
}

impl Place {
    /// The component that `shard` describes.
    pub(crate) fn of(kind: ComponentKind, shard: &ShardContext) -> Self {
        Self { kind, component: Arc::from(shard.component.as_str()), partition: Some(shard.partition.clone()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.component)?;
        match &self.partition {
            Some(partition) => write!(f, " on partition `{partition}`"),
            None => Ok(()),
        }
    }
}

/// Why a stream of elements stopped before its end.
///
/// Cheap to clone, so that all branches of a stream can report the same failure.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A component returned an error.
    #[error("{place} failed")]
    Failed {
        /// The component.
        place: Place,
        /// Its own error.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A component panicked; its instance is gone.
    #[error("{place} panicked: {message}; this is a mistake in the component's code")]
    Panicked {
        /// The component.
        place: Place,
        /// What the panic said.
        message: String,
    },
    /// A thread could not be started.
    #[error("no thread could be started for {what}")]
    Thread {
        /// What the thread was for.
        what: String,
        /// Why not.
        source: Arc<std::io::Error>,
    },
    /// The [`Workers`](crate::Workers) were dropped while an operator still had work for them.
    #[error("the worker threads were stopped before {place} was done")]
    WorkersStopped {
        /// The operator.
        place: Place,
    },
    /// A record was rejected, and no sink takes dead letters.
    #[error(
        "`{component}` rejects the record at offset {offset} of partition `{partition}`: {message}; mend it, or let a sink take such records: input = \"dead-letters\""
    )]
    Rejected {
        /// The component that rejects it.
        component: String,
        /// The partition.
        partition: PartitionId,
        /// The record's offset.
        offset: Offset,
        /// Why.
        message: String,
    },
    /// A partition ended before the position that was committed for it.
    #[error(
        "{place} ended at offset {position}, but everything before offset {committed} was committed earlier; the files are not those of the earlier runs: bring them back, or start over on purpose with --fresh"
    )]
    ShorterThanCommitted {
        /// The source.
        place: Place,
        /// Where it ended.
        position: Offset,
        /// What was committed.
        committed: Offset,
    },
    /// A shard cannot be recovered, or may not go on.
    #[error("partition `{partition}`: {message}")]
    Recovery {
        /// The partition.
        partition: PartitionId,
        /// What is wrong and what to do.
        message: String,
        /// What lies behind it.
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
    /// The place where checkpoints are kept cannot be used.
    #[error("the checkpoints of this pipeline cannot be used")]
    Checkpoints {
        /// Why not.
        source: Arc<CheckpointError>,
    },
    /// The source's partitions cannot be shared with other processes, or not any longer.
    #[error("source `{source_name}` is not in the group that its partitions are shared in")]
    Membership {
        /// The source.
        source_name: String,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A stream ended without [`Element::End`](sluicegate_core::Element::End), so nobody knows whether it is complete.
    #[error("what goes into {place} was cut off before its end")]
    CutOff {
        /// The component that was to take it.
        place: Place,
    },
}

impl StreamError {
    /// The error of a stream in which records are rejected that nothing takes.
    pub(crate) fn rejected(rejected: &[Rejected]) -> Self {
        let first = rejected.first();
        Self::Rejected {
            component: first.map(|letter| letter.component.clone()).unwrap_or_default(),
            partition: first.map_or_else(|| PartitionId::new(""), |letter| letter.partition.clone()),
            offset: first.map_or(Offset(0), |letter| letter.offset),
            message: first.map(|letter| letter.message.clone()).unwrap_or_default(),
        }
    }

    /// Why the shard may go on when it begins again: its ledger lost a commit, or what a component failed at may pass.
    pub(crate) fn may_pass(&self) -> Option<String> {
        let Self::Failed { place, source } = self else { return None };
        let mut error: Option<&(dyn Error + 'static)> = Some(&**source);
        while let Some(at) = error {
            if matches!(at.downcast_ref(), Some(LedgerError::Lost(_))) || at.is::<Passing>() {
                return Some(format!("{place}: {}", chain(&**source)));
            }
            error = at.source();
        }
        None
    }
}

/// Why a pipeline cannot be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The pipeline file cannot be read.
    #[error("{}: the pipeline file cannot be read", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The pipeline file, or something in it, is wrong.
    #[error(transparent)]
    Config(Box<LocatedError>),
    /// A source cannot say which partitions it has.
    #[error("{place}")]
    Partitions {
        /// The source, and where the file names it.
        place: Box<LocatedError>,
        /// The source's own error.
        source: BoxError,
    },
}

impl From<LocatedError> for PipelineError {
    fn from(error: LocatedError) -> Self {
        Self::Config(Box::new(error))
    }
}
