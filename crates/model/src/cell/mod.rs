//! Cells: how the state of a key moves with an event, and how a gradient flows back through a window of events.
//!
//! A [`Cell`] does the arithmetic of one kind of cell on one backend, and nothing else: it knows neither keys nor losses.
//! A backend is an implementation of the trait: [`libtorch`] has every cell and is the reference, [`native`] has the recurrent ones
//! and is faster one row at a time.

mod chrono;
mod config;
pub mod libtorch;
pub mod native;
mod shape;

pub use config::{GruVariant, NetworkKind, RecurrentKind};
pub use shape::{CellKind, CellShape};

use crate::config::BackendKind;
use crate::error::ModelError;
use libtorch::TorchCell;
use native::NativeCell;

impl BackendKind {
    /// The cell of the given shape on this backend.
    ///
    /// # Errors
    /// When the backend has no such cell, or does not keep the laws on this machine.
    pub fn cell(self, shape: CellShape) -> Result<Box<dyn Cell>, ModelError> {
        let native = match self {
            Self::Auto => NativeCell::covers(shape.kind),
            Self::Libtorch => false,
            Self::Native => true,
        };
        if native { Ok(Box::new(NativeCell::new(shape)?)) } else { Ok(Box::new(TorchCell::new(shape)?)) }
    }
}

/// Windows of equal length, to be trained on together.
#[derive(Debug, Default, Clone)]
pub struct Windows {
    /// How many.
    pub count: usize,
    /// Events in each.
    pub steps: usize,
    /// Inputs, time-major: `[steps, count, inputs]`.
    pub inputs: Vec<f32>,
    /// States before the first event of each: `[count, state_len]`.
    pub states: Vec<f32>,
    /// Steps at the end whose hidden state is wanted.
    pub outputs: usize,
}

/// What the gates of a cell did in a window, step by step, the topmost layer last.
#[derive(Debug, Clone, PartialEq)]
pub struct GateTrace {
    /// The gates: i, f, g, o of an LSTM; r, z, n of a GRU; none of a plain cell.
    pub names: &'static [&'static str],
    /// Hidden units of each layer.
    pub hidden: usize,
    /// For each layer what each gate let through, and the candidates g and n: `[steps, names, hidden]`.
    pub gates: Vec<Vec<f32>>,
    /// For each layer the cell state after each step, `[steps, hidden]`; empty but for the LSTM.
    pub cells: Vec<Vec<f32>>,
}

/// The arithmetic of one kind of cell on one backend.
///
/// Laws, checked by tests on every implementation: a row's result in [`Cell::step`] is bitwise the same whatever rows are
/// beside it; [`Cell::backward`] is the gradient of [`Cell::unroll`].
pub trait Cell: Send {
    /// What decides the last bits of its results, beside the machine: the backend and its version.
    fn arithmetic(&self) -> String;

    /// Takes new parameters, laid out as [`CellShape::parameters`] says.
    ///
    /// # Errors
    /// When the backend fails.
    fn load(&mut self, parameters: &[f32]) -> Result<(), ModelError>;

    /// One event of each of several rows: `inputs: [rows, inputs]`, `states: [rows, state_len]`, moved in place.
    ///
    /// # Errors
    /// When the backend fails.
    fn step(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError>;

    /// How many windows are best trained on at once, where there are so many: the rest is filled up with empty ones.
    fn padded(&self, count: usize) -> usize {
        count
    }

    /// Runs windows forward and returns what their last steps give out, see [`CellShape::output`]: `[outputs, count, output]`.
    ///
    /// # Errors
    /// When the backend fails.
    fn unroll(&mut self, windows: &Windows) -> Result<Vec<f32>, ModelError>;

    /// Sends the gradient with respect to what [`Cell::unroll`] returned back through the windows of that call, and adds
    /// the gradient with respect to the parameters to `gradient`, laid out as they are. Where `d_inputs` is given, its contents
    /// are replaced by the gradient with respect to the inputs of the windows, `[steps, count, inputs]`: what a part before the
    /// cell learns from.
    ///
    /// # Errors
    /// When the backend fails, or there was no [`Cell::unroll`] before.
    fn backward(
        &mut self,
        d_hidden: &[f32],
        gradient: &mut [f32],
        d_inputs: Option<&mut Vec<f32>>,
    ) -> Result<(), ModelError>;

    /// The gradient with respect to the state after each step of the windows of the last [`Cell::unroll`],
    /// `[steps, count, state_len]`, where `d_hidden` is that with respect to what was returned: how much a loss has to do with what
    /// was remembered k steps before it, k = 0, 1, …. The state is taken as what the step's output is read from and the next step
    /// begins with.
    ///
    /// # Errors
    /// When the backend fails, or there was no [`Cell::unroll`] before.
    fn d_states(&mut self, d_hidden: &[f32]) -> Result<Vec<f32>, ModelError>;

    /// What the gates did in the one window of the last [`Cell::unroll`].
    ///
    /// # Errors
    /// [`ModelError::NoGates`] on a backend that does not tell.
    fn gates(&self) -> Result<GateTrace, ModelError> {
        Err(ModelError::NoGates { arithmetic: self.arithmetic() })
    }
}
