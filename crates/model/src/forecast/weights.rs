//! Weights of the models in a mixture, which follow the data.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::FixedShare;

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// Per key, output of horizon h and event modulo h: one weight per model, moved by fixed share when a label arrives, and the
/// weights that outstanding mixtures were issued with.
///
/// A forecast is scored by the weights it was issued with. A model that had no forecast takes no part.
///
/// Against any of E models the mean negative log-likelihood over n labels is worse by at most
/// `ln(E)/n − (n − 1)/n · ln(1 − α)`. A label of horizon h comes h events after its forecast, so weights that every label moved
/// would have moved by the h − 1 labels since, and keep no bound (Weinberger & Ordentlich 2002). With weights of its own, each of
/// the h interleaved series of labels has none outstanding when it issues, and keeps that bound with its own n. Each
/// [`restart`](Weights::restart) begins the series anew and adds at most `ln(E)/n`.
pub(super) struct Weights {
    rule: FixedShare,
    models: usize,
    outputs: usize,
    past: usize,
    /// Of each output.
    horizons: Vec<usize>,
    /// `[h, models]` of each output in turn: event i at i mod h.
    now: Slab<f64>,
    /// Where the weights of each output begin, and where the last end.
    starts: Vec<usize>,
    /// `[K, models]`: by how much the weights of all keys together, averaged over an output's series, exceed even ones.
    excess: Vec<f64>,
    /// `[h_max, K, models]`: weights as issued, 0 for a model that took no part; event i at i mod h_max.
    issued: Slab<f64>,
}

impl Weights {
    pub(super) fn new(dims: &Dims, models: usize, rule: FixedShare) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        let horizons: Vec<usize> = dims.pairs().map(|(_, horizon)| horizon).collect();
        let mut starts = vec![0];
        for horizon in &horizons {
            starts.push(starts[starts.len() - 1] + horizon * models);
        }
        Self {
            rule,
            models,
            outputs,
            past,
            now: Slab::new(starts[outputs], 1.0 / models as f64),
            starts,
            horizons,
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
        let even = self.even();
        for k in outputs {
            let now = &mut self.now.row_mut(slot)[self.starts[k]..self.starts[k + 1]];
            let excess = &mut self.excess[k * self.models..][..self.models];
            count(excess, now, even, -1.0 / self.horizons[k] as f64);
            now.fill(even);
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

    /// Where the weights of output `k` are that this event, and the one of `h` events ago, were and are issued with.
    fn series(&self, event: u64, k: usize) -> usize {
        self.starts[k] + (event % self.horizons[k] as u64) as usize * self.models
    }

    /// `[models]`: the weights for what output `k` issues at this event.
    pub(super) fn now(&self, slot: usize, event: u64, k: usize) -> &[f64] {
        &self.now.row(slot)[self.series(event, k)..][..self.models]
    }

    /// Where to keep the weights `[models]` that output `k` is issued with at this event.
    pub(super) fn issue(&mut self, slot: usize, event: u64, k: usize) -> &mut [f64] {
        let place = self.place(event, k);
        &mut self.issued.row_mut(slot)[place..place + self.models]
    }

    /// Moves the weights of output `k` by what each model had given to the value of this event: logarithms of densities or
    /// probabilities, NaN where a model had no forecast.
    pub(super) fn learn(&mut self, slot: usize, event: u64, k: usize, ln_densities: &[f64]) {
        let (place, even) = (self.series(event, k), self.even());
        let now = &mut self.now.row_mut(slot)[place..place + self.models];
        let excess = &mut self.excess[k * self.models..][..self.models];
        let share = 1.0 / self.horizons[k] as f64;
        count(excess, now, even, -share);
        self.rule.update(now, ln_densities);
        count(excess, now, even, share);
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
            for (k, excess) in self.excess.chunks_exact_mut(self.models).enumerate() {
                let now = &self.now.row(slot)[self.starts[k]..self.starts[k + 1]];
                count(excess, now, even, 1.0 / self.horizons[k] as f64);
            }
        }
        Ok(())
    }
}

/// Adds `times` what the weights `[.., models]` exceed even ones by.
fn count(excess: &mut [f64], weights: &[f64], even: f64, times: f64) {
    for weights in weights.chunks_exact(excess.len()) {
        excess.iter_mut().zip(weights).for_each(|(excess, weight)| *excess += times * (weight - even));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At horizon 3 one model is right at every third event and the other at the rest; each series has a best model of its own.
    #[test]
    fn late_labels_keep_the_bound_in_each_of_their_series() {
        const HORIZON: u64 = 3;
        const SHARE: f64 = 0.01;
        let dims = Dims { targets: 1, horizons: vec![HORIZON as usize], ..Dims::default() };
        let mut weights = Weights::new(&dims, 2, FixedShare::new(SHARE).unwrap());
        weights.reserve(1);
        let losses = |event: u64| if event.is_multiple_of(HORIZON) { [0.0, 1.0] } else { [1.0, 0.0] };
        // Of each series: labels, the mixture's summed loss, and the models'.
        let mut sums = [(0.0, 0.0, [0.0; 2]); HORIZON as usize];
        for event in 0..900u64 {
            if let Some(due) = weights.due(0, event, 0) {
                let losses = losses(event);
                let mixed = -due.iter().zip(losses).map(|(weight, loss)| weight * f64::exp(-loss)).sum::<f64>().ln();
                let (labels, mixture, models) = &mut sums[(event % HORIZON) as usize];
                (*labels, *mixture) = (*labels + 1.0, *mixture + mixed);
                models.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
                weights.learn(0, event, 0, &losses.map(|loss| -loss));
            }
            let now = weights.now(0, event, 0).to_vec();
            weights.issue(0, event, 0).copy_from_slice(&now);
        }
        for (labels, mixture, models) in sums {
            let bound = 2f64.ln() - (labels - 1.0) * (-SHARE).ln_1p();
            let best = models[0].min(models[1]);
            assert!(labels > 290.0 && mixture <= best + bound, "{mixture} against {best} + {bound}");
        }
        // The weights shown are means over the series: two of three trust the second model.
        let means: Vec<f64> = weights.means(1).collect();
        assert!((means[1] - 2.0 / 3.0).abs() < 0.02 && (means[0] + means[1] - 1.0).abs() < 1e-12, "{means:?}");
        weights.restart(0, 0..1);
        assert!(weights.means(1).all(|mean| (mean - 0.5).abs() < 1e-12));
    }
}
