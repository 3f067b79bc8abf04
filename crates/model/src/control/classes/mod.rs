//! Controls for classes: what was last, what mostly follows.
//!
//! All count, and what is counted is shared by all keys. Counts move only at the end of an update span, in the order of the log,
//! as the parameters of a network do; so no forecast depends on which keys were worked on together.

mod counting;
mod counts;
mod past;
mod repeat;
mod tables;
mod waiting;

pub use counts::Counts;
pub use repeat::Repeat;
