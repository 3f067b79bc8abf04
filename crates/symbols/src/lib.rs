//! Takes text and bytes apart: one row per byte, character or token, so that a sequence of symbols is a stream of events.
//!
//! - [`SymbolsConfig`]: the settings of the operator `symbols`, which is what a pipeline uses;
//! - [`Unit`]: what counts as a symbol.
//!
//! Symbols of a row, put together again in order, are the value that they came from; where that is no UTF-8 and text is asked for,
//! [`BadUtf8`] says what becomes of it.

mod alphabet;
mod config;
mod error;
mod operator;
mod table;
mod values;

pub use alphabet::Unit;
pub use config::{BadUtf8, End, SymbolsConfig};
pub use error::SymbolsError;
