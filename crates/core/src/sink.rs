//! The sink: where rows go.

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, BoxError, ConfigError, PipelineContext, ShardContext};

/// Writes the rows of one partition. Runs on a thread of its own, so it may block.
///
/// A sink that is dropped without [`Sink::finish`] leaves nothing half-written behind: what was complete stays, the rest goes.
pub trait Sink: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// When they cannot be written. No later call will succeed.
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError>;

    /// The partition ended: makes everything visible.
    ///
    /// # Errors
    /// When it cannot be completed.
    fn finish(&mut self) -> Result<(), BoxError>;
}

/// A sink's settings, checked against its input: one per pipeline, from which every shard's instance is opened.
pub trait SinkFactory: Send + Sync {
    /// Opens the sink of one shard.
    ///
    /// # Errors
    /// When the place to write to is not to be had.
    fn open(&self, shard: &ShardContext) -> Result<Box<dyn Sink>, BoxError>;
}

/// The settings of a sink type: the table `[sink.NAME]` of a pipeline file without `type` and `input`.
pub trait SinkConfig: DeserializeOwned + JsonSchema + 'static {
    /// Checks the settings against the columns that will come in. Writes nothing.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError>;
}
