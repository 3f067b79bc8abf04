//! Which cell, how large, and how its parameters and its state are laid out.

/// Which cell. With input x, hidden state h, ⊙ the product by element and σ the logistic function:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// h = tanh(W x + U h + b) (Elman 1990).
    Rnn,
    /// Gates i, f, o = σ(W x + U h + b), g = tanh(…); c = f ⊙ c + i ⊙ g; h = o ⊙ tanh c (Hochreiter & Schmidhuber 1997, Gers et al.
    /// 2000). Rows of the matrices: i, f, g, o.
    Lstm,
    /// r, z = σ(W x + b + U h + b′), n = tanh(W x + b + r ⊙ (U h + b′)); h = (1 − z) ⊙ n + z ⊙ h: PyTorch's and cuDNN's form. Rows of
    /// the matrices: r, z, n.
    Gru,
    /// r, z = σ(W x + U h), n = tanh(W x + U (r ⊙ h)); h = (1 − z) ⊙ h + z ⊙ n, without biases (Cho et al. 2014, Chung et al. 2014).
    GruResetBefore,
}

impl Kind {
    /// Blocks of `hidden` rows in a weight matrix.
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
            Self::Gru | Self::GruResetBefore => 3,
        }
    }

    /// Vectors of `hidden` numbers that a step leaves behind for its gradient.
    pub(crate) fn saved(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 5,
            Self::Gru | Self::GruResetBefore => 4,
        }
    }

    /// What is shown of its gates, in the order of the rows of its matrices; none of a plain cell.
    pub fn gate_names(self) -> &'static [&'static str] {
        match self {
            Self::Rnn => &[],
            Self::Lstm => &["i", "f", "g", "o"],
            Self::Gru | Self::GruResetBefore => &["r", "z", "n"],
        }
    }

    pub(crate) fn has_biases(self) -> bool {
        self != Self::GruResetBefore
    }

    pub(crate) fn has_cell_state(self) -> bool {
        self == Self::Lstm
    }
}

/// The shape of a stack of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Which cell.
    pub kind: Kind,
    /// Width of the input; at least 1.
    pub inputs: usize,
    /// Hidden units of each layer; at least 1.
    pub hidden: usize,
    /// Cells one over the other, each fed by the one below; at least 1.
    pub layers: usize,
    /// Whether what comes out is the hidden state of every layer, from the lowest up (Graves 2013), instead of the topmost alone.
    pub skip_connections: bool,
}

impl Shape {
    /// Numbers that come out at an event.
    pub fn output(&self) -> usize {
        if self.skip_connections { self.layers * self.hidden } else { self.hidden }
    }

    /// Where in what comes out the hidden state of a layer is, if it is there.
    pub(crate) fn output_of(&self, layer: usize) -> Option<usize> {
        let is_topmost = layer + 1 == self.layers;
        (self.skip_connections || is_topmost).then_some(if self.skip_connections { layer * self.hidden } else { 0 })
    }

    /// Width of what a layer sees.
    pub(crate) fn inputs_of(&self, layer: usize) -> usize {
        if layer == 0 { self.inputs } else { self.hidden }
    }

    /// Numbers of parameters of a layer.
    pub(crate) fn parameters_of(&self, layer: usize) -> usize {
        let rows = self.kind.gates() * self.hidden;
        let biases = if self.kind.has_biases() { 2 } else { 0 };
        rows * (self.inputs_of(layer) + self.hidden + biases)
    }

    /// Numbers of parameters: layer by layer from the lowest up, W, U and, where it has them, the biases of both; matrices row by
    /// row. That is the order of PyTorch's `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_ih_l1`, ….
    pub fn parameters(&self) -> usize {
        (0..self.layers).map(|layer| self.parameters_of(layer)).sum()
    }

    /// Numbers of a state: h of every layer from the lowest up, then for the LSTM c of every layer.
    pub fn state(&self) -> usize {
        self.layers * self.hidden * if self.kind.has_cell_state() { 2 } else { 1 }
    }
}
