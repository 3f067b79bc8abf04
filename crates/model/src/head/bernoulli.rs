//! The probability of a yes.

use super::{Head, RAW_SPAN, Standing};

/// Probability p = 1/(1 + exp(−raw)) of a yes for each output. NLL of label y: ln(1 + exp(raw)) − y·raw, with ∂/∂raw = p − y.
///
/// In forecasts raw is held within ±30, so that no single event costs more than some 43 bits; the gradient passes through.
///
/// What is said of an output are the probabilities of no and of yes.
#[derive(Debug)]
pub struct BernoulliHead {
    outputs: usize,
}

impl BernoulliHead {
    /// A head of `outputs` outputs.
    pub fn new(outputs: usize) -> Self {
        Self { outputs }
    }
}

impl Head<f32> for BernoulliHead {
    fn raw_len(&self) -> usize {
        self.outputs
    }

    fn forecast(&self, raw: &[f32], _: Standing<'_>, out: &mut [f32]) {
        for (raw, [no, yes]) in raw.iter().zip(out.as_chunks_mut().0) {
            if raw.is_finite() {
                let raw = raw.clamp(-RAW_SPAN, RAW_SPAN);
                // Each from its own side, so that neither is lost to rounding.
                (*no, *yes) = (1.0 / (1.0 + raw.exp()), 1.0 / (1.0 + (-raw).exp()));
            }
        }
    }

    fn loss(&self, _: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], _: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        d_raw.fill(0.0);
        for ((raw, label), d_raw) in raw.iter().zip(labels).zip(d_raw) {
            if label.is_nan() {
                continue;
            }
            loss += f64::from(raw.max(0.0) + (-raw.abs()).exp().ln_1p() - label * raw);
            *d_raw = 1.0 / (1.0 + (-raw).exp()) - label;
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_minus_the_logarithm_of_the_probability_of_what_was() {
        let head = BernoulliHead::new(1);
        for (raw, label) in [(0.3, 0.0), (-2.0, 1.0), (29.0, 1.0)] {
            let mut p = [f32::NAN; 2];
            head.forecast(&[raw], Standing::default(), &mut p);
            let loss = head.loss(&[], &[raw], &[label], &mut [0.0], &mut []);
            assert!((loss + f64::from(p[label as usize]).ln()).abs() < 1e-6, "{raw}: {loss} against {p:?}");
        }
    }
}
