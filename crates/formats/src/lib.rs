//! How the payload of a message becomes a row: JSON, separated values, text and bytes.
//!
//! [`FormatConfig`] is what a pipeline file says; [`FormatConfig::decoder`] makes a [`Decoder`] of it. A payload that is no row is
//! told as a [`BadRecord`] and leaves no trace in the decoder, so its neighbours are not touched by it.
//!
//! Input may be hostile: nothing panics, and nothing is allocated by a length that a payload claims.

mod column;
mod config;
mod csv;
mod decoder;
mod json;
mod plain;

pub use config::{FieldType, Format, FormatConfig};
pub use csv::{CsvDecoder, CsvField, Dialect};
pub use decoder::{BadRecord, Decoder};
