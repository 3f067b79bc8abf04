//! Heads: the distribution of the next event, made from the hidden state.
//!
//! A head owns a linear map from the hidden state to a few raw numbers per *output* (a target at a horizon), and says
//! what distribution they stand for. Its loss is the negative log-likelihood, that of quantiles the pinball loss; its
//! gradient is analytic, so automatic differentiation is needed for the cell only. One file each.

mod gaussian;
mod linear;
mod quantiles;
mod student_t;

pub use gaussian::GaussianHead;
pub use linear::Linear;
pub use quantiles::QuantilesHead;
pub use student_t::StudentTHead;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_score::Distribution;

use crate::parameters::ParameterSpec;

/// The natural logarithm of the scale is held in this range, in units of the running scale of the target.
pub const LOG_SCALE: std::ops::RangeInclusive<f32> = -6.0..=5.0;

/// Turns raw numbers into a distribution, and a label into a gradient.
///
/// Everything is in *scaled* units: the target is the difference to the last value over its running scale.
/// With `K` outputs the raw numbers are `[rows][raw_width · K]`: first one block of `K`, then the next.
pub trait Head: Send {
    /// Raw numbers per output.
    fn raw_width(&self) -> usize;

    /// Parameters of its own beside the linear map, with their names and shapes.
    fn own_parameters(&self) -> Vec<ParameterSpec>;

    /// Writes the starting values of its own parameters.
    fn init(&self, own: &mut [f32]);

    /// Puts its own parameters back into their range after an optimizer step.
    fn constrain(&self, own: &mut [f32]) {
        let _ = own;
    }

    /// Called after every change of the parameters, before any forecast under the new ones.
    fn load(&mut self, own: &[f32]);

    /// The forecast of output `k`, given its row's raw numbers, for a target that stands at `level` with running scale
    /// `scale`; `None` when the parameters are not finite.
    fn distribution(&self, raw: &[f32], k: usize, level: f64, scale: f64) -> Option<Distribution>;

    /// Adds up loss and gradient of one row.
    ///
    /// `labels` holds `K` scaled targets, NaN where there is none. `d_raw` is overwritten with the gradient with respect to
    /// `raw`; the gradient with respect to the head's own parameters is added to `d_own`. Returns the summed loss.
    fn loss(&self, own: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], d_own: &mut [f32]) -> f64;
}

/// Which distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Student's t with learned degrees of freedom: right for almost any stream of numbers.
    #[default]
    StudentT,
    /// A Gaussian whose gradient is guarded against outliers.
    Gaussian,
    /// Quantiles that never cross, by the pinball loss: for distributions that are skewed or of no known shape.
    Quantiles,
}

impl HeadKind {
    /// A head of this kind with `outputs` outputs.
    pub fn build(self, outputs: usize) -> Box<dyn Head> {
        match self {
            Self::StudentT => Box::new(StudentTHead::new(outputs)),
            Self::Gaussian => Box::new(GaussianHead::new(outputs)),
            Self::Quantiles => Box::new(QuantilesHead::new(outputs)),
        }
    }
}

fn clamp_log_scale(raw: f32) -> f32 {
    raw.clamp(*LOG_SCALE.start(), *LOG_SCALE.end())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Compares the analytic gradient of a head's loss with central differences.
    pub(crate) fn assert_gradient(head: &dyn Head, own: &[f32], raw: &[f32], labels: &[f32]) {
        const STEP: f32 = 1e-2;
        let (mut d_raw, mut d_own) = (vec![0.0; raw.len()], vec![0.0; own.len()]);
        head.loss(own, raw, labels, &mut d_raw, &mut d_own);
        let loss_at = |own: &[f32], raw: &[f32]| {
            head.loss(own, raw, labels, &mut vec![0.0; raw.len()], &mut vec![0.0; own.len()])
        };
        let close = |analytic: f32, numeric: f64, what: &str| {
            let error = (f64::from(analytic) - numeric).abs();
            assert!(error < 2e-3 * (1.0 + numeric.abs()), "{what}: {analytic} against {numeric}");
        };
        for i in 0..raw.len() {
            let (mut up, mut down) = (raw.to_vec(), raw.to_vec());
            up[i] += STEP;
            down[i] -= STEP;
            let numeric = (loss_at(own, &up) - loss_at(own, &down)) / f64::from(up[i] - down[i]);
            close(d_raw[i], numeric, &format!("raw {i}"));
        }
        for i in 0..own.len() {
            let (mut up, mut down) = (own.to_vec(), own.to_vec());
            up[i] += STEP;
            down[i] -= STEP;
            let numeric = (loss_at(&up, raw) - loss_at(&down, raw)) / f64::from(up[i] - down[i]);
            close(d_own[i], numeric, &format!("own {i}"));
        }
    }
}
