//! The same as before.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::counting::Counting;
use super::past::Past;
use super::tables::Tables;
use super::waiting::known;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::wave::{Dims, Wave};

/// Forecasts that a class comes again: the last one, or the one a period ago.
///
/// It comes again with probability (a + 1)/(n + 2), where a counts how often it did among n times (Laplace's rule of succession);
/// the rest is shared out among the other classes as they were counted. A key that has not seen a whole period yet repeats its
/// last class.
pub struct Repeat {
    /// Events from one season to the next; 0 for the last class.
    period: u64,
    /// Per output: how often the class came again, and among how many times.
    again: Vec<[u64; 2]>,
    /// Which classes came, whatever was before.
    counting: Counting,
}

impl Repeat {
    /// Repeats the last class.
    pub fn last(dims: Dims) -> Self {
        Self::new(0, dims)
    }

    /// Repeats the class `period` events ago.
    pub fn seasonal(period: usize, dims: Dims) -> Self {
        Self::new(period as u64, dims)
    }

    fn new(period: u64, dims: Dims) -> Self {
        let (outputs, past) = (dims.outputs(), period as usize + dims.horizon_max() + 1);
        Self { period, again: vec![[0; 2]; outputs], counting: Counting::new(dims, past) }
    }
}

/// The class that is to come again `horizon` events after an event of a key: that of the newest event that lies whole periods
/// before the one that is forecast.
fn candidate(period: u64) -> impl Fn(&Past, usize, u64, usize, usize) -> Vec<u32> {
    move |past, slot, event, target, horizon| {
        let back = match period {
            0 => 0,
            period => (horizon as u64).next_multiple_of(period) - horizon as u64,
        };
        let before = event.checked_sub(back).or(Some(event));
        known(std::iter::once(past.at(slot, before, target)))
    }
}

impl Predictor<f32> for Repeat {
    fn reserve(&mut self, slots: usize) {
        self.counting.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        self.counting.observe(wave, candidate(self.period));
        Ok(())
    }

    fn falls_due(&self, event: u64) -> bool {
        self.counting.falls_due(event)
    }

    fn has_due(&self) -> bool {
        self.counting.has_due()
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        for sight in self.counting.take() {
            self.counting.tables[sight.k].add(&[], sight.class);
            if let [candidate] = sight.context[..] {
                let [again, times] = &mut self.again[sight.k];
                *again += u64::from(candidate == sight.class);
                *times += 1;
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [f32]) -> Result<(), ModelError> {
        let all_again = &self.again;
        let say = |tables: &Tables, k: usize, context: &[u32], out: &mut [f32]| {
            tables.probabilities(&[], out);
            let [candidate] = *context else { return };
            let [again, times] = all_again[k];
            let again = (again as f64 + 1.0) / (times as f64 + 2.0);
            let others = 1.0 - f64::from(out[candidate as usize]);
            let share = if others > 0.0 { (1.0 - again) / others } else { 0.0 };
            out.iter_mut().for_each(|p| *p = (f64::from(*p) * share) as f32);
            out[candidate as usize] = again as f32;
        };
        self.counting.forecast(wave, out, candidate(self.period), say);
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.counting.forget(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let again: Vec<i64> = self.again.as_flattened().iter().map(|count| *count as i64).collect();
        to.i64("again", &[self.again.len(), 2], &again)?;
        self.counting.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let again = from.i64("again", &[self.again.len(), 2])?;
        for (mine, read) in self.again.iter_mut().zip(again.as_chunks::<2>().0) {
            let [Ok(again), Ok(times)] = read.map(u64::try_from) else {
                return Err(ModelError::Restore("how often a class came again is no count".into()));
            };
            *mine = [again, times];
        }
        self.counting.restore(keys, from)
    }
}
