//! What a network learns from at a step: labels or, over count experts, gradients that were taken when the labels came.
//!
//! By the time a window falls due, the experts have counted its labels. Asked again they would know them, and the network would learn
//! that nothing is left for it to say. So the gradient with respect to the raw numbers is kept of each step in place of its labels.

use super::{Network, Parts};
use crate::head::label_of_class;
use crate::wave::Wave;

impl<F: Send> Network<F> {
    /// Whether windows learn from gradients that were taken when the labels came.
    pub(super) fn gradients_are_given(&self) -> bool {
        self.experts.is_some()
    }

    /// Numbers that are kept of a step's labels.
    pub(super) fn labels_width(&self) -> usize {
        if self.gradients_are_given() { self.linear.outputs } else { self.dims.outputs() }
    }

    /// The labels that a row of a wave gives to the step before, as gradients of the loss with respect to the raw numbers of that
    /// step; NaN where there is none.
    pub(super) fn label_by_gradient(&mut self, wave: &Wave, index: usize) {
        let (slot, targets) = (wave.slots[index], self.dims.targets);
        let Some(step) = wave.events[index].checked_sub(1) else { return };
        let classes = &wave.classes[index * targets..][..targets];
        let labels: Vec<f32> = classes.iter().copied().map(label_of_class).collect();
        let mut raw = vec![0.0; self.linear.outputs];
        let hidden = &self.memory.state(slot)[self.shape.output()];
        let (cell, weight_end, bias_end) = (self.places.cell, self.places.weight, self.places.bias);
        let (weight, bias) = (&self.values[cell..weight_end], &self.values[weight_end..bias_end]);
        self.linear.forward(weight, bias, hidden, &mut raw);
        if let Some(experts) = &mut self.experts {
            experts.add(slot, step, &mut raw);
        }
        let mut d_raw = vec![0.0; raw.len()];
        self.head.loss(&[], &raw, &labels, &mut d_raw, &mut []);
        for (range, label) in self.dims.probability_ranges().zip(&labels) {
            if label.is_nan() || d_raw[range.clone()].iter().any(|d| !d.is_finite()) {
                d_raw[range].fill(f32::NAN);
            }
        }
        if let Some(experts) = self.experts.as_mut().filter(|_| self.learning.enabled) {
            experts.wait(wave, index, &d_raw);
        }
        self.memory.label_gradient(slot, step, &d_raw);
    }

    /// Whether something learns at the label that the event of this index brings.
    pub(super) fn learns_at_label(&self, event: u64) -> bool {
        self.gradients_are_given() && event > 0
    }

    /// For how many outputs there is something to learn from a step's labels.
    pub(super) fn terms(&self, labels: &[f32]) -> usize {
        if self.gradients_are_given() {
            self.dims.probability_ranges().filter(|range| !labels[range.start].is_nan()).count()
        } else {
            labels.iter().filter(|label| !label.is_nan()).count()
        }
    }

    /// The gradient of the loss at a step's labels with respect to the raw numbers, for a hidden state: overwrites `d_raw`, adds to
    /// `d_own`, and returns the loss, which is not known where the gradient was given when the labels came.
    pub(super) fn raw_gradient(
        &self,
        labels: &[f32],
        hidden: &[f32],
        raw: &mut [f32],
        d_raw: &mut [f32],
        d_own: &mut [f32],
    ) -> f64 {
        if self.gradients_are_given() {
            d_raw.iter_mut().zip(labels).for_each(|(d, given)| *d = if given.is_nan() { 0.0 } else { *given });
            return 0.0;
        }
        let Parts { weight, bias, own, .. } = self.parts();
        self.linear.forward(weight, bias, hidden, raw);
        self.head.loss(own, raw, labels, d_raw, d_own)
    }
}
