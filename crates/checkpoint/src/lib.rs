//! Checkpoints of a shard: written whole or not at all, verified, and the protocol that ties them to commits.

pub mod protocol;
