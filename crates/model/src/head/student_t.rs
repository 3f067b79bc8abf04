//! Student's t: location and log-scale from the hidden state, degrees of freedom one free parameter per output.

use sluicegate_score::{Distribution, StudentT, TShape};
use statrs::function::gamma::digamma;

use super::{Head, Standing, clamp_log_scale};
use crate::parameters::ParameterSpec;

/// Degrees of freedom are 2 + exp(r); the free parameter r is held in this range, so they lie between 2.14 and 56.6.
const FREE: std::ops::RangeInclusive<f32> = -2.0..=4.0;
/// They start at 8.
const DF_START: f32 = 8.0;

/// NLL of z under location μ, scale σ, ν degrees of freedom, with r = (z − μ)/σ and w = (ν + 1)/(ν + r²):
/// ∂/∂μ = −w·r/σ, ∂/∂ln σ = 1 − w·r²,
/// ∂/∂ν = −½ [ψ((ν+1)/2) − ψ(ν/2) − 1/ν − ln(1 + r²/ν) + w·r²/ν].
///
/// The log-scale is clamped in use, while its gradient passes straight through, so that it can come back from the edge.
#[derive(Debug)]
pub struct StudentTHead {
    outputs: usize,
    tails: Vec<Tail>,
}

/// What depends on the degrees of freedom alone, worked out once per parameter update.
#[derive(Debug, Clone, Copy)]
struct Tail {
    shape: TShape,
    /// ψ((ν+1)/2) − ψ(ν/2) − 1/ν.
    slope: f64,
}

impl Tail {
    fn new(df: f64) -> Self {
        Self { shape: TShape::new(df), slope: digamma(0.5 * (df + 1.0)) - digamma(0.5 * df) - 1.0 / df }
    }
}

impl StudentTHead {
    /// A head of `outputs` outputs.
    pub fn new(outputs: usize) -> Self {
        Self { outputs, tails: vec![Tail::new(f64::from(DF_START)); outputs] }
    }
}

fn degrees_of_freedom(free: f32) -> f64 {
    2.0 + f64::from(free).exp()
}

impl Head for StudentTHead {
    fn raw_len(&self) -> usize {
        2 * self.outputs
    }

    fn own_parameters(&self) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new("head.df", [self.outputs])]
    }

    fn init(&self, own: &mut [f32]) {
        own.fill((DF_START - 2.0).ln());
    }

    fn constrain(&self, own: &mut [f32]) {
        own.iter_mut().for_each(|free| *free = free.clamp(*FREE.start(), *FREE.end()));
    }

    fn load(&mut self, own: &[f32]) {
        for (tail, free) in self.tails.iter_mut().zip(own) {
            let df = degrees_of_freedom(*free);
            if tail.shape.df() != df {
                *tail = Tail::new(df);
            }
        }
    }

    fn forecast(&self, raw: &[f32], standing: Standing<'_>, out: &mut [Option<Distribution>]) {
        for (k, (out, tail)) in out.iter_mut().zip(&self.tails).enumerate() {
            let (level, scale) = standing.of(k);
            let location = level + scale * f64::from(raw[k]);
            let width = scale * f64::from(clamp_log_scale(raw[self.outputs + k])).exp();
            *out = StudentT::new(location, width, tail.shape).map(Distribution::StudentT);
        }
    }

    fn loss(&self, own: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], d_own: &mut [f32]) -> f64 {
        let k_count = self.outputs;
        let mut loss = 0.0;
        d_raw.fill(0.0);
        for (k, label) in labels.iter().enumerate() {
            if label.is_nan() {
                continue;
            }
            let df = degrees_of_freedom(own[k]);
            let ln_scale = f64::from(clamp_log_scale(raw[k_count + k]));
            let scale = ln_scale.exp();
            let r = (f64::from(*label) - f64::from(raw[k])) / scale;
            let r2 = r * r;
            let w = (df + 1.0) / (df + r2);
            let tail = if self.tails[k].shape.df() == df { self.tails[k] } else { Tail::new(df) };
            let density = StudentT::new(f64::from(raw[k]), scale, tail.shape);
            loss += density.map_or(f64::NAN, |density| density.nll(f64::from(*label)));
            let d_df = -0.5 * (tail.slope - (r2 / df).ln_1p() + w * r2 / df);
            d_raw[k] = (-w * r / scale) as f32;
            d_raw[k_count + k] = (1.0 - w * r2) as f32;
            d_own[k] += (d_df * (df - 2.0)) as f32;
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_of_freedom_stay_in_their_range() {
        let head = StudentTHead::new(2);
        let mut own = [-50.0, 50.0];
        head.constrain(&mut own);
        let df = own.map(degrees_of_freedom);
        assert!(df[0] > 2.13 && df[1] < 56.7, "{df:?}");
    }
}
