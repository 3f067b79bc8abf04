//! History from files first, then the live topic, as one log.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a source |
//! | `align` | how rows of the history get the columns of live ones |
//! | `cut` | which rows of either side belong to a partition's log, and under which offsets |
//! | `source` | the two sources as one |
//! | `reader` | the rows of one partition, first of the one, then of the other |

mod align;
mod config;
mod cut;
mod reader;
mod source;

pub use config::{HandOver, HybridConfig};
