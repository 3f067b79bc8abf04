//! Readers that bring events into a Sluicegate pipeline.
//!
//! - [`ParquetConfig`], registered as `parquet`: history from Parquet files, streamed in bounded memory.
//!
//! Every reader gives the same rows with the same offsets however often and wherever it is opened, so that a run can go on
//! where another one stopped.

mod error;
mod parquet;

pub use self::parquet::{ParquetConfig, Partitions, Paths, Position, TimeUnit};
pub use error::SourceError;
