//! History from text files: one record after the other.
//!
//! Files are cut into records here, not by a reader of whole batches, so that a bad record is told with its line, or goes to the
//! dead letters with its original bytes, and its neighbours are rows all the same.
//!
//! | file | what it knows |
//! |---|---|
//! | `csv`, `jsonl` | the settings of each, and how they become a source |
//! | `shape` | how bytes become records, and records rows |
//! | `records` | the records of one file, in bounded memory |
//! | `bounds` | at which offsets `start` and `stop` are |
//! | `source`, `reader` | the partitions, and the rows of one |

mod bounds;
mod csv;
mod jsonl;
mod reader;
mod records;
mod shape;
mod source;

pub use csv::{CsvConfig, Header};
pub use jsonl::JsonlConfig;
pub use source::OnBadRecord;
