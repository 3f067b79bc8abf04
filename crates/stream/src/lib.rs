//! Asynchronous streams of batches: adapters for operators, shards and the graph of a pipeline.
//!
//! Components are plain synchronous state machines (see [`sluicegate_core`]). This crate moves batches between them and knows
//! only their traits, never a concrete component.
//!
//! - [`ElementStreamExt`]: turns any operator into a stream adapter. Adapters of one shard compose into one fused chain in one
//!   task: there is no channel and no task per operator.
//! - [`ReaderStream`] and [`SinkWriter`]: the two ends of a chain, each on a thread of its own behind a bounded channel.
//! - [`Workers`]: a fixed set of threads for operators that compute heavily.
//! - [`PipelineSpec`]: a pipeline file as it is written; [`Pipeline`]: the same with every component found, checked and bound
//!   to the columns of its input; [`Pipeline::run`]: one shard per partition, each with its own instances of everything.
//!
//! # Commits
//! A pipeline with a `[checkpoint]` table, or with a source that commits positions itself, goes on after a crash as if nothing
//! had happened. Each shard asks `sluicegate_checkpoint::protocol` what to do and does it: barriers between the rows (`marks`)
//! reach every operator and sink; sinks wait at them (`gate`) until outputs and position are committed together (`coordinator`);
//! after a failure the shard is taken over, its state put back, and what was done since repeated with its outputs suppressed
//! (`recover`). Rows that are rejected go to the sink that has `input = "dead-letters"` (`letters`).
//!
//! # Guarantees
//! - **Order**: every consumer sees the elements of a partition in the order of the source, whoever else consumes them.
//! - **Bounded**: a source is at most a few batches ahead of its slowest sink (each queue is a named constant), whatever the
//!   length of the stream. Threads never grow in number while a pipeline runs its shards.
//! - **All or nothing per shard**: the sinks of a shard are finished only after the last row of *every* sink of that shard was
//!   written. After a failure, or when the run is dropped, they are dropped unfinished.
//! - **The first failure is the one reported**, with component and partition; a panic in a component is a failure like any other.

mod adapter;
mod commits;
mod contain;
mod coordinator;
mod error;
mod fan_out;
mod fingerprint;
mod gate;
mod letters;
mod marks;
mod members;
mod meter;
mod offline;
mod on_worker;
mod pipeline;
mod plant;
mod reader;
mod recover;
mod report;
mod run;
mod shard;
mod shard_metrics;
mod shared_ledger;
mod sink;
mod spec;
mod stage;
mod trace;
mod warm;
mod workers;

pub use adapter::{ElementStreamExt, Inline};
pub use error::{PipelineError, Place, StreamError};
pub use offline::Sown;
pub use on_worker::OnWorker;
pub use pipeline::{Node, Pipeline};
pub use reader::ReaderStream;
pub use report::{ComponentRows, RunReport};
pub use run::RunOptions;
pub use sink::SinkWriter;
pub use spec::{ComponentSpec, PipelineSpec};
pub use stage::Stage;
pub use tokio_util::sync::CancellationToken;
pub use workers::{CallError, Worker, Workers};

use futures::stream::BoxStream;
use sluicegate_core::Element;

/// A stream of one partition's elements whose exact type does not matter.
pub type ElementStream = BoxStream<'static, Result<Element, StreamError>>;
