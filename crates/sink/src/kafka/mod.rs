//! Rows as records of a Kafka topic.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings |
//! | `bind` | the settings against the columns that come in and the cluster that there is |
//! | `factory` | one sink for each shard, and the ledger where the source has none |
//! | `layout` | which columns become which part of a record |
//! | `cell` | one cell as bytes |
//! | `value` | rows as values |
//! | `sink` | sending, waiting, and what failures mean |

mod bind;
mod cell;
mod config;
mod factory;
mod layout;
mod sink;
mod value;

pub use config::{Columns, Compression, Delivery, KafkaConfig, ValueFormat};
