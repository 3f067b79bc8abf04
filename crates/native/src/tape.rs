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

/// What is wanted of a gradient on its way back through a layer.
pub(crate) struct Wanted<'a> {
    /// With respect to the parameters; is added to.
    pub(crate) gradient: Option<&'a mut [f32]>,
    /// With respect to the inputs; is overwritten.
    pub(crate) d_x: Option<&'a mut Vec<f32>>,
    pub(crate) states: Option<DStates<'a>>,
}

/// Gradients with respect to the states of one layer after each event.
pub(crate) struct DStates<'a> {
    /// Of all layers, one window after the other: `[events, state]`; is overwritten.
    pub(crate) values: &'a mut [f32],
    /// Numbers of a state.
    pub(crate) width: usize,
    /// Where in a state h and c of this layer are.
    pub(crate) h: usize,
    pub(crate) c: usize,
}

/// Gradients with respect to what a layer gives out, `[events, hidden]` each, or empty.
pub(crate) struct DOut<'a> {
    /// What is read from the state that an event leaves.
    pub(crate) read: &'a [f32],
    /// What the layer hands to the one above at the same event, before the state stands.
    pub(crate) above: &'a [f32],
}

impl DStates<'_> {
    #[inline(always)]
    fn keep(&mut self, event: usize, d_h: &[f32], d_c: &[f32]) {
        let state = &mut self.values[event * self.width..][..self.width];
        state[self.h..][..d_h.len()].copy_from_slice(d_h);
        state[self.c..][..d_c.len()].copy_from_slice(d_c);
    }
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

    /// Sends the gradient with respect to what came out back, and gives what is wanted of it.
    #[inline(always)]
    pub(crate) fn pull(&mut self, layer: &Layer, d_out: DOut<'_>, wanted: Wanted<'_>) {
        let Wanted { gradient, d_x, mut states } = wanted;
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
                add(&mut self.d_h, d_out.read, event);
                if let Some(states) = &mut states {
                    states.keep(event, &self.d_h, &self.d_c);
                }
                add(&mut self.d_h, d_out.above, event);
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
        if let Some(gradient) = gradient {
            self.add_gradient(layer.kind, hidden, width, events, gradient);
        }
    }

    /// What the gates of a layer of this kind did at each event, see [`Gates`](crate::Gates): `[events, gates, hidden]`, and what
    /// the cell state was after it, `[events, hidden]`, empty where there is none.
    pub(crate) fn gates(&self, kind: Kind, hidden: usize) -> (Vec<f32>, Vec<f32>) {
        let (shown, saved) = (kind.gate_names().len() * hidden, kind.saved() * hidden);
        let mut gates = Vec::with_capacity(self.saved.len() / saved * shown);
        let mut cells = Vec::new();
        for (event, saved) in self.saved.chunks_exact(saved).enumerate() {
            gates.extend_from_slice(&saved[..shown]);
            if kind.has_cell_state() {
                let part = |place: usize| &saved[place * hidden..][..hidden];
                let c = &self.c[event * hidden..][..hidden];
                let moved = part(0).iter().zip(part(1)).zip(part(2)).zip(c);
                cells.extend(moved.map(|(((i, f), g), c)| f * c + i * g));
            }
        }
        (gates, cells)
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

/// Adds the row of an event to `sum`, where there are rows.
#[inline(always)]
fn add(sum: &mut [f32], rows: &[f32], event: usize) {
    if !rows.is_empty() {
        let row = &rows[event * sum.len()..][..sum.len()];
        sum.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
    }
}

/// Makes `values` so long; what is in it does not matter.
fn resize(values: &mut Vec<f32>, len: usize) {
    values.resize(len, 0.0);
}
