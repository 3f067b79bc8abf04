//! What a stream of a pipeline yields.

use std::sync::Arc;

use crate::{Barrier, Batch, Rejected};

/// One item of a pipeline's stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Element {
    /// Rows.
    Batch(Batch),
    /// What could not become rows, or may not go on as rows: bound for the dead letters.
    Rejected(Arc<[Rejected]>),
    /// Everything before it belongs together: see [`Barrier`].
    Barrier(Barrier),
    /// The partition ended; nothing follows.
    End,
}
