//! One optimizer step from all windows of an update span, and what happens when numbers stop being finite.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::pending::Window;
use super::{Network, restored_count};
use crate::cell::Windows;
use crate::error::ModelError;
use crate::experts::Experts;
use crate::optimizer::{Optimizer, norm};
use crate::parameters::Layout;

/// After so many steps skipped in a row the parameters go back to the last good copy.
pub(super) const SKIPS_MAX: u64 = 3;
/// Steps from one good copy to the next.
pub(super) const COPY_STEPS: u64 = 1000;
/// What [`Learner::counts`] counts.
const COUNTS: [&str; 6] = ["steps", "windows", "windows_dropped", "skipped", "rollbacks", "skipped_in_a_row"];

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
    /// Scratch of a step.
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
            gradient: Vec::new(),
        }
    }

    fn counts(&self) -> [i64; COUNTS.len()] {
        [self.steps, self.windows, self.windows_dropped, self.skipped, self.rollbacks, self.skipped_in_a_row]
            .map(|count| count as i64)
    }

    pub(super) fn snapshot(&self, layout: &Layout, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.i64("counts", &[COUNTS.len()], &self.counts())?;
        to.scope("good.parameters", |to| layout.write(&self.good_values, to))?;
        Ok(to.scope("good.optimizer", |to| self.good_optimizer.snapshot(layout, to))?)
    }

    pub(super) fn restore(
        &mut self,
        layout: &Layout,
        optimizer: &dyn Optimizer,
        from: &SnapshotReader<'_>,
    ) -> Result<(), ModelError> {
        let counts = from.i64("counts", &[COUNTS.len()])?;
        let count = |index: usize| restored_count(COUNTS[index], counts[index]);
        (self.steps, self.windows, self.windows_dropped) = (count(0)?, count(1)?, count(2)?);
        (self.skipped, self.rollbacks, self.skipped_in_a_row) = (count(3)?, count(4)?, count(5)?);
        self.good_values = layout.read(&from.scope("good.parameters"))?;
        self.good_optimizer = optimizer.boxed_clone();
        self.good_optimizer.restore(layout, &from.scope("good.optimizer"))?;
        Ok(())
    }
}

/// What windows add up to, beside their gradient.
#[derive(Debug, Default)]
struct Sums {
    /// Labels learned from.
    terms: u64,
    loss: f64,
    /// Norm of the gradient of the mean loss.
    length: f64,
}

impl Sums {
    fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.length.is_finite()
    }
}

impl<F: Send> Network<F> {
    /// Learns from all windows that fell due, in log order, and forgets them. The loss is the mean over all labels.
    ///
    /// Windows whose own loss or gradient is not finite are dropped and counted, and the state of their key is reset; the step
    /// is the one that the others alone would have made.
    pub(super) fn take_step(&mut self) -> Result<(), ModelError> {
        let mut windows = self.pending.in_log_order();
        if windows.is_empty() {
            self.experts.iter_mut().for_each(Experts::learn);
            return Ok(());
        }
        self.measure()?;
        self.learner.windows += windows.len() as u64;
        let mut gradient = std::mem::take(&mut self.learner.gradient);
        let mut broken = Vec::new();
        let mut sums = self.mean_gradient(&windows, &mut gradient)?;
        if !sums.is_finite() {
            self.find_broken(&windows, &mut gradient, &mut broken)?;
            self.drop_windows(&broken);
            windows.retain(|window| broken.binary_search_by_key(&window.row, |broken| broken.row).is_err());
            sums = self.mean_gradient(&windows, &mut gradient)?;
        }
        self.pending.clear();
        if sums.terms > 0 || !broken.is_empty() {
            self.apply(&mut gradient, &sums)?;
        }
        self.learner.gradient = gradient;
        self.experts.iter_mut().for_each(Experts::learn);
        Ok(())
    }

    /// Collects the windows whose own loss or gradient is not finite, in the order given. It looks at ever smaller halves: a
    /// number that is not finite stays so in every sum that it is part of, so a half whose sums are finite holds none.
    fn find_broken(
        &mut self,
        windows: &[Window],
        gradient: &mut Vec<f32>,
        broken: &mut Vec<Window>,
    ) -> Result<(), ModelError> {
        if self.mean_gradient(windows, gradient)?.is_finite() {
            return Ok(());
        }
        if let [window] = windows {
            broken.push(*window);
            return Ok(());
        }
        let (first, second) = windows.split_at(windows.len() / 2);
        self.find_broken(first, gradient, broken)?;
        self.find_broken(second, gradient, broken)
    }

    /// Counts windows that cannot be learned from, and resets the state of those of their keys that are still there.
    fn drop_windows(&mut self, broken: &[Window]) {
        self.learner.windows_dropped += broken.len() as u64;
        let is_here = |(slot, generation): &(usize, u64)| self.memory.generation(*slot) == *generation;
        let mut owners: Vec<(usize, u64)> = broken.iter().filter_map(|window| window.owner).filter(is_here).collect();
        owners.sort_unstable();
        owners.dedup();
        for (slot, _) in &owners {
            self.memory.reset_state(*slot);
            self.history.iter_mut().for_each(|history| history.reset(*slot));
        }
        self.states_reset += owners.len() as u64;
    }

