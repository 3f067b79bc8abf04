//! The product as a mixture of all models, with weights that follow the data.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, FixedShare, Mixture, Score};

use super::issue::Mixed;
use crate::error::ModelError;
use crate::forecast::weights::Weights;
use crate::wave::Dims;

/// What of a mixture is worked out: quantiles and CRPS take a search and an integral each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) quantiles: bool,
    pub(super) crps: bool,
}

/// Mixes the models' distributions by [`Weights`].
pub(super) struct Combination {
    weights: Weights,
    wanted: Wanted,
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
    pub(super) fn new(dims: &Dims, models: usize, rule: FixedShare, wanted: Wanted) -> Self {
        Self { weights: Weights::new(dims, models, rule), wanted, scratch: Scratch::default() }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.weights.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.weights.forget(slot);
    }

    /// As of [`Weights::restart`].
    pub(super) fn restart(&mut self, slot: usize, outputs: Range<usize>) {
        self.weights.restart(slot, outputs);
    }

    /// As of [`Weights::means`].
    pub(super) fn mean_weights(&self, keys: usize) -> impl Iterator<Item = f64> + '_ {
        self.weights.means(keys)
    }

    /// The mean that was forecast for the value of output `k` at this event, and its scores if there is a value. The weights
    /// then move. `due` holds the models' forecasts of it.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        due: &[Option<Distribution>],
        value: f64,
    ) -> Option<(f64, Score)> {
        let mixture = self.scratch.mixture(self.weights.due(slot, event, k)?, due)?;
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
        self.weights.learn(slot, event, k, &self.scratch.densities);
        Some((mean, score))
    }

    /// The mixture that was issued for the value of output `k` at this event. `due` holds the models' forecasts of it.
    pub(super) fn due(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        due: &[Option<Distribution>],
    ) -> Option<Mixture<'_>> {
        self.scratch.mixture(self.weights.due(slot, event, k)?, due)
    }

    /// The mixture of what the models forecast of output `k` at this event; its weights go to `weights`.
    pub(super) fn issue(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        forecasts: &[Option<Distribution>],
        weights: &mut [f64],
    ) -> Option<Mixed> {
        weights.fill(f64::NAN);
        let mixture = self.scratch.mixture(self.weights.now(slot, event, k), forecasts);
        let mixed = mixture.map(|mixture| Mixed {
            mean: mixture.mean(),
            deviation: mixture.std_dev().unwrap_or(f64::NAN),
            quantiles: if self.wanted.quantiles { mixture.quantiles() } else { [f64::NAN; 7] },
        });
        let issued = self.weights.issue(slot, event, k);
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
        self.weights.snapshot(slots, to)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.weights.restore(keys, from)
    }
}
