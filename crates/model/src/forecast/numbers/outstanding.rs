//! Forecasts that wait for their event.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// Stands for no forecast where else the place of a family among all stands.
const NONE: u8 = u8::MAX;

/// Per key, output and model: the forecasts of the last h_max events.
///
/// Kept are a family and the parameters that tell which of it; what depends on its shape alone is made again when it is due.
pub(super) struct Outstanding {
    cells: usize,
    past: usize,
    /// Horizon of each output.
    horizons: Vec<usize>,
    models: usize,
    /// Numbers that are kept of a forecast.
    parameters: usize,
    /// `[h_max, K, models]`: event i at i mod h_max.
    families: Slab<u8>,
    /// `[h_max, K, models, parameters]`.
    numbers: Slab<f64>,
    /// `[K, models]`: the last one unpacked, whose shape the next one mostly shares.
    last: Vec<Option<Distribution>>,
}

/// The place of the family of a forecast among all.
fn family(forecast: &Distribution) -> u8 {
    let place = Distribution::FAMILIES.iter().position(|family| *family == forecast.family());
    place.map_or(NONE, |place| place as u8)
}

/// The forecast; `None` when it is none.
fn unpack(family: u8, numbers: &[f64], last: &mut Option<Distribution>) -> Option<Distribution> {
    let family = Distribution::FAMILIES.get(usize::from(family))?;
    if let (Some(Distribution::StudentT(t)), "student-t", [location, scale, df, ..]) = (&*last, *family, numbers)
        && t.shape().df() == *df
    {
        return Distribution::student_t(*location, *scale, t.shape());
    }
    *last = Distribution::from_parameters(family, numbers);
    *last
}

impl Outstanding {
    /// Has room for forecasts of every family with at most so many parameters.
    pub(super) fn new(dims: &Dims, models: usize, parameters: usize) -> Self {
        let (cells, past) = (dims.outputs() * models, dims.horizon_max());
        Self {
            cells,
            past,
            horizons: dims.pairs().map(|(_, horizon)| horizon).collect(),
            models,
            parameters,
            families: Slab::new(past * cells, NONE),
            numbers: Slab::new(past * cells * parameters, f64::NAN),
            last: vec![None; cells],
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.families.reserve(slots);
        self.numbers.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.families.clear(slot);
        self.numbers.clear(slot);
    }

    /// What each model forecast for the event of this index, for every output: `[K, models]` in `out`.
    pub(super) fn due(&mut self, slot: usize, event: u64, out: &mut Vec<Option<Distribution>>) {
        let (families, numbers) = (self.families.row(slot), self.numbers.row(slot));
        for (k, (horizon, last)) in self.horizons.iter().zip(self.last.chunks_exact_mut(self.models)).enumerate() {
            let Some(then) = event.checked_sub(*horizon as u64) else {
                out.extend(std::iter::repeat_n(None, self.models));
                continue;
            };
            let place = (then % self.past as u64) as usize * self.cells + k * self.models;
            let families = &families[place..][..self.models];
            let numbers = numbers[place * self.parameters..].chunks_exact(self.parameters);
            let issued = families.iter().zip(numbers).zip(last);
            out.extend(issued.map(|((family, numbers), last)| unpack(*family, numbers, last)));
        }
    }

    /// Keeps the forecasts issued at an event: `[K, models]`.
    pub(super) fn issue(&mut self, slot: usize, event: u64, forecasts: &[Option<Distribution>]) {
        let place = (event % self.past as u64) as usize * self.cells;
        let families = &mut self.families.row_mut(slot)[place..][..self.cells];
        let numbers = self.numbers.row_mut(slot)[place * self.parameters..].chunks_exact_mut(self.parameters);
        for ((kept, numbers), forecast) in families.iter_mut().zip(numbers).zip(forecasts) {
            match forecast {
                Some(forecast) => {
                    *kept = family(forecast);
                    numbers.copy_from_slice(&forecast.parameters()[..self.parameters]);
                }
                None => *kept = NONE,
            }
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let shape = [slots.len(), self.families.width()];
        to.u8("family", &shape, &self.families.gather(slots, |family| family))?;
        let shape = [slots.len(), self.numbers.width()];
        // What is left over from an older forecast is no part of the state.
        let mut numbers = self.numbers.gather(slots, |number| number);
        let families = self.families.gather(slots, |family| family);
        for (numbers, _) in numbers.chunks_exact_mut(self.parameters).zip(families).filter(|(_, f)| *f == NONE) {
            numbers.fill(f64::NAN);
        }
        Ok(to.f64("parameters", &shape, &numbers)?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let families = from.u8("family", &[keys, self.families.width()])?;
        let numbers = from.f64("parameters", &[keys, self.numbers.width()])?;
        let mut all = families.iter().zip(numbers.chunks_exact(self.parameters));
        if all.any(|(family, numbers)| *family != NONE && unpack(*family, numbers, &mut None).is_none()) {
            return Err(ModelError::Restore("an outstanding forecast is no distribution".into()));
        }
        self.families.fill(&families, |family| family);
        self.numbers.fill(&numbers, |number| number);
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
        let mut outstanding = Outstanding::new(&dims, 2, 3);
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
