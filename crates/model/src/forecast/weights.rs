//! Weights of the models in a mixture, which follow the data.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::FixedShare;

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// Per key and output: one weight per model, moved by fixed share when a label arrives, and the weights that outstanding
/// mixtures were issued with.
///
/// A forecast is scored by the weights it was issued with. A model that had no forecast takes no part.
///
/// Against any of E models the mean negative log-likelihood over n labels is worse by at most
/// `ln(E)/n − (n − 1)/n · ln(1 − α)`. A label of horizon h comes h events after its forecast, so the weights that score it have
/// not seen the h − 1 before: each of the h interleaved series of labels keeps that bound with its own n. Each
/// [`restart`](Weights::restart) begins a series anew and adds at most `ln(E)/n`.
pub(super) struct Weights {
    rule: FixedShare,
    models: usize,
    outputs: usize,
    past: usize,
    /// Of each output.
    horizons: Vec<usize>,
    /// `[K, models]`.
    now: Slab<f64>,
    /// `[K, models]`: by how much the weights of all keys together exceed even ones.
    excess: Vec<f64>,
    /// `[h_max, K, models]`: weights as issued, 0 for a model that took no part; event i at i mod h_max.
    issued: Slab<f64>,
}

impl Weights {
    pub(super) fn new(dims: &Dims, models: usize, rule: FixedShare) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        Self {
            rule,
            models,
            outputs,
            past,
            horizons: dims.pairs().map(|(_, horizon)| horizon).collect(),
            now: Slab::new(outputs * models, 1.0 / models as f64),
            excess: vec![0.0; outputs * models],
            issued: Slab::new(past * outputs * models, 0.0),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.now.reserve(slots);
        self.issued.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.restart(slot, 0..self.outputs);
        self.issued.clear(slot);
    }

    /// Puts the weights of some outputs back to even, as if no label had come yet. What was issued before is scored as it was.
    pub(super) fn restart(&mut self, slot: usize, outputs: Range<usize>) {
        let (even, places) = (self.even(), outputs.start * self.models..outputs.end * self.models);
        let now = &mut self.now.row_mut(slot)[places.clone()];
        for (weight, excess) in now.iter_mut().zip(&mut self.excess[places]) {
            *excess -= *weight - even;
            *weight = even;
        }
    }

    fn even(&self) -> f64 {
        1.0 / self.models as f64
    }

    /// `[K, models]`: the weights as they are now, averaged over this many keys; NaN where there is none.
    pub(super) fn means(&self, keys: usize) -> impl Iterator<Item = f64> + '_ {
        self.excess.iter().map(move |excess| if keys == 0 { f64::NAN } else { self.even() + excess / keys as f64 })
    }

    fn place(&self, event: u64, k: usize) -> usize {
        ((event % self.past as u64) as usize * self.outputs + k) * self.models
    }

    /// `[models]`: the weights that the forecast of output `k` for this event was issued with; `None` before the first.
    pub(super) fn due(&self, slot: usize, event: u64, k: usize) -> Option<&[f64]> {
        let then = event.checked_sub(self.horizons[k] as u64)?;
        let place = self.place(then, k);
        Some(&self.issued.row(slot)[place..place + self.models])
    }

    /// `[models]`: the weights of output `k` now.
    pub(super) fn now(&self, slot: usize, k: usize) -> &[f64] {
        &self.now.row(slot)[k * self.models..][..self.models]
    }

    /// Where to keep the weights `[models]` that output `k` is issued with at this event.
    pub(super) fn issue(&mut self, slot: usize, event: u64, k: usize) -> &mut [f64] {
        let place = self.place(event, k);
        &mut self.issued.row_mut(slot)[place..place + self.models]
    }

    /// Moves the weights of output `k` by what each model had given to the value: logarithms of densities or probabilities,
    /// NaN where a model had no forecast.
    pub(super) fn learn(&mut self, slot: usize, k: usize, ln_densities: &[f64]) {
        let now = &mut self.now.row_mut(slot)[k * self.models..][..self.models];
        let excess = &mut self.excess[k * self.models..][..self.models];
        excess.iter_mut().zip(&*now).for_each(|(excess, weight)| *excess -= weight);
        self.rule.update(now, ln_densities);
        excess.iter_mut().zip(&*now).for_each(|(excess, weight)| *excess += weight);
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        for (name, slab) in [("weights", &self.now), ("issued", &self.issued)] {
            to.f64(name, &[slots.len(), slab.width()], &slab.gather(slots, |weight| weight))?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        for (name, slab) in [("weights", &mut self.now), ("issued", &mut self.issued)] {
            let values = from.f64(name, &[keys, slab.width()])?;
            if !values.iter().all(|weight| (0.0..=1.0 + 1e-9).contains(weight)) {
                return Err(ModelError::Restore("a weight of the mixture is not from 0 to 1".into()));
            }
            slab.fill(&values, |weight| weight);
        }
        let even = self.even();
        self.excess.fill(0.0);
        for slot in 0..keys {
            self.excess.iter_mut().zip(self.now.row(slot)).for_each(|(excess, weight)| *excess += weight - even);
        }
        Ok(())
    }
}
