//! The sink: where rows go.

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, BoxError, ConfigError, Ledger, PipelineContext, ShardContext, SnapshotReader, SnapshotWriter};

/// Writes the rows of one partition. Runs on a thread of its own, so it may block.
///
/// A sink that is dropped without [`Sink::finish`] leaves nothing half-written behind: what was complete stays, the rest goes.
pub trait Sink: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// When they cannot be written. No later call will succeed.
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError>;

    /// A barrier: returns when everything written so far has arrived, as far as it can before it is committed. Called before
    /// every commit, and before [`Sink::snapshot`].
    ///
    /// # Errors
    /// When something written so far cannot arrive. No later call will succeed.
    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// A checkpoint barrier: writes down what [`Sink::restore`] needs. What a [staged](Delivery::Staged) sink was given and
    /// has not made visible must survive the process from here on.
    ///
    /// # Errors
    /// When it cannot be written down.
    fn snapshot(&mut self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        let _ = to;
        Ok(())
    }

    /// Puts a freshly opened sink into the written state: what was visible then stays, what was staged then is there again, and
    /// whatever was staged later is gone. The rows that follow come again.
    ///
    /// # Errors
    /// When the state is of another sink, or what was staged is not to be found.
    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        let _ = from;
        Ok(())
    }

    /// The commit of the last [`Sink::snapshot`] is done: a staged sink makes what it held complete then visible. Nothing must
    /// happen when it is called again, also after a restart.
    ///
    /// # Errors
    /// When it cannot be made visible; nothing is lost, since a restart tries again.
    fn publish(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// The partition ended: makes everything visible.
    ///
    /// Of a shard that keeps checkpoints, what a staged or transactional sink still holds becomes visible with the commit that
    /// follows: after it come [`Sink::snapshot`] and [`Sink::publish`] a last time.
    ///
    /// # Errors
    /// When it cannot be completed.
    fn finish(&mut self) -> Result<(), BoxError>;
}

/// When what a sink was given can be seen by others, and what they see after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// At once. After a failure, rows since the last commit come again: at least once.
    #[default]
    AsWritten,
    /// With the commit of the sink's ledger: exactly once.
    Transactional,
    /// After the commit that names a checkpoint: exactly once.
    Staged,
}

/// A sink's settings, checked against its input: one per pipeline, from which every shard's instance is opened.
pub trait SinkFactory: Send + Sync {
    /// Opens the sink of one shard.
    ///
    /// # Errors
    /// When the place to write to is not to be had.
    fn open(&self, shard: &ShardContext) -> Result<Box<dyn Sink>, BoxError>;

    /// Where its rows go, in a line of text: processes that share partitions out must have it in common. `None`, unless
    /// overridden, where they may differ.
    fn identity(&self) -> Option<String> {
        None
    }

    /// When what its sinks are given becomes visible.
    fn delivery(&self) -> Delivery {
        Delivery::AsWritten
    }

    /// Where the position of a shard is committed together with what its sinks are given; `None` unless overridden. Asked for
    /// only where the source has no ledger of its own.
    ///
    /// # Errors
    /// When the ledger is not to be had.
    fn ledger(&self, shard: &ShardContext) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        let _ = shard;
        Ok(None)
    }
}

/// The settings of a sink type: the table `[sink.NAME]` of a pipeline file without `type` and `input`.
pub trait SinkConfig: DeserializeOwned + JsonSchema + 'static {
    /// Checks the settings against the columns that will come in. Writes nothing.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError>;
}
