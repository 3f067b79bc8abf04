//! The libtorch backend: the reference that every other one is held against.
//!
//! libtorch's CPU kernels give a row the same result in every batch only under conditions that depend on shape and processor.
//! [`Batching`] names three that do, and [`TorchCell::new`] picks the first that holds, bit by bit, on the machine at hand for
//! the shape in use. Window batches need neither: what they consist of is a function of the log.

mod batch_invariance;
mod threads;

use tch::{Kind, Tensor};

use super::{Cell, CellKind, CellShape, Windows};
use crate::error::ModelError;

/// Steps are done in batches of a multiple of this many rows, the last ones filled up with zeros.
pub const ROW_PADDING: usize = 8;

/// How rows are put together for a step, so that a row's result does not depend on the rows beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// Up to 256 rows at once, the last ones filled up to a multiple of [`ROW_PADDING`]: what nearly every shape allows.
    Padded,
    /// [`ROW_PADDING`] rows at a time: slower over many keys, for shapes where libtorch picks its kernel by the number of rows.
    Fixed,
    /// One row at a time, always in the first place: slower still, for shapes where a row's place decides on some processors.
    Alone,
}

/// What a backward pass starts from and ends at.
struct Unrolled {
    /// `[steps, count, inputs]`.
    inputs: Tensor,
    /// `[outputs, count, hidden]`.
    hidden: Tensor,
}

/// A cell computed by libtorch on the CPU, on one thread.
pub struct TorchCell {
    shape: CellShape,
    batching: Batching,
    /// Weights and biases, in the order of [`CellShape::parameters`].
    parameters: Vec<Tensor>,
    unrolled: Option<Unrolled>,
    /// Scratch for padded rows: inputs, h, c.
    padded: [Vec<f32>; 3],
}

impl TorchCell {
    /// A cell of the given shape, batched in the fastest way that gives a row the same result in every batch.
    ///
    /// # Errors
    /// [`ModelError::NotBatchInvariant`] when there is none on this machine.
    pub fn new(shape: CellShape) -> Result<Self, ModelError> {
        let padded = Self::with_batching(shape, Batching::Padded);
        match batch_invariance::check(shape, Batching::Padded) {
            Err(ModelError::NotBatchInvariant { .. }) => {
                let fixed = batch_invariance::check(shape, Batching::Fixed).is_ok();
                let batching = if fixed { Batching::Fixed } else { Batching::Alone };
                batch_invariance::check(shape, batching)?;
                Ok(Self::with_batching(shape, batching))
            }
            checked => checked.map(|()| padded),
        }
    }

    fn with_batching(shape: CellShape, batching: Batching) -> Self {
        Self { shape, batching, parameters: Vec::new(), unrolled: None, padded: Default::default() }
    }

    /// How steps are batched.
    pub fn batching(&self) -> Batching {
        self.batching
    }

    /// One step of rows that are filled up to a multiple of [`ROW_PADDING`].
    fn step_padded(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError> {
        let CellShape { kind, inputs: width, hidden } = self.shape;
        let rows = inputs.len() / width;
        let padded_rows = rows.next_multiple_of(ROW_PADDING);
        let state_len = self.shape.state_len();
        let [x, h, c] = &mut self.padded;
        x.clear();
        x.extend_from_slice(inputs);
        x.resize(padded_rows * width, 0.0);
        h.clear();
        c.clear();
        for state in states.chunks_exact(state_len) {
            h.extend_from_slice(&state[..hidden]);
            c.extend_from_slice(&state[hidden..]);
        }
        h.resize(padded_rows * hidden, 0.0);
        c.resize(padded_rows * (state_len - hidden), 0.0);
        let (rows_i, hidden_i) = (padded_rows as i64, hidden as i64);
        let input = tensor(x, &[rows_i, width as i64])?;
        let h_in = tensor(h, &[rows_i, hidden_i])?;
        let [w_ih, w_hh, b_ih, b_hh] = &self.parameters[..] else {
            return Err(not_loaded());
        };
        // A guard on this thread for this call only: it must not outlive an await, and there is none here.
        let _no_grad = tch::no_grad_guard();
        match kind {
            CellKind::Lstm => {
                let c_in = tensor(c, &[rows_i, hidden_i])?;
                let (h_out, c_out) = input.f_lstm_cell(&[&h_in, &c_in], w_ih, w_hh, Some(b_ih), Some(b_hh))?;
                copy_out(&h_out, h)?;
                copy_out(&c_out, c)?;
            }
            CellKind::Gru => {
                let h_out = input.f_gru_cell(&h_in, w_ih, w_hh, Some(b_ih), Some(b_hh))?;
                copy_out(&h_out, h)?;
            }
            CellKind::Rnn => {
                let h_out = input.f_rnn_tanh_cell(&h_in, w_ih, w_hh, Some(b_ih), Some(b_hh))?;
                copy_out(&h_out, h)?;
            }
        }
        for (row, state) in states.chunks_exact_mut(state_len).enumerate() {
            state[..hidden].copy_from_slice(&h[row * hidden..][..hidden]);
            if kind == CellKind::Lstm {
                state[hidden..].copy_from_slice(&c[row * hidden..][..hidden]);
            }
        }
        Ok(())
    }
}

fn tensor(values: &[f32], shape: &[i64]) -> Result<Tensor, ModelError> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?)
}

