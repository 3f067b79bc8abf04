//! Readers that bring events into a Sluicegate pipeline.
//!
//! - [`ParquetConfig`], registered as `parquet`: history from Parquet files, streamed in bounded memory.
//! - [`CsvConfig`], registered as `csv`, and [`JsonlConfig`], registered as `jsonl`: the same from text files, record by record.
//! - [`TextConfig`], registered as `text`: plain files of any content, in pieces of bounded size.
//! - [`WavConfig`], registered as `wav`: sound, sample by sample or frame by frame.
//! - [`CopyConfig`], registered as `copy`: made-up events that can be foretold by remembering alone, for tests and teaching.
//! - `KafkaConfig`, registered as `kafka` (feature `kafka`): live events from Kafka topics, as a member of a consumer group.
//! - `HybridConfig`, registered as `hybrid` (feature `kafka`): history from Parquet files, then live events, as one log.
//!
//! Every reader gives the same rows with the same offsets however often and wherever it is opened, so that a run can go on
//! where another one stopped.

mod copy;
mod error;
mod files;
#[cfg(feature = "kafka")]
mod hybrid;
#[cfg(feature = "kafka")]
mod kafka;
mod lines;
mod parquet;
mod position;
mod text;
mod time;
mod wav;

#[cfg(feature = "kafka")]
pub use self::hybrid::{HandOver, HybridConfig};
#[cfg(feature = "kafka")]
pub use self::kafka::{KafkaConfig, KafkaStart, KafkaStop, Metadata, MissingOffsets, OnError, Topics};
pub use self::lines::{CsvConfig, Header, JsonlConfig, OnBadRecord};
pub use self::parquet::ParquetConfig;
pub use self::wav::{FrameConfig, Span, Unit, WavConfig};
pub use copy::{CopyChange, CopyConfig};
pub use error::SourceError;
pub use files::{Partitions, Paths};
pub use position::Position;
pub use text::{TextConfig, TextKey};
pub use time::TimeUnit;
