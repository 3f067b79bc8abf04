//! Windows that fell due and wait for the end of their update span.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::Learning;
use super::memory::Memory;
use crate::error::ModelError;

/// Stands in a snapshot for the owner of a window whose key was evicted.
const EVICTED: i64 = -1;

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
    /// Numbers of an event, and of a state.
    inputs_width: usize,
    state_len: usize,
    /// Numbers of a window's labels: k1 times those of a step.
    labels_len: usize,
    /// k1, and k2 at most.
    every: usize,
    window: usize,
    windows: Vec<Window>,
    inputs: Vec<f32>,
    states: Vec<f32>,
    labels: Vec<f32>,
}

impl Pending {
    pub(super) fn new(inputs_width: usize, state_len: usize, labels_width: usize, learning: &Learning) -> Self {
        Self {
            inputs_width,
            state_len,
            labels_len: learning.every * labels_width,
            every: learning.every,
            window: learning.reach(),
            windows: Vec::new(),
            inputs: Vec::new(),
            states: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Takes a copy of the window of these steps that fell due for `slot` at `row`; see [`Memory::copy_window`].
    pub(super) fn push(&mut self, row: i64, slot: usize, steps: Range<u64>, memory: &Memory) {
        let (inputs_at, states_at, labels_at) = (self.inputs.len(), self.states.len(), self.labels.len());
        memory.copy_window(slot, steps.clone(), &mut self.inputs, &mut self.states, &mut self.labels);
        let (owner, steps) = (Some((slot, memory.generation(slot))), (steps.end - steps.start) as usize);
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
        &self.inputs[window.inputs_at..][..window.steps * self.inputs_width]
    }

    /// `[state_len]`.
    pub(super) fn state(&self, window: &Window) -> &[f32] {
        &self.states[window.states_at..][..self.state_len]
    }

    /// `[every, numbers of a step's labels]`.
    pub(super) fn labels(&self, window: &Window) -> &[f32] {
        &self.labels[window.labels_at..][..self.labels_len]
    }

    pub(super) fn clear(&mut self) {
        self.windows.clear();
        self.inputs.clear();
        self.states.clear();
        self.labels.clear();
    }

    /// Writes the windows in log order; an owner as its place among `slots`.
    pub(super) fn snapshot(&self, slots: &[usize], memory: &Memory, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let windows = self.in_log_order();
        let mut place_of = vec![EVICTED; slots.iter().max().map_or(0, |slot| slot + 1)];
        for (place, slot) in slots.iter().enumerate() {
            place_of[*slot] = place as i64;
        }
        let owner = |window: &Window| match window.owner {
            Some((slot, generation)) if memory.generation(slot) == generation => {
                place_of.get(slot).copied().unwrap_or(EVICTED)
            }
            _ => EVICTED,
        };
        let count = [windows.len()];
        to.i64("row", &count, &windows.iter().map(|window| window.row).collect::<Vec<_>>())?;
        to.i64("owner", &count, &windows.iter().map(owner).collect::<Vec<_>>())?;
        to.i64("steps", &count, &windows.iter().map(|window| window.steps as i64).collect::<Vec<_>>())?;
        let inputs: Vec<f32> = windows.iter().flat_map(|window| self.inputs(window)).copied().collect();
        let states: Vec<f32> = windows.iter().flat_map(|window| self.state(window)).copied().collect();
        let labels: Vec<f32> = windows.iter().flat_map(|window| self.labels(window)).copied().collect();
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
        let count = from.shape("row")?.iter().product();
        let rows = from.i64("row", &[count])?;
        let owners = from.i64("owner", &[count])?;
        let steps = from.i64("steps", &[count])?;
        let (mut windows, mut inputs_at) = (Vec::with_capacity(count), 0);
        for (index, row) in rows.iter().enumerate() {
            let damaged = |what: String| ModelError::Restore(format!("waiting window {index} {what}"));
            if *row < 0 || index > 0 && *row <= rows[index - 1] {
                return Err(damaged(format!("is of row {row}, out of order")));
            }
            let owner = match usize::try_from(owners[index]) {
                Ok(slot) if slot < keys => Some((slot, memory.generation(slot))),
                Err(_) if owners[index] == EVICTED => None,
                _ => return Err(damaged(format!("belongs to key {}, but there are {keys}", owners[index]))),
            };
            let steps = usize::try_from(steps[index])
                .ok()
                .filter(|steps| (self.every..=self.window).contains(steps) && steps.is_multiple_of(self.every))
                .ok_or_else(|| {
                    let (found, every, window) = (steps[index], self.every, self.window);
                    damaged(format!("has {found} steps instead of a multiple of {every} up to {window}"))
                })?;
            let (states_at, labels_at) = (index * self.state_len, index * self.labels_len);
            windows.push(Window { row: *row, owner, steps, inputs_at, states_at, labels_at });
            inputs_at += steps * self.inputs_width;
        }
        let inputs = from.f32("inputs", &[inputs_at])?;
        let states = from.f32("states", &[count * self.state_len])?;
        let labels = from.f32("labels", &[count * self.labels_len])?;
        (self.windows, self.inputs, self.states, self.labels) = (windows, inputs, states, labels);
        Ok(())
    }
}
