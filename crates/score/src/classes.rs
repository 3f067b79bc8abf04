//! Forecasts of classes: scores of probability vectors, their sums, and mixtures.

use crate::mixture::ln_sum_exp;
use crate::sum::{Sum, count};
use std::f64::consts::LN_2;

/// How far the sum of a probability vector may be from one: what rounding makes of a softmax over a hundred thousand
/// classes in `f32`.
const SUM_TOLERANCE: f64 = 1e-2;

/// The scores of one forecast of a class against the class that came.
///
/// ```
/// use sluicegate_score::ClassScore;
///
/// let score = ClassScore::new(&[0.5, 0.25, 0.25], 1).ok_or("no forecast of this class")?;
/// assert_eq!(score.bits(), 2.0);
/// assert_eq!(score.brier, 0.875);
/// assert!(!score.hit);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// Negative log-likelihood, in nats: infinite for a class that was held impossible.
    pub nll: f64,
    /// The squared distance of the probabilities from 1 for the class that came and 0 for all others, from 0 to 2: the
    /// score of Brier (1950), "Verification of forecasts expressed in terms of probability".
    pub brier: f64,
    /// Whether the class that came was the most probable, of several such the first.
    pub hit: bool,
    /// The probability of the most probable class.
    pub confidence: f64,
}

impl ClassScore {
    /// The scores of these probabilities, one per class, when `class` comes; `None` where there is no such class, or
    /// the numbers are not probabilities: negative, not finite, or with a sum that is off by more than 1 %.
    ///
    /// What rounding has left their sum short of one is made up for.
    pub fn new(probabilities: &[f32], class: usize) -> Option<ClassScore> {
        let given = f64::from(*probabilities.get(class)?);
        let (mut sum, mut squares) = (0.0, 0.0);
        for probability in probabilities.iter().map(|probability| f64::from(*probability)) {
            if !(probability >= 0.0 && probability.is_finite()) {
                return None;
            }
            sum += probability;
            squares += probability * probability;
        }
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return None;
        }
        let top = most_probable(probabilities)?;
        // Σ (pᵢ − [i = class])² = Σ pᵢ² + 1 − 2 p of the class.
        let brier = (squares / (sum * sum) + 1.0 - 2.0 * given / sum).max(0.0);
        let confidence = f64::from(probabilities[top]) / sum;
        Some(ClassScore { nll: sum.ln() - given.ln(), brier, hit: top == class, confidence })
    }

    /// The negative log-likelihood in bits: the length of the class in a code made for the forecast.
    pub fn bits(&self) -> f64 {
        self.nll / LN_2
    }
}

/// The most probable class, of several such the first; `None` of none.
pub fn most_probable(probabilities: &[f32]) -> Option<usize> {
    let later_is_greater = |best: usize, class: usize| probabilities[class] > probabilities[best];
    (0..probabilities.len()).reduce(|best, class| if later_is_greater(best, class) { class } else { best })
}

/// Of how many bins of the confidence the calibration is taken.
const BINS: usize = 10;

/// Sums of the scores of one series of forecasts of classes: what [`Tally`](crate::Tally) is for numbers.
///
/// ```
/// use sluicegate_score::{ClassScore, ClassTally};
///
/// let mut tally = ClassTally::new();
/// for class in [0, 0, 1, 2] {
///     tally.add(&ClassScore::new(&[0.5, 0.25, 0.25], class).ok_or("no forecast of this class")?);
/// }
/// assert_eq!(tally.mean_bits(), Some(1.5));
/// assert_eq!(tally.accuracy(), Some(0.5));
/// assert_eq!(tally.calibration_error(), Some(0.0)); // held 50 % probable, and came in half of all cases
/// assert_eq!(ClassTally::from_array(tally.to_array()), Some(tally));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClassTally {
    nll: Sum,
    brier: Sum,
    bins: [Bin; BINS],
}

/// Forecasts of nearly the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bin {
    n: u64,
    hits: u64,
    confidence: Sum,
}

impl ClassTally {
    /// The length of [`to_array`](ClassTally::to_array).
    pub const WIDTH: usize = 4 + 4 * BINS;

    /// No scores.
    pub fn new() -> ClassTally {
        ClassTally::default()
    }

