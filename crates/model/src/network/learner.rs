//! One optimizer step from all windows of an update span, and what happens when numbers stop being finite.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::pending::Window;
use super::{Network, Parts};
use crate::cell::Windows;
use crate::error::ModelError;
use crate::optimizer::{Optimizer, norm};
use crate::parameters::Layout;

/// After so many steps skipped in a row the parameters go back to the last good copy.
const SKIPS_MAX: u64 = 3;
/// Steps from one good copy to the next.
const COPY_STEPS: u64 = 1000;

/// Counts, and the last good copy of parameters and moments.
pub(super) struct Learner {
    pub(super) steps: u64,
    pub(super) windows: u64,
    pub(super) windows_dropped: u64,
    pub(super) skipped: u64,
    pub(super) rollbacks: u64,
    skipped_in_a_row: u64,
    good_values: Vec<f32>,
    good_optimizer: Box<dyn Optimizer>,
    gradient: Vec<f32>,
}

impl Learner {
    pub(super) fn new(values: &[f32], optimizer: &dyn Optimizer) -> Self {
        Self {
            steps: 0,
            windows: 0,
            windows_dropped: 0,
            skipped: 0,
            rollbacks: 0,
            skipped_in_a_row: 0,
            good_values: values.to_vec(),
            good_optimizer: optimizer.boxed_clone(),
            gradient: vec![0.0; values.len()],
        }
    }

    fn counts(&self) -> [i64; 6] {
        [self.steps, self.windows, self.windows_dropped, self.skipped, self.rollbacks, self.skipped_in_a_row]
            .map(|count| count as i64)
    }

    pub(super) fn snapshot(&self, layout: &Layout, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.i64("counts", &[6], &self.counts())?;
        to.scope("good.parameters", |to| layout.write(&self.good_values, to))?;
        Ok(to.scope("good.optimizer", |to| self.good_optimizer.snapshot(layout, to))?)
    }

    pub(super) fn restore(
        &mut self,
        layout: &Layout,
        optimizer: &dyn Optimizer,
        from: &SnapshotReader<'_>,
    ) -> Result<(), ModelError> {
        let counts = from.i64("counts", &[6])?;
        let count = |index: usize| counts[index] as u64;
        (self.steps, self.windows, self.windows_dropped) = (count(0), count(1), count(2));
        (self.skipped, self.rollbacks, self.skipped_in_a_row) = (count(3), count(4), count(5));
        self.good_values = layout.read(&from.scope("good.parameters"))?;
        self.good_optimizer = optimizer.boxed_clone();
        self.good_optimizer.restore(layout, &from.scope("good.optimizer"))?;
        Ok(())
    }
}

/// What the windows of one length added up to.
#[derive(Default)]
struct Sums {
    terms: u64,
    dropped: u64,
}

/// Windows of one length after the forward pass.
struct Forward {
    group: Vec<Window>,
    /// Rows of the batch, empty ones included.
    count: usize,
    /// `[every, count, hidden]`.
    unrolled: Vec<f32>,
    /// `[every, count, raw numbers]`.
    raw: Vec<f32>,
}

/// Batches are filled up with empty windows to few different sizes, since libtorch prepares its kernels anew for each size.
fn padded(count: usize) -> usize {
    if count <= 8 { count.next_power_of_two() } else { count.next_multiple_of(8) }
}

impl Network {
    /// Learns from all windows that fell due, in log order, and forgets them. The loss is the mean over all labels.
    pub(super) fn take_step(&mut self) -> Result<(), ModelError> {
        let windows = self.pending.in_log_order();
        if windows.is_empty() {
            return Ok(());
        }
        let mut gradient = std::mem::take(&mut self.learner.gradient);
        gradient.fill(0.0);
        let mut sums = Sums::default();
        let mut lengths: Vec<usize> = windows.iter().map(|window| window.steps).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for steps in lengths {
            let group: Vec<Window> = windows.iter().filter(|window| window.steps == steps).copied().collect();
            self.add_gradient(group, &mut gradient, &mut sums)?;
        }
        self.learner.windows += windows.len() as u64;
        self.learner.windows_dropped += sums.dropped;
        self.pending.clear();
        if sums.terms > 0 || sums.dropped > 0 {
            self.apply(&mut gradient, sums.terms)?;
        }
        self.learner.gradient = gradient;
        Ok(())
    }

