//! Where the sinks of a shard wait at a barrier until what they were given is committed.

use sluicegate_core::Barrier;
use tokio::sync::{mpsc, oneshot};

/// What a sink that waits at a barrier is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// Go on with the rows after the barrier.
    On,
    /// There are none: the shard is done.
    Home,
}

/// A sink that met a barrier.
pub(crate) struct Arrival {
    pub(crate) barrier: Barrier,
    pub(crate) go: oneshot::Sender<Go>,
}

/// One sink's way to the coordinator of its shard.
#[derive(Clone)]
pub(crate) struct Gate(mpsc::Sender<Arrival>);

impl Gate {
    /// A gate for so many sinks, and the end at which they arrive.
    pub(crate) fn new(sinks: usize) -> (Self, mpsc::Receiver<Arrival>) {
        // A sink waits for its answer before it can arrive again, so there is room for all.
        let (gate, arrivals) = mpsc::channel(sinks.max(1));
        (Self(gate), arrivals)
    }

    /// Waits until the coordinator lets the sink go on; `None` when there is no coordinator any more.
    pub(crate) async fn pass(&self, barrier: Barrier) -> Option<Go> {
        let (go, answer) = oneshot::channel();
        self.0.send(Arrival { barrier, go }).await.ok()?;
        answer.await.ok()
    }
}
