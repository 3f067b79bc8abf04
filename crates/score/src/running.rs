//! Exponentially weighted statistics that start as plain ones.
//!
//! The weight of a new value is `max(alpha, 1 / n)` for the `n`-th: up to `1 / alpha` values these are the plain
//! mean and variance, from then on the old fades by `1 − alpha` per value. So the start needs no correction and no
//! prior.

/// The weight of the `n`-th value. An `alpha` above one counts as one, a NaN as zero.
fn weight(alpha: f64, n: u64) -> f64 {
    alpha.max(1.0 / n as f64).min(1.0)
}

/// The exponentially weighted mean of squares.
///
/// ```
/// use sluicegate_score::EwMeanSquare;
///
/// let mut scale = EwMeanSquare::default();
/// scale.update(0.01, 3.0);
/// scale.update(0.01, -4.0);
/// assert_eq!(scale.value(), 12.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EwMeanSquare {
    n: u64,
    value: f64,
}

impl EwMeanSquare {
    /// The statistic with these parts, as [`n`](Self::n) and [`value`](Self::value) gave them, or `None` where no
    /// sequence of updates leads there: a value that is negative, not finite, or not zero after no values.
    pub fn from_parts(n: u64, value: f64) -> Option<EwMeanSquare> {
        let reachable = value.is_finite() && value >= 0.0 && (n > 0 || value == 0.0);
        reachable.then_some(EwMeanSquare { n, value })
    }

    /// Takes in `x`. One that is not finite, or whose square is not, changes nothing.
    pub fn update(&mut self, alpha: f64, x: f64) {
        let square = x * x;
        if square.is_finite() {
            self.n += 1;
            self.value += weight(alpha, self.n) * (square - self.value);
        }
    }

    /// How many values it took in.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean of squares; zero before the first value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The root of the mean of squares, in the units of the values.
    pub fn rms(&self) -> f64 {
        self.value.sqrt()
    }
}

/// The exponentially weighted mean and variance.
///
/// The recurrence is Finch (2009), "Incremental calculation of weighted mean and variance", section 9:
/// the variance can't become negative.
///
/// ```
/// use sluicegate_score::EwMoments;
///
/// let mut moments = EwMoments::default();
/// for x in [2.0, 4.0, 9.0] {
///     moments.update(0.01, x);
/// }
/// assert!((moments.mean() - 5.0).abs() < 1e-12);
/// assert!((moments.variance() - 26.0 / 3.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EwMoments {
    n: u64,
    mean: f64,
    variance: f64,
}

impl EwMoments {
    /// The statistic with these parts, as [`n`](Self::n), [`mean`](Self::mean) and [`variance`](Self::variance) gave
    /// them, or `None` where no sequence of updates leads there: a part that is not finite, a negative variance, a
    /// mean of no values, a variance of less than two.
    pub fn from_parts(n: u64, mean: f64, variance: f64) -> Option<EwMoments> {
        let reachable = mean.is_finite()
            && variance.is_finite()
            && variance >= 0.0
            && (n > 0 || mean == 0.0)
            && (n > 1 || variance == 0.0);
        reachable.then_some(EwMoments { n, mean, variance })
    }

    /// Takes in `x`. One that is not finite, or so large that a part would not be, changes nothing.
    pub fn update(&mut self, alpha: f64, x: f64) {
        let n = self.n + 1;
        let a = weight(alpha, n);
        let d = x - self.mean;
        let mean = self.mean + a * d;
        let variance = (1.0 - a) * (self.variance + a * d * d);
        if mean.is_finite() && variance.is_finite() {
            *self = EwMoments { n, mean, variance };
        }
    }

    /// How many values it took in.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean; zero before the first value.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The variance about the mean; zero before the second value.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// The standard deviation, in the units of the values.
    pub fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }
}
