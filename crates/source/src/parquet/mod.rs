//! History from Parquet files.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a source |
//! | `footer` | what the end of a file says: row groups and their rows |
//! | `decode` | rows of one file, and what becomes of a decoder that fails |
//! | `columns` | which columns are read, their roles, and whether all files agree |
//! | `bounds` | at which offsets `start` and `stop` are |
//! | `source`, `reader` | the partitions, and the rows of one |

mod bounds;
mod columns;
mod config;
mod decode;
mod footer;
mod reader;
mod source;

pub use config::ParquetConfig;
