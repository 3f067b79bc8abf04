//! What a network remembers of each key: its state, and the inputs and labels of its last steps.

use std::ops::Range;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::Learning;
use crate::error::ModelError;
use crate::head::label_of_class;
use crate::slab::Slab;
use crate::wave::Dims;

/// Scaled labels are held in this range for learning, so that one outlier weighs no more than a large move.
const LABEL_CLIP: f64 = 20.0;

/// The steps of the window that falls due when the steps of a key before `complete` are complete: up to `longest`, none before
/// `begin`.
pub(super) fn steps_of_window(begin: u64, complete: u64, longest: usize) -> Range<u64> {
    complete - (complete - begin).min(longest as u64)..complete
}

/// Per key: k2 + h_max inputs and labels, with the longest k2 that there may be; the states before window starts among them, and
/// the state now.
pub(super) struct Memory {
    inputs_width: usize,
    outputs: usize,
    /// Numbers of a step's labels: one for each output, or what a head's gradient has.
    labels_width: usize,
    /// Outputs whose labels are scaled: all of numbers, none of classes.
    scaled: usize,
    state_len: usize,
    /// Steps kept.
    ring: usize,
    /// Steps whose scales are kept.
    past: usize,
    every: usize,
    /// States before window starts kept.
    start_count: usize,
    states: Slab<f32>,
    /// `[ring, inputs]`: step s at s mod ring.
    inputs: Slab<f32>,
    /// `[ring, K]`: scaled labels, NaN where there is none.
    labels: Slab<f32>,
    /// `[h_max, K]`: running scales as of a step.
    scales: Slab<f64>,
    /// `[start_count, state_len]`: the state before step s, for s a multiple of k1, at (s / k1) mod start_count.
    starts: Slab<f32>,
    /// Goes up when the key of a slot is forgotten, so that a waiting window does not reach the slot's next key.
    generations: Vec<u64>,
}

impl Memory {
    /// With `inputs_width` numbers of each event, `state_len` of each key's state, and `labels_width` of each label.
    pub(super) fn new(
        dims: &Dims,
        inputs_width: usize,
        state_len: usize,
        labels_width: usize,
        learning: &Learning,
    ) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        let scaled = if dims.classes.is_empty() { outputs } else { 0 };
        let ring = learning.reach() + past;
        let start_count = ring.div_ceil(learning.every) + 1;
        Self {
            inputs_width,
            outputs,
            labels_width,
            scaled,
            state_len,
            ring,
            past,
            every: learning.every,
            start_count,
            states: Slab::new(state_len, 0.0),
            inputs: Slab::new(ring * inputs_width, 0.0),
            labels: Slab::new(ring * labels_width, f32::NAN),
            scales: Slab::new(past * scaled, f64::NAN),
            starts: Slab::new(start_count * state_len, 0.0),
            generations: Vec::new(),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.states.reserve(slots);
        self.inputs.reserve(slots);
        self.labels.reserve(slots);
        self.scales.reserve(slots);
        self.starts.reserve(slots);
        if self.generations.len() < slots {
            self.generations.resize(slots, 0);
        }
    }

    /// Bytes that are kept of each key.
    pub(super) fn bytes_per_key(&self) -> usize {
        let singles = [&self.states, &self.inputs, &self.labels, &self.starts].map(Slab::width);
        size_of::<f32>() * singles.iter().sum::<usize>() + size_of::<f64>() * self.scales.width()
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.states.clear(slot);
        self.inputs.clear(slot);
        self.labels.clear(slot);
        self.scales.clear(slot);
        self.starts.clear(slot);
        self.generations[slot] += 1;
    }

    pub(super) fn generation(&self, slot: usize) -> u64 {
        self.generations[slot]
    }

    pub(super) fn state(&self, slot: usize) -> &[f32] {
        self.states.row(slot)
    }

    pub(super) fn set_state(&mut self, slot: usize, state: &[f32]) {
        self.states.row_mut(slot).copy_from_slice(state);
    }

    /// The input of a step among the last ones.
    pub(super) fn input(&self, slot: usize, step: u64) -> &[f32] {
        let place = (step % self.ring as u64) as usize;
        &self.inputs.row(slot)[place * self.inputs_width..][..self.inputs_width]
    }

    /// The state that was stored before a step, a multiple of k1, among the last ones.
    pub(super) fn start(&self, slot: usize, step: u64) -> &[f32] {
        let place = ((step / self.every as u64) % self.start_count as u64) as usize;
        &self.starts.row(slot)[place * self.state_len..][..self.state_len]
    }

