//! Streaming pipelines whose operators are recurrent networks that learn while the stream runs.
//!
//! This crate is what a program adds to its `Cargo.toml`. It brings together:
//!
//! - the vocabulary ([`Batch`], [`Operator`], [`Source`], [`Sink`], [`Registry`], …), at the top level;
//! - [`stream`]: running a [`Pipeline`], or putting one operator into a stream of your own with [`ElementStreamExt`];
//! - the built-in components, each group behind a feature of its name, all on by default: `source`, `sink`, `anomaly`, `symbols`
//!   and `model` (which needs libtorch); [`default_registry`] knows those that are switched on.
//!
//! # A whole pipeline
//! A pipeline file names component types; a registry knows them. Types of your own stand beside the built-in ones:
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{Int64Array, RecordBatch};
//! use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
//! use sluicegate::config::Document;
//! use sluicegate::*;
//!
//! /// Counts upwards from 0.
//! #[derive(serde::Deserialize, schemars::JsonSchema, Clone)]
//! #[serde(deny_unknown_fields)]
//! struct Ticks { rows: i64 }
//!
//! impl SourceConfig for Ticks {
//!     fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> { Ok(Box::new(self)) }
//! }
//! impl Source for Ticks {
//!     fn schema(&self) -> SchemaRef {
//!         Arc::new(Schema::new(vec![Field::new("tick", DataType::Int64, false)]))
//!     }
//!     fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> { Ok(vec![PartitionId::new("clock")]) }
//!     fn open(&mut self, _: &PartitionId, _: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
//!         Ok(Box::new(Ticking { left: Some(self.rows), schema: self.schema() }))
//!     }
//! }
//! struct Ticking { left: Option<i64>, schema: SchemaRef }
//! impl Reader for Ticking {
//!     fn start(&self) -> Offset { Offset(0) }
//!     fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
//!         let Some(rows) = self.left.take() else { return Ok(None) };
//!         let ticks = Int64Array::from_iter_values(0..rows);
//!         let records = RecordBatch::try_new(self.schema.clone(), vec![Arc::new(ticks)])?;
//!         Ok(Some(Batch::new(PartitionId::new("clock"), Offsets::dense(Offset(0), records.num_rows())?, records)?))
//!     }
//! }
//!
//! /// Counts what it is given.
//! #[derive(serde::Deserialize, schemars::JsonSchema, Clone)]
//! #[serde(deny_unknown_fields)]
//! struct Count {}
//!
//! impl SinkConfig for Count {
//!     fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
//!         Ok(Box::new(self))
//!     }
//! }
//! impl SinkFactory for Count {
//!     fn open(&self, _: &ShardContext) -> Result<Box<dyn Sink>, BoxError> { Ok(Box::new(self.clone())) }
//! }
//! impl Sink for Count {
//!     fn write(&mut self, _: &Batch) -> Result<(), BoxError> { Ok(()) }
//!     fn finish(&mut self) -> Result<(), BoxError> { Ok(()) }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//!     name = "clock"
//!     [source.ticks]
//!     type = "ticks"
//!     rows = 1000
//!     [sink.count]
//!     type = "count"
//!     input = "ticks"
//! "#;
//! let mut registry = default_registry()?;
//! registry.source::<Ticks>("ticks")?;
//! registry.sink::<Count>("count")?;
//!
//! let spec = PipelineSpec::parse(&Document::parse("clock.toml", text, Vec::new())?)?;
//! let pipeline = Pipeline::bind(&spec, &registry)?;
//! let runtime = tokio::runtime::Runtime::new()?;
//! let report = runtime.block_on(pipeline.run(RunOptions::default()))?;
//! assert_eq!(report.total("count"), (1000, 0));
//! # Ok(())
//! # }
//! ```
//!
//! A pipeline in a file is one call: [`Pipeline::from_file`].

mod built_in;

pub use built_in::default_registry;
pub use sluicegate_checkpoint as checkpoint;
pub use sluicegate_core::*;
pub use sluicegate_stream::{
    CancellationToken, ElementStreamExt, Pipeline, PipelineError, PipelineSpec, RunOptions, RunReport, StreamError,
    Workers,
};

#[cfg(feature = "anomaly")]
pub use sluicegate_anomaly as anomaly;
#[cfg(feature = "model")]
pub use sluicegate_model as model;
#[cfg(feature = "sink")]
pub use sluicegate_sink as sink;
#[cfg(feature = "source")]
pub use sluicegate_source as source;
pub use sluicegate_stream as stream;
#[cfg(feature = "symbols")]
pub use sluicegate_symbols as symbols;
