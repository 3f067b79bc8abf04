//! Avro records, one datum a payload, mostly behind the five bytes that say by which schema of a registry it was written.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings |
//! | `framing` | the bytes in front of a datum (Confluent's wire format: 0, then the schema's id as four bytes, most significant first) |
//! | `registry` | schemas by id and subject, over HTTP |
//! | `columns` | which columns a schema means |
//! | `decode` | payloads to rows |
//! | `encode` | rows to payloads |

mod columns;
mod config;
mod decode;
mod encode;
mod framing;
mod registry;

pub use config::{AvroConfig, AvroSinkConfig, Framing, RegistryConfig};
pub(crate) use decode::{AvroDecoder, AvroPlan};
pub(crate) use encode::AvroEncoder;
