//! The vocabulary of Sluicegate: what flows through a pipeline and what may sit in it.
//!
//! - [`Batch`]: rows of one partition with the offset of each; [`Element`]: what a stream of the pipeline yields.
//! - [`Operator`], [`Source`] and [`Sink`]: the three kinds of component. All are plain synchronous traits, so that each can
//!   be tested, replayed and embedded without a runtime; `sluicegate-stream` turns them into asynchronous streams.
//! - [`SnapshotWriter`] and [`SnapshotReader`]: how state is written down and read back.
//! - [`Registry`]: which component types a pipeline file may name. It is a value; there is no global one.
//! - [`config`]: component settings with the line of the pipeline file they came from.
//! - [`Metrics`]: named numbers that a running component publishes.
//!
//! # Laws
//! Every operator keeps these, for any log of events. `sluicegate-testkit` has a suite that checks them.
//!
//! 1. **Re-chunking**: cutting the same log into batches any other way changes no output row and no snapshot.
//! 2. **Predict before learn**: what is emitted for the row at offset *t* depends on rows up to *t* only, and the forecast
//!    of a row was fixed before that row's value could touch any state.
//! 3. **Snapshot = prefix**: restoring a snapshot taken after *n* rows and processing the rest equals processing everything.
//! 4. **Per-key order**: rows of one key are seen in offset order.
//!
//! This crate knows no runtime, no Kafka, no libtorch, and holds no global state.

mod batch;
pub mod config;
mod element;
mod error;
mod id;
mod metrics;
mod operator;
mod registry;
mod roles;
mod sink;
mod snapshot;
mod source;

pub use batch::{Batch, BatchError, Offsets};
pub use element::Element;
pub use error::{BoxError, ConfigError};
pub use id::{CheckpointId, Offset, PartitionId};
pub use metrics::{Counter, Gauge, Metrics, Sample};
pub use operator::{Operator, OperatorConfig, OperatorFactory, Output, Placement};
pub use registry::{ComponentInfo, ComponentKind, Registry, RegistryError};
pub use roles::Roles;
pub use sink::{Sink, SinkConfig, SinkFactory};
pub use snapshot::{SnapshotError, SnapshotReader, SnapshotWriter};
pub use source::{Progress, Reader, Source, SourceConfig};

use std::path::PathBuf;

/// What every component of one pipeline may know of it while it is being checked and built.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PipelineContext {
    /// The pipeline's name.
    pub name: String,
    /// The folder of the pipeline file; relative paths in settings start here.
    pub base_dir: PathBuf,
}

impl PipelineContext {
    /// A context for a pipeline called `name` whose relative paths start at `base_dir`.
    pub fn new(name: impl Into<String>, base_dir: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), base_dir: base_dir.into() }
    }
}

/// What a component instance may know of the shard it is built for.
///
/// A *shard* is the whole path of one partition through a pipeline. An operator instance never sees two partitions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ShardContext {
    /// The partition whose rows this instance will see.
    pub partition: PartitionId,
    /// The component's own name in the pipeline (`forecast` for `[operator.forecast]`).
    pub component: String,
    /// Where the instance publishes its numbers.
    pub metrics: Metrics,
}

impl ShardContext {
    /// A context for the component called `component` on `partition`, publishing into `metrics`.
    pub fn new(partition: PartitionId, component: impl Into<String>, metrics: Metrics) -> Self {
        Self { partition, component: component.into(), metrics }
    }
}
