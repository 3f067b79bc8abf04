//! How the payload of a message becomes a row, and a row a payload: JSON, Avro, Arrow IPC, separated values, text and bytes.
//!
//! [`FormatConfig`] is what a pipeline file says; prepared, it makes a [`Decoder`] for every reader. A payload that is no row is
//! told as a [`BadRecord`] and leaves no trace in the decoder, so its neighbours are not touched by it; what cannot be told,
//! because a schema registry is away, is [`DecodeError::Failed`]. [`EncoderConfig`] makes an [`Encoder`].
//!
//! Avro needs the feature `avro`, since it alone speaks to servers.
//!
//! Input may be hostile: nothing panics, and nothing is allocated by a length that a payload claims.

#[cfg(feature = "avro")]
mod avro;
mod column;
mod config;
mod csv;
mod decoder;
mod encoder;
mod ipc;
mod json;
mod plain;

#[cfg(feature = "avro")]
pub use avro::{AvroConfig, AvroSinkConfig, Framing, RegistryConfig};
pub use config::{EncoderConfig, FieldType, Format, FormatConfig, Prepared};
pub use csv::{CsvDecoder, CsvField, Dialect};
pub use decoder::{BadRecord, DecodeError, Decoder, Taken};
pub use encoder::{Encoded, Encoder};
