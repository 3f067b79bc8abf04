//! A Gaussian: mean and log-deviation from the hidden state.

use sluicegate_score::{Distribution, Gaussian};

use super::{Head, Standing, clamp_log_scale};

/// Errors beyond this many deviations pull no harder than one at it. Without the bound a single outlier can throw the
/// parameters so far off that learning never recovers.
const ERROR_MAX: f64 = 5.0;

/// NLL of z under mean μ and deviation σ, with r = (z − μ)/σ: ∂/∂μ = −r/σ, ∂/∂ln σ = 1 − r², both taken at r limited to
/// ±5. The loss itself is not limited.
#[derive(Debug)]
pub struct GaussianHead {
    outputs: usize,
}

impl GaussianHead {
    /// A head of `outputs` outputs.
    pub fn new(outputs: usize) -> Self {
        Self { outputs }
    }
}

impl Head for GaussianHead {
    fn raw_len(&self) -> usize {
        2 * self.outputs
    }

    fn forecast(&self, raw: &[f32], standing: Standing<'_>, out: &mut [Option<Distribution>]) {
        for (k, out) in out.iter_mut().enumerate() {
            let (level, scale) = standing.of(k);
            let mean = level + scale * f64::from(raw[k]);
            let deviation = scale * f64::from(clamp_log_scale(raw[self.outputs + k])).exp();
            *out = Gaussian::new(mean, deviation).map(Distribution::Gaussian);
        }
    }

    fn loss(&self, _: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], _: &mut [f32]) -> f64 {
        let k_count = self.outputs;
        let mut loss = 0.0;
        d_raw.fill(0.0);
        for (k, label) in labels.iter().enumerate() {
            if label.is_nan() {
                continue;
            }
            let ln_scale = f64::from(clamp_log_scale(raw[k_count + k]));
            let scale = ln_scale.exp();
            let r = (f64::from(*label) - f64::from(raw[k])) / scale;
            loss += ln_scale + 0.5 * (std::f64::consts::TAU).ln() + 0.5 * r * r;
            let pull = r.clamp(-ERROR_MAX, ERROR_MAX);
            d_raw[k] = (-pull / scale) as f32;
            d_raw[k_count + k] = (1.0 - pull * pull) as f32;
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_pulls_no_harder_than_the_bound() {
        let mut d_raw = [0.0; 2];
        GaussianHead::new(1).loss(&[], &[0.0, 0.0], &[20.0], &mut d_raw, &mut []);
        assert_eq!(d_raw, [-5.0, -24.0]);
    }
}
