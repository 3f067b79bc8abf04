//! A distribution that is stated by its quantiles.

use crate::gaussian::UPPER_POINTS;
use crate::mixture_nodes::Core;
use crate::{LEVELS, Score};
use std::f64::consts::LN_2;

/// The mass beyond the outermost quantile on either side.
const BEYOND: [f64; 2] = [LEVELS[0], 1.0 - LEVELS[6]];
/// `ln(0.1 / 0.025)`: how far apart the two outermost quantiles of an exponential tail are, in its scale.
const OUTER_PIECE: f64 = 2.0 * LN_2;

/// The distribution with given quantiles at [`LEVELS`].
///
/// Between neighbouring quantiles the density is constant, so the distribution function is linear there. Beyond the
/// outermost ones it falls exponentially: each tail is the exponential distribution through the two outermost quantiles
/// of its side, so its scale is their distance over `ln 4`. From the quantiles of a Gaussian that gives a mean excess
/// of 0.49 standard deviations, where the Gaussian's own is 0.38; from those of a Student's t with 8 degrees of freedom
/// 0.66, as it has; with 4 degrees of freedom 0.90 instead of 1.22.
///
/// What nobody stated is so filled in by a rule and not by a floor under the density. The density integrates to one and
/// is positive everywhere: the log-likelihood is a proper score, and that of a value far out is finite and grows with
/// its distance, no faster. At a quantile the density is that of the piece above.
///
/// ```
/// use sluicegate_score::Quantiles;
///
/// let skewed = Quantiles::new([0.0, 0.1, 0.3, 0.7, 1.4, 2.3, 3.7]).ok_or("not a distribution")?;
/// assert_eq!(skewed.cdf(1.4), 0.75);
/// assert_eq!(skewed.quantile(0.5), 0.7);
/// assert!(skewed.mean() > 0.7);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    at: [f64; 7],
    mean: f64,
    std_dev: f64,
}

impl Quantiles {
    /// The distribution, or `None` unless the quantiles strictly increase and their distance, the mean and the standard
    /// deviation are finite.
    pub fn new(at: [f64; 7]) -> Option<Quantiles> {
        let increasing = at.windows(2).all(|pair| pair[0] < pair[1]);
        let (mean, std_dev) = moments(&at);
        (increasing && mean.is_finite() && std_dev.is_finite()).then_some(Quantiles { at, mean, std_dev })
    }

    /// The distribution with a median and the distances from each quantile to the next, away from the median, or `None`
    /// unless these are positive and all is finite.
    ///
    /// A distance that is lost in rounding, because the median is too large for it, counts as the smallest that is not.
    ///
    /// ```
    /// use sluicegate_score::Quantiles;
    ///
    /// let forecast = Quantiles::around(10.0, [1.0, 2.0, 3.0], [0.5, 0.5, 1.0]).ok_or("not a distribution")?;
    /// assert_eq!(forecast.quantiles(), [4.0, 7.0, 9.0, 10.0, 10.5, 11.0, 12.0]);
    /// assert!(Quantiles::around(1e20, [1.0; 3], [1.0; 3]).is_some());
    /// # Ok::<(), &str>(())
    /// ```
    pub fn around(median: f64, below: [f64; 3], above: [f64; 3]) -> Option<Quantiles> {
        if !below.iter().chain(&above).all(|distance| *distance > 0.0) {
            return None;
        }
        let mut at = [median; 7];
        for i in 0..3 {
            at[2 - i] = (at[3 - i] - below[i]).min(at[3 - i].next_down());
            at[4 + i] = (at[3 + i] + above[i]).max(at[3 + i].next_up());
        }
        Quantiles::new(at)
    }

    /// The quantiles at [`LEVELS`], ascending.
    pub fn quantiles(&self) -> [f64; 7] {
        self.at
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation.
    pub fn std_dev(&self) -> f64 {
        self.std_dev
    }

    /// The median, and the deviation of a Gaussian with the same distance between the quartiles.
    pub(crate) fn core(&self) -> Core {
        Core { centre: self.at[3], scale: (self.at[4] - self.at[2]) / (2.0 * UPPER_POINTS[2]) }
    }

    /// The logarithm of the density at `y`.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        let [lower, upper] = self.tails();
        match self.place(y) {
            0 => lower.ln_pdf(self.at[0] - y),
            7 => upper.ln_pdf(y - self.at[6]),
            above => (LEVELS[above] - LEVELS[above - 1]).ln() - (self.at[above] - self.at[above - 1]).ln(),
        }
    }

    /// The negative log-likelihood of `y`, in nats: finite for every finite `y`.
    pub fn nll(&self, y: f64) -> f64 {
        -self.ln_pdf(y)
    }

    /// The probability of a value of at most `y`.
    pub fn cdf(&self, y: f64) -> f64 {
        let [lower, upper] = self.tails();
        match self.place(y) {
            0 => lower.beyond(self.at[0] - y),
            7 => 1.0 - upper.beyond(y - self.at[6]),
            above => {
                let [from, to] = [self.at[above - 1], self.at[above]];
                LEVELS[above - 1] + (LEVELS[above] - LEVELS[above - 1]) * ((y - from) / (to - from))
            }
        }
    }