    /// Puts a key's state back to its start, as if it had seen nothing.
    pub(super) fn reset_state(&mut self, slot: usize) {
        self.states.clear(slot);
        self.starts.clear(slot);
    }

    /// The labels that event `event` gives to earlier steps: `differences[k]` is the value now less the level at the step.
    pub(super) fn label_numbers(&mut self, slot: usize, event: u64, differences: &[f64], dims: &Dims) {
        let scales = self.scales.row(slot);
        let labels = self.labels.row_mut(slot);
        for ((k, (_, horizon)), difference) in dims.pairs().enumerate().zip(differences) {
            let Some(step) = event.checked_sub(horizon as u64) else { continue };
            let scale = scales[(step % self.past as u64) as usize * self.outputs + k];
            // NaN stays NaN: no value now, or no scale then, is no label.
            let label = (difference / scale).clamp(-LABEL_CLIP, LABEL_CLIP) as f32;
            labels[(step % self.ring as u64) as usize * self.outputs + k] = label;
        }
    }

    /// The labels that event `event` gives to earlier steps: the class of each target now.
    pub(super) fn label_classes(&mut self, slot: usize, event: u64, classes: &[u32], dims: &Dims) {
        let labels = self.labels.row_mut(slot);
        for (k, (target, horizon)) in dims.pairs().enumerate() {
            let Some(step) = event.checked_sub(horizon as u64) else { continue };
            labels[(step % self.ring as u64) as usize * self.outputs + k] = label_of_class(classes[target]);
        }
    }

    /// What a head's gradient was at a step's labels, in place of the labels themselves.
    pub(super) fn label_gradient(&mut self, slot: usize, step: u64, d_raw: &[f32]) {
        let place = (step % self.ring as u64) as usize;
        self.labels.row_mut(slot)[place * self.labels_width..][..self.labels_width].copy_from_slice(d_raw);
    }

    /// Stores a step before the state moves with it.
    pub(super) fn store(&mut self, slot: usize, event: u64, inputs: &[f32], scales: &[f64]) {
        let place = (event % self.ring as u64) as usize;
        self.inputs.row_mut(slot)[place * self.inputs_width..][..self.inputs_width].copy_from_slice(inputs);
        self.labels.row_mut(slot)[place * self.labels_width..][..self.labels_width].fill(f32::NAN);
        let past = (event % self.past as u64) as usize;
        self.scales.row_mut(slot)[past * self.scaled..][..self.scaled].copy_from_slice(scales);
        if event.is_multiple_of(self.every as u64) {
            let start = ((event / self.every as u64) % self.start_count as u64) as usize;
            let state = self.states.row(slot);
            self.starts.row_mut(slot)[start * self.state_len..][..self.state_len].copy_from_slice(state);
        }
    }

    /// Copies out a window of these steps of a key, which are complete: its inputs, the state before its first step and the labels
    /// of its last k1 steps, each appended. See [`steps_of_window`].
    pub(super) fn copy_window(
        &self,
        slot: usize,
        steps: Range<u64>,
        inputs: &mut Vec<f32>,
        states: &mut Vec<f32>,
        labels: &mut Vec<f32>,
    ) {
        for step in steps.clone() {
            inputs.extend_from_slice(self.input(slot, step));
        }
        states.extend_from_slice(self.start(slot, steps.start));
        for step in steps.end - self.every as u64..steps.end {
            let place = (step % self.ring as u64) as usize;
            labels.extend_from_slice(&self.labels.row(slot)[place * self.labels_width..][..self.labels_width]);
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let keys = slots.len();
        let slabs =
            [("state", &self.states), ("inputs", &self.inputs), ("labels", &self.labels), ("starts", &self.starts)];
        for (name, slab) in slabs {
            to.f32(name, &[keys, slab.width()], &slab.gather(slots, |value| value))?;
        }
        Ok(to.f64("scales", &[keys, self.scales.width()], &self.scales.gather(slots, |scale| scale))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let slabs = [
            ("state", &mut self.states),
            ("inputs", &mut self.inputs),
            ("labels", &mut self.labels),
            ("starts", &mut self.starts),
        ];
        for (name, slab) in slabs {
            let values = from.f32(name, &[keys, slab.width()])?;
            slab.fill(&values, |value| value);
        }
        let scales = from.f64("scales", &[keys, self.scales.width()])?;
        self.scales.fill(&scales, |scale| scale);
        self.generations = vec![0; keys];
        Ok(())
    }
}