    /// Overwrites `gradient` with that of the mean loss over all labels of the windows.
    fn mean_gradient(&mut self, windows: &[Window], gradient: &mut Vec<f32>) -> Result<Sums, ModelError> {
        gradient.clear();
        gradient.resize(self.values.len(), 0.0);
        let mut sums = Sums::default();
        let mut lengths: Vec<usize> = windows.iter().map(|window| window.steps).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for steps in lengths {
            let group: Vec<Window> = windows.iter().filter(|window| window.steps == steps).copied().collect();
            self.add_gradient(&group, gradient, &mut sums)?;
        }
        let mean = 1.0 / sums.terms.max(1) as f32;
        gradient.iter_mut().for_each(|g| *g *= mean);
        sums.length = norm(gradient);
        Ok(sums)
    }

    /// Adds loss and gradient of windows of one length.
    fn add_gradient(&mut self, group: &[Window], gradient: &mut [f32], sums: &mut Sums) -> Result<(), ModelError> {
        let (hidden, width) = (self.linear.hidden, self.linear.outputs);
        let labels_width = self.labels_width();
        let batch = self.gather(group);
        let unrolled = self.cell.unroll(&batch)?;
        let mut d_hidden = vec![0.0; unrolled.len()];
        let (mut raw, mut d_raw) = (vec![0.0; width], vec![0.0; width]);
        let (cell_gradient, head_gradient) = gradient.split_at_mut(self.places.cell);
        let (d_weight, rest) = head_gradient.split_at_mut(width * hidden);
        let (d_bias, rest) = rest.split_at_mut(width);
        let (d_own, d_vectors) = rest.split_at_mut(self.places.own - self.places.bias);
        let weight = self.parts().weight;
        for (index, window) in group.iter().enumerate() {
            for (step, labels) in self.pending.labels(window).chunks_exact(labels_width).enumerate() {
                let terms = self.terms(labels);
                if terms == 0 {
                    continue;
                }
                sums.terms += terms as u64;
                let at = (step * batch.count + index) * hidden;
                let (h, d_h) = (&unrolled[at..][..hidden], &mut d_hidden[at..][..hidden]);
                sums.loss += self.raw_gradient(labels, h, &mut raw, &mut d_raw, d_own);
                self.linear.backward(weight, h, &d_raw, d_weight, d_bias, d_h);
            }
        }
        if !self.inputs.is_learned() {
            return self.cell.backward(&d_hidden, cell_gradient, None);
        }
        let mut d_seen = Vec::new();
        self.cell.backward(&d_hidden, cell_gradient, Some(&mut d_seen))?;
        let seen = self.inputs.seen();
        for (index, window) in group.iter().enumerate() {
            for (step, stored) in self.pending.inputs(window).chunks_exact(self.inputs.stored()).enumerate() {
                let d_seen = &d_seen[(step * batch.count + index) * seen..][..seen];
                self.inputs.add_gradient(stored, d_seen, d_vectors);
            }
        }
        Ok(())
    }

    /// The windows of one length as a batch.
    fn gather(&self, group: &[Window]) -> Windows {
        let (stored, seen) = (self.inputs.stored(), self.inputs.seen());
        let vectors = self.parts().vectors;
        let steps = group.first().map_or(0, |window| window.steps);
        let count = self.cell.padded(group.len());
        let mut batch = Windows {
            count,
            steps,
            inputs: vec![0.0; steps * count * seen],
            states: vec![0.0; count * self.shape.state_len()],
            outputs: self.learning.every,
        };
        for (index, window) in group.iter().enumerate() {
            for (step, event) in self.pending.inputs(window).chunks_exact(stored).enumerate() {
                self.inputs.expand(event, vectors, &mut batch.inputs[(step * count + index) * seen..][..seen]);
            }
            let state = self.pending.state(window);
            batch.states[index * state.len()..][..state.len()].copy_from_slice(state);
        }
        batch
    }

    /// Moves the parameters along the gradient, or counts a skipped step if there is none to move along.
    fn apply(&mut self, gradient: &mut [f32], sums: &Sums) -> Result<(), ModelError> {
        if sums.terms == 0 || !sums.is_finite() {
            self.learner.skipped += 1;
            self.learner.skipped_in_a_row += 1;
            if self.learner.skipped_in_a_row >= SKIPS_MAX {
                self.roll_back()?;
            }
            return Ok(());
        }
        self.learner.skipped_in_a_row = 0;
        let clip = self.learning.optimizer.clip_norm;
        if clip > 0.0 && sums.length > clip {
            let scale = (clip / sums.length) as f32;
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
        let rate = self.schedule.rate(self.learner.steps);
        self.optimizer.step(rate, gradient, &mut self.values);
        self.head.constrain(&mut self.values[self.places.bias..self.places.own]);
        self.learner.steps += 1;
        if self.learner.steps.is_multiple_of(COPY_STEPS) && self.values.iter().all(|value| value.is_finite()) {
            self.learner.good_values.copy_from_slice(&self.values);
            self.learner.good_optimizer = self.optimizer.boxed_clone();
        }
        self.load()
    }

    /// Goes back to the last good copy. States need nothing here: one that is not finite is never stored.
    fn roll_back(&mut self) -> Result<(), ModelError> {
        self.learner.rollbacks += 1;
        self.learner.skipped_in_a_row = 0;
        self.values.copy_from_slice(&self.learner.good_values);
        self.optimizer = self.learner.good_optimizer.boxed_clone();
        self.load()
    }
}
