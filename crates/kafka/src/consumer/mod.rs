//! A member of a consumer group: one thread that polls for all partitions of a source.
//!
//! | file | what it knows |
//! |---|---|
//! | `queue` | the records of one partition that wait for its reader, bounded in bytes |
//! | `context` | what happens when partitions come and go |
//! | `group` | the thread, and what others ask of it |
//! | `record` | a record with its own memory |

mod context;
mod group;
mod queue;
mod record;

pub use group::{Group, GroupChange, GroupSettings, PartitionEnds, Tap};
pub use queue::{TapEnd, TapError};
pub use record::RawRecord;
