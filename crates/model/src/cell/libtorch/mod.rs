//! The libtorch backend: the reference that every other one is held against.
//!
//! libtorch's CPU kernels give a row the same result in every batch only under conditions that depend on shape and processor.
//! [`Batching`] names three that do, and [`TorchCell::new`] picks the first that holds, bit by bit, on the machine at hand for
//! the shape in use. Window batches need neither: what they consist of is a function of the log.
//!
//! What the cells compute: `fused.rs` by libtorch's own kernels, `reset_before.rs` and `feed_forward.rs` from their equations.

mod batch_invariance;
mod feed_forward;
mod fused;
mod reset_before;
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
    /// The parts of the states before the first event, each `[count, width]`.
    start: Vec<Tensor>,
    /// `[outputs, count, hidden]`.
    hidden: Tensor,
}

/// A cell computed by libtorch on the CPU, on one thread.
pub struct TorchCell {
    shape: CellShape,
    /// Widths of the parts of a state.
    parts: Vec<usize>,
    batching: Batching,
    /// Weights and biases, in the order of [`CellShape::parameters`].
    parameters: Vec<Tensor>,
    unrolled: Option<Unrolled>,
    /// Scratch for padded rows: inputs, and one part of the states.
    padded: [Vec<f32>; 2],
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
        let parts = shape.state_parts();
        Self { shape, parts, batching, parameters: Vec::new(), unrolled: None, padded: Default::default() }
    }

    /// How steps are batched.
    pub fn batching(&self) -> Batching {
        self.batching
    }

    fn is_loaded(&self) -> bool {
        self.parameters.len() == self.shape.layers * self.shape.parameters_per_layer()
    }

    /// One step of rows that are filled up to a multiple of [`ROW_PADDING`].
    fn step_padded(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError> {
        let width = self.shape.inputs;
        let padded_rows = (inputs.len() / width).next_multiple_of(ROW_PADDING);
        let state_len: usize = self.parts.iter().sum();
        let [mut x, mut part] = std::mem::take(&mut self.padded);
        x.clear();
        x.extend_from_slice(inputs);
        x.resize(padded_rows * width, 0.0);
        let input = tensor(&x, &[padded_rows as i64, width as i64])?;
        let mut before = Vec::with_capacity(self.parts.len());
        let mut from = 0;
        for width in &self.parts {
            part.clear();
            states.chunks_exact(state_len).for_each(|state| part.extend_from_slice(&state[from..from + width]));
            part.resize(padded_rows * width, 0.0);
            before.push(tensor(&part, &[padded_rows as i64, *width as i64])?);
            from += width;
        }
        // A guard on this thread for this call only: it must not outlive an await, and there is none here.
        let _no_grad = tch::no_grad_guard();
        let after = self.moved(&input, &before)?;
        let mut from = 0;
        for (width, values) in self.parts.iter().zip(after) {
            part.resize(padded_rows * width, 0.0);
            copy_out(&values, &mut part)?;
            for (state, values) in states.chunks_exact_mut(state_len).zip(part.chunks_exact(*width)) {
                state[from..from + width].copy_from_slice(values);
            }
            from += width;
        }
        self.padded = [x, part];
        Ok(())
    }

    /// The parts of the states of some rows after an event, from their inputs and the parts before it.
    fn moved(&self, input: &Tensor, before: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
        match self.shape.kind {
            CellKind::Lstm | CellKind::Gru | CellKind::Rnn => {
                fused::step(self.shape.kind, &self.parameters, input, before)
            }
            CellKind::GruResetBefore => reset_before::step(&self.parameters, input, before),
            CellKind::Mlp { .. } => feed_forward::step(&self.parameters, input, before),
        }
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
    fn arithmetic(&self) -> String {
        let version = option_env!("SLUICEGATE_LIBTORCH_VERSION").unwrap_or("of unknown version");
        format!("libtorch {version}, {:?}", self.batching).to_lowercase()
    }

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
        if !self.is_loaded() {
            return Err(ModelError::CellNotLoaded);
        }
        let rows = match self.batching {
            Batching::Padded => batch_invariance::ROWS_MAX,
            Batching::Fixed => ROW_PADDING,
            Batching::Alone => 1,
        };
        let inputs = inputs.chunks(rows * self.shape.inputs);
        let states = states.chunks_mut(rows * self.shape.state_len());
        inputs.zip(states).try_for_each(|(inputs, states)| self.step_padded(inputs, states))
    }

    /// Few different sizes, since libtorch prepares its kernels anew for each.
    fn padded(&self, count: usize) -> usize {
        if count <= ROW_PADDING { count.next_power_of_two() } else { count.next_multiple_of(ROW_PADDING) }
    }

    fn unroll(&mut self, windows: &Windows) -> Result<Vec<f32>, ModelError> {
        threads::single();
        if !self.is_loaded() {
            return Err(ModelError::CellNotLoaded);
        }
        let (count, steps, outputs) = (windows.count as i64, windows.steps as i64, windows.outputs as i64);
        // Its gradient is computed only where backward is asked for it.
        let x = tensor(&windows.inputs, &[steps, count, self.shape.inputs as i64])?.f_set_requires_grad(true)?;
        let state_len: usize = self.parts.iter().sum();
        let mut start = Vec::with_capacity(self.parts.len());
        let mut from = 0;
        for width in &self.parts {
            let states = windows.states.chunks_exact(state_len);
            let values: Vec<f32> = states.flat_map(|state| &state[from..from + width]).copied().collect();
            start.push(tensor(&values, &[count, *width as i64])?);
            from += width;
        }
        let hidden = match self.shape.kind {
            CellKind::Lstm | CellKind::Gru | CellKind::Rnn => {
                fused::unroll(self.shape.kind, &self.parameters, &x, &start)?.f_narrow(0, steps - outputs, outputs)?
            }
            CellKind::GruResetBefore => {
                reset_before::unroll(&self.parameters, &x, &start)?.f_narrow(0, steps - outputs, outputs)?
            }
            CellKind::Mlp { lags } => feed_forward::unroll(&self.parameters, &x, &start, lags, outputs)?,
        };
        let mut values = vec![0.0; windows.outputs * windows.count * self.shape.hidden];
        copy_out(&hidden.f_detach()?, &mut values)?;
        self.unrolled = Some(Unrolled { inputs: x, start, hidden });
        Ok(values)
    }

    fn backward(
        &mut self,
        d_hidden: &[f32],
        gradient: &mut [f32],
        d_inputs: Option<&mut Vec<f32>>,
    ) -> Result<(), ModelError> {
        threads::single();
        let Unrolled { inputs, hidden, .. } = self.unrolled.take().ok_or(ModelError::CellNotLoaded)?;
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

    /// By single steps, since the kernels for whole windows do not give out the states between.
    fn d_states(&mut self, d_hidden: &[f32]) -> Result<Vec<f32>, ModelError> {
        threads::single();
        let Unrolled { inputs, start, hidden } = self.unrolled.as_ref().ok_or(ModelError::CellNotLoaded)?;
        let d = tensor(d_hidden, &hidden.size())?;
        let (steps, count) = (inputs.size()[0] as usize, inputs.size()[1] as usize);
        let (topmost, outputs) = (self.shape.layers - 1, d.size()[0] as usize);
        let mut states: Vec<Vec<Tensor>> = Vec::with_capacity(steps);
        let mut pulled = Tensor::f_zeros([], (Kind::Float, tch::Device::Cpu))?;
        for step in 0..steps {
            let input = inputs.f_select(0, step as i64)?;
            let after = self.moved(&input, states.last().unwrap_or(start))?;
            // Copies: only what reads the finished state shall count, not what the step itself does with its parts.
            let after: Vec<Tensor> = after.iter().map(|part| part.f_mul_scalar(1.0)).collect::<Result<_, _>>()?;
            if let Some(output) = (step + outputs).checked_sub(steps) {
                let read = after[topmost].f_mul(&d.f_select(0, output as i64)?)?.f_sum(Kind::Float)?;
                pulled = pulled.f_add(&read)?;
            }
            states.push(after);
        }
        let wanted: Vec<&Tensor> = states.iter().flatten().collect();
        let gradients = Tensor::f_run_backward(&[pulled], &wanted, false, false)?;
        let state_len: usize = self.parts.iter().sum();
        let mut d_states = vec![0.0; steps * count * state_len];
        let mut values = Vec::new();
        for (place, gradient) in gradients.iter().enumerate() {
            // Nothing reads the last cell state, for instance.
            if !gradient.defined() {
                continue;
            }
            let (step, part) = (place / self.parts.len(), place % self.parts.len());
            let (width, from) = (self.parts[part], self.parts[..part].iter().sum::<usize>());
            values.resize(count * width, 0.0);
            copy_out(gradient, &mut values)?;
            let rows = d_states[step * count * state_len..][..count * state_len].chunks_exact_mut(state_len);
            for (row, values) in rows.zip(values.chunks_exact(width)) {
                row[from..from + width].copy_from_slice(values);
            }
        }
        Ok(d_states)
    }
}
