//! What one layer of windows leaves behind for the gradient, and that gradient.

use crate::layer::Layer;
use crate::product;
use crate::rule::{Back, Move};
use crate::shape::Kind;

/// The events of windows, one window after the other, each from its first event on.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tape {
    /// Events of a window.
    pub(crate) steps: usize,
    /// Inputs, `[events, width]`.
    pub(crate) x: Vec<f32>,
    /// States before each event, `[events, hidden]`.
    h: Vec<f32>,
    c: Vec<f32>,
    /// `[events, saved · hidden]`.
    saved: Vec<f32>,
    /// What comes out, `[events, hidden]`.
    pub(crate) out: Vec<f32>,
    /// Scratch of a step.
    scratch: Vec<f32>,
    /// Gradients with respect to the products of an event, `[events, rows]`.
    d_inner: Vec<f32>,
    d_recurrent: Vec<f32>,
    d_h: Vec<f32>,
    d_c: Vec<f32>,
}

impl Tape {
    /// Runs the windows whose inputs are in `x`, from the given states.
    #[inline(always)]
    pub(crate) fn run<'a>(
        &mut self,
        layer: &Layer,
        starts: impl Iterator<Item = (&'a [f32], &'a [f32])>,
        width: usize,
    ) {
        let hidden = layer.hidden;
        let events = self.x.len() / width;
        let saved_len = layer.kind.saved() * hidden;
        let cell_len = if layer.kind.has_cell_state() { hidden } else { 0 };
        resize(&mut self.h, events * hidden);
        resize(&mut self.c, events * cell_len);
        resize(&mut self.out, events * hidden);
        resize(&mut self.saved, events * saved_len);
        resize(&mut self.scratch, layer.rows());
        resize(&mut self.d_h, hidden);
        resize(&mut self.d_c, cell_len);
        let mut event = 0;
        for (h, c) in starts {
            self.d_h.copy_from_slice(h);
            self.d_c.copy_from_slice(c);
            for _ in 0..self.steps {
                self.h[event * hidden..][..hidden].copy_from_slice(&self.d_h);
                self.c[event * cell_len..][..cell_len].copy_from_slice(&self.d_c);
                layer.advance(Move {
                    x: &self.x[event * width..][..width],
                    h: &mut self.d_h,
                    c: &mut self.d_c,
                    saved: &mut self.saved[event * saved_len..][..saved_len],
                    recurrent: &mut self.scratch,
                });
                self.out[event * hidden..][..hidden].copy_from_slice(&self.d_h);
                event += 1;
            }
        }
    }

    /// Sends the gradient with respect to what came out back, adds that with respect to the parameters to `gradient`, and
    /// overwrites `d_x`, where it is given, with that with respect to the inputs.
    #[inline(always)]
    pub(crate) fn pull(&mut self, layer: &Layer, d_out: &[f32], gradient: &mut [f32], d_x: Option<&mut Vec<f32>>) {
        let (hidden, rows) = (layer.hidden, layer.rows());
        let events = self.out.len() / hidden;
        let saved_len = layer.kind.saved() * hidden;
        let cell_len = if layer.kind.has_cell_state() { hidden } else { 0 };
        resize(&mut self.d_inner, events * rows);
        resize(&mut self.d_recurrent, events * rows);
        for last in (self.steps..=events).step_by(self.steps.max(1)) {
            self.d_h.fill(0.0);
            self.d_c.fill(0.0);
            for event in (last - self.steps..last).rev() {
                for (d_h, d) in self.d_h.iter_mut().zip(&d_out[event * hidden..][..hidden]) {
                    *d_h += d;
                }
                layer.retreat(Back {
                    saved: &self.saved[event * saved_len..][..saved_len],
                    h: &self.h[event * hidden..][..hidden],
                    c: &self.c[event * cell_len..][..cell_len],
                    d_h: &mut self.d_h,
                    d_c: &mut self.d_c,
                    d_inner: &mut self.d_inner[event * rows..][..rows],
                    d_recurrent: &mut self.d_recurrent[event * rows..][..rows],
                });
            }
        }
        let width = self.x.len() / events.max(1);
        if let Some(d_x) = d_x {
            resize(d_x, self.x.len());
            for (d_x, d) in d_x.chunks_exact_mut(width.max(1)).zip(self.d_inner.chunks_exact(rows)) {
                layer.pull_inputs(d, d_x);
            }
        }
        self.add_gradient(layer.kind, hidden, width, events, gradient);
    }

    /// Adds up, for each row of a matrix, over all events.
    #[inline(always)]
    fn add_gradient(&self, kind: Kind, hidden: usize, width: usize, events: usize, gradient: &mut [f32]) {
        let rows = kind.gates() * hidden;
        let (d_inputs, rest) = gradient.split_at_mut(rows * width);
        let (d_recurrent, biases) = rest.split_at_mut(rows * hidden);
        for (row, sum) in d_inputs.chunks_exact_mut(width).enumerate() {
            product::add(sum, events, |event| self.d_inner[event * rows + row], &self.x, width);
        }
        for (row, sum) in d_recurrent.chunks_exact_mut(hidden).enumerate() {
            let d = |event: usize| self.d_recurrent[event * rows + row];
            if kind == Kind::GruResetBefore && row >= 2 * hidden {
                // These rows saw r ⊙ h, which is what the step saved last.
                product::add(sum, events, d, &self.saved[3 * hidden..], 4 * hidden);
            } else {
                product::add(sum, events, d, &self.h, hidden);
            }
        }
        if kind.has_biases() {
            let (inputs, recurrent) = biases.split_at_mut(rows);
            product::add(inputs, events, |_| 1.0, &self.d_inner, rows);
            product::add(recurrent, events, |_| 1.0, &self.d_recurrent, rows);
        }
    }
}

/// Makes `values` so long; what is in it does not matter.
fn resize(values: &mut Vec<f32>, len: usize) {
    values.resize(len, 0.0);
}
