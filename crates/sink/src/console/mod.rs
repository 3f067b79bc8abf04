//! Rows on standard output.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a sink |
//! | `value` | one cell of any Arrow array |
//! | `json` | rows as JSON lines |
//! | `table` | rows as a table for people |
//! | `sink` | which rows are shown, and what happens when nobody reads them |

mod config;
pub(crate) mod json;
mod sink;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod value;

pub use config::{ConsoleConfig, Format};
