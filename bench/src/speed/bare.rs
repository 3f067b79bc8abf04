//! What the arithmetic of the network costs in libtorch by itself: the loop that one would write by hand.
//!
//! Inputs lie ready in one tensor, state stays in tensors, and every key has an event at every tick. Per tick one step of the
//! cell and the linear map to location and log-scale, read out. Every k1 ticks the same windows as the operator's run through
//! `nn.LSTM`, the loss is the same negative log-likelihood, autograd and Adam do the rest. There are no features, no labels
//! that come late, no scores, no guards, no per-key memory and no output.
//!
//! The operator computes head, loss and Adam by itself, so it may be faster than this loop while its cell is not. How far down
//! libtorch's cell lets anybody go is what [`Work::Cell`] shows.

use std::time::{Duration, Instant};

use tch::nn::{self, OptimizerConfig};
use tch::{Device, Kind, Tensor};

use super::case::{Case, HIDDEN, WINDOW};
use super::stream::Stream;
use crate::running::Done;

/// Last difference and level, as the operator's network has them.
const INPUTS: i64 = 2;
/// Rows of a step are filled up to a multiple of this, as the operator's are.
const ROW_PADDING: usize = 8;
const RATE: f64 = 3e-3;

/// How much of the loop is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Everything,
    /// Steps of the cell, and its windows forward and backward: no head, loss or optimizer.
    Cell,
}

struct Parameters {
    /// w_ih, w_hh, b_ih, b_hh.
    cell: [Tensor; 4],
    weight: Tensor,
    bias: Tensor,
    /// ln(ν − 2).
    free: Tensor,
}

impl Parameters {
    fn new(path: &nn::Path<'_>) -> Self {
        let (hidden, gates) = (HIDDEN as i64, 4 * HIDDEN as i64);
        let bound = 1.0 / (HIDDEN as f64).sqrt();
        let uniform = |name: &str, shape: &[i64]| path.uniform(name, shape, -bound, bound);
        Self {
            cell: [
                uniform("w_ih", &[gates, INPUTS]),
                uniform("w_hh", &[gates, hidden]),
                path.zeros("b_ih", &[gates]),
                path.zeros("b_hh", &[gates]),
            ],
            weight: path.zeros("weight", &[2, hidden]),
            bias: path.zeros("bias", &[2]),
            free: path.var("free", &[1], nn::Init::Const(6f64.ln())),
        }
    }

    /// Mean negative log-likelihood of `labels: [steps, keys]` under what `hidden: [steps, keys, hidden]` says.
    fn loss(&self, hidden: &Tensor, labels: &Tensor) -> Done<Tensor> {
        let raw = hidden.f_linear(&self.weight, Some(&self.bias))?;
        let (location, ln_scale) = (raw.f_select(2, 0)?, raw.f_select(2, 1)?.f_clamp(-6.0, 5.0)?);
        let df = self.free.f_exp()?.f_add_scalar(2.0)?;
        let half = df.f_mul_scalar(0.5)?;
        let more = half.f_add_scalar(0.5)?;
        let r = labels.f_sub(&location)?.f_mul(&ln_scale.f_neg()?.f_exp()?)?;
        let tail = r.f_square()?.f_div(&df)?.f_log1p()?.f_mul(&more)?;
        let root = df.f_mul_scalar(std::f64::consts::PI)?.f_log()?.f_mul_scalar(0.5)?;
        let constant = half.f_lgamma()?.f_sub(&more.f_lgamma()?)?.f_add(&root)?;
        Ok(tail.f_add(&ln_scale)?.f_add(&constant)?.f_mean(Kind::Float)?)
    }
}

