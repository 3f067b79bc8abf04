//! The one trait of the family: whatever forecasts the successors of an event as distributions.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use crate::cell::{CellShape, GateTrace};
use crate::error::ModelError;
use crate::network::GradientDecay;
use crate::wave::Wave;

/// A whole model of all keys of one shard. Every kind can be a pipeline's model, and any can run beside another as a control.
///
/// For each event, in log order per key, the calls are [`observe`](Predictor::observe), then — when the event closes an
/// update span — [`learn`](Predictor::learn), then [`forecast`](Predictor::forecast). Events of different keys may be put
/// into one wave; a row's result must not depend on the rows beside it. What is learned from which event, and when, is a
/// function of the log alone.
///
/// `F` is what a model says of one output: of numbers a distribution, `None` where it has nothing to say yet; of classes the
/// probability of each, NaN where it has nothing to say yet.
pub trait Predictor<F = Option<Distribution>>: Send {
    /// Makes room for slots `0 .. slots`.
    fn reserve(&mut self, slots: usize);

    /// Takes in what these events tell about earlier forecasts. A state that moves with an event moves in
    /// [`forecast`](Predictor::forecast), not here.
    ///
    /// # Errors
    /// When the backend fails.
    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError>;

    /// Whether observing the event of this index (among those of its key) gives [`learn`](Predictor::learn) something to do.
    fn falls_due(&self, event: u64) -> bool {
        let _ = event;
        false
    }

    /// Learns from everything that became due, at the end of an update span.
    ///
    /// # Errors
    /// When the backend fails.
    fn learn(&mut self) -> Result<(), ModelError> {
        Ok(())
    }

    /// Whether [`learn`](Predictor::learn) has something to do.
    fn has_due(&self) -> bool {
        false
    }

    /// Moves the state with these events and forecasts their successors into `out`: `[rows, K]` of numbers,
    /// `[rows, K, classes]` of classes.
    ///
    /// # Errors
    /// When the backend fails.
    fn forecast(&mut self, wave: &Wave, out: &mut [F]) -> Result<(), ModelError>;

    /// The key of a slot was evicted; the slot may be used again by another.
    fn forget(&mut self, slot: usize);

    /// Numbers worth watching: what they are called, and how they stand.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// How things stand that go up and down: what each is called, and its value.
    fn gauges(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// What can be seen of a network from inside; `None` unless it is one.
    fn inspect(&mut self) -> Option<&mut dyn Inspect> {
        None
    }

    /// Writes the state; that of keys in the order of the given slots.
    ///
    /// # Errors
    /// When it cannot be written.
    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError>;

    /// Reads what [`snapshot`](Predictor::snapshot) wrote: `keys` keys, which now have the slots `0 .. keys`.
    ///
    /// # Errors
    /// When it was written with other settings.
    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError>;
}

/// What can be seen of a network from inside.
pub trait Inspect {
    /// The shape of its cell.
    fn shape(&self) -> CellShape;

    /// Numbers of parameters.
    fn parameter_count(&self) -> usize;

    /// Bytes that it remembers of each key: the state, and the inputs, labels and earlier states that windows are made of.
    fn bytes_per_key(&self) -> usize;

    /// What was measured of its gradients; `None` where nothing is measured.
    fn decay(&self) -> Option<&GradientDecay>;

    /// What the gates did in the last steps of a key that are complete, as many as windows may have.
    ///
    /// # Errors
    /// When the backend fails or does not tell.
    fn gates(&mut self, slot: usize, events: u64) -> Result<GateTrace, ModelError>;
}
