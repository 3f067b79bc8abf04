//! History from plain files, in pieces of bounded size: for sequences of symbols, where a line or a record means nothing.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a source |
//! | `cut` | where a piece ends |
//! | `pieces` | the pieces of one file, in bounded memory |
//! | `source`, `reader` | the partitions, and the rows of one |

mod config;
mod cut;
mod pieces;
mod reader;
mod source;

pub use config::{TextConfig, TextKey};
