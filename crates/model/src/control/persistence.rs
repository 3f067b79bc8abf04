//! Tomorrow is like today: the control that nothing may lose to.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, EwMeanSquare};

use super::residual::Residual;
use crate::error::ModelError;
use crate::feature::squares;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const DEGREES_OF_FREEDOM: f64 = 3.0;

/// Forecasts the last observed value, with a Student's t (ν = 3) as wide as its own errors have been.
pub struct Persistence {
    dims: Dims,
    residual: Residual,
    /// `[K]`.
    errors: Slab<EwMeanSquare>,
}

impl Persistence {
    /// No keys yet.
    pub fn new(dims: Dims) -> Self {
        let errors = Slab::new(dims.outputs(), EwMeanSquare::default());
        Self { dims, residual: Residual::new(DEGREES_OF_FREEDOM), errors }
    }
}

impl Predictor for Persistence {
    fn reserve(&mut self, slots: usize) {
        self.errors.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        let outputs = self.dims.outputs();
        for (slot, differences) in wave.slots.iter().zip(wave.difference.chunks_exact(outputs)) {
            for (errors, error) in self.errors.row_mut(*slot).iter_mut().zip(differences) {
                Residual::observe(errors, *error);
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, outputs) = (self.dims.targets, self.dims.outputs());
        for ((row, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(outputs)) {
            let errors = self.errors.row(*slot);
            for (((target, _), errors), out) in self.dims.pairs().zip(errors).zip(out) {
                let place = row * targets + target;
                *out = self.residual.around(wave.level[place], errors, wave.scale_min[place]);
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.errors.clear(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.errors.width()];
        to.i64("error.n", &shape, &self.errors.gather(slots, |errors| errors.n() as i64))?;
        Ok(to.f64("error.square", &shape, &self.errors.gather(slots, |errors| errors.value()))?)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.errors.width()];
        let errors = squares(&from.i64("error.n", &shape)?, &from.f64("error.square", &shape)?)?;
        self.errors.fill(&errors, |errors| errors);
        Ok(())
    }
}
