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
    /// The layer whose parameters lie in `values` as [`Shape::parameters`] says.
    pub(crate) fn new(shape: &Shape, layer: usize, values: &[f32]) -> Self {
        let (kind, hidden, width) = (shape.kind, shape.hidden, shape.inputs_of(layer));
        let rows = kind.gates() * hidden;
        let (inputs, rest) = values.split_at(rows * width);
        let (recurrent, biases) = rest.split_at(rows * hidden);
        let (bias_inputs, bias_recurrent) = biases.split_at(biases.len() / 2);
        Self {
            kind,
            hidden,
            inputs: inputs.to_vec(),
            recurrent: recurrent.to_vec(),
            inputs_by_column: product::transposed(inputs, width),
            recurrent_by_column: product::transposed(recurrent, hidden),
            bias_inputs: bias_inputs.to_vec(),
            bias_recurrent: bias_recurrent.to_vec(),
            bias_both: bias_inputs.iter().zip(bias_recurrent).map(|(a, b)| a + b).collect(),
        }
    }

    /// Rows of W and U.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.kind.gates() * self.hidden
    }
}
