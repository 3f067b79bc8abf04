//! What models that count have in common: what was there before, what is counted, and what waits to be.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::past::Past;
use super::tables::Tables;
use super::waiting::{Sight, Waiting};
use crate::error::ModelError;
use crate::wave::{Dims, MISSING, Wave};

/// The past of each key, counts for each output, and the sights that wait for the end of their update span.
pub(super) struct Counting {
    dims: Dims,
    past: Past,
    /// Per output.
    pub(super) tables: Vec<Tables>,
    waiting: Waiting,
}

impl Counting {
    /// Remembers so many events of each key.
    pub(super) fn new(dims: Dims, past: usize) -> Self {
        let tables = dims.classes_of_outputs().map(Tables::new).collect();
        Self { past: Past::new(dims.targets, past), tables, waiting: Waiting::default(), dims }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.past.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.past.forget(slot);
    }

    /// Lets the classes of a wave wait, each with what `context` finds in the past at the event that it was forecast from:
    /// given slot, event, target and horizon, the newest class first.
    pub(super) fn observe(&mut self, wave: &Wave, context: impl Fn(&Past, usize, u64, usize, usize) -> Vec<u32>) {
        let targets = self.dims.targets;
        for (index, slot) in wave.slots.iter().enumerate() {
            for (k, (target, horizon)) in self.dims.pairs().enumerate() {
                let class = wave.classes[index * targets + target];
                let Some(step) = wave.events[index].checked_sub(horizon as u64) else { continue };
                if class != MISSING {
                    let context = context(&self.past, *slot, step, target, horizon);
                    self.waiting.push(Sight { row: wave.rows[index], k, class, context });
                }
            }
        }
    }

    /// Whether the event of this index brings something to count.
    pub(super) fn falls_due(&self, event: u64) -> bool {
        self.dims.horizons.first().is_some_and(|horizon| event >= *horizon as u64)
    }

    pub(super) fn has_due(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes out what waits, in the order of the log.
    pub(super) fn take(&mut self) -> Vec<Sight> {
        self.waiting.take()
    }

    /// Remembers the classes of a wave, and lets `say` write the probabilities of each output of each event: given the tables and
    /// the place of the output, and what `context` finds at the event.
    pub(super) fn forecast(
        &mut self,
        wave: &Wave,
        out: &mut [f32],
        context: impl Fn(&Past, usize, u64, usize, usize) -> Vec<u32>,
        say: impl Fn(&Tables, usize, &[u32], &mut [f32]),
    ) {
        let codes = self.dims.codes.len();
        let width = self.dims.probabilities();
        for ((index, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(width)) {
            let event = wave.events[index];
            self.past.store(*slot, event, &wave.codes[index * codes..][..codes]);
            let outputs = self.dims.pairs().zip(&self.tables).zip(self.dims.probability_ranges());
            for (k, (((target, horizon), tables), range)) in outputs.enumerate() {
                let context = context(&self.past, *slot, event, target, horizon);
                say(tables, k, &context, &mut out[range]);
            }
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.past.snapshot(slots, to)?;
        for (k, tables) in self.tables.iter().enumerate() {
            to.scope(&format!("output.{k}"), |to| tables.snapshot(to))?;
        }
        to.scope("waiting", |to| self.waiting.snapshot(to))
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.past.restore(keys, &self.dims.classes, from)?;
        for (k, tables) in self.tables.iter_mut().enumerate() {
            tables.restore(&from.scope(&format!("output.{k}")))?;
        }
        let classes: Vec<usize> = self.dims.classes_of_outputs().collect();
        self.waiting.restore(&classes, &from.scope("waiting"))
    }
}
