//! Quantiles: the median and the distances between neighbours from the hidden state, by the pinball loss.

use sluicegate_score::{Distribution, LEVELS, Quantiles, pinball};

use super::{Head, Standing};

/// A distance is the softplus of a raw number plus one of these, from the median outwards, so that the raw numbers of
/// zero weights give the quantiles of the unit Gaussian.
///
/// ```python
/// import numpy as np; from scipy.stats import norm
/// print([float(x) for x in np.log(np.expm1(np.diff(norm.ppf([.5, .75, .9, .975]))))])
/// ```
const START: [f64; 3] = [-0.037_669_589_243_623_756, -0.180_285_461_592_478_38, -0.029_689_887_388_752_407];
/// The argument of the softplus is held in this range: distances lie between 0.0025 and 148, as the scales of the other
/// heads.
const RANGE: std::ops::RangeInclusive<f64> = -6.0..=148.0;
/// Raw numbers: the median, three distances upwards, three downwards.
const WIDTH: usize = LEVELS.len();
/// The first of the blocks of distances.
const UPWARDS: usize = 1;
/// The first of those on the other side.
const DOWNWARDS: usize = 4;

/// The quantiles at [`LEVELS`], which cannot cross: with softplus s, the raw numbers m, u₁ … u₃ and d₁ … d₃, and cᵢ at
/// which they start, they are m, m + Σᵢ≤ⱼ s(uᵢ + cᵢ) upwards and m − Σᵢ≤ⱼ s(dᵢ + cᵢ) downwards.
///
/// The loss is the pinball loss summed over the levels (Koenker & Bassett 1978), a proper score of the quantiles. With
/// gⱼ = \[y < qⱼ\] − levelⱼ, its gradient is Σ gⱼ for the median, and s′ times the sum of the gⱼ of all quantiles that
/// a distance moves for that distance: bounded, however far out a label is. The argument of s is clamped in use, while
/// its gradient passes straight through, so that it can come back from the edge.
#[derive(Debug)]
pub struct QuantilesHead {
    outputs: usize,
}

/// What the raw numbers of one output stand for, in scaled units.
struct Shape {
    median: f64,
    below: [f64; 3],
    above: [f64; 3],
}

impl QuantilesHead {
    /// A head of `outputs` outputs.
    pub fn new(outputs: usize) -> Self {
        Self { outputs }
    }

    /// The raw number of output `k` in this block.
    fn raw(&self, raw: &[f32], block: usize, k: usize) -> f64 {
        f64::from(raw[block * self.outputs + k])
    }

    /// The arguments of the softplus of output `k`: downwards, upwards.
    fn arguments(&self, raw: &[f32], k: usize) -> [[f64; 3]; 2] {
        let argument =
            |block: usize, i: usize| (self.raw(raw, block + i, k) + START[i]).clamp(*RANGE.start(), *RANGE.end());
        [DOWNWARDS, UPWARDS].map(|block| [0, 1, 2].map(|i| argument(block, i)))
    }

    fn shape(&self, raw: &[f32], k: usize) -> Shape {
        let [below, above] = self.arguments(raw, k).map(|arguments| arguments.map(softplus));
        Shape { median: self.raw(raw, 0, k), below, above }
    }
}

