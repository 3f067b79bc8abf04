//! Settings with the place in the pipeline file they came from.
//!
//! A [`Document`] is a parsed pipeline file. A [`Table`] is one of its tables, still unread: a component's settings type is
//! deserialised from it later, by whoever knows that type, and an error still names file, line and column, or the
//! [`Override`] that put the value there.

mod document;
mod error;
mod names;
mod overrides;
mod secrets;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod variables;
mod wording;

pub use document::Document;
pub use error::LocatedError;
pub use names::nearest;
pub use overrides::Override;
pub use secrets::Secrets;
pub use table::Table;
