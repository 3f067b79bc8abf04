//! Writers at the end of a Sluicegate pipeline.
//!
//! - [`ParquetConfig`], registered as `parquet`: files that are there as a whole or not at all.
//! - [`ConsoleConfig`], registered as `console`: rows on standard output, as a table or as JSON lines.
//! - `KafkaConfig`, registered as `kafka` with the feature of that name: records of a Kafka topic, exactly once or at least once.

mod console;
mod error;
#[cfg(feature = "kafka")]
mod kafka;
mod parquet;

pub use self::parquet::{Compression, Existing, ParquetConfig};
pub use console::{ConsoleConfig, Format};
pub use error::SinkError;
#[cfg(feature = "kafka")]
pub use kafka::{Columns, Compression as KafkaCompression, Delivery as KafkaDelivery, KafkaConfig, ValueFormat};