    /// Adds the gradient of the summed loss of windows of one length.
    fn add_gradient(&mut self, group: Vec<Window>, gradient: &mut [f32], sums: &mut Sums) -> Result<(), ModelError> {
        let every = self.learning.every;
        let (hidden, outputs, width) = (self.shape.hidden, self.dims.outputs(), self.linear.outputs);
        let Some(Forward { group, count, unrolled, raw }) = self.forward(group, sums)? else { return Ok(()) };
        let mut d_hidden = vec![0.0; unrolled.len()];
        let mut d_raw = vec![0.0; width];
        let (cell_gradient, head_gradient) = gradient.split_at_mut(self.places.cell);
        let (d_weight, rest) = head_gradient.split_at_mut(width * hidden);
        let (d_bias, d_own) = rest.split_at_mut(width);
        let Parts { weight, own, .. } = self.parts();
        for (index, window) in group.iter().enumerate() {
            for (step, labels) in self.pending.labels(window, every).chunks_exact(outputs).enumerate() {
                let terms = labels.iter().filter(|label| !label.is_nan()).count();
                if terms == 0 {
                    continue;
                }
                sums.terms += terms as u64;
                let row = step * count + index;
                self.head.loss(own, &raw[row * width..][..width], labels, &mut d_raw, d_own);
                let (h, d_h) = (&unrolled[row * hidden..][..hidden], &mut d_hidden[row * hidden..][..hidden]);
                self.linear.backward(weight, h, &d_raw, d_weight, d_bias, d_h);
            }
        }
        self.cell.backward(&d_hidden, cell_gradient)
    }

    /// Runs windows of one length forward. Those that give numbers that are not finite are dropped, counted, and the state
    /// of their key is reset; they would spoil the others' gradient. `None` when none is left.
    fn forward(&mut self, mut group: Vec<Window>, sums: &mut Sums) -> Result<Option<Forward>, ModelError> {
        let (hidden, width, every) = (self.shape.hidden, self.linear.outputs, self.learning.every);
        while !group.is_empty() {
            let batch = self.gather(&group);
            let count = batch.count;
            let unrolled = self.cell.unroll(&batch)?;
            let mut raw = vec![0.0; every * count * width];
            let Parts { weight, bias, .. } = self.parts();
            for (h, raw) in unrolled.chunks_exact(hidden).zip(raw.chunks_exact_mut(width)) {
                self.linear.forward(weight, bias, h, raw);
            }
            let finite = |index: usize| {
                let mut rows = (0..every).map(|step| &raw[(step * count + index) * width..][..width]);
                rows.all(|raw| raw.iter().all(|value| value.is_finite()))
            };
            let broken: Vec<Window> =
                group.iter().enumerate().filter(|(index, _)| !finite(*index)).map(|(_, window)| *window).collect();
            if broken.is_empty() {
                return Ok(Some(Forward { group, count, unrolled, raw }));
            }
            sums.dropped += broken.len() as u64;
            group.retain(|window| broken.iter().all(|broken| broken.row != window.row));
            for (slot, generation) in broken.iter().filter_map(|window| window.owner) {
                if self.memory.generation(slot) == generation {
                    self.memory.reset_state(slot);
                    self.states_reset += 1;
                }
            }
        }
        Ok(None)
    }

    /// The windows of one length as a batch.
    fn gather(&self, group: &[Window]) -> Windows {
        let inputs = self.shape.inputs;
        let steps = group.first().map_or(0, |window| window.steps);
        let count = padded(group.len());
        let mut batch = Windows {
            count,
            steps,
            inputs: vec![0.0; steps * count * inputs],
            states: vec![0.0; count * self.shape.state_len()],
            outputs: self.learning.every,
        };
        for (index, window) in group.iter().enumerate() {
            for (step, input) in self.pending.inputs(window).chunks_exact(inputs).enumerate() {
                batch.inputs[(step * count + index) * inputs..][..inputs].copy_from_slice(input);
            }
            let state = self.pending.state(window);
            batch.states[index * state.len()..][..state.len()].copy_from_slice(state);
        }
        batch
    }

    /// Moves the parameters along the mean gradient, or counts a skipped step if it is not finite.
    fn apply(&mut self, gradient: &mut [f32], terms: u64) -> Result<(), ModelError> {
        let mean = 1.0 / terms as f32;
        gradient.iter_mut().for_each(|g| *g *= mean);
        let length = norm(gradient);
        if terms == 0 || !length.is_finite() {
            self.learner.skipped += 1;
            self.learner.skipped_in_a_row += 1;
            if self.learner.skipped_in_a_row >= SKIPS_MAX {
                self.roll_back()?;
            }
            return Ok(());
        }
        self.learner.skipped_in_a_row = 0;
        let clip = self.learning.optimizer.clip_norm;
        if clip > 0.0 && length > clip {
            let scale = (clip / length) as f32;
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
        let rate = self.schedule.rate(self.learner.steps);
        self.optimizer.step(rate, gradient, &mut self.values);
        self.head.constrain(&mut self.values[self.places.bias..]);
        self.learner.steps += 1;
        if self.learner.steps.is_multiple_of(COPY_STEPS) && self.values.iter().all(|value| value.is_finite()) {
            self.learner.good_values.copy_from_slice(&self.values);
            self.learner.good_optimizer = self.optimizer.boxed_clone();
        }
        self.load()
    }

    fn roll_back(&mut self) -> Result<(), ModelError> {
        self.learner.rollbacks += 1;
        self.learner.skipped_in_a_row = 0;
        self.values.copy_from_slice(&self.learner.good_values);
        self.optimizer = self.learner.good_optimizer.boxed_clone();
        self.states_reset += self.memory.reset_broken_states();
        self.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_batch_sizes_occur() {
        let sizes: Vec<usize> = [1, 2, 3, 5, 8, 9, 17].into_iter().map(padded).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 8, 16, 24]);
    }
}