/// Goes through as many events as the case has, and returns how long that took.
pub(super) fn run(case: &Case, work: Work) -> Done<Duration> {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    let (keys, ticks) = (case.keys, case.events / case.keys);
    let padded = keys.next_multiple_of(ROW_PADDING);
    let (inputs, labels) = prepare(keys, padded, ticks)?;
    let store = nn::VarStore::new(Device::Cpu);
    let parameters = Parameters::new(&store.root());
    let mut optimizer = nn::Adam::default().build(&store, RATE)?;
    let zeros = || Tensor::f_zeros([padded as i64, HIDDEN as i64], (Kind::Float, Device::Cpu));
    let (mut h, mut c) = (zeros()?, zeros()?);
    let (mut h_start, mut c_start) = (zeros()?, zeros()?);
    let mut raw = vec![0.0f32; padded * 2];

    let begun = Instant::now();
    for tick in 0..ticks {
        if tick > 0 && tick.is_multiple_of(WINDOW) {
            let hidden = unroll(&parameters, &inputs, (&h_start, &c_start), tick, keys)?;
            match work {
                Work::Everything => learn(&parameters, &mut optimizer, &hidden, &labels, tick)?,
                Work::Cell => {
                    Tensor::f_run_backward(&[hidden.f_sum(Kind::Float)?], &parameters.cell, false, false)?;
                }
            }
            (h_start, c_start) = (h.shallow_clone(), c.shallow_clone());
        }
        let _no_grad = tch::no_grad_guard();
        let x = inputs.f_select(0, tick as i64)?;
        let [w_ih, w_hh, b_ih, b_hh] = &parameters.cell;
        (h, c) = x.f_lstm_cell(&[&h, &c], w_ih, w_hh, Some(b_ih), Some(b_hh))?;
        if work == Work::Everything {
            let forecast = h.f_linear(&parameters.weight, Some(&parameters.bias))?;
            forecast.f_copy_data(&mut raw, padded * 2)?;
        }
    }
    Ok(begun.elapsed())
}

/// Hidden states of the window that ends before `tick`: `[steps, keys, hidden]`.
fn unroll(
    parameters: &Parameters,
    inputs: &Tensor,
    (h, c): (&Tensor, &Tensor),
    tick: usize,
    keys: usize,
) -> Done<Tensor> {
    let keys = keys as i64;
    let x = inputs.f_narrow(0, (tick - WINDOW) as i64, WINDOW as i64)?.f_narrow(1, 0, keys)?;
    let state = |state: &Tensor| state.f_narrow(0, 0, keys)?.f_unsqueeze(0);
    Ok(x.f_lstm(&[state(h)?, state(c)?], &parameters.cell, true, 1, 0.0, true, false, false)?.0)
}

/// One optimizer step from the window that ends before `tick`.
fn learn(
    parameters: &Parameters,
    optimizer: &mut nn::Optimizer,
    hidden: &Tensor,
    labels: &Tensor,
    tick: usize,
) -> Done {
    let loss = parameters.loss(hidden, &labels.f_narrow(0, (tick - WINDOW) as i64, WINDOW as i64)?)?;
    optimizer.zero_grad();
    loss.f_backward()?;
    optimizer.step();
    Ok(())
}

/// `[ticks, padded, inputs]` and `[ticks, keys]`.
fn prepare(keys: usize, padded: usize, ticks: usize) -> Done<(Tensor, Tensor)> {
    let mut stream = Stream::new(keys);
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    let mut before = stream.tick();
    let mut difference = vec![0.0f32; keys];
    for _ in 0..ticks {
        let values = stream.tick();
        inputs.extend((0..keys).flat_map(|key| [difference[key], (before[key] - 10.0 * key as f64) as f32 / 3.0]));
        inputs.resize(inputs.len() + (padded - keys) * INPUTS as usize, 0.0);
        difference = values.iter().zip(&before).map(|(now, before)| (now - before) as f32).collect();
        labels.extend_from_slice(&difference);
        before = values;
    }
    let inputs = Tensor::f_from_slice(&inputs)?.f_view([ticks as i64, padded as i64, INPUTS])?;
    let labels = Tensor::f_from_slice(&labels)?.f_view([ticks as i64, keys as i64])?;
    Ok((inputs, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// from math import lgamma, log, log1p, pi
    /// df, r = 8, (1.5 - 0.5) / 2
    /// print(lgamma(df / 2) - lgamma((df + 1) / 2) + log(df * pi) / 2 + log(2) + (df + 1) / 2 * log1p(r * r / df))
    /// ```
    #[test]
    fn the_loss_is_students_negative_log_likelihood() {
        let store = nn::VarStore::new(Device::Cpu);
        let mut parameters = Parameters::new(&store.root());
        let _no_grad = tch::no_grad_guard();
        let bias = Tensor::from_slice(&[0.5f32, 2f32.ln()]);
        parameters.bias.copy_(&bias);
        let hidden = Tensor::zeros([1, 1, HIDDEN as i64], (Kind::Float, Device::Cpu));
        let loss = parameters.loss(&hidden, &Tensor::from_slice(&[1.5f32]).view([1, 1])).unwrap();
        assert!((loss.double_value(&[]) - 1.781_728).abs() < 1e-5, "{loss:?}");
    }
}
