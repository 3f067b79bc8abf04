//! The Gaussian.

use crate::Score;
use crate::location_scale::{is_location_scale, quantiles_around, standardise};
use libm::{erf, erfc};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// `½ ln 2π`.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;
/// `1 / √(2π)`.
const INVERSE_ROOT_TWO_PI: f64 = 0.398_942_280_401_432_7;

/// The points above which the masses of the three lower [`LEVELS`](crate::LEVELS) lie.
///
/// ```python
/// from scipy.stats import norm
/// print([float(norm.isf(p)) for p in (0.025, 0.1, 0.25)])
/// ```
pub(crate) const UPPER_POINTS: [f64; 3] = [1.959_963_984_540_054, 1.281_551_565_544_600_4, 0.674_489_750_196_081_7];

/// The Gaussian with a mean and a standard deviation.
///
/// ```
/// use sluicegate_score::Gaussian;
///
/// let standard = Gaussian::new(0.0, 1.0).ok_or("not a distribution")?;
/// assert!((standard.crps(0.0) - 0.2336949773).abs() < 1e-10);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaussian {
    mean: f64,
    std_dev: f64,
}

impl Gaussian {
    /// The distribution, or `None` unless `mean` is finite and `std_dev` finite and positive.
    pub fn new(mean: f64, std_dev: f64) -> Option<Gaussian> {
        is_location_scale(mean, std_dev).then_some(Gaussian { mean, std_dev })
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation.
    pub fn std_dev(&self) -> f64 {
        self.std_dev
    }

    /// The logarithm of the density at `y`: `−∞` where `z²` overflows.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        -self.nll(y)
    }

    /// The negative log-likelihood of `y`, in nats: `½ z² + ln std_dev + ½ ln 2π`, `∞` where `z²` overflows.
    pub fn nll(&self, y: f64) -> f64 {
        let z = self.standardised(y);
        0.5 * z * z + self.std_dev.ln() + HALF_LN_TWO_PI
    }

    /// The probability of a value of at most `y`, to a relative 1e-12 down to 1e-300.
    pub fn cdf(&self, y: f64) -> f64 {
        0.5 * erfc(-self.standardised(y) * FRAC_1_SQRT_2)
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    ///
    /// `std_dev · (z (2Φ(z) − 1) + 2φ(z) − 1 / √π)`: Gneiting & Raftery (2007), section 4.2.
    pub fn crps(&self, y: f64) -> f64 {
        let z = self.standardised(y);
        self.std_dev * (z * erf(z * FRAC_1_SQRT_2) + 2.0 * density(z) - 1.0 / PI.sqrt())
    }

    /// `½ E|X − X′|` of two independent values: `std_dev / √π`.
    pub fn half_mean_difference(&self) -> f64 {
        self.std_dev / PI.sqrt()
    }

    /// All scores of `y`.
    pub fn score(&self, y: f64) -> Score {
        Score { error: y - self.mean, nll: self.nll(y), crps: self.crps(y), pit: self.cdf(y) }
    }

    /// The value that is not exceeded with probability `p`, to a relative 1e-12 of its distance from the mean for `p`
    /// from 1e-300.
    ///
    /// `−∞` at 0, `∞` at 1, NaN outside.
    pub fn quantile(&self, p: f64) -> f64 {
        let upper = p.min(1.0 - p);
        if p.is_nan() || upper < 0.0 {
            return f64::NAN;
        }
        let point = upper_point(upper);
        self.mean + self.std_dev * if p < 0.5 { -point } else { point }
    }

    /// The quantiles at [`LEVELS`](crate::LEVELS), ascending.
    pub fn quantiles(&self) -> [f64; 7] {
        quantiles_around(self.mean, self.std_dev, UPPER_POINTS)
    }

    fn standardised(&self, y: f64) -> f64 {
        standardise(y, self.mean, self.std_dev)
    }
}

/// Steps of fifth order from a guess that is off by at most 4.5e-4: the second only rounds.
const QUANTILE_STEPS: usize = 2;
/// Above this mass the search looks at the mass between the median and the point, which keeps its digits there.
const CENTRE_ABOVE: f64 = 0.25;

/// The point above which the standard Gaussian has the mass `p`, for `0 ≤ p ≤ ½`.
///
/// Guessed by Abramowitz & Stegun 26.2.23, then refined by the Taylor series of the quantile function.
pub(crate) fn upper_point(p: f64) -> f64 {
    if p == 0.0 {
        return f64::INFINITY;
    }
    if p == 0.5 {
        return 0.0;
    }
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - above / below;
    for _ in 0..QUANTILE_STEPS {
        let excess =
            if p > CENTRE_ABOVE { (0.5 - p) - 0.5 * erf(z * FRAC_1_SQRT_2) } else { 0.5 * erfc(z * FRAC_1_SQRT_2) - p };
        let d = excess / density(z);
        // q'' / q'² = z, q⁽³⁾ / q'³ = 2z² + 1, q⁽⁴⁾ / q'⁴ = 6z³ + 7z.
        let z2 = z * z;
        z += d * (1.0 + d * (0.5 * z + d * ((2.0 * z2 + 1.0) / 6.0 + d * z * (6.0 * z2 + 7.0) / 24.0)));
    }
    z
}

/// The standard density.
fn density(z: f64) -> f64 {
    INVERSE_ROOT_TWO_PI * (-0.5 * z * z).exp()
}
