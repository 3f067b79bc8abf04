//! The same as before.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::past::Past;
use super::tables::Tables;
use super::waiting::{Sight, Waiting, known};
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::wave::{Dims, MISSING, Wave};

/// Forecasts that a class comes again: the last one, or the one a period ago.
///
/// It comes again with probability (a + 1)/(n + 2), where a counts how often it did among n times (Laplace's rule of succession);
/// the rest is shared out among the other classes as they were counted. A key that has not seen a whole period yet repeats its
/// last class.
pub struct Repeat {
    dims: Dims,
    /// Events from one season to the next; 0 for the last class.
    period: u64,
    past: Past,
    /// Per output: how often the class came again, and among how many times.
    again: Vec<[u64; 2]>,
    /// Per output: which classes came, whatever was before.
    tables: Vec<Tables>,
    waiting: Waiting,
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
        let tables: Vec<Tables> = dims.pairs().map(|(target, _)| Tables::new(dims.classes[target])).collect();
        let past = Past::new(dims.targets, period as usize + dims.horizon_max() + 1);
        Self { again: vec![[0; 2]; tables.len()], period, past, tables, waiting: Waiting::default(), dims }
    }

    /// The class that is to come again `horizon` events after an event of a key.
    fn candidate(&self, slot: usize, event: u64, target: usize, horizon: usize) -> u32 {
        // The newest event that lies whole periods before the one that is forecast.
        let back = match self.period {
            0 => 0,
            period => (horizon as u64).next_multiple_of(period) - horizon as u64,
        };
        let before = event.checked_sub(back).or(Some(event));
        self.past.at(slot, before, target)
    }
}

impl Predictor<f32> for Repeat {
    fn reserve(&mut self, slots: usize) {
        self.past.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        let targets = self.dims.targets;
        for (index, slot) in wave.slots.iter().enumerate() {
            for (k, (target, horizon)) in self.dims.pairs().enumerate() {
                let class = wave.classes[index * targets + target];
                let Some(step) = wave.events[index].checked_sub(horizon as u64) else { continue };
                if class != MISSING {
                    let context = known(std::iter::once(self.candidate(*slot, step, target, horizon)));
                    self.waiting.push(Sight { row: wave.rows[index], k, class, context });
                }
            }
        }
        Ok(())
    }

    fn falls_due(&self, event: u64) -> bool {
        self.dims.horizons.first().is_some_and(|horizon| event >= *horizon as u64)
    }

    fn has_due(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        for sight in self.waiting.take() {
            self.tables[sight.k].add(&[], sight.class);
            if let [candidate] = sight.context[..] {
                let [again, times] = &mut self.again[sight.k];
                *again += u64::from(candidate == sight.class);
                *times += 1;
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [f32]) -> Result<(), ModelError> {
        let codes = self.dims.codes.len();
        let width = self.dims.probabilities();
        for ((index, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(width)) {
            let event = wave.events[index];
            self.past.store(*slot, event, &wave.codes[index * codes..][..codes]);
            let mut rest = out;
            for (k, (target, horizon)) in self.dims.pairs().enumerate() {
                let (here, after) = rest.split_at_mut(self.dims.classes[target]);
                rest = after;
                self.tables[k].probabilities(&[], here);
                let candidate = self.candidate(*slot, event, target, horizon);
                if candidate == MISSING {
                    continue;
                }
                let [again, times] = self.again[k];
                let again = (again as f64 + 1.0) / (times as f64 + 2.0);
                let others = 1.0 - f64::from(here[candidate as usize]);
                let share = if others > 0.0 { (1.0 - again) / others } else { 0.0 };
                here.iter_mut().for_each(|p| *p = (f64::from(*p) * share) as f32);
                here[candidate as usize] = again as f32;
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.past.forget(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.past.snapshot(slots, to)?;
        let again: Vec<i64> = self.again.as_flattened().iter().map(|count| *count as i64).collect();
        to.i64("again", &[self.again.len(), 2], &again)?;
        for (k, tables) in self.tables.iter().enumerate() {
            to.scope(&format!("output.{k}"), |to| tables.snapshot(to))?;
        }
        to.scope("waiting", |to| self.waiting.snapshot(to))
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.past.restore(keys, &self.dims.classes, from)?;
        let again = from.i64("again", &[self.again.len(), 2])?;
        for (mine, read) in self.again.iter_mut().zip(again.as_chunks::<2>().0) {
            let counts = read.map(u64::try_from);
            let [Ok(again), Ok(times)] = counts else {
                return Err(ModelError::Restore("how often a class came again is no count".into()));
            };
            *mine = [again, times];
        }
        for (k, tables) in self.tables.iter_mut().enumerate() {
            tables.restore(&from.scope(&format!("output.{k}")))?;
        }
        let classes: Vec<usize> = self.dims.pairs().map(|(target, _)| self.dims.classes[target]).collect();
        self.waiting.restore(&classes, &from.scope("waiting"))
    }
}
