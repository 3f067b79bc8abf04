//! A mark between two rows of a partition, at which what was done so far is committed or written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{CheckpointId, Offset};

/// A mark between two rows of a partition. It travels with the rows: whoever meets it has seen every row before
/// [`Barrier::position`] and none after.
///
/// A barrier is inert: it changes no result. At every barrier sinks flush; at a *checkpoint* barrier every operator and sink
/// also deposits its state, so that together they stand for exactly the rows before it. Clones share what was deposited.
#[derive(Debug, Clone)]
pub struct Barrier {
    id: CheckpointId,
    position: Offset,
    purpose: Purpose,
    states: Option<Arc<Mutex<States>>>,
}

/// Why a barrier was put between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Outputs and position are committed.
    Commit,
    /// Every component also deposits its state.
    Checkpoint,
    /// The same, and nothing follows: the shard is stopped, to go on later or elsewhere.
    Stop,
    /// Every operator deposits its state. Nothing follows but [`Element::End`](crate::Element::End), and what operators emit at
    /// it; sinks deposit theirs after that.
    End,
}

/// The state of each component of a shard, by its name, as it wrote it down.
pub type States = BTreeMap<String, Vec<u8>>;

impl Barrier {
    /// A barrier at `position`, the offset at which reading goes on after it.
    pub fn new(purpose: Purpose, id: CheckpointId, position: Offset) -> Self {
        let states = (purpose != Purpose::Commit).then(Arc::default);
        Self { id, position, purpose, states }
    }

    /// Why it is there.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Its number, which increases from barrier to barrier of one run of a shard.
    pub fn id(&self) -> CheckpointId {
        self.id
    }

    /// The offset at which reading goes on after it: all rows before are done, no other is.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// Whether components deposit their state.
    pub fn is_checkpoint(&self) -> bool {
        self.states.is_some()
    }

    /// Keeps the state of the component called `component`. Does nothing at a barrier that asks for none.
    pub fn deposit(&self, component: &str, state: Vec<u8>) {
        if let Some(states) = &self.states {
            states.lock().unwrap_or_else(PoisonError::into_inner).insert(component.to_owned(), state);
        }
    }

    /// Takes what was deposited; empty at a barrier that asks for none.
    pub fn take_states(&self) -> States {
        let take =
            |states: &Arc<Mutex<States>>| std::mem::take(&mut *states.lock().unwrap_or_else(PoisonError::into_inner));
        self.states.as_ref().map(take).unwrap_or_default()
    }
}
