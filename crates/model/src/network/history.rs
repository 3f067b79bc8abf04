//! Full history: the state of a key, computed anew from its kept past whenever the parameters have changed.
//!
//! The kept past of a key at event e are its last events up to e, at most as many as the cap: from the first event on while there
//! are no more, and from the state that was stored then before the first of them ever after. So a forecast is what the parameters
//! of the moment make of everything so far, exactly until the cap, and beyond it but for what the oldest state still holds of
//! older parameters. The past begins at a multiple of k1, where states are stored; with k1 > 1 it may be k1 − 1 events shorter
//! than the cap.
//!
//! While the parameters stay as they are, the carried state is what computing it anew would give, bit for bit until the cap, and
//! nothing is computed twice.

use std::cmp::Reverse;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::memory::Memory;
use super::{Learning, restored_count};
use crate::cell::Cell;
use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Wave;

/// What of each key's past is kept, and which states are out of date.
pub(super) struct History {
    every: u64,
    cap: u64,
    state_len: usize,
    /// The event that the kept past of a key begins at, unless the cap is nearer: 0, or the one after its state was reset.
    begins: Slab<u64>,
    /// Events of a key seen.
    seen: Slab<u64>,
    /// Goes up with every change of the parameters.
    version: u64,
    /// The version that a key's state was computed under.
    versions: Slab<u64>,
    /// Steps of earlier events that were computed anew.
    pub(super) steps: u64,
}

/// One row of a wave on its way from the begin of its past.
struct Path {
    /// Its place in the wave.
    index: usize,
    slot: usize,
    /// Its event, which is its last step.
    event: u64,
    steps: u64,
}

impl History {
    pub(super) fn new(state_len: usize, learning: &Learning) -> Self {
        Self {
            every: learning.every as u64,
            cap: learning.window as u64,
            state_len,
            begins: Slab::new(1, 0),
            seen: Slab::new(1, 0),
            version: 0,
            versions: Slab::new(1, 0),
            steps: 0,
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.begins.reserve(slots);
        self.seen.reserve(slots);
        self.versions.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.begins.clear(slot);
        self.seen.clear(slot);
        self.versions.clear(slot);
    }

    /// The event before which nothing is looked at, a multiple of k1.
    pub(super) fn begin(&self, slot: usize) -> u64 {
        self.begins.row(slot)[0]
    }

    /// States computed so far are out of date.
    pub(super) fn parameters_changed(&mut self) {
        self.version += 1;
    }

    /// The state of a key was reset: its past is not looked at again, since it holds what cannot be computed with.
    pub(super) fn reset(&mut self, slot: usize) {
        self.begins.row_mut(slot)[0] = self.seen.row(slot)[0].next_multiple_of(self.every);
    }

    /// Moves the states before the events of a wave, `[rows, state_len]`, to those after them. The events are in `memory`; `see`
    /// turns one as it is remembered into the `seen_len` numbers that the cell sees of it.
    pub(super) fn step(
        &mut self,
        cell: &mut dyn Cell,
        memory: &Memory,
        wave: &Wave,
        seen_len: usize,
        see: impl Fn(&[f32], &mut [f32]),
        states: &mut [f32],
    ) -> Result<(), ModelError> {
        let mut paths: Vec<Path> = (0..wave.len()).map(|index| self.path(index, wave)).collect();
        // The longest first, so that the rows at work are always the first ones.
        paths.sort_by_key(|path| Reverse(path.steps));
        let mut moving = Vec::with_capacity(states.len());
        for Path { index, slot, event, steps } in &paths {
            let carried = &states[index * self.state_len..][..self.state_len];
            moving.extend_from_slice(if *steps == 1 { carried } else { memory.start(*slot, event + 1 - steps) });
        }
        let mut inputs = Vec::new();
        for left in (1..=paths.first().map_or(0, |path| path.steps)).rev() {
            let rows = paths.partition_point(|path| path.steps >= left);
            inputs.clear();
            inputs.resize(rows * seen_len, 0.0);
            for (path, seen) in paths[..rows].iter().zip(inputs.chunks_exact_mut(seen_len)) {
                see(memory.input(path.slot, path.event + 1 - left), seen);
            }
            cell.step(&inputs, &mut moving[..rows * self.state_len])?;
        }
        for (path, state) in paths.iter().zip(moving.chunks_exact(self.state_len)) {
            states[path.index * self.state_len..][..self.state_len].copy_from_slice(state);
            self.versions.row_mut(path.slot)[0] = self.version;
            self.seen.row_mut(path.slot)[0] = path.event + 1;
            self.steps += path.steps - 1;
        }
        Ok(())
    }

    /// How far back a row goes: over its kept past, or over its own event alone where its state is up to date.
    fn path(&self, index: usize, wave: &Wave) -> Path {
        let (slot, event) = (wave.slots[index], wave.events[index]);
        let is_current = self.versions.row(slot)[0] == self.version;
        let capped = (event + 1).saturating_sub(self.cap).next_multiple_of(self.every);
        let steps = (event + 1).saturating_sub(self.begin(slot).max(capped));
        Path { index, slot, event, steps: if is_current { 1 } else { steps.max(1) } }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let slabs = [("begins", &self.begins), ("seen", &self.seen), ("versions", &self.versions)];
        for (name, slab) in slabs {
            to.i64(name, &[slots.len()], &slab.gather(slots, |count| count as i64))?;
        }
        Ok(to.i64("counts", &[2], &[self.version as i64, self.steps as i64])?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let slabs = [("begins", &mut self.begins), ("seen", &mut self.seen), ("versions", &mut self.versions)];
        for (name, slab) in slabs {
            let counts: Result<Vec<u64>, ModelError> =
                from.i64(name, &[keys])?.into_iter().map(|count| restored_count(name, count)).collect();
            slab.fill(&counts?, |count| count);
        }
        let counts = from.i64("counts", &[2])?;
        (self.version, self.steps) = (restored_count("version", counts[0])?, restored_count("steps", counts[1])?);
        let begins = self.begins.gather(&(0..keys).collect::<Vec<_>>(), |begin| begin);
        match begins.into_iter().find(|begin| !begin.is_multiple_of(self.every)) {
            Some(begin) => {
                Err(ModelError::Restore(format!("the past of a key begins at event {begin}, between windows")))
            }
            None => Ok(()),
        }
    }
}