    /// The value that is not exceeded with probability `p`: `−∞` at 0, `∞` at 1, NaN outside.
    pub fn quantile(&self, p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        let [lower, upper] = self.tails();
        match LEVELS.partition_point(|level| *level <= p) {
            0 => self.at[0] - lower.distance(p),
            7 => self.at[6] + upper.distance(1.0 - p),
            above => {
                let [from, to] = [self.at[above - 1], self.at[above]];
                from + (to - from) * ((p - LEVELS[above - 1]) / (LEVELS[above] - LEVELS[above - 1]))
            }
        }
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    ///
    /// Its definition `∫ (F(x) − [x ≥ y])² dx`, of which every piece and both tails have a closed form; all terms are
    /// positive.
    pub fn crps(&self, y: f64) -> f64 {
        if y.is_nan() {
            return f64::NAN;
        }
        let [lower, upper] = self.tails();
        let pieces = self.pieces().map(|Piece { from, to, below, upto }| {
            if y >= to {
                (to - from) * mean_square(below, upto)
            } else if y <= from {
                (to - from) * mean_square(1.0 - below, 1.0 - upto)
            } else {
                let at_y = below + (upto - below) * ((y - from) / (to - from));
                (y - from) * mean_square(below, at_y) + (to - y) * mean_square(1.0 - at_y, 1.0 - upto)
            }
        });
        lower.crps(self.at[0] - y) + pieces.sum::<f64>() + upper.crps(y - self.at[6])
    }

    /// `½ E|X − X′|` of two independent values: `∫ F (1 − F)`.
    pub fn half_mean_difference(&self) -> f64 {
        let piece = |Piece { from, to, below, upto }| (to - from) * (0.5 * (below + upto) - mean_square(below, upto));
        let tail = |tail: Tail| tail.scale * tail.mass * (1.0 - 0.5 * tail.mass);
        self.pieces().map(piece).sum::<f64>() + self.tails().map(tail).iter().sum::<f64>()
    }

    /// All scores of `y`.
    pub fn score(&self, y: f64) -> Score {
        Score { error: y - self.mean, nll: self.nll(y), crps: self.crps(y), pit: self.cdf(y) }
    }

    /// How many quantiles are not above `y`.
    fn place(&self, y: f64) -> usize {
        self.at.partition_point(|quantile| *quantile <= y)
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        pieces(&self.at)
    }

    fn tails(&self) -> [Tail; 2] {
        tails(&self.at)
    }
}

/// Between two neighbouring quantiles: where it lies, and the distribution function at its ends.
struct Piece {
    from: f64,
    to: f64,
    below: f64,
    upto: f64,
}

fn pieces(at: &[f64; 7]) -> impl Iterator<Item = Piece> {
    at.windows(2).zip(LEVELS.windows(2)).map(|(at, level)| Piece {
        from: at[0],
        to: at[1],
        below: level[0],
        upto: level[1],
    })
}

/// Beyond an outermost quantile: an exponential distribution of the distance from it.
#[derive(Clone, Copy)]
struct Tail {
    mass: f64,
    scale: f64,
}

fn tails(at: &[f64; 7]) -> [Tail; 2] {
    [
        Tail { mass: BEYOND[0], scale: (at[1] - at[0]) / OUTER_PIECE },
        Tail { mass: BEYOND[1], scale: (at[6] - at[5]) / OUTER_PIECE },
    ]
}

impl Tail {
    /// A distance in scales, never infinite: no score of a finite value may be.
    fn standardised(&self, distance: f64) -> f64 {
        (distance / self.scale).clamp(-f64::MAX, f64::MAX)
    }

    fn ln_pdf(&self, distance: f64) -> f64 {
        self.mass.ln() - self.scale.ln() - self.standardised(distance)
    }

    /// The mass beyond this distance.
    fn beyond(&self, distance: f64) -> f64 {
        self.mass * (-self.standardised(distance)).exp()
    }

    /// The distance beyond which lies the mass `p`.
    fn distance(&self, p: f64) -> f64 {
        -self.scale * (p / self.mass).ln()
    }

    /// The part of the CRPS that lies beyond the outermost quantile, of a value at this distance from it; negative
    /// distances are on the inner side.
    fn crps(&self, distance: f64) -> f64 {
        let outside = 0.5 * self.mass * self.mass * self.scale;
        if distance <= 0.0 {
            return outside;
        }
        // ∫₀ᵗ (1 − m e⁻ˢ)² ds + ∫ₜ^∞ m² e⁻²ˢ ds = t − 2m (1 − e⁻ᵗ) + m²/2
        distance + 2.0 * self.mass * self.scale * (-self.standardised(distance)).exp_m1() + outside
    }
}

/// The mean of `x²` for `x` from `a` to `b`.
fn mean_square(a: f64, b: f64) -> f64 {
    (a * a + a * b + b * b) / 3.0
}

/// Mean and standard deviation, taken about the median and in units of the whole distance, so that neither digits nor
/// range are lost.
fn moments(at: &[f64; 7]) -> (f64, f64) {
    let (median, unit) = (at[3], at[6] - at[0]);
    let relative = at.map(|quantile| (quantile - median) / unit);
    let (mut mean, mut square) = (0.0, 0.0);
    for Piece { from, to, below, upto } in pieces(&relative) {
        mean += (upto - below) * 0.5 * (from + to);
        square += (upto - below) * mean_square(from, to);
    }
    let [lower, upper] = tails(&relative);
    for (end, mass, scale) in [(relative[0], lower.mass, -lower.scale), (relative[6], upper.mass, upper.scale)] {
        mean += mass * (end + scale);
        square += mass * ((end + scale).powi(2) + scale * scale);
    }
    (median + unit * mean, unit * (square - mean * mean).sqrt())
}