fn copy_out(tensor: &Tensor, values: &mut [f32]) -> Result<(), ModelError> {
    let tensor = tensor.f_contiguous()?;
    Ok(tensor.f_copy_data(values, values.len())?)
}

impl Cell for TorchCell {
    fn load(&mut self, parameters: &[f32]) -> Result<(), ModelError> {
        threads::single();
        self.unrolled = None;
        self.parameters.clear();
        let mut rest = parameters;
        for spec in self.shape.parameters() {
            let (values, after) = rest.split_at(spec.len());
            rest = after;
            let shape: Vec<i64> = spec.shape.iter().map(|n| *n as i64).collect();
            self.parameters.push(tensor(values, &shape)?.f_set_requires_grad(true)?);
        }
        Ok(())
    }

    fn step(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError> {
        threads::single();
        let rows = match self.batching {
            Batching::Padded => batch_invariance::ROWS_MAX,
            Batching::Fixed => ROW_PADDING,
            Batching::Alone => 1,
        };
        let inputs = inputs.chunks(rows * self.shape.inputs);
        let states = states.chunks_mut(rows * self.shape.state_len());
        inputs.zip(states).try_for_each(|(inputs, states)| self.step_padded(inputs, states))
    }

    fn unroll(&mut self, windows: &Windows) -> Result<Vec<f32>, ModelError> {
        threads::single();
        let CellShape { kind, inputs, hidden } = self.shape;
        if self.parameters.len() != 4 {
            return Err(not_loaded());
        }
        let (count, steps, hidden_i) = (windows.count as i64, windows.steps as i64, hidden as i64);
        let state_len = self.shape.state_len();
        // Its gradient is computed only where backward is asked for it.
        let x = tensor(&windows.inputs, &[steps, count, inputs as i64])?.f_set_requires_grad(true)?;
        let part = |from: usize| -> Result<Tensor, ModelError> {
            let values: Vec<f32> =
                windows.states.chunks_exact(state_len).flat_map(|state| &state[from..from + hidden]).copied().collect();
            tensor(&values, &[1, count, hidden_i])
        };
        // has_biases, one layer, no dropout, training, one direction, time-major.
        let output = match kind {
            CellKind::Lstm => {
                x.f_lstm(&[part(0)?, part(hidden)?], &self.parameters, true, 1, 0.0, true, false, false)?.0
            }
            CellKind::Gru => x.f_gru(&part(0)?, &self.parameters, true, 1, 0.0, true, false, false)?.0,
            CellKind::Rnn => x.f_rnn_tanh(&part(0)?, &self.parameters, true, 1, 0.0, true, false, false)?.0,
        };
        let outputs = windows.outputs as i64;
        let wanted = output.f_narrow(0, steps - outputs, outputs)?;
        let mut values = vec![0.0; windows.outputs * windows.count * hidden];
        copy_out(&wanted.f_detach()?, &mut values)?;
        self.unrolled = Some(Unrolled { inputs: x, hidden: wanted });
        Ok(values)
    }

    fn backward(
        &mut self,
        d_hidden: &[f32],
        gradient: &mut [f32],
        d_inputs: Option<&mut Vec<f32>>,
    ) -> Result<(), ModelError> {
        threads::single();
        let Unrolled { inputs, hidden } = self.unrolled.take().ok_or_else(not_loaded)?;
        // d/dθ Σ hidden ⊙ d is the gradient of the loss when d is its gradient with respect to hidden.
        let d = tensor(d_hidden, &hidden.size())?;
        let pulled = hidden.f_mul(&d)?.f_sum(Kind::Float)?;
        let mut wanted: Vec<&Tensor> = self.parameters.iter().collect();
        if d_inputs.is_some() {
            wanted.push(&inputs);
        }
        let gradients = Tensor::f_run_backward(&[pulled], &wanted, false, false)?;
        let (of_parameters, of_inputs) = gradients.split_at(self.parameters.len());
        if let (Some(d_inputs), [part]) = (d_inputs, of_inputs) {
            d_inputs.clear();
            d_inputs.resize(part.numel(), 0.0);
            copy_out(part, d_inputs)?;
        }
        let mut rest = gradient;
        let mut values = Vec::new();
        for part in of_parameters {
            let (here, after) = rest.split_at_mut(part.numel());
            rest = after;
            values.resize(here.len(), 0.0);
            copy_out(part, &mut values)?;
            here.iter_mut().zip(&values).for_each(|(sum, g)| *sum += g);
        }
        Ok(())
    }
}

fn not_loaded() -> ModelError {
    tch::TchError::Torch("a cell was used before its parameters were loaded or its windows unrolled".into()).into()
}
