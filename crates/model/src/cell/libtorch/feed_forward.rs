//! The feed-forward net over the last events; see [`CellKind::Mlp`](crate::cell::CellKind::Mlp).

use tch::Tensor;

use crate::error::ModelError;

/// One event: `input: [rows, inputs]` and the states before it, `[h]` or `[h, earlier inputs]`, give those after it.
pub(super) fn step(parameters: &[Tensor], input: &Tensor, before: &[Tensor]) -> Result<Vec<Tensor>, ModelError> {
    let [weight, bias] = parameters else { return Err(ModelError::CellNotLoaded) };
    let Some(earlier) = before.get(1) else {
        return Ok(vec![input.f_linear(weight, Some(bias))?.f_tanh()?]);
    };
    let seen = Tensor::f_cat(&[input, earlier], 1)?;
    let kept = earlier.size().last().copied().unwrap_or(0);
    // The oldest input drops out at the end.
    Ok(vec![seen.f_linear(weight, Some(bias))?.f_tanh()?, seen.f_narrow(1, 0, kept)?])
}

/// Windows: `x: [steps, count, inputs]` and the states before them give h of the last `outputs` steps,
/// `[outputs, count, hidden]`. Earlier steps are only looked at.
pub(super) fn unroll(
    parameters: &[Tensor],
    x: &Tensor,
    start: &[Tensor],
    lags: usize,
    outputs: i64,
) -> Result<Tensor, ModelError> {
    let [weight, bias] = parameters else { return Err(ModelError::CellNotLoaded) };
    let [steps, count, inputs] = x.size()[..] else { return Err(ModelError::CellNotLoaded) };
    let earlier_steps = lags as i64 - 1;
    // `[lags − 1 + steps, count, inputs]`, the oldest first.
    let sequence = match start.get(1) {
        Some(earlier) => {
            let earlier = earlier.f_view([count, earlier_steps, inputs])?.f_flip([1])?.f_transpose(0, 1)?;
            Tensor::f_cat(&[&earlier, x], 0)?
        }
        None => x.shallow_clone(),
    };
    let newest = earlier_steps + steps - outputs;
    let lagged: Result<Vec<Tensor>, _> =
        (0..=earlier_steps).map(|lag| sequence.f_narrow(0, newest - lag, outputs)).collect();
    Ok(Tensor::f_cat(&lagged?, 2)?.f_linear(weight, Some(bias))?.f_tanh()?)
}
