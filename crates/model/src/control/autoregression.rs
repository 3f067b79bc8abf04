//! Linear autoregression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use super::residual::Residuals;
use crate::config::no_repeats;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const DEGREES_OF_FREEDOM: f64 = 4.0;
const ERROR_CLIP: f64 = 8.0;
const LAG_CLIP: f64 = 20.0;
const COVARIANCE_START: f64 = 100.0;
/// Without excitation P grows as λ⁻ᵗ; each element of its diagonal is held under this.
const COVARIANCE_MAX: f64 = 10.0 * COVARIANCE_START;
/// Longer lags would make per-key memory large for a control.
const LAG_MAX: usize = 10_000;
/// Per-key memory grows with the square of their number.
const LAGS_MAX: usize = 64;

/// Settings of the autoregressive control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoregressionConfig {
    /// Which past values to look at, in events ago; for a daily cycle in hourly data `[1, 2, 3, 22, 23, 24]`.
    pub lags: Vec<usize>,
    /// Weight of the past from one event to the next.
    pub forgetting: f64,
}

impl Default for AutoregressionConfig {
    fn default() -> Self {
        Self { lags: vec![1, 2, 3], forgetting: 0.9998 }
    }
}

impl AutoregressionConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.lags.is_empty() || self.lags.iter().any(|lag| !(1..=LAG_MAX).contains(lag)) {
            return Err(ConfigError::new("lags", format!("must name at least one lag, each from 1 to {LAG_MAX}")));
        }
        if self.lags.len() > LAGS_MAX {
            return Err(ConfigError::new(
                "lags",
                format!("must name at most {LAGS_MAX} lags, not {}", self.lags.len()),
            ));
        }
        no_repeats("lags", &self.lags)?;
        if !(self.forgetting > 0.5 && self.forgetting <= 1.0) {
            let message = format!("must be above 0.5 and at most 1, not {}", self.forgetting);
            return Err(ConfigError::new("forgetting", message).help("0.9998 forgets over some 5,000 events"));
        }
        Ok(())
    }
}

/// Linear autoregression, learned online by recursive least squares.
///
/// Per key, target and horizon h, as of time t with the value of t included: the regressors f are the level (as the network
/// sees it), the differences from now to `lags` events ago in units of the running scale S, a constant and the calendar; the
/// regressand is z = (y_{t+h} − y_t)/S. When the label of step s = t − h arrives, with e = z − w·f limited to ±8
/// (Plackett 1950, with forgetting λ):
///
/// k = P f / (λ + f·P f),  w ← w + k e,  P ← (P − k (P f)ᵀ)/λ.
///
/// Nothing is learned before the longest lag exists: from rows whose deviations are still settling, a limited e would let P
/// shrink while w stays behind.
pub struct Autoregression {
    config: AutoregressionConfig,
    dims: Dims,
    residuals: Residuals,
    regressors: usize,
    lag_max: usize,
    /// Events of a key before the first that is learned from.
    pub(super) settle: u64,
    /// `[lag_max + 1, T]`: levels, event i at i mod (lag_max + 1).
    levels: Slab<f64>,
    /// `[h_max, T, regressors]`: what was seen at the last steps; the first of a row is NaN where it cannot be used.
    seen: Slab<f64>,
    /// `[h_max, K]`: running scales of those steps.
    scales: Slab<f64>,
    /// `[K, regressors]`.
    weights: Slab<f64>,
    /// `[K, regressors, regressors]`, symmetric.
    covariance: Slab<f64>,
    /// Whether `covariance` of a slot was set up.
    started: Slab<u8>,
}

impl Autoregression {
    /// No keys yet.
    pub fn new(config: AutoregressionConfig, dims: Dims) -> Self {
        let (targets, outputs, past) = (dims.targets, dims.outputs(), dims.horizon_max());
        let regressors = 2 + config.lags.len() + dims.calendar;
        let lag_max = config.lags.iter().copied().max().unwrap_or(0);
        Self {
            settle: lag_max as u64,
            residuals: Residuals::new(DEGREES_OF_FREEDOM, dims.clone()),
            regressors,
            lag_max,
            levels: Slab::new((lag_max + 1) * targets, f64::NAN),
            seen: Slab::new(past * targets * regressors, f64::NAN),
            scales: Slab::new(past * outputs, f64::NAN),
            weights: Slab::new(outputs * regressors, 0.0),
            covariance: Slab::new(outputs * regressors * regressors, 0.0),
            started: Slab::new(1, 0),
            config,
            dims,
        }
    }

