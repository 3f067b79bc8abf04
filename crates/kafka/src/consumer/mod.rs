//! A member of a consumer group: one thread that polls for all partitions of a source.
//!
//! | file | what it knows |
//! |---|---|
//! | `queue` | the records of one partition that wait for its reader, bounded in bytes |
//! | `context` | what happens when partitions come and go |
//! | `group` | the thread, and what others ask of it |
//! | `serve` | what readers ask of the thread: to tap a partition, to go on, to let go |
//! | `call` | why a member was not served, and whether that may pass |
//! | `record` | a record with its own memory |
//! | `badge` | which pipeline a member works for, as other members see it |
//! | `strangers` | members that work for another pipeline |

mod badge;
mod call;
mod context;
mod group;
mod queue;
mod record;
mod serve;
mod strangers;

pub use badge::Badge;
pub use call::CallError;
pub use group::{Group, GroupChange, GroupSettings, PartitionEnds, Tap};
pub use queue::{TapEnd, TapError};
pub use record::RawRecord;
