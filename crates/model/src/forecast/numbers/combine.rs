//! The product as a mixture of all models, with weights that follow the data.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, FixedShare, Mixture, Score};

use super::issue::Mixed;
use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// What of a mixture is worked out: quantiles and CRPS take a search and an integral each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) quantiles: bool,
    pub(super) crps: bool,
}

/// Per key and output: one weight per expert, moved by fixed share when a label arrives.
///
/// A forecast is scored by the weights it was issued with. An expert that had no forecast takes no part.
///
/// Against any expert the mean negative log-likelihood over n labels is worse by at most
/// `ln(E)/n − (n − 1)/n · ln(1 − α)`. A label of horizon h comes h events after its forecast, so the weights that score it have
/// not seen the h − 1 before: each of the h interleaved series of labels keeps that bound with its own n. Each
/// [`restart`](Combination::restart) begins a series anew and adds at most `ln(E)/n`.
pub(super) struct Combination {
    rule: FixedShare,
    wanted: Wanted,
    experts: usize,
    outputs: usize,
    past: usize,
    horizons: Vec<usize>,
    /// `[K, experts]`.
    weights: Slab<f64>,
    /// `[K, experts]`: how much the weights of all keys together exceed even ones.
    excess: Vec<f64>,
    /// `[h_max, K, experts]`: weights as issued, 0 for an expert that took no part; event i at i mod h_max.
    issued: Slab<f64>,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    weights: Vec<f64>,
    members: Vec<Distribution>,
    densities: Vec<f64>,
}

impl Scratch {
    /// The mixture of the experts that have a forecast, with weights made to sum to 1; `None` when there is none.
    fn mixture(&mut self, weights: &[f64], forecasts: &[Option<Distribution>]) -> Option<Mixture<'_>> {
        self.weights.clear();
        self.members.clear();
        for (weight, forecast) in weights.iter().zip(forecasts) {
            if let Some(forecast) = forecast {
                self.weights.push(*weight);
                self.members.push(*forecast);
            }
        }
        let sum: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        Mixture::new(&self.weights, &self.members)
    }
}

impl Combination {
    pub(super) fn new(dims: &Dims, experts: usize, rule: FixedShare, wanted: Wanted) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        Self {
            rule,
            wanted,
            experts,
            outputs,
            past,
            horizons: dims.pairs().map(|(_, horizon)| horizon).collect(),
            weights: Slab::new(outputs * experts, 1.0 / experts as f64),
            excess: vec![0.0; outputs * experts],
            issued: Slab::new(past * outputs * experts, 0.0),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.weights.reserve(slots);
        self.issued.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.restart(slot, 0..self.outputs);
        self.issued.clear(slot);
    }

    /// Puts the weights of some outputs back to even, as if no label had come yet. What was issued before is scored as it was.
    pub(super) fn restart(&mut self, slot: usize, outputs: Range<usize>) {
        let (even, places) = (self.even(), outputs.start * self.experts..outputs.end * self.experts);
        let weights = &mut self.weights.row_mut(slot)[places.clone()];
        for (weight, excess) in weights.iter_mut().zip(&mut self.excess[places]) {
            *excess -= *weight - even;
            *weight = even;
        }
    }

    /// `[K, experts]`: the weights as they are now, averaged over this many keys; NaN where there is none.
    pub(super) fn mean_weights(&self, keys: usize) -> impl Iterator<Item = f64> + '_ {
        self.excess.iter().map(move |excess| if keys == 0 { f64::NAN } else { self.even() + excess / keys as f64 })
    }

    fn even(&self) -> f64 {
        1.0 / self.experts as f64
    }

    fn issued_at(&self, event: u64, k: usize) -> usize {
        ((event % self.past as u64) as usize * self.outputs + k) * self.experts
    }

    /// The mean that was forecast for the value of output `k` at this event, and its scores if there is a value. The weights
    /// then move. `due` holds the experts' forecasts of it.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        due: &[Option<Distribution>],
        value: f64,
    ) -> Option<(f64, Score)> {
        let then = event.checked_sub(self.horizons[k] as u64)?;
        let at = self.issued_at(then, k);
        let issued = &self.issued.row(slot)[at..at + self.experts];
        let mixture = self.scratch.mixture(issued, due)?;
        let mean = mixture.mean();
        if value.is_nan() {
            return Some((mean, Score::NAN));
        }
        let crps = if self.wanted.crps { mixture.crps(value) } else { f64::NAN };
        let score =
            Score { error: value - mean, nll: mixture.nll(value), crps, pit: mixture.cdf(value).clamp(0.0, 1.0) };
        let density = |forecast: &Option<Distribution>| forecast.as_ref().map_or(f64::NAN, |d| d.ln_pdf(value));
        self.scratch.densities.clear();
        self.scratch.densities.extend(due.iter().map(density));
        let weights = &mut self.weights.row_mut(slot)[k * self.experts..][..self.experts];
        let excess = &mut self.excess[k * self.experts..][..self.experts];
        excess.iter_mut().zip(&*weights).for_each(|(excess, weight)| *excess -= weight);
        self.rule.update(weights, &self.scratch.densities);
        excess.iter_mut().zip(&*weights).for_each(|(excess, weight)| *excess += weight);
        Some((mean, score))
    }

    /// The mixture of what the experts forecast of output `k` at this event; its weights go to `weights`.
    pub(super) fn issue(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        forecasts: &[Option<Distribution>],
        weights: &mut [f64],
    ) -> Option<Mixed> {
        weights.fill(f64::NAN);
        let at = self.issued_at(event, k);
        let now = &self.weights.row(slot)[k * self.experts..][..self.experts];
        let mixture = self.scratch.mixture(now, forecasts);
        let mixed = mixture.map(|mixture| Mixed {
            mean: mixture.mean(),
            deviation: mixture.std_dev().unwrap_or(f64::NAN),
            quantiles: if self.wanted.quantiles { mixture.quantiles() } else { [f64::NAN; 7] },
        });
        let issued = &mut self.issued.row_mut(slot)[at..at + self.experts];
        issued.fill(0.0);
        if mixed.is_some() {
            let mut known = self.scratch.weights.iter();
            for ((issued, weight), _) in issued.iter_mut().zip(weights).zip(forecasts).filter(|(_, f)| f.is_some()) {
                *issued = known.next().copied().unwrap_or(0.0);
                *weight = *issued;
            }
        }
        mixed
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        for (name, slab) in [("weights", &self.weights), ("issued", &self.issued)] {
            to.f64(name, &[slots.len(), slab.width()], &slab.gather(slots, |weight| weight))?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        for (name, slab) in [("weights", &mut self.weights), ("issued", &mut self.issued)] {
            let values = from.f64(name, &[keys, slab.width()])?;
            if !values.iter().all(|weight| (0.0..=1.0 + 1e-9).contains(weight)) {
                return Err(ModelError::Restore("a weight of the mixture is not from 0 to 1".into()));
            }
            slab.fill(&values, |weight| weight);
        }
        let even = self.even();
        self.excess.fill(0.0);
        for slot in 0..keys {
            self.excess.iter_mut().zip(self.weights.row(slot)).for_each(|(excess, weight)| *excess += weight - even);
        }
        Ok(())
    }
}
