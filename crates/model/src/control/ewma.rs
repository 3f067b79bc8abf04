//! Exponentially weighted variance around the last value: RiskMetrics with Student's t.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, EwMeanSquare};

use super::change::Changes;
use super::tail::{DEGREES_OF_FREEDOM, Tails};
use crate::error::ModelError;
use crate::feature::squares;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

/// Degrees of freedom until labels have proved others better.
const DF_FIRST: f64 = 4.0;

/// Settings of the control with an exponentially weighted variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EwmaConfig {
    /// Weight of the past from one change to the next.
    pub decay: f64,
}

impl Default for EwmaConfig {
    fn default() -> Self {
        Self { decay: 0.94 }
    }
}

impl EwmaConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(self.decay > 0.0 && self.decay < 1.0) {
            let message = format!("must lie between 0 and 1, not {}", self.decay);
            return Err(
                ConfigError::new("decay", message).help("0.94 remembers some 17 changes; it suits daily returns")
            );
        }
        Ok(())
    }
}

/// For returns: the mean change is zero, the variance of changes fades exponentially.
///
/// Per key and target, with r_t the change from one event to the next (of the level, so a log return where the level is a log
/// price), decay λ:
///
/// v_{t+1} = λ v_t + (1 − λ) r_t²,
///
/// the plain mean of squares over the first 1/(1 − λ) changes (J. P. Morgan/Reuters 1996, *RiskMetrics Technical Document*,
/// section 5.2). y_{t+h} is Student's t around the level, with variance h·v_{t+1} and, per horizon, the degrees of freedom that
/// have been most likely so far. A missing value leaves v as it is.
pub struct Ewma {
    dims: Dims,
    alpha: f64,
    changes: Changes,
    tails: Tails,
    /// `[T]`.
    variances: Slab<EwMeanSquare>,
}

impl Ewma {
    /// No keys yet.
    pub fn new(config: EwmaConfig, dims: Dims) -> Self {
        Self {
            alpha: 1.0 - config.decay,
            changes: Changes::new(&dims),
            tails: Tails::new(&dims, (DF_FIRST, 1.0), &DEGREES_OF_FREEDOM, &[1.0]),
            variances: Slab::new(dims.targets, EwMeanSquare::default()),
            dims,
        }
    }
}

impl Predictor for Ewma {
    fn reserve(&mut self, slots: usize) {
        self.changes.reserve(slots);
        self.tails.reserve(slots);
        self.variances.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        for (row, slot) in wave.slots.iter().enumerate() {
            for (target, variance) in self.variances.row_mut(*slot).iter_mut().enumerate() {
                if let Some(change) = self.changes.next(wave, row, target) {
                    variance.update(self.alpha, change);
                }
            }
            let differences = &wave.difference[row * self.dims.outputs()..];
            for (k, ((_, horizon), difference)) in self.dims.pairs().zip(differences).enumerate() {
                self.tails.observe(*slot, wave.events[row], k, horizon, *difference);
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, outputs) = (self.dims.targets, self.dims.outputs());
        for ((row, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(outputs)) {
            let variances = self.variances.row(*slot);
            for (k, ((target, horizon), out)) in self.dims.pairs().zip(out).enumerate() {
                let (variance, place) = (&variances[target], row * targets + target);
                let known = if variance.n() == 0 { f64::NAN } else { variance.rms() * (horizon as f64).sqrt() };
                let deviation = if known < wave.scale_min[place] { wave.scale_min[place] } else { known };
                *out = self.tails.issue(*slot, wave.events[row], k, wave.level[place], deviation);
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.changes.forget(slot);
        self.tails.forget(slot);
        self.variances.clear(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.dims.targets];
        to.i64("variance.n", &shape, &self.variances.gather(slots, |variance| variance.n() as i64))?;
        to.f64("variance.square", &shape, &self.variances.gather(slots, |variance| variance.value()))?;
        self.changes.snapshot(slots, to)?;
        self.tails.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.dims.targets];
        let variances = squares(&from.i64("variance.n", &shape)?, &from.f64("variance.square", &shape)?)?;
        self.variances.fill(&variances, |variance| variance);
        self.changes.restore(keys, from)?;
        self.tails.restore(keys, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{dims, drive, noise};
    use crate::random::Random;

    #[test]
    fn the_variance_fades_and_grows_with_the_horizon() {
        let values = [1.0, 3.0, f64::NAN, 2.0, 2.0, 5.0];
        let mut ewma = Ewma::new(EwmaConfig { decay: 0.5 }, dims(&[1, 4]));
        let said = drive(&mut ewma, &[1, 4], &values);
        // Squared changes 4, then 1 over the missing value, then 0 and 9, each weighing half.
        let variances = [4.0, 4.0, 2.5, 1.25, 5.125];
        for (said, variance) in said[1..].iter().zip(variances) {
            for (forecast, horizon) in said.iter().zip([1.0, 4.0]) {
                let deviation = forecast.unwrap().std_dev().unwrap();
                assert!((deviation * deviation - horizon * variance).abs() < 1e-9, "{deviation} at {horizon}");
            }
        }
        assert_eq!((said[0][0], said[4][0].unwrap().mean()), (None, 2.0));
    }

    #[test]
    fn degrees_of_freedom_follow_the_tails_of_what_was_seen() {
        let last = |heavy: bool| {
            let mut random = Random::new(5);
            let mut level = 0.0;
            let mut step = |event: usize| {
                let size = if heavy && event.is_multiple_of(50) { 12.0 } else { 1.0 };
                level += size * noise(&mut random);
                level
            };
            let values: Vec<f64> = (0..4000).map(&mut step).collect();
            let mut ewma = Ewma::new(EwmaConfig { decay: 0.98 }, dims(&[1]));
            drive(&mut ewma, &[1], &values).last().unwrap()[0].unwrap().shape().unwrap()
        };
        assert_eq!((last(false), last(true) <= 3.5), (30.0, true));
    }
}
