//! What a stream of a pipeline yields.

use crate::{Batch, CheckpointId};

/// One item of a pipeline's stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Element {
    /// Rows.
    Batch(Batch),
    /// Everything before it belongs to this checkpoint. A barrier is inert: an operator may only snapshot at one.
    Barrier(CheckpointId),
    /// The partition ended; nothing follows.
    End,
}
