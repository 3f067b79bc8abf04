//! Tomorrow is like today: the control that nothing may lose to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, EwMeanSquare};

use super::residual::{Residual, WIDEN};
use super::tail::{self, Tails};
use crate::error::ModelError;
use crate::feature::squares;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const DEGREES_OF_FREEDOM: f64 = 3.0;
/// Standard deviations per running rms, to choose from.
const FACTORS: [f64; 7] = [0.6, 0.75, 0.9, 1.0, WIDEN, 1.35, 1.6];

/// Settings of the control that forecasts the last value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersistenceConfig {
    /// Whether width and degrees of freedom are refitted to each key, target and horizon, by likelihood as labels arrive. By
    /// default the deviation is 1.15 times the running rms of its errors, with 3 degrees of freedom.
    pub adapt: bool,
}

/// Forecasts the last observed value, with a Student's t as wide as its own errors have been.
///
/// The standard deviation is c times the running rms of its errors over the horizon (α = 0.01), with ν degrees of freedom:
/// c = 1.15 and ν = 3, or, where `adapt` is set, the pair that has been most likely so far, of c from 0.6 to 1.6 and ν from
/// 2.5 to 30.
pub struct Persistence {
    dims: Dims,
    residual: Residual,
    tails: Option<Tails>,
    /// `[K]`.
    errors: Slab<EwMeanSquare>,
}

impl Persistence {
    /// No keys yet.
    pub fn new(config: PersistenceConfig, dims: Dims) -> Self {
        let tails = || Tails::new(&dims, (DEGREES_OF_FREEDOM, WIDEN), &tail::DEGREES_OF_FREEDOM, &FACTORS);
        Self {
            residual: Residual::new(DEGREES_OF_FREEDOM),
            tails: config.adapt.then(tails),
            errors: Slab::new(dims.outputs(), EwMeanSquare::default()),
            dims,
        }
    }
}

impl Predictor for Persistence {
    fn reserve(&mut self, slots: usize) {
        self.errors.reserve(slots);
        if let Some(tails) = &mut self.tails {
            tails.reserve(slots);
        }
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        let outputs = self.dims.outputs();
        for ((row, slot), differences) in wave.slots.iter().enumerate().zip(wave.difference.chunks_exact(outputs)) {
            for (errors, error) in self.errors.row_mut(*slot).iter_mut().zip(differences) {
                Residual::observe(errors, *error);
            }
            if let Some(tails) = &mut self.tails {
                for (k, ((_, horizon), error)) in self.dims.pairs().zip(differences).enumerate() {
                    tails.observe(*slot, wave.events[row], k, horizon, *error);
                }
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, outputs) = (self.dims.targets, self.dims.outputs());
        for ((row, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(outputs)) {
            let errors = self.errors.row(*slot);
            for (k, (((target, _), errors), out)) in self.dims.pairs().zip(errors).zip(out).enumerate() {
                let place = row * targets + target;
                let (level, scale_min) = (wave.level[place], wave.scale_min[place]);
                *out = match &mut self.tails {
                    Some(tails) => {
                        let rms = if errors.n() == 0 { f64::NAN } else { errors.rms().max(scale_min) };
                        tails.issue(*slot, wave.events[row], k, level, rms)
                    }
                    None => self.residual.around(level, errors, scale_min),
                };
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.errors.clear(slot);
        if let Some(tails) = &mut self.tails {
            tails.forget(slot);
        }
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.errors.width()];
        to.i64("error.n", &shape, &self.errors.gather(slots, |errors| errors.n() as i64))?;
        to.f64("error.square", &shape, &self.errors.gather(slots, |errors| errors.value()))?;
        self.tails.as_ref().map_or(Ok(()), |tails| tails.snapshot(slots, to))
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.errors.width()];
        let errors = squares(&from.i64("error.n", &shape)?, &from.f64("error.square", &shape)?)?;
        self.errors.fill(&errors, |errors| errors);
        self.tails.as_mut().map_or(Ok(()), |tails| tails.restore(keys, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{dims, drive, loss, noise};
    use crate::random::Random;

    #[test]
    fn a_refitted_width_is_more_likely_than_the_fixed_one_where_that_does_not_fit() {
        let mut random = Random::new(2);
        let mut level = 0.0;
        let mut step = || {
            level += noise(&mut random);
            level
        };
        let values: Vec<f64> = std::iter::repeat_with(&mut step).take(4000).collect();
        let run = |adapt| {
            let mut control = Persistence::new(PersistenceConfig { adapt }, dims(&[1]));
            drive(&mut control, &[1], &values)
        };
        let (fixed, adapted) = (run(false), run(true));
        // The noise is Gaussian, of NLL 1.419.
        assert!(loss(&fixed, &values, 2000) > 1.47 && loss(&adapted, &values, 2000) < 1.435);
        assert_eq!(fixed[2], adapted[2], "they begin alike");
        let last = adapted.last().unwrap()[0].unwrap();
        assert_eq!((last.mean(), last.shape()), (level, Some(30.0)));
    }
}
