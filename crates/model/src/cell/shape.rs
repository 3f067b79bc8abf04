//! Which cell, how large, and what its parameters and its state are.

use std::ops::Range;

use crate::parameters::ParameterSpec;
use crate::random::Random;

/// Which cell. With input x, hidden state h, ⊙ the product by element and σ the logistic function:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellKind {
    /// Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014), reset gate after the product, as cuDNN and PyTorch have it.
    Gru,
    /// Gated recurrent unit as Cho et al. (2014) and Chung et al. (2014) write it: the reset gate before the product, no biases.
    /// r = σ(W_r x + U_r h), z = σ(W_z x + U_z h), h̃ = tanh(W x + U (r ⊙ h)), and h becomes (1 − z) ⊙ h + z ⊙ h̃. Note that z
    /// here is 1 − z of [`CellKind::Gru`].
    GruResetBefore,
    /// Plain recurrent network (Elman 1990) with tanh: h = tanh(W x + U h + b). Its gradients vanish or explode over long spans,
    /// which is what the gated cells were made against.
    Rnn,
    /// A feed-forward net over the last events, x_t the newest: h = tanh(W [x_t, x_{t−1}, …, x_{t−lags+1}] + b). Nothing recurs:
    /// its state beside h is those inputs themselves. Events before a key's first count as zeros.
    Mlp {
        /// How many events it sees, the newest included; at least 1.
        lags: usize,
    },
}

impl CellKind {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::GruResetBefore => "gru-reset-before",
            Self::Rnn => "rnn",
            Self::Mlp { .. } => "mlp",
        }
    }

    /// Blocks of `hidden` rows in each weight matrix: i, f, g, o for the LSTM; r, z, n for the GRUs; one for the others.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru | Self::GruResetBefore => 3,
            Self::Rnn | Self::Mlp { .. } => 1,
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
    /// Hidden units, of each layer.
    pub hidden: usize,
    /// Cells one over the other, each fed by the one below; at least 1. An MLP has one.
    pub layers: usize,
    /// Whether the head reads the hidden state of every layer (Graves 2013), instead of the topmost alone.
    pub skip_connections: bool,
}

impl CellShape {
    /// A single layer.
    pub fn new(kind: CellKind, inputs: usize, hidden: usize) -> Self {
        Self { kind, inputs, hidden, layers: 1, skip_connections: false }
    }

    /// The widths of the parts of a state, in order: h of every layer from the lowest up, then for the LSTM c of every layer; for
    /// the MLP h, then the last `lags − 1` inputs, the newest first.
    pub fn state_parts(&self) -> Vec<usize> {
        match self.kind {
            CellKind::Lstm => vec![self.hidden; 2 * self.layers],
            CellKind::Gru | CellKind::GruResetBefore | CellKind::Rnn => vec![self.hidden; self.layers],
            CellKind::Mlp { lags: 0 | 1 } => vec![self.hidden],
            CellKind::Mlp { lags } => vec![self.hidden, (lags - 1) * self.inputs],
        }
    }

    /// Numbers of state.
    pub fn state_len(&self) -> usize {
        self.state_parts().iter().sum()
    }

    /// Where in a state lies what the cell gives out: h of the topmost layer, or of all of them from the lowest up.
    pub fn output(&self) -> Range<usize> {
        let first = if self.skip_connections { 0 } else { self.layers - 1 };
        first * self.hidden..self.layers * self.hidden
    }

    /// The parameters under PyTorch's names and in PyTorch's layout: those of `nn.LSTM`, `nn.GRU` and `nn.RNN`, layer by layer
    /// from the lowest up (the GRU with the reset gate before the product has no biases); for the MLP those of an `nn.Linear`
    /// called `hidden`.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let (hidden, rows) = (self.hidden, self.kind.gates() * self.hidden);
        if let CellKind::Mlp { lags } = self.kind {
            return vec![
                ParameterSpec::new("hidden.weight", [hidden, lags * self.inputs]),
                ParameterSpec::new("hidden.bias", [hidden]),
            ];
        }
        let mut specs = Vec::new();
        for layer in 0..self.layers {
            let inputs = if layer == 0 { self.inputs } else { hidden };
            specs.push(ParameterSpec::new(format!("weight_ih_l{layer}"), [rows, inputs]));
            specs.push(ParameterSpec::new(format!("weight_hh_l{layer}"), [rows, hidden]));
            if self.kind != CellKind::GruResetBefore {
                specs.push(ParameterSpec::new(format!("bias_ih_l{layer}"), [rows]));
                specs.push(ParameterSpec::new(format!("bias_hh_l{layer}"), [rows]));
            }
        }
        specs
    }

    /// Tensors of parameters per layer.
    pub fn parameters_per_layer(&self) -> usize {
        match self.kind {
            CellKind::Lstm | CellKind::Gru | CellKind::Rnn => 4,
            CellKind::GruResetBefore | CellKind::Mlp { .. } => 2,
        }
    }

    /// Starting values, in the order of [`CellShape::parameters`]: recurrent weights uniform within ±1/√hidden, the others
    /// uniform within ±√(3/(inputs + hidden)), with as many inputs as the matrix has columns; biases 0 but 1 for the LSTM's
    /// forget gates (Jozefowicz et al. 2015).
    pub fn init(&self, random: &mut Random, values: &mut [f32]) {
        let hidden = self.hidden;
        let mut rest = values;
        for spec in self.parameters() {
            let (here, after) = rest.split_at_mut(spec.len());
            rest = after;
            match spec.shape[..] {
                [_, _] if spec.name.starts_with("weight_hh") => {
                    random.fill_uniform(1.0 / (hidden as f32).sqrt(), here);
                }
                [_, inputs] => random.fill_uniform((3.0 / (inputs + hidden) as f32).sqrt(), here),
                _ => here.fill(0.0),
            }
            if self.kind == CellKind::Lstm && spec.name.starts_with("bias_ih") {
                here[hidden..2 * hidden].fill(1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_start_where_they_should() {
        let shape = CellShape { layers: 2, ..CellShape::new(CellKind::Lstm, 3, 2) };
        let specs = shape.parameters();
        let mut values = vec![f32::NAN; specs.iter().map(ParameterSpec::len).sum()];
        shape.init(&mut Random::new(1), &mut values);
        let mut at = 0;
        for spec in specs {
            let here = &values[at..at + spec.len()];
            at += spec.len();
            match spec.name.as_str() {
                "bias_ih_l0" | "bias_ih_l1" => assert_eq!(here, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
                "bias_hh_l0" | "bias_hh_l1" => assert_eq!(here, [0.0; 8]),
                name => {
                    let bound = match name {
                        "weight_ih_l0" => (3.0f32 / 5.0).sqrt(),
                        "weight_ih_l1" => (3.0f32 / 4.0).sqrt(),
                        _ => 1.0 / 2.0f32.sqrt(),
                    };
                    let largest = here.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                    assert!(largest <= bound && largest > 0.6 * bound, "{name}: {largest} within {bound}");
                }
            }
        }
        assert_eq!(at, values.len());
    }

    #[test]
    fn the_output_of_stacked_cells_is_the_topmost_hidden_state_or_every_one() {
        let shape = CellShape { layers: 3, ..CellShape::new(CellKind::Lstm, 1, 4) };
        assert_eq!((shape.state_len(), shape.output()), (24, 8..12));
        assert_eq!(CellShape { skip_connections: true, ..shape }.output(), 0..12);
        let mlp = CellShape::new(CellKind::Mlp { lags: 3 }, 5, 4);
        assert_eq!((mlp.state_parts(), mlp.output()), (vec![4, 10], 0..4));
    }
}