    /// What is seen of one target at one event; all NaN while a lag or the scale is missing.
    fn look(&self, wave: &Wave, row: usize, target: usize, seen: &mut [f64]) {
        let (targets, event) = (self.dims.targets, wave.events[row]);
        let place = row * targets + target;
        let scale = wave.scale[row * self.dims.outputs() + target * self.dims.horizons.len()];
        seen.fill(f64::NAN);
        if event < self.settle || scale.is_nan() {
            return;
        }
        let levels = self.levels.row(wave.slots[row]);
        let (first, rest) = seen.split_at_mut(1);
        let (lagged, rest) = rest.split_at_mut(self.config.lags.len());
        for (value, lag) in lagged.iter_mut().zip(&self.config.lags) {
            let slot = ((event - *lag as u64) % (self.lag_max as u64 + 1)) as usize;
            let moved = (levels[slot * targets + target] - wave.level[place]) / scale;
            if moved.is_nan() {
                return;
            }
            *value = moved.clamp(-LAG_CLIP, LAG_CLIP);
        }
        rest[0] = 1.0;
        rest[1..].copy_from_slice(&wave.calendar[row * self.dims.calendar..][..self.dims.calendar]);
        first[0] = wave.level_feature[place];
    }
}

/// One step of recursive least squares; `scratch` has room for one row.
fn least_squares(
    forgetting: f64,
    seen: &[f64],
    label: f64,
    weights: &mut [f64],
    covariance: &mut [f64],
    scratch: &mut [f64],
) {
    let width = seen.len();
    for (pf, row) in scratch.iter_mut().zip(covariance.chunks_exact(width)) {
        *pf = dot(row, seen);
    }
    let gain = 1.0 / (forgetting + dot(seen, scratch));
    let error = (label - dot(weights, seen)).clamp(-ERROR_CLIP, ERROR_CLIP);
    for (weight, pf) in weights.iter_mut().zip(scratch.iter()) {
        *weight += gain * pf * error;
    }
    // P − k (P f)ᵀ = P − gain · (P f)(P f)ᵀ: each element depends on i·j symmetrically, so P stays symmetric exactly.
    for (i, row) in covariance.chunks_exact_mut(width).enumerate() {
        for (p, pf) in row.iter_mut().zip(scratch.iter()) {
            *p = (*p - gain * (scratch[i] * pf)) / forgetting;
        }
    }
    // A regressor that is not excited is held alone; the others keep forgetting.
    for i in 0..width {
        let variance = covariance[i * width + i];
        if variance > COVARIANCE_MAX {
            let shrink = (COVARIANCE_MAX / variance).sqrt();
            covariance[i * width..(i + 1) * width].iter_mut().for_each(|p| *p *= shrink);
            covariance[i..].iter_mut().step_by(width).for_each(|p| *p *= shrink);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

impl Predictor for Autoregression {
    fn reserve(&mut self, slots: usize) {
        self.levels.reserve(slots);
        self.seen.reserve(slots);
        self.scales.reserve(slots);
        self.weights.reserve(slots);
        self.covariance.reserve(slots);
        self.started.reserve(slots);
        self.residuals.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        let (outputs, past, width) = (self.dims.outputs(), self.dims.horizon_max() as u64, self.regressors);
        let mut scratch = vec![0.0; width];
        for (row, slot) in wave.slots.iter().enumerate() {
            let event = wave.events[row];
            if self.started.row(*slot)[0] == 0 {
                self.started.row_mut(*slot)[0] = 1;
                for matrix in self.covariance.row_mut(*slot).chunks_exact_mut(width * width) {
                    matrix.iter_mut().step_by(width + 1).for_each(|p| *p = COVARIANCE_START);
                }
            }
            self.residuals.observe(wave, row);
            let (seen, scales) = (self.seen.row(*slot), self.scales.row(*slot));
            let weights = self.weights.row_mut(*slot).chunks_exact_mut(width);
            let covariance = self.covariance.row_mut(*slot).chunks_exact_mut(width * width);
            for (k, (((target, horizon), weights), covariance)) in
                self.dims.pairs().zip(weights).zip(covariance).enumerate()
            {
                let difference = wave.difference[row * outputs + k];
                if difference.is_nan() || (horizon as u64) > event {
                    continue;
                }
                let step = ((event - horizon as u64) % past) as usize;
                let seen = &seen[(step * self.dims.targets + target) * width..][..width];
                let label = difference / scales[step * outputs + k];
                if seen[0].is_nan() || label.is_nan() {
                    continue;
                }
                least_squares(self.config.forgetting, seen, label, weights, covariance, &mut scratch);
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, outputs, width) = (self.dims.targets, self.dims.outputs(), self.regressors);
        let past = self.dims.horizon_max() as u64;
        let horizons = self.dims.horizons.len();
        let mut seen = vec![0.0; width];
        for ((row, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(outputs)) {
            let event = wave.events[row];
            let now = (event % (self.lag_max as u64 + 1)) as usize;
            let levels = &wave.level[row * targets..][..targets];
            self.levels.row_mut(*slot)[now * targets..][..targets].copy_from_slice(levels);
            let step = (event % past) as usize;
            for (target, level) in levels.iter().enumerate() {
                self.look(wave, row, target, &mut seen);
                self.seen.row_mut(*slot)[(step * targets + target) * width..][..width].copy_from_slice(&seen);
                let first = target * horizons;
                for (k, out) in (first..).zip(&mut out[first..first + horizons]) {
                    let scale = wave.scale[row * outputs + k];
                    let moved = dot(&self.weights.row(*slot)[k * width..][..width], &seen);
                    let moved = if moved.is_nan() { 0.0 } else { scale * moved.clamp(-ERROR_CLIP, ERROR_CLIP) };
                    let point = level + if moved.is_nan() { 0.0 } else { moved };
                    self.scales.row_mut(*slot)[step * outputs + k] = scale;
                    *out = self.residuals.issue(wave, row, k, point);
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.levels.clear(slot);
        self.seen.clear(slot);
        self.scales.clear(slot);
        self.weights.clear(slot);
        self.covariance.clear(slot);
        self.started.clear(slot);
        self.residuals.forget(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let keys = slots.len();
        for (name, slab) in self.numbers() {
            to.f64(name, &[keys, slab.width()], &slab.gather(slots, |value| value))?;
        }
        to.u8("started", &[keys], &self.started.gather(slots, |started| started))?;
        self.residuals.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        for (name, slab) in self.numbers_mut() {
            let values = from.f64(name, &[keys, slab.width()])?;
            slab.fill(&values, |value| value);
        }
        self.started.fill(&from.u8("started", &[keys])?, |started| started);
        self.residuals.restore(keys, from)
    }
}

impl Autoregression {
    fn numbers(&self) -> [(&'static str, &Slab<f64>); 5] {
        [
            ("levels", &self.levels),
            ("seen", &self.seen),
            ("scales", &self.scales),
            ("weights", &self.weights),
            ("covariance", &self.covariance),
        ]
    }

    fn numbers_mut(&mut self) -> [(&'static str, &mut Slab<f64>); 5] {
        [
            ("levels", &mut self.levels),
            ("seen", &mut self.seen),
            ("scales", &mut self.scales),
            ("weights", &mut self.weights),
            ("covariance", &mut self.covariance),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import numpy as np
    /// F = np.array([[1, .5], [1, -1], [1, 2.]]); z = np.array([1., 0, 3])
    /// lam = .9; W = np.diag(lam ** np.arange(3)[::-1]) # newest weighs 1
    /// prior = np.eye(2) / 100 * lam ** 3
    /// print(np.linalg.solve(F.T @ W @ F + prior, F.T @ W @ z))
    /// ```
    #[test]
    fn recursion_equals_the_weighted_least_squares_solution() {
        let (mut weights, mut covariance) = ([0.0; 2], [100.0, 0.0, 0.0, 100.0]);
        for (seen, label) in [([1.0, 0.5], 1.0), ([1.0, -1.0], 0.0), ([1.0, 2.0], 3.0)] {
            least_squares(0.9, &seen, label, &mut weights, &mut covariance, &mut [0.0; 2]);
        }
        assert!((weights[0] - 0.845_867_56).abs() < 1e-7 && (weights[1] - 1.004_340_55).abs() < 1e-7, "{weights:?}");
    }

    #[test]
    fn without_excitation_the_covariance_stays_bounded() {
        let (mut weights, mut covariance) = ([0.0; 2], [100.0, 0.0, 0.0, 100.0]);
        for _ in 0..100_000 {
            least_squares(0.99, &[1.0, 0.0], 0.0, &mut weights, &mut covariance, &mut [0.0; 2]);
        }
        assert!(covariance.iter().all(|p| p.is_finite()));
        assert!(covariance[3] <= COVARIANCE_MAX * (1.0 + 1e-9));
        // The excited regressor forgets as if it were alone: its variance settles at (1 − λ)/1² instead of falling to 0.
        assert!((covariance[0] - 0.01).abs() < 1e-3, "{covariance:?}");
    }
}
