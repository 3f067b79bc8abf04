//! Checkpoints of a shard: written whole or not at all, verified, and the protocol that ties them to commits.
//!
//! - [`CheckpointConfig`]: the table `[checkpoint]` of a pipeline file.
//! - [`Store`]: the checkpoints of one pipeline, in a local folder or an object store; [`ShardStore`]: those of one shard.
//! - [`FileLedger`]: commits kept beside the checkpoints, for shards whose source and sinks have no ledger of their own.
//! - [`protocol`]: what a shard does when, as a pure state machine; [`trace`]: what it did, read back and checked.
//!
//! # What is on the disk
//! ```text
//! <path>/<pipeline>/<partition>/<checkpoint>/manifest.json        written last: without it there is no checkpoint
//! <path>/<pipeline>/<partition>/<checkpoint>/<component>.state    whole, or the difference to that of another checkpoint
//! <path>/<pipeline>/<partition>/commits/<number>.json             only where the ledger is kept here
//! <path>/<pipeline>/<partition>/seed/…                            as a checkpoint: what a new partition begins with
//! <path>/<pipeline>/.layout/<source>/<number>.json                the partitions that a source had
//! ```
//! Every file is written under another name first, synchronised and then renamed (an object store does as much by itself), so a
//! file is there whole or not at all. A manifest names the length and the hash (BLAKE3) of every other file, and a commit that
//! of the manifest, so a damaged file is never loaded. The name of an attempt is random: two processes never write one file.
//!
//! All calls block, and must not be made on a thread that runs asynchronous tasks.

mod config;
mod delta;
mod error;
mod file_ledger;
mod layout;
mod manifest;
pub mod protocol;
mod seed;
mod shard_store;
mod store;
pub mod trace;

pub use config::{CheckpointConfig, NewPartitions, StartFrom, StartKeys};
pub use error::CheckpointError;
pub use file_ledger::FileLedger;
pub use manifest::About;
pub use shard_store::{Checkpoint, Examined, ShardStore, Summary};
pub use store::Store;
