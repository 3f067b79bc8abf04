//! The parameters of one layer, as the products want them.

use crate::product;
use crate::shape::{Kind, Shape};

/// One layer. Each matrix is kept row by row, for gradients, and column by column, for steps: so both run along memory.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) hidden: usize,
    /// W and U, `[rows, width]`.
    pub(crate) inputs: Vec<f32>,
    pub(crate) recurrent: Vec<f32>,
    /// Their transposes, `[width, rows]`.
    pub(crate) inputs_by_column: Vec<f32>,
    pub(crate) recurrent_by_column: Vec<f32>,
    /// b, b′ and b + b′; empty where there are none.
    pub(crate) bias_inputs: Vec<f32>,
    pub(crate) bias_recurrent: Vec<f32>,
    pub(crate) bias_both: Vec<f32>,
}

impl Layer {
    /// A layer whose parameters are all 0.
    pub(crate) fn new(shape: &Shape, layer: usize) -> Self {
        let (kind, hidden, width) = (shape.kind, shape.hidden, shape.inputs_of(layer));
        let rows = kind.gates() * hidden;
        let biases = if kind.has_biases() { rows } else { 0 };
        let zeros = |len: usize| vec![0.0; len];
        Self {
            kind,
            hidden,
            inputs: zeros(rows * width),
            recurrent: zeros(rows * hidden),
            inputs_by_column: zeros(rows * width),
            recurrent_by_column: zeros(rows * hidden),
            bias_inputs: zeros(biases),
            bias_recurrent: zeros(biases),
            bias_both: zeros(biases),
        }
    }

    /// Takes the parameters that lie in `values` as [`Shape::parameters`] says.
    pub(crate) fn load(&mut self, values: &[f32]) {
        let (inputs, rest) = values.split_at(self.inputs.len());
        let (recurrent, biases) = rest.split_at(self.recurrent.len());
        let (bias_inputs, bias_recurrent) = biases.split_at(biases.len() / 2);
        self.inputs.copy_from_slice(inputs);
        self.recurrent.copy_from_slice(recurrent);
        product::transpose(inputs, inputs.len() / self.rows(), &mut self.inputs_by_column);
        product::transpose(recurrent, self.hidden, &mut self.recurrent_by_column);
        self.bias_inputs.copy_from_slice(bias_inputs);
        self.bias_recurrent.copy_from_slice(bias_recurrent);
        for ((both, a), b) in self.bias_both.iter_mut().zip(bias_inputs).zip(bias_recurrent) {
            *both = a + b;
        }
    }

    /// Rows of W and U.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.kind.gates() * self.hidden
    }
}
