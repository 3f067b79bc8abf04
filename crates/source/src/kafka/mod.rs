//! Events from Kafka topics.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a source |
//! | `position` | how `start` and `stop` are written, and which offsets they mean |
//! | `columns` | the columns of a row: those of the format, and those of the record |
//! | `source` | the partitions, which of them are this process's, and where their positions are committed |
//! | `reader` | the rows of one partition |

mod columns;
mod config;
mod position;
mod reader;
mod source;

pub use config::{KafkaConfig, Metadata, MissingOffsets, OnError, Topics};
pub use position::{KafkaStart, KafkaStop};
