//! Forecasts of classes that wait for their event.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// Per key, model, output and class: the probabilities that were issued at the last h_max events.
pub(super) struct Outstanding {
    models: usize,
    past: usize,
    /// Horizon of each output, and where its classes are among all.
    outputs: Vec<(usize, std::ops::Range<usize>)>,
    width: usize,
    /// `[h_max, models, width]`: event i at i mod h_max; NaN where nothing was said.
    issued: Slab<f32>,
}

impl Outstanding {
    pub(super) fn new(dims: &Dims, models: usize) -> Self {
        let (past, width) = (dims.horizon_max(), dims.probabilities());
        let outputs = dims.pairs().map(|(_, horizon)| horizon).zip(dims.probability_ranges());
        Self { models, past, outputs: outputs.collect(), width, issued: Slab::new(past * models * width, f32::NAN) }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.issued.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.issued.clear(slot);
    }

    /// Where the classes of output `k` are in what a model says of an event.
    pub(super) fn classes_of(&self, k: usize) -> std::ops::Range<usize> {
        self.outputs[k].1.clone()
    }

    /// What a model said of output `k` at the event of this index; `None` where it said nothing, or there was no such event.
    pub(super) fn due(&self, slot: usize, event: u64, k: usize, model: usize) -> Option<&[f32]> {
        let (horizon, classes) = &self.outputs[k];
        let then = event.checked_sub(*horizon as u64)?;
        let of_event = (then % self.past as u64) as usize * self.models * self.width;
        let said = &self.issued.row(slot)[of_event + model * self.width..][..self.width];
        is_said(&said[classes.clone()])
    }

    /// Keeps what a model says at an event: `[width]`.
    pub(super) fn issue(&mut self, slot: usize, event: u64, model: usize, said: &[f32]) {
        let of_event = (event % self.past as u64) as usize * self.models * self.width;
        self.issued.row_mut(slot)[of_event + model * self.width..][..self.width].copy_from_slice(said);
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.issued.width()];
        Ok(to.f32("probabilities", &shape, &self.issued.gather(slots, |probability| probability))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let values = from.f32("probabilities", &[keys, self.issued.width()])?;
        if !values.iter().all(|value| value.is_nan() || (0.0..=1.0).contains(value)) {
            return Err(ModelError::Restore("an outstanding probability is not from 0 to 1".into()));
        }
        self.issued.fill(&values, |value| value);
        Ok(())
    }
}

/// The probabilities, if any were said.
pub(super) fn is_said(probabilities: &[f32]) -> Option<&[f32]> {
    probabilities.first().is_some_and(|first| !first.is_nan()).then_some(probabilities)
}
