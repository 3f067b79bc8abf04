//! The GRU with the reset gate before the product and without biases, from its equations; see
//! [`CellKind::GruResetBefore`](crate::cell::CellKind::GruResetBefore). libtorch has no kernel for it.

use tch::Tensor;

use crate::error::ModelError;

/// One event: `input: [rows, inputs]` and the hidden states of all layers before it give those after it.
pub(super) fn step(parameters: &[Tensor], input: &Tensor, before: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
    let mut after = Vec::<Tensor>::with_capacity(before.len());
    for (parameters, h) in parameters.chunks_exact(2).zip(before) {
        let layer = Layer::new(parameters)?;
        let products = layer.of_inputs(after.last().unwrap_or(input))?;
        after.push(layer.moved(&products, h)?);
    }
    Ok(after)
}

/// Windows: `x: [steps, count, inputs]` and the hidden states of all layers before them give the topmost hidden state of every
/// step, `[steps, count, hidden]`.
pub(super) fn unroll(parameters: &[Tensor], x: &Tensor, start: &[Tensor]) -> Result<Tensor, ModelError> {
    let mut sequence = x.shallow_clone();
    for (parameters, h) in parameters.chunks_exact(2).zip(start) {
        let layer = Layer::new(parameters)?;
        // What comes from the inputs needs no state, so it is one product for the whole window.
        let products = layer.of_inputs(&sequence)?.f_unbind(0)?;
        let mut hidden = Vec::<Tensor>::with_capacity(products.len());
        for products in &products {
            let h = layer.moved(products, hidden.last().unwrap_or(h))?;
            hidden.push(h);
        }
        sequence = Tensor::f_stack(&hidden, 0)?;
    }
    Ok(sequence)
}

/// The weights of one layer.
struct Layer<'a> {
    /// `[3 · hidden, inputs]`: W_r, W_z, W.
    input: &'a Tensor,
    /// `[2 · hidden, hidden]`: U_r, U_z.
    gates: Tensor,
    /// `[hidden, hidden]`: U.
    candidate: Tensor,
}

impl<'a> Layer<'a> {
    fn new(parameters: &'a [Tensor]) -> Result<Self, ModelError> {
        let [input, recurrent] = parameters else { return Err(ModelError::CellNotLoaded) };
        let hidden = recurrent.size().last().copied().unwrap_or(0);
        let (gates, candidate) = (recurrent.f_narrow(0, 0, 2 * hidden)?, recurrent.f_narrow(0, 2 * hidden, hidden)?);
        Ok(Self { input, gates, candidate })
    }

    /// W_r x, W_z x and W x, one after the other in the last dimension.
    fn of_inputs(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_linear(self.input, None::<&Tensor>)?)
    }

    /// The hidden states after an event whose products with the input weights are given.
    fn moved(&self, products: &Tensor, h: &Tensor) -> Result<Tensor, ModelError> {
        let product = |gate: i64| products.f_narrow(-1, gate * self.hidden(), self.hidden());
        let recurrent = h.f_linear(&self.gates, None::<&Tensor>)?;
        let r = product(0)?.f_add(&recurrent.f_narrow(-1, 0, self.hidden())?)?.f_sigmoid()?;
        let z = product(1)?.f_add(&recurrent.f_narrow(-1, self.hidden(), self.hidden())?)?.f_sigmoid()?;
        let candidate = product(2)?.f_add(&r.f_mul(h)?.f_linear(&self.candidate, None::<&Tensor>)?)?.f_tanh()?;
        let kept = z.f_neg()?.f_add_scalar(1.0)?.f_mul(h)?;
        Ok(kept.f_add(&z.f_mul(&candidate)?)?)
    }

    fn hidden(&self) -> i64 {
        self.candidate.size().last().copied().unwrap_or(0)
    }
}
