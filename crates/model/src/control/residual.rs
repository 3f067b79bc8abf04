//! A control's own past errors, and the scale they give its forecasts.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, EwMeanSquare, StudentT, TShape};

use crate::error::ModelError;
use crate::feature::squares;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const ALPHA: f64 = 0.01;
/// Past errors of a slow average are a little smaller than the next one, on streams whose calm and wild times alternate.
pub(super) const WIDEN: f64 = 1.15;

/// Student's t around a control's point forecast: its standard deviation is 1.15 times the running rms of the control's
/// own errors (α = 0.01).
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    shape: TShape,
    per_rms: f64,
}

impl Residual {
    /// With `df` degrees of freedom, which must exceed 2.
    pub(super) fn new(df: f64) -> Self {
        Self { shape: TShape::new(df), per_rms: WIDEN * ((df - 2.0) / df).sqrt() }
    }

    /// Takes in an error; NaN counts as none.
    pub(super) fn observe(errors: &mut EwMeanSquare, error: f64) {
        errors.update(ALPHA, error);
    }

    /// The forecast around `location`, never narrower than the scale `scale_min` stands for; `None` before the first error.
    pub(super) fn around(&self, location: f64, errors: &EwMeanSquare, scale_min: f64) -> Option<Distribution> {
        if errors.n() == 0 {
            return None;
        }
        StudentT::new(location, self.per_rms * errors.rms().max(scale_min), self.shape).map(Distribution::StudentT)
    }
}

/// Points that a control forecast, until their events come, and the running rms of how far off they were.
pub(super) struct Residuals {
    residual: Residual,
    dims: Dims,
    /// `[h_max, K]`: points forecast at the last events, event i at i mod h_max.
    points: Slab<f64>,
    /// `[K]`.
    errors: Slab<EwMeanSquare>,
}

impl Residuals {
    /// No keys yet. Forecasts have `df` degrees of freedom, which must exceed 2.
    pub(super) fn new(df: f64, dims: Dims) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        Self {
            residual: Residual::new(df),
            points: Slab::new(past * outputs, f64::NAN),
            errors: Slab::new(outputs, EwMeanSquare::default()),
            dims,
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.points.reserve(slots);
        self.errors.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.points.clear(slot);
        self.errors.clear(slot);
    }

    /// Takes in how far off the points were that were forecast for this event.
    pub(super) fn observe(&mut self, wave: &Wave, row: usize) {
        let (outputs, past) = (self.dims.outputs(), self.dims.horizon_max() as u64);
        let (slot, event) = (wave.slots[row], wave.events[row]);
        let points = self.points.row(slot);
        let errors = self.errors.row_mut(slot);
        for (k, (target, horizon)) in self.dims.pairs().enumerate() {
            let difference = wave.difference[row * outputs + k];
            if difference.is_nan() || (horizon as u64) > event {
                continue;
            }
            let step = ((event - horizon as u64) % past) as usize;
            let then = wave.level[row * self.dims.targets + target] - difference;
            Residual::observe(&mut errors[k], difference - (points[step * outputs + k] - then));
        }
    }

    /// The forecast around a point; `None` before the first error is known.
    pub(super) fn issue(&mut self, wave: &Wave, row: usize, k: usize, point: f64) -> Option<Distribution> {
        let slot = wave.slots[row];
        let step = (wave.events[row] % self.dims.horizon_max() as u64) as usize;
        self.points.row_mut(slot)[step * self.dims.outputs() + k] = point;
        let scale_min = wave.scale_min[row * self.dims.targets + k / self.dims.horizons.len()];
        self.residual.around(point, &self.errors.row(slot)[k], scale_min)
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.f64("points", &[slots.len(), self.points.width()], &self.points.gather(slots, |point| point))?;
        let shape = [slots.len(), self.errors.width()];
        to.i64("error.n", &shape, &self.errors.gather(slots, |errors| errors.n() as i64))?;
        Ok(to.f64("error.square", &shape, &self.errors.gather(slots, |errors| errors.value()))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.points.fill(&from.f64("points", &[keys, self.points.width()])?, |point| point);
        let shape = [keys, self.errors.width()];
        let errors = squares(&from.i64("error.n", &shape)?, &from.f64("error.square", &shape)?)?;
        self.errors.fill(&errors, |errors| errors);
        Ok(())
    }
}
