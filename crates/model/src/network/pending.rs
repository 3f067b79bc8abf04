//! Windows that fell due and wait for the end of their update span.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::memory::Memory;
use crate::cell::CellShape;
use crate::error::ModelError;

/// One waiting window; its numbers lie in the arrays of [`Pending`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The row of the shard's log at which it fell due: unique, and the order of learning.
    pub(super) row: i64,
    /// The key it belongs to, and the generation of the slot.
    pub(super) owner: Option<(usize, u64)>,
    /// How many steps it has.
    pub(super) steps: usize,
    inputs_at: usize,
    states_at: usize,
    labels_at: usize,
}

/// Copies of due windows, so that they outlive the memory they were taken from.
pub(super) struct Pending {
    shape: CellShape,
    outputs: usize,
    windows: Vec<Window>,
    inputs: Vec<f32>,
    states: Vec<f32>,
    labels: Vec<f32>,
}

impl Pending {
    pub(super) fn new(shape: CellShape, outputs: usize) -> Self {
        let empty = Vec::new;
        Self { shape, outputs, windows: Vec::new(), inputs: empty(), states: empty(), labels: empty() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Takes a copy of the window that fell due for `slot` at `row`.
    pub(super) fn push(&mut self, row: i64, slot: usize, complete: u64, memory: &Memory) {
        let (inputs_at, states_at, labels_at) = (self.inputs.len(), self.states.len(), self.labels.len());
        let steps = memory.copy_window(slot, complete, &mut self.inputs, &mut self.states, &mut self.labels);
        let owner = Some((slot, memory.generation(slot)));
        self.windows.push(Window { row, owner, steps, inputs_at, states_at, labels_at });
    }

    /// The windows in the order of the log, whatever order keys were worked on in.
    pub(super) fn in_log_order(&self) -> Vec<Window> {
        let mut windows = self.windows.clone();
        windows.sort_unstable_by_key(|window| window.row);
        windows
    }

    /// `[steps, inputs]`.
    pub(super) fn inputs(&self, window: &Window) -> &[f32] {
        &self.inputs[window.inputs_at..][..window.steps * self.shape.inputs]
    }

    /// `[state_len]`.
    pub(super) fn state(&self, window: &Window) -> &[f32] {
        &self.states[window.states_at..][..self.shape.state_len()]
    }

    /// `[every, K]`.
    pub(super) fn labels(&self, window: &Window, every: usize) -> &[f32] {
        &self.labels[window.labels_at..][..every * self.outputs]
    }

    pub(super) fn clear(&mut self) {
        self.windows.clear();
        self.inputs.clear();
        self.states.clear();
        self.labels.clear();
    }

    /// Writes the windows in log order; an owner as its place among `slots`, −1 for one that was evicted.
    pub(super) fn snapshot(&self, slots: &[usize], memory: &Memory, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let windows = self.in_log_order();
        let mut place_of = vec![-1i64; slots.iter().max().map_or(0, |slot| slot + 1)];
        for (place, slot) in slots.iter().enumerate() {
            place_of[*slot] = place as i64;
        }
        let owner = |window: &Window| match window.owner {
            Some((slot, generation)) if memory.generation(slot) == generation => {
                place_of.get(slot).copied().unwrap_or(-1)
            }
            _ => -1,
        };
        let every = if windows.is_empty() { 0 } else { self.labels.len() / windows.len() / self.outputs };
        let count = [windows.len()];
        to.i64("row", &count, &windows.iter().map(|window| window.row).collect::<Vec<_>>())?;
        to.i64("owner", &count, &windows.iter().map(owner).collect::<Vec<_>>())?;
        to.i64("steps", &count, &windows.iter().map(|window| window.steps as i64).collect::<Vec<_>>())?;
        let inputs: Vec<f32> = windows.iter().flat_map(|window| self.inputs(window)).copied().collect();
        let states: Vec<f32> = windows.iter().flat_map(|window| self.state(window)).copied().collect();
        let labels: Vec<f32> = windows.iter().flat_map(|window| self.labels(window, every)).copied().collect();
        to.f32("inputs", &[inputs.len()], &inputs)?;
        to.f32("states", &[states.len()], &states)?;
        Ok(to.f32("labels", &[labels.len()], &labels)?)
    }

    pub(super) fn restore(
        &mut self,
        keys: usize,
        memory: &Memory,
        from: &SnapshotReader<'_>,
    ) -> Result<(), ModelError> {
        let damaged = || ModelError::Restore("the waiting windows contradict each other".into());
        let count = from.shape("row")?;
        let rows = from.i64("row", &count)?;
        let owners = from.i64("owner", &count)?;
        let steps = from.i64("steps", &count)?;
        self.clear();
        self.inputs = from.f32("inputs", &from.shape("inputs")?)?;
        self.states = from.f32("states", &from.shape("states")?)?;
        self.labels = from.f32("labels", &from.shape("labels")?)?;
        let per_window = self.labels.len().checked_div(rows.len()).unwrap_or(0);
        let mut inputs_at = 0;
        for (index, row) in rows.iter().enumerate() {
            let steps = usize::try_from(steps[index]).map_err(|_| damaged())?;
            let owner = match usize::try_from(owners[index]) {
                Ok(slot) if slot < keys => Some((slot, memory.generation(slot))),
                Ok(_) => return Err(damaged()),
                Err(_) => None,
            };
            let (states_at, labels_at) = (index * self.shape.state_len(), index * per_window);
            self.windows.push(Window { row: *row, owner, steps, inputs_at, states_at, labels_at });
            inputs_at += steps * self.shape.inputs;
        }
        let whole = inputs_at == self.inputs.len()
            && rows.len() * self.shape.state_len() == self.states.len()
            && rows.len() * per_window == self.labels.len();
        if whole { Ok(()) } else { Err(damaged()) }
    }
}