    /// Adds a score. One whose NLL, Brier score or confidence is NaN is no score and changes nothing.
    pub fn add(&mut self, score: &ClassScore) {
        if score.nll.is_nan() || score.brier.is_nan() || score.confidence.is_nan() {
            return;
        }
        self.nll.add(score.nll);
        self.brier.add(score.brier);
        let bin = &mut self.bins[((score.confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.n += 1;
        bin.hits += u64::from(score.hit);
        bin.confidence.add(score.confidence);
    }

    /// Adds all scores of another tally.
    pub fn merge(&mut self, other: &ClassTally) {
        self.nll.merge(other.nll);
        self.brier.merge(other.brier);
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            bin.n += more.n;
            bin.hits += more.hits;
            bin.confidence.merge(more.confidence);
        }
    }

    /// How many scores were added.
    pub fn n(&self) -> u64 {
        self.bins.iter().map(|bin| bin.n).sum()
    }

    /// How often the most probable class came.
    pub fn hits(&self) -> u64 {
        self.bins.iter().map(|bin| bin.hits).sum()
    }

    /// The sum of the negative log-likelihoods, in nats.
    pub fn sum_nll(&self) -> f64 {
        self.nll.total()
    }

    /// The sum of the Brier scores.
    pub fn sum_brier(&self) -> f64 {
        self.brier.total()
    }

    /// The mean negative log-likelihood in nats, or `None` without scores.
    pub fn mean_nll(&self) -> Option<f64> {
        self.nll.mean(self.n())
    }

    /// The mean negative log-likelihood in bits per class, or `None` without scores.
    pub fn mean_bits(&self) -> Option<f64> {
        self.mean_nll().map(|nll| nll / LN_2)
    }

    /// The mean Brier score, or `None` without scores.
    pub fn mean_brier(&self) -> Option<f64> {
        self.brier.mean(self.n())
    }

    /// The share of forecasts whose most probable class came, or `None` without scores.
    pub fn accuracy(&self) -> Option<f64> {
        let n = self.n();
        (n > 0).then(|| self.hits() as f64 / n as f64)
    }

    /// The expected calibration error: by how much the confidence is off the share of hits, in the mean over ten equal
    /// bins of the confidence, each weighted by its forecasts (Naeini, Cooper & Hauskrecht 2015, "Obtaining well
    /// calibrated probabilities using Bayesian binning"). `None` without scores.
    ///
    /// Never quite zero for a finite series, also of a perfect forecast: a bin of m forecasts is off by up to
    /// `0.4 / √m` in the mean.
    pub fn calibration_error(&self) -> Option<f64> {
        let n = self.n();
        let gaps = self.bins.iter().map(|bin| (bin.confidence.total() - bin.hits as f64).abs());
        (n > 0).then(|| gaps.sum::<f64>() / n as f64)
    }

    /// All of the tally as numbers, for a snapshot: total and compensation of the sums of NLL and Brier score, then for
    /// every bin forecasts, hits, and total and compensation of the confidence. Counts are exact up to 2⁵³.
    pub fn to_array(&self) -> [f64; Self::WIDTH] {
        let mut array = [0.0; Self::WIDTH];
        array[..2].copy_from_slice(&self.nll.parts());
        array[2..4].copy_from_slice(&self.brier.parts());
        for (numbers, bin) in array[4..].chunks_exact_mut(4).zip(&self.bins) {
            let [confidence, compensation] = bin.confidence.parts();
            numbers.copy_from_slice(&[bin.n as f64, bin.hits as f64, confidence, compensation]);
        }
        array
    }

    /// The tally that [`to_array`](ClassTally::to_array) turned into these numbers, or `None` if there is none: counts
    /// that are not whole, or more hits than forecasts.
    pub fn from_array(array: [f64; Self::WIDTH]) -> Option<ClassTally> {
        let [nll, nll_c, brier, brier_c, bins @ ..] = array;
        let mut tally = ClassTally {
            nll: Sum::from_parts(nll, nll_c),
            brier: Sum::from_parts(brier, brier_c),
            bins: [Bin::default(); BINS],
        };
        for (bin, numbers) in tally.bins.iter_mut().zip(bins.chunks_exact(4)) {
            let (n, hits) = (count(numbers[0])?, count(numbers[1])?);
            if hits > n {
                return None;
            }
            *bin = Bin { n, hits, confidence: Sum::from_parts(numbers[2], numbers[3]) };
        }
        Some(tally)
    }
}

/// The logarithm of the probability that a mixture gives to what its experts give these logarithms of probabilities:
/// `ln Σ wᵢ exp(lᵢ)`, without overflow.
///
/// An expert whose logarithm is NaN takes no part, and the others share its weight; NaN when none takes part. The
/// weights need not sum to one. [`FixedShare`](crate::FixedShare) moves them by the same logarithms, and its bound
/// holds as for densities.
///
/// ```
/// use sluicegate_score::ln_mix;
///
/// let ln_probabilities = [0.5f64, 0.1, f64::NAN].map(f64::ln);
/// assert!((ln_mix(&[0.25, 0.25, 0.5], &ln_probabilities) - 0.3f64.ln()).abs() < 1e-15);
/// ```
pub fn ln_mix(weights: &[f64], ln_probabilities: &[f64]) -> f64 {
    let known = || weights.iter().zip(ln_probabilities).filter(|(_, ln_probability)| !ln_probability.is_nan());
    let awake: f64 = known().map(|(weight, _)| weight).sum();
    if awake > 0.0 {
        ln_sum_exp(known().map(|(weight, ln_probability)| weight.ln() + ln_probability)) - awake.ln()
    } else {
        f64::NAN
    }
}

/// The probability vector of a mixture: `Σ wᵢ pᵢ` over the experts that have one, their weights made to sum to one;
/// `None` when none has, or two differ in length.
///
/// ```
/// use sluicegate_score::mix;
///
/// let (sure, even) = ([1.0f32, 0.0], [0.5f32, 0.5]);
/// assert_eq!(mix(&[0.25, 0.25, 0.5], &[Some(&sure), Some(&even), None]), Some(vec![0.75, 0.25]));
/// ```
pub fn mix(weights: &[f64], members: &[Option<&[f32]>]) -> Option<Vec<f32>> {
    let known = || weights.iter().zip(members).filter_map(|(weight, member)| Some((*weight, (*member)?)));
    let awake: f64 = known().map(|(weight, _)| weight).sum();
    let classes = known().next()?.1.len();
    if !(awake > 0.0 && known().all(|(_, member)| member.len() == classes)) {
        return None;
    }
    let of_class =
        |class: usize| known().map(|(weight, member)| weight * f64::from(member[class])).sum::<f64>() / awake;
    Some((0..classes).map(|class| of_class(class) as f32).collect())
}
