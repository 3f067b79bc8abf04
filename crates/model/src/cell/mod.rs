//! Recurrent cells: how the state moves with an event, and how a gradient flows back through a window of events.
//!
//! A [`Cell`] does the arithmetic of one kind of cell on one backend, and nothing else: it knows neither keys nor losses.
//! Today there is one backend, libtorch; another one is another implementation of the trait.

pub mod libtorch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::parameters::ParameterSpec;
use crate::random::Random;

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014), reset gate after the product, as cuDNN and PyTorch have it.
    Gru,
    /// Plain recurrent network (Elman 1990) with tanh: h = tanh(W x + U h + b). Its gradients vanish or explode over long spans,
    /// which is what the gated cells were made against.
    Rnn,
}

impl CellKind {
    /// Its name in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Rnn => "rnn",
        }
    }

    /// Blocks of `hidden` rows in each weight matrix: i, f, g, o for the LSTM; r, z, n for the GRU; one for the plain one.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::Rnn => 1,
        }
    }

    /// Numbers of state per hidden unit: h, and for the LSTM c after all of h.
    pub fn state_parts(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru | Self::Rnn => 1,
        }
    }
}

/// The shape of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellShape {
    /// Which cell.
    pub kind: CellKind,
    /// Width of the input.
    pub inputs: usize,
    /// Hidden units.
    pub hidden: usize,
}

impl CellShape {
    /// Numbers of state: `[h]` or `[h, c]`.
    pub fn state_len(&self) -> usize {
        self.kind.state_parts() * self.hidden
    }

    /// The parameters under PyTorch's names and in PyTorch's layout.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let rows = self.kind.gates() * self.hidden;
        vec![
            ParameterSpec::new("weight_ih_l0", [rows, self.inputs]),
            ParameterSpec::new("weight_hh_l0", [rows, self.hidden]),
            ParameterSpec::new("bias_ih_l0", [rows]),
            ParameterSpec::new("bias_hh_l0", [rows]),
        ]
    }

    /// Starting values, in the order of [`CellShape::parameters`]: input weights uniform within ±√(3/(inputs + hidden)),
    /// recurrent weights uniform within ±1/√hidden, biases 0 but 1 for the LSTM's forget gate (Jozefowicz et al. 2015).
    pub fn init(&self, random: &mut Random, values: &mut [f32]) {
        let (inputs, hidden) = (self.inputs, self.hidden);
        let rows = self.kind.gates() * hidden;
        let (input, rest) = values.split_at_mut(rows * inputs);
        let (recurrent, biases) = rest.split_at_mut(rows * hidden);
        random.fill_uniform((3.0 / (inputs + hidden) as f32).sqrt(), input);
        random.fill_uniform(1.0 / (hidden as f32).sqrt(), recurrent);
        biases.fill(0.0);
        if self.kind == CellKind::Lstm {
            biases[hidden..2 * hidden].fill(1.0);
        }
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

/// The arithmetic of one kind of cell on one backend.
///
/// Laws, checked by tests on every implementation: a row's result in [`Cell::step`] is bitwise the same whatever rows are
/// beside it; [`Cell::backward`] is the gradient of [`Cell::unroll`].
pub trait Cell: Send {
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

    /// Runs windows forward and returns the hidden states of their last steps: `[outputs, count, hidden]`.
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
}