impl Shape {
    /// The quantiles, ascending.
    fn quantiles(&self) -> [f64; WIDTH] {
        let mut at = [self.median; WIDTH];
        for i in 0..3 {
            at[2 - i] = at[3 - i] - self.below[i];
            at[4 + i] = at[3 + i] + self.above[i];
        }
        at
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Its derivative.
fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Head for QuantilesHead {
    fn raw_len(&self) -> usize {
        WIDTH * self.outputs
    }

    fn forecast(&self, raw: &[f32], standing: Standing<'_>, out: &mut [Option<Distribution>]) {
        for (k, out) in out.iter_mut().enumerate() {
            let (level, scale) = standing.of(k);
            let Shape { median, below, above } = self.shape(raw, k);
            let [below, above] = [below, above].map(|distances| distances.map(|distance| scale * distance));
            *out = Quantiles::around(level + scale * median, below, above).map(Distribution::Quantiles);
        }
    }

    fn loss(&self, _: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], _: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        d_raw.fill(0.0);
        for (k, label) in labels.iter().enumerate() {
            if label.is_nan() {
                continue;
            }
            let y = f64::from(*label);
            let at = self.shape(raw, k).quantiles();
            let mut slopes = [0.0; WIDTH];
            for ((slope, quantile), level) in slopes.iter_mut().zip(at).zip(LEVELS) {
                loss += pinball(level, quantile, y);
                *slope = if y < quantile { 1.0 - level } else { -level };
            }
            let mut set = |block: usize, d: f64| d_raw[block * self.outputs + k] = d as f32;
            set(0, slopes.iter().sum());
            let [below, above] = self.arguments(raw, k).map(|arguments| arguments.map(logistic));
            for i in 0..3 {
                set(UPWARDS + i, above[i] * slopes[4 + i..].iter().sum::<f64>());
                set(DOWNWARDS + i, -below[i] * slopes[..3 - i].iter().sum::<f64>());
            }
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The forecast of the only output.
    fn only(head: &QuantilesHead, raw: &[f32], level: f64, scale: f64) -> Option<Distribution> {
        let mut out = [None];
        head.forecast(raw, Standing { level: &[level], scale: &[scale] }, &mut out);
        out[0]
    }

    #[test]
    fn it_starts_at_the_unit_gaussian() {
        let start = only(&QuantilesHead::new(1), &[0.0; 7], 10.0, 3.0).unwrap();
        let gaussian = Distribution::gaussian(10.0, 3.0).unwrap();
        for (quantile, expected) in start.quantiles().into_iter().zip(gaussian.quantiles()) {
            assert!((quantile - expected).abs() < 1e-12, "{quantile} against {expected}");
        }
    }

    #[test]
    fn raw_numbers_that_are_not_finite_forecast_nothing() {
        for block in 0..7 {
            let mut raw = [0.0; 7];
            raw[block] = f32::NAN;
            assert_eq!(only(&QuantilesHead::new(1), &raw, 0.0, 1.0), None, "block {block}");
        }
    }

    /// Plain gradient descent on skewed noise finds its quantiles.
    #[test]
    fn it_learns_the_quantiles_of_what_it_sees() {
        let head = QuantilesHead::new(1);
        let (mut raw, mut d_raw) = ([0.0f32; 7], [0.0f32; 7]);
        const STEPS: u32 = 40_000;
        for step in 0..STEPS {
            // Exponential noise by a low-discrepancy sequence: multiples of the golden ratio.
            let u = (f64::from(step) + 0.5) * 0.618_033_988_749_894_8 % 1.0;
            head.loss(&[], &raw, &[-u.ln() as f32], &mut d_raw, &mut []);
            let rate = 0.1 * (1.0 - step as f32 / STEPS as f32);
            raw.iter_mut().zip(d_raw).for_each(|(raw, d)| *raw -= rate * d);
        }
        let learned = only(&head, &raw, 0.0, 1.0).unwrap();
        for (quantile, level) in learned.quantiles().into_iter().zip(LEVELS) {
            let below = 1.0 - (-quantile).exp();
            assert!((below - level).abs() < 0.01, "{below} of the values are below the quantile for {level}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_never_cross(raw in prop::array::uniform7(-1e4f32..1e4), level in -1e12f64..1e12, scale in 1e-9f64..1e9) {
            let forecast = only(&QuantilesHead::new(1), &raw, level, scale);
            let quantiles = forecast.map(|forecast| forecast.quantiles());
            prop_assert!(quantiles.is_some_and(|all| all.windows(2).all(|pair| pair[0] < pair[1])), "{:?}", quantiles);
        }

        #[test]
        fn no_label_pulls_harder_than_the_levels_allow(raw in prop::array::uniform7(-9f32..9.0), label in -1e30f32..1e30) {
            let mut d_raw = [0.0; 7];
            QuantilesHead::new(1).loss(&[], &raw, &[label], &mut d_raw, &mut []);
            prop_assert!(d_raw.iter().all(|d| d.abs() <= 3.5), "{:?}", d_raw);
        }
    }
}
