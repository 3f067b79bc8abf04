//! The experts alone.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::{Experts, ExpertsConfig};
use crate::error::ModelError;
use crate::head::{CategoricalHead, Head, Standing, label_of_class};
use crate::predictor::Predictor;
use crate::wave::{Dims, Wave};

/// P(class | the past) as count experts pool it, see the [module](super).
pub struct ExpertPredictor {
    dims: Dims,
    learns: bool,
    experts: Experts,
    head: CategoricalHead,
}

impl ExpertPredictor {
    /// No keys yet. Forecasts the next event, whatever the horizons are; see [`ForecastConfig`](crate::ForecastConfig), which refuses
    /// others.
    pub fn new(config: ExpertsConfig, learns: bool, dims: Dims) -> Self {
        let head = CategoricalHead::new(dims.classes_of_outputs().collect());
        Self { experts: Experts::new(config, &dims), head, learns, dims }
    }
}

impl Predictor<f32> for ExpertPredictor {
    fn reserve(&mut self, slots: usize) {
        self.experts.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        if !self.learns {
            return Ok(());
        }
        let targets = self.dims.targets;
        let mut d_raw = vec![0.0; self.head.raw_len()];
        for (index, slot) in wave.slots.iter().enumerate() {
            let Some(step) = wave.events[index].checked_sub(1) else { continue };
            let classes = &wave.classes[index * targets..][..targets];
            let labels: Vec<f32> = classes.iter().copied().map(label_of_class).collect();
            let mut raw = vec![0.0; self.head.raw_len()];
            self.experts.add(*slot, step, &mut raw);
            self.head.loss(&[], &raw, &labels, &mut d_raw, &mut []);
            self.experts.wait(wave, index, &d_raw);
        }
        Ok(())
    }

    fn falls_due(&self, event: u64) -> bool {
        self.learns && event > 0
    }

    fn has_due(&self) -> bool {
        self.learns && self.experts.has_waiting()
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        if self.learns {
            self.experts.learn();
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [f32]) -> Result<(), ModelError> {
        let width = self.dims.probabilities();
        for ((index, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(width)) {
            self.experts.see(wave, index);
            let mut raw = vec![0.0; self.head.raw_len()];
            self.experts.add(*slot, wave.events[index], &mut raw);
            self.head.forecast(&raw, Standing::default(), out);
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.experts.forget(slot);
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        vec![self.experts.gauge()]
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.experts.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.experts.restore(keys, from)
    }
}
