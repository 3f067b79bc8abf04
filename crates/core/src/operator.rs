//! The operator: rows in, rows out, with state between them.

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, BoxError, ConfigError, PipelineContext, Rejected, ShardContext, SnapshotReader, SnapshotWriter};

/// A state machine over the rows of one partition.
///
/// The laws in the [crate's documentation](crate#laws) hold for every operator. In particular nothing may depend on where
/// the log is cut into batches, on the time of day, or on the order in which a hash map iterates. What was emitted after a
/// number of rows is a function of those rows alone, too: an operator may hold rows back, but not depending on the cut.
///
/// ```
/// use sluicegate_core::{Batch, BoxError, Operator, Output, SnapshotReader, SnapshotWriter};
///
/// /// Passes every row on and counts them.
/// #[derive(Default)]
/// struct Count(i64);
///
/// impl Operator for Count {
///     fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
///         self.0 += batch.len() as i64;
///         out.emit(batch);
///         Ok(())
///     }
///     fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
///         Ok(to.i64("rows", &[1], &[self.0])?)
///     }
///     fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
///         self.0 = from.i64("rows", &[1])?[0];
///         Ok(())
///     }
/// }
/// ```
pub trait Operator: Send {
    /// Takes the next rows of the partition and emits what follows from them.
    ///
    /// # Errors
    /// After an error the state is unspecified: restore a snapshot or drop the operator.
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError>;

    /// The partition ended: emits what was held back. Nothing is processed afterwards.
    ///
    /// # Errors
    /// As for [`Operator::process`].
    fn finish(&mut self, out: &mut Output) -> Result<(), BoxError> {
        let _ = out;
        Ok(())
    }

    /// Writes down everything that [`Operator::restore`] needs to go on as if nothing had happened.
    ///
    /// Equal states give equal bytes, whatever way they were reached.
    ///
    /// # Errors
    /// When the state cannot be written; the operator itself is unharmed.
    fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError>;

    /// Puts a freshly built operator of the same settings into the written state.
    ///
    /// # Errors
    /// When the snapshot is of another operator or of other settings; the message names both sides. The state is then unspecified.
    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError>;

    /// Forgets every key for which `keep` says no, as if none of its rows had ever come, but keeps what was learned from them:
    /// so one state starts the shards of several partitions. Rows without a key are asked about as `None`.
    ///
    /// Does nothing unless overridden, which is right for operators that keep nothing by key.
    ///
    /// # Errors
    /// When the state cannot be divided by key.
    fn retain_keys(&mut self, keep: &dyn Fn(Option<&str>) -> bool) -> Result<(), BoxError> {
        let _ = keep;
        Ok(())
    }
}

/// Collects what an operator emits.
#[derive(Debug, Default)]
pub struct Output {
    batches: Vec<Batch>,
    rejected: Vec<Rejected>,
}

impl Output {
    /// An empty collector.
    pub fn new() -> Self {
        Self::default()
    }

    /// Emits rows after all that were emitted before. A batch without rows is dropped.
    pub fn emit(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.batches.push(batch);
        }
    }

    /// Sends a row to the dead letters. It must not be emitted as well.
    pub fn reject(&mut self, row: Rejected) {
        self.rejected.push(row);
    }

    /// Takes everything emitted so far, in order.
    pub fn take(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.batches)
    }

    /// Takes everything rejected so far, in order.
    pub fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }
}

/// Where an operator's work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// In the task of its shard: right for anything short.
    #[default]
    Inline,
    /// On one of a fixed set of threads kept for heavy computation.
    Worker,
}

/// An operator's settings, checked against its input: one per pipeline, from which every shard's instance is built.
pub trait OperatorFactory: Send + Sync {
    /// The columns of what it emits.
    fn output_schema(&self) -> SchemaRef;

    /// Where its instances run.
    fn placement(&self) -> Placement {
        Placement::Inline
    }

    /// What decides the last bits of its arithmetic on this machine: backend, version, instruction set. Recorded in
    /// checkpoints; results are equal bit by bit only where it is. `None` for operators without such arithmetic.
    fn arithmetic(&self) -> Option<String> {
        None
    }

    /// The settings under which a state of it means what it does, in a line of text: processes that hand partitions over to each
    /// other must have them in common. `None`, unless overridden, where there are none.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Builds the instance of one shard, in its initial state.
    ///
    /// # Errors
    /// When the machine cannot give what the settings ask for.
    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError>;
}

/// The settings of an operator type: the table `[operator.NAME]` of a pipeline file without `type` and `input`.
///
/// Deny unknown fields when you derive `Deserialize`, so that a typing error is refused instead of ignored.
pub trait OperatorConfig: DeserializeOwned + JsonSchema + 'static {
    /// Checks the settings against each other and against the columns that will come in.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError>;
}
