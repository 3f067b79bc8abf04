//! LSTM, GRU and plain cell by libtorch's own kernels, in one or more layers.

use tch::{TchError, Tensor};

use crate::cell::CellKind;
use crate::error::ModelError;

/// One event: `input: [rows, inputs]` and the parts of the states before it give those after it.
pub(super) fn step(
    kind: CellKind,
    parameters: &[Tensor],
    input: &Tensor,
    before: &[Tensor],
) -> Result<Vec<Tensor>, ModelError> {
    let layers = parameters.len() / 4;
    let (before_h, before_c) = before.split_at(layers);
    let (mut after_h, mut after_c) = (Vec::<Tensor>::with_capacity(2 * layers), Vec::new());
    for (layer, parameters) in parameters.chunks_exact(4).enumerate() {
        let [w_ih, w_hh, b_ih, b_hh] = parameters else { return Err(ModelError::CellNotLoaded) };
        let (x, h) = (after_h.last().unwrap_or(input), &before_h[layer]);
        let h = match kind {
            CellKind::Lstm => {
                let (h, c) = x.f_lstm_cell(&[h, &before_c[layer]], w_ih, w_hh, Some(b_ih), Some(b_hh))?;
                after_c.push(c);
                h
            }
            CellKind::Gru => x.f_gru_cell(h, w_ih, w_hh, Some(b_ih), Some(b_hh))?,
            CellKind::Rnn => x.f_rnn_tanh_cell(h, w_ih, w_hh, Some(b_ih), Some(b_hh))?,
            CellKind::GruResetBefore | CellKind::Mlp { .. } => return Err(has_none(kind)),
        };
        after_h.push(h);
    }
    after_h.append(&mut after_c);
    Ok(after_h)
}

/// Windows: `x: [steps, count, inputs]` and the parts of the states before them give the topmost hidden state of every step.
pub(super) fn unroll(
    kind: CellKind,
    parameters: &[Tensor],
    x: &Tensor,
    start: &[Tensor],
) -> Result<Tensor, ModelError> {
    let layers = parameters.len() / 4;
    let (h, c) = start.split_at(layers);
    let (h, layers) = (Tensor::f_stack(h, 0)?, layers as i64);
    // has_biases, layers, no dropout, training, one direction, time-major.
    Ok(match kind {
        CellKind::Lstm => {
            let c = Tensor::f_stack(c, 0)?;
            x.f_lstm(&[h, c], parameters, true, layers, 0.0, true, false, false)?.0
        }
        CellKind::Gru => x.f_gru(&h, parameters, true, layers, 0.0, true, false, false)?.0,
        CellKind::Rnn => x.f_rnn_tanh(&h, parameters, true, layers, 0.0, true, false, false)?.0,
        CellKind::GruResetBefore | CellKind::Mlp { .. } => return Err(has_none(kind)),
    })
}

fn has_none(kind: CellKind) -> ModelError {
    TchError::Torch(format!("libtorch has no kernel of its own for {}", kind.as_str())).into()
}
