//! Forecasts that wait for their event.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// A forecast in a third of the memory: what depends on its shape alone is made again when it is due.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Packed {
    /// 0 for none, else one more than its place among all families.
    family: u8,
    mean: f64,
    scale: f64,
    /// NaN for families without.
    shape: f64,
}

const NONE: Packed = Packed { family: 0, mean: f64::NAN, scale: f64::NAN, shape: f64::NAN };

impl Packed {
    fn new(forecast: &Distribution) -> Self {
        let place = Distribution::FAMILIES.iter().position(|family| *family == forecast.family());
        Self {
            family: place.map_or(0, |place| place as u8 + 1),
            mean: forecast.mean(),
            scale: forecast.scale(),
            shape: forecast.shape().unwrap_or(f64::NAN),
        }
    }

    /// The distribution; `None` when it is none.
    fn unpack(&self, last: &mut Option<Distribution>) -> Option<Distribution> {
        let family = Distribution::FAMILIES.get(usize::from(self.family).checked_sub(1)?)?;
        if let Some(Distribution::StudentT(t)) = last
            && *family == "student-t"
            && t.shape().df() == self.shape
        {
            return Distribution::student_t(self.mean, self.scale, t.shape());
        }
        let shape = (!self.shape.is_nan()).then_some(self.shape);
        *last = Distribution::from_parts(family, self.mean, self.scale, shape);
        *last
    }
}

/// Per key, output and model: the forecasts of the last h_max events.
pub(super) struct Outstanding {
    cells: usize,
    past: usize,
    /// Horizon of each output.
    horizons: Vec<usize>,
    models: usize,
    /// `[h_max, K, models]`: event i at i mod h_max.
    issued: Slab<Packed>,
    /// `[K, models]`: the last one unpacked, whose shape the next one mostly shares.
    last: Vec<Option<Distribution>>,
}

impl Outstanding {
    pub(super) fn new(dims: &Dims, models: usize) -> Self {
        let (cells, past) = (dims.outputs() * models, dims.horizon_max());
        let horizons = dims.pairs().map(|(_, horizon)| horizon).collect();
        Self { cells, past, horizons, models, issued: Slab::new(past * cells, NONE), last: vec![None; cells] }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.issued.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.issued.clear(slot);
    }

    /// What each model forecast for the event of this index, for every output: `[K, models]` in `out`.
    pub(super) fn due(&mut self, slot: usize, event: u64, out: &mut Vec<Option<Distribution>>) {
        let issued = self.issued.row(slot);
        for (k, (horizon, last)) in self.horizons.iter().zip(self.last.chunks_exact_mut(self.models)).enumerate() {
            match event.checked_sub(*horizon as u64) {
                Some(then) => {
                    let place = (then % self.past as u64) as usize * self.cells + k * self.models;
                    let issued = issued[place..place + self.models].iter();
                    out.extend(issued.zip(last).map(|(issued, last)| issued.unpack(last)));
                }
                None => out.extend(std::iter::repeat_n(None, self.models)),
            }
        }
    }

    /// Keeps the forecasts issued at an event: `[K, models]`.
    pub(super) fn issue(&mut self, slot: usize, event: u64, forecasts: &[Option<Distribution>]) {
        let place = (event % self.past as u64) as usize * self.cells;
        let row = &mut self.issued.row_mut(slot)[place..place + self.cells];
        for (packed, forecast) in row.iter_mut().zip(forecasts) {
            *packed = forecast.as_ref().map_or(NONE, Packed::new);
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.issued.width()];
        to.u8("family", &shape, &self.issued.gather(slots, |packed| packed.family))?;
        to.f64("mean", &shape, &self.issued.gather(slots, |packed| packed.mean))?;
        to.f64("scale", &shape, &self.issued.gather(slots, |packed| packed.scale))?;
        Ok(to.f64("shape", &shape, &self.issued.gather(slots, |packed| packed.shape))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.issued.width()];
        let families = from.u8("family", &shape)?;
        let means = from.f64("mean", &shape)?;
        let scales = from.f64("scale", &shape)?;
        let shapes = from.f64("shape", &shape)?;
        let parts = families.into_iter().zip(means).zip(scales).zip(shapes);
        let issued: Vec<Packed> =
            parts.map(|(((family, mean), scale), shape)| Packed { family, mean, scale, shape }).collect();
        if issued.iter().any(|packed| packed.family != 0 && packed.unpack(&mut None).is_none()) {
            return Err(ModelError::Restore("an outstanding forecast is no distribution".into()));
        }
        self.issued.fill(&issued, |packed| packed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_score::TShape;

    #[test]
    fn a_forecast_comes_due_as_many_events_later_as_its_horizon() {
        let dims = Dims { targets: 1, horizons: vec![1, 3], inputs: 2, ..Dims::default() };
        let mut outstanding = Outstanding::new(&dims, 2);
        outstanding.reserve(1);
        let forecast = |event: u64, horizon: u64, df: f64| {
            let mean = (10 * event + horizon) as f64;
            Distribution::student_t(mean, 1.0 + event as f64, TShape::new(df))
        };
        for event in 0..8 {
            let mut due = Vec::new();
            outstanding.due(0, event, &mut due);
            let expected =
                |horizon: u64, df: f64| event.checked_sub(horizon).and_then(|then| forecast(then, horizon, df));
            assert_eq!(due, [expected(1, 4.0), None, expected(3, 5.0 + event as f64 - 3.0), None], "event {event}");
            let said = [forecast(event, 1, 4.0), None, forecast(event, 3, 5.0 + event as f64), None];
            outstanding.issue(0, event, &said);
        }
    }
}
