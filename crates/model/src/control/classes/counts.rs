//! What mostly follows the last classes.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::past::Past;
use super::tables::Tables;
use super::waiting::{Sight, Waiting, known};
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::wave::{Dims, MISSING, Wave};

/// P(class | the last `order` classes), by counts with back-off to shorter contexts: a Markov chain of that order.
///
/// The probability of class c after context s is interpolated absolute discounting (Ney, Essen & Kneser 1994; Chen & Goodman 1999):
/// max(n(s, c) − d, 0)/n(s) + d·t(s)/n(s) · P(c | s without its oldest class), where n counts, t is the number of different classes
/// that followed s, and d = 0.75; below the empty context all classes are equally likely. A forecast h events ahead is counted
/// directly: what was there h events after such a context. Counts are of at most 262,144 contexts; when there are as many, no new
/// ones are begun.
pub struct Counts {
    dims: Dims,
    order: usize,
    past: Past,
    /// Per output.
    tables: Vec<Tables>,
    waiting: Waiting,
}

impl Counts {
    /// No keys yet; conditions on so many classes.
    pub fn new(order: usize, dims: Dims) -> Self {
        let tables = dims.pairs().map(|(target, _)| Tables::new(dims.classes[target])).collect();
        let past = Past::new(dims.targets, order + dims.horizon_max());
        Self { dims, order, past, tables, waiting: Waiting::default() }
    }

    /// The classes of a target at an event of a key and before it, newest first.
    fn context(&self, slot: usize, event: u64, target: usize) -> Vec<u32> {
        known((0..self.order as u64).map(|ago| self.past.at(slot, event.checked_sub(ago), target)))
    }
}

impl Predictor<f32> for Counts {
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
                    let context = self.context(*slot, step, target);
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
            self.tables[sight.k].add(&sight.context, sight.class);
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
            for ((target, _), tables) in self.dims.pairs().zip(&self.tables) {
                let (here, after) = rest.split_at_mut(self.dims.classes[target]);
                rest = after;
                tables.probabilities(&self.context(*slot, event, target), here);
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.past.forget(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.past.snapshot(slots, to)?;
        for (k, tables) in self.tables.iter().enumerate() {
            to.scope(&format!("output.{k}"), |to| tables.snapshot(to))?;
        }
        to.scope("waiting", |to| self.waiting.snapshot(to))
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.past.restore(keys, &self.dims.classes, from)?;
        for (k, tables) in self.tables.iter_mut().enumerate() {
            tables.restore(&from.scope(&format!("output.{k}")))?;
        }
        let classes: Vec<usize> = self.dims.pairs().map(|(target, _)| self.dims.classes[target]).collect();
        self.waiting.restore(&classes, &from.scope("waiting"))
    }
}
