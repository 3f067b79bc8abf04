//! Writers at the end of a Sluicegate pipeline.
//!
//! - [`ParquetConfig`], registered as `parquet`: files that are there as a whole or not at all.
//! - [`ConsoleConfig`], registered as `console`: rows on standard output, as a table or as JSON lines.

mod console;
mod error;
mod parquet;

pub use self::parquet::{Compression, Existing, ParquetConfig};
pub use console::{ConsoleConfig, Format};
pub use error::SinkError;
