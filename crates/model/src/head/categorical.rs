//! Softmax over the classes of a target.

use super::{Head, RAW_SPAN, Standing};

/// Probabilities p = softmax(raw) of the classes of each output (Bridle 1990). NLL of class c: −ln p_c, with ∂/∂raw_j = p_j − 1[j = c].
///
/// In forecasts no class is held less probable than e⁻³⁰ times the most probable one, so that no single event costs more than
/// some 43 bits; the gradient knows no such bound and passes through.
///
/// A row's raw numbers are one block per output, as long as its target has classes.
#[derive(Debug)]
pub struct CategoricalHead {
    /// Classes of each output.
    classes: Vec<usize>,
}

impl CategoricalHead {
    /// A head whose outputs have so many classes each.
    pub fn new(classes: Vec<usize>) -> Self {
        Self { classes }
    }
}

/// The largest number, and Σ exp(raw − largest): a softmax from the two neither overflows nor loses digits to a large number.
fn shifted(raw: &[f32]) -> (f32, f32) {
    let largest = raw.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (largest, raw.iter().map(|raw| (raw - largest).exp()).sum())
}

impl Head<f32> for CategoricalHead {
    fn raw_len(&self) -> usize {
        self.classes.iter().sum()
    }

    fn forecast(&self, raw: &[f32], _: Standing<'_>, out: &mut [f32]) {
        let (mut raw, mut out) = (raw, out);
        for classes in &self.classes {
            let (raw_here, raw_after) = raw.split_at(*classes);
            let (out_here, out_after) = out.split_at_mut(*classes);
            (raw, out) = (raw_after, out_after);
            let (largest, sum) = shifted(raw_here);
            if sum.is_finite() {
                let p = |raw: &f32| (raw - largest).max(-RAW_SPAN).exp() / sum;
                out_here.iter_mut().zip(raw_here).for_each(|(out, raw)| *out = p(raw));
            }
        }
    }

    fn loss(&self, _: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], _: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        d_raw.fill(0.0);
        let (mut raw, mut d_raw) = (raw, d_raw);
        for (classes, label) in self.classes.iter().zip(labels) {
            let (raw_here, raw_after) = raw.split_at(*classes);
            let (d_here, d_after) = d_raw.split_at_mut(*classes);
            (raw, d_raw) = (raw_after, d_after);
            if label.is_nan() {
                continue;
            }
            let (class, (largest, sum)) = (*label as usize, shifted(raw_here));
            loss += f64::from(sum.ln() - (raw_here[class] - largest));
            d_here.iter_mut().zip(raw_here).for_each(|(d, raw)| *d = (raw - largest).exp() / sum);
            d_here[class] -= 1.0;
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_the_loss_is_minus_their_logarithm() {
        let head = CategoricalHead::new(vec![3]);
        let raw = [80.0, -3.0, 79.0];
        let mut p = [f32::NAN; 3];
        head.forecast(&raw, Standing::default(), &mut p);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{p:?}");
        let loss = head.loss(&[], &raw, &[2.0], &mut [0.0; 3], &mut []);
        assert!((loss + f64::from(p[2]).ln()).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn no_class_is_held_impossible() {
        let mut p = [f32::NAN; 2];
        CategoricalHead::new(vec![2]).forecast(&[500.0, -500.0], Standing::default(), &mut p);
        assert!(p[1] > 5e-14 && (p[0] + p[1] - 1.0).abs() < 1e-6, "{p:?}");
    }

    #[test]
    fn parameters_that_are_not_finite_say_nothing() {
        let mut p = [f32::NAN; 2];
        CategoricalHead::new(vec![2]).forecast(&[f32::NAN, 0.0], Standing::default(), &mut p);
        assert!(p.iter().all(|p| p.is_nan()));
    }
}
