//! Forecasts that wait for their event.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, TShape};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

const NONE: u8 = 0;
const STUDENT_T: u8 = 1;
const GAUSSIAN: u8 = 2;

/// Per key, output and model: the forecasts of the last h_max events.
pub(super) struct Outstanding {
    cells: usize,
    past: usize,
    /// Horizon of each output.
    horizons: Vec<usize>,
    models: usize,
    /// `[h_max, K, models]`: event i at i mod h_max.
    issued: Slab<Option<Distribution>>,
}

impl Outstanding {
    pub(super) fn new(dims: &Dims, models: usize) -> Self {
        let (cells, past) = (dims.outputs() * models, dims.horizon_max());
        let horizons = dims.pairs().map(|(_, horizon)| horizon).collect();
        Self { cells, past, horizons, models, issued: Slab::new(past * cells, None) }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.issued.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.issued.clear(slot);
    }

    /// What each model forecast for the event of this index, for every output: `[K, models]` in `out`.
    pub(super) fn due(&self, slot: usize, event: u64, out: &mut Vec<Option<Distribution>>) {
        let issued = self.issued.row(slot);
        for (k, horizon) in self.horizons.iter().enumerate() {
            match event.checked_sub(*horizon as u64) {
                Some(then) => {
                    let place = (then % self.past as u64) as usize * self.cells + k * self.models;
                    out.extend_from_slice(&issued[place..place + self.models]);
                }
                None => out.extend(std::iter::repeat_n(None, self.models)),
            }
        }
    }

    /// Keeps the forecasts issued at an event: `[K, models]`.
    pub(super) fn issue(&mut self, slot: usize, event: u64, forecasts: &[Option<Distribution>]) {
        let place = (event % self.past as u64) as usize * self.cells;
        self.issued.row_mut(slot)[place..place + self.cells].copy_from_slice(forecasts);
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.issued.width()];
        let part = |of: fn(&Distribution) -> f64| self.issued.gather(slots, |d| d.as_ref().map_or(f64::NAN, of));
        let family = |distribution: Option<Distribution>| match distribution {
            None => NONE,
            Some(Distribution::Gaussian(_)) => GAUSSIAN,
            Some(_) => STUDENT_T,
        };
        to.u8("family", &shape, &self.issued.gather(slots, family))?;
        to.f64("location", &shape, &part(Distribution::mean))?;
        to.f64("scale", &shape, &part(Distribution::scale))?;
        Ok(to.f64("shape", &shape, &part(|d| d.shape().unwrap_or(f64::NAN)))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.issued.width()];
        let families = from.u8("family", &shape)?;
        let locations = from.f64("location", &shape)?;
        let scales = from.f64("scale", &shape)?;
        let shapes = from.f64("shape", &shape)?;
        let damaged = || ModelError::Restore("an outstanding forecast is no distribution".into());
        let mut issued = Vec::with_capacity(families.len());
        for (index, family) in families.into_iter().enumerate() {
            let (location, scale) = (locations[index], scales[index]);
            issued.push(match family {
                NONE => None,
                STUDENT_T => {
                    let shape = TShape::new(shapes[index]);
                    Some(Distribution::student_t(location, scale, shape).ok_or_else(damaged)?)
                }
                GAUSSIAN => Some(Distribution::gaussian(location, scale).ok_or_else(damaged)?),
                _ => return Err(damaged()),
            });
        }
        self.issued.fill(&issued, |forecast| forecast);
        Ok(())
    }
}
