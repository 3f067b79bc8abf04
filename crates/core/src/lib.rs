//! The vocabulary of Sluicegate: what flows through a pipeline and what may sit in it.
//!
//! - [`Batch`]: rows of one partition with the offset of each; [`Element`]: what a stream of the pipeline yields.
//! - [`Operator`], [`Source`] and [`Sink`]: the three kinds of component. All are plain synchronous traits, so that each can
//!   be tested, replayed and embedded without a runtime; `sluicegate-stream` turns them into asynchronous streams.
//! - [`Barrier`], [`Ledger`], [`Commit`]: how a running shard writes down its state and commits its position, so that after a
//!   crash it goes on as if nothing had happened; [`Membership`]: partitions that come and go; [`Rejected`]: dead letters.
//! - [`SnapshotWriter`] and [`SnapshotReader`]: how state is written down and read back.
//! - [`Registry`]: which component types a pipeline file may name. It is a value; there is no global one.
//! - [`config`]: component settings with the line of the pipeline file they came from.
//! - [`Metrics`]: named numbers that a running component publishes.
//!
//! # Laws
//! Every operator keeps these, for any log of events. `sluicegate-testkit` has a suite that checks them.
//!
//! 1. **Re-chunking**: cutting the same log into batches any other way changes no output row and no snapshot, and what was emitted
//!    after *n* rows is a function of those rows.
//! 2. **Predict before learn**: what is emitted for the row at offset *t* depends on rows up to *t* only, and the forecast
//!    of a row was fixed before that row's value could touch any state.
//! 3. **Snapshot = prefix**: restoring a snapshot taken after *n* rows and processing the rest equals processing everything.
//! 4. **Per-key order**: rows of one key are seen in offset order.
//!
//! This crate knows no runtime, no Kafka, no libtorch, and holds no global state.

mod barrier;
mod batch;
pub mod config;
mod element;
mod error;
pub mod failpoint;
mod id;
mod ledger;
mod membership;
mod metrics;
mod operator;
mod passing;
mod registry;
mod rejected;
mod roles;
mod shared;
mod sink;
mod snapshot;
mod source;

/// The Arrow that batches are made of, in the version they are made of it.
pub use arrow;
pub use barrier::{Barrier, Purpose, States};
pub use batch::{Batch, BatchError, Offsets};
pub use element::Element;
pub use error::{BoxError, ConfigError};
pub use id::{CheckpointId, Offset, PartitionId};
pub use ledger::{CheckpointRef, Commit, Ledger, LedgerError};
pub use membership::{Change, Membership};
pub use metrics::{Counter, Gauge, MetricKind, Metrics, Sample};
pub use operator::{Operator, OperatorConfig, OperatorFactory, Output, Placement};
pub use passing::Passing;
pub use registry::{ComponentInfo, ComponentKind, Registry, RegistryError};
pub use rejected::Rejected;
pub use roles::{Roles, SAMPLE_RATE};
pub use sink::{Delivery, Sink, SinkConfig, SinkFactory};
pub use snapshot::{SnapshotEntry, SnapshotError, SnapshotReader, SnapshotWriter};
pub use source::{Progress, Reader, Source, SourceConfig};

use crate::shared::Shared;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What every component of one pipeline may know of it while it is being checked and built.
///
/// Sources are connected before sinks are bound, so a sink can see in time that it would write over what is read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PipelineContext {
    /// The pipeline's name.
    pub name: String,
    /// The folder of the pipeline file; relative paths in settings start here.
    pub base_dir: PathBuf,
    /// The name of the component that is being bound (`forecast` for `[operator.forecast]`); empty outside a pipeline.
    pub component: String,
    /// Files that are read, and folders that are written to, each with the component that does; shared by all of them.
    claims: Arc<Mutex<Claims>>,
    shared: Shared,
}

#[derive(Debug, Default)]
struct Claims {
    read: Vec<(PathBuf, String)>,
    written: Vec<(PathBuf, String)>,
}

impl PipelineContext {
    /// A context for a pipeline called `name` whose relative paths start at `base_dir`.
    pub fn new(name: impl Into<String>, base_dir: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), base_dir: base_dir.into(), ..Self::default() }
    }

    /// The same for one of its components.
    #[must_use]
    pub fn for_component(&self, component: impl Into<String>) -> Self {
        Self { component: component.into(), ..self.clone() }
    }

    /// The one value of type `T` that all components of this pipeline share, made when it is first asked for. Components of one
    /// family (a Kafka source and a Kafka sink, say) meet here; there is no global state.
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.get()
    }

    /// Notes that the component reads a file.
    pub fn claim_read(&self, file: &Path) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.read.push((absolute(file), self.component.clone()));
    }

    /// Notes that the component writes files into a folder.
    ///
    /// # Errors
    /// A [`ConfigError`] for the setting `path` when another component reads a file in that folder, or writes there too.
    pub fn claim_written(&self, folder: &Path) -> Result<(), ConfigError> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = absolute(folder);
        if let Some((file, reader)) = claims.read.iter().find(|(file, _)| file.parent() == Some(&folder)) {
            let message = format!("`{reader}` reads {} in the folder that is to be written to", file.display());
            return Err(ConfigError::new("path", message).help("write to another folder"));
        }
        if let Some((_, writer)) = claims.written.iter().find(|(other, _)| *other == folder) {
            let message = format!("`{writer}` writes to the folder {} too", folder.display());
            return Err(ConfigError::new("path", message).help("give each sink a folder of its own"));
        }
        claims.written.push((folder, self.component.clone()));
        Ok(())
    }
}

/// The same path for the same place, as far as it exists already.
fn absolute(path: &Path) -> PathBuf {
    // A URL is absolute as it is.
    if path.to_str().is_some_and(|path| path.contains("://")) {
        return path.to_owned();
    }
    let mut missing = PathBuf::new();
    let mut existing = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    loop {
        if let Ok(real) = existing.canonicalize() {
            return if missing.as_os_str().is_empty() { real } else { real.join(missing) };
        }
        let (Some(parent), Some(name)) = (existing.parent().map(Path::to_owned), existing.file_name()) else {
            return existing.join(missing);
        };
        let rest = std::mem::take(&mut missing);
        missing = if rest.as_os_str().is_empty() { name.into() } else { Path::new(name).join(rest) };
        existing = parent;
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
    /// Whether the shard keeps checkpoints. Where it does not, a sink makes what it has complete visible by itself.
    pub keeps_checkpoints: bool,
}

impl ShardContext {
    /// A context for the component called `component` on `partition`, publishing into `metrics`.
    pub fn new(partition: PartitionId, component: impl Into<String>, metrics: Metrics) -> Self {
        Self { partition, component: component.into(), metrics, keeps_checkpoints: false }
    }

    /// The same for a shard that keeps checkpoints, or does not.
    #[must_use]
    pub fn keeps_checkpoints(mut self, does: bool) -> Self {
        self.keeps_checkpoints = does;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_read_from_or_written_to_already_cannot_be_written_to() {
        let dir = std::env::temp_dir();
        let context = PipelineContext::new("p", &dir);
        context.for_component("in").claim_read(&dir.join("nowhere/a.parquet"));
        let sink = context.for_component("out");
        let refused = sink.claim_written(&dir.join("nowhere")).unwrap_err();
        assert!(refused.message.contains("`in` reads"), "{refused}");
        assert_eq!(sink.claim_written(&dir.join("free")), Ok(()));
        let refused = context.for_component("second").claim_written(&dir.join("free")).unwrap_err();
        assert!(refused.message.contains("`out` writes"), "{refused}");
    }
}
