//! Parquet files that are there as a whole or not at all.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a sink |
//! | `names` | what files are called, and which partition a name means |
//! | `mark` | how a file says that this sink wrote it |
//! | `directory` | what an earlier run left, and how a file is published beside it |
//! | `folder` | where files are: a local folder, or an object store |
//! | `part` | one file in the making |
//! | `layout` | how columns are encoded |
//! | `segment` | rows between two checkpoints, verified when they are read back |
//! | `sink` | the rows of one partition, cut into files |
//! | `staged` | the same where rows become visible with commits |

mod config;
mod directory;
mod folder;
mod layout;
mod mark;
mod names;
mod part;
mod segment;
mod sink;
mod staged;
#[cfg(test)]
mod tests;

pub use config::{Compression, Existing, ParquetConfig};
