//! Scores, and their sums over one series of forecasts.

use crate::LEVELS;
use crate::sum::{Sum, count};

/// The central intervals whose hits a [`Tally`] counts, by their nominal coverage.
pub const INTERVALS: [f64; 3] = [0.5, 0.8, 0.95];

/// The scores of one forecast against what then happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Observation less the forecast's mean, in the units of the observation.
    pub error: f64,
    /// Negative log-likelihood, in nats.
    pub nll: f64,
    /// Continuous ranked probability score, in the units of the observation; NaN if it was not asked for.
    pub crps: f64,
    /// Probability integral transform: the forecast's distribution function at the observation.
    pub pit: f64,
}

impl Score {
    /// No score: of an observation that is NaN.
    pub const NAN: Score = Score { error: f64::NAN, nll: f64::NAN, crps: f64::NAN, pit: f64::NAN };
}

/// Sums of the scores of one series of forecasts.
///
/// The sums are compensated (Neumaier 1974), so that a thousand million scores lose no more digits than ten. Adding
/// the scores of two series in a row, or merging the tallies of both, gives the same counts, and sums that differ by
/// the last rounding at most.
///
/// ```
/// use sluicegate_score::{Score, Tally};
///
/// let mut tally = Tally::new();
/// tally.add(&Score { error: 3.0, nll: 1.0, crps: 0.5, pit: 0.99 });
/// tally.add(&Score { error: -1.0, nll: 2.0, crps: f64::NAN, pit: 0.2 });
/// assert_eq!(tally.mae(), Some(2.0));
/// assert_eq!(tally.mse(), Some(5.0));
/// assert_eq!(tally.mean_crps(), Some(0.5)); // of the one that has it
/// assert_eq!(tally.coverage(1), Some(0.5)); // of the central 80 % interval
/// assert_eq!(Tally::from_array(tally.to_array()), Some(tally));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    n: u64,
    n_crps: u64,
    hits: [u64; 3],
    nll: Sum,
    crps: Sum,
    absolute: Sum,
    squared: Sum,
}

impl Tally {
    /// The length of [`to_array`](Tally::to_array).
    pub const WIDTH: usize = 13;

    /// No scores.
    pub fn new() -> Tally {
        Tally::default()
    }

    /// Adds a score. One whose error, NLL or PIT is NaN is no score and changes nothing.
    pub fn add(&mut self, score: &Score) {
        if score.error.is_nan() || score.nll.is_nan() || score.pit.is_nan() {
            return;
        }
        self.n += 1;
        self.nll.add(score.nll);
        self.absolute.add(score.error.abs());
        self.squared.add(score.error * score.error);
        if !score.crps.is_nan() {
            self.n_crps += 1;
            self.crps.add(score.crps);
        }
        let [far, middle, near, _, above_near, above_middle, above_far] = LEVELS;
        let intervals = [near..=above_near, middle..=above_middle, far..=above_far];
        for (hits, interval) in self.hits.iter_mut().zip(intervals) {
            *hits += u64::from(interval.contains(&score.pit));
        }
    }

    /// Adds all scores of another tally.
    pub fn merge(&mut self, other: &Tally) {
        self.n += other.n;
        self.n_crps += other.n_crps;
        for (hits, more) in self.hits.iter_mut().zip(other.hits) {
            *hits += more;
        }
        self.nll.merge(other.nll);
        self.crps.merge(other.crps);
        self.absolute.merge(other.absolute);
        self.squared.merge(other.squared);
    }

    /// How many scores were added.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many of them have a CRPS.
    pub fn n_crps(&self) -> u64 {
        self.n_crps
    }

    /// The sum of the negative log-likelihoods.
    pub fn sum_nll(&self) -> f64 {
        self.nll.total()
    }

    /// The sum of the CRPS.
    pub fn sum_crps(&self) -> f64 {
        self.crps.total()
    }

    /// The sum of the absolute errors.
    pub fn sum_absolute(&self) -> f64 {
        self.absolute.total()
    }

    /// The sum of the squared errors.
    pub fn sum_squared(&self) -> f64 {
        self.squared.total()
    }

    /// The hits of the central [`INTERVALS`].
    pub fn hits(&self) -> [u64; 3] {
        self.hits
    }

    /// The mean negative log-likelihood, or `None` without scores.
    pub fn mean_nll(&self) -> Option<f64> {
        self.nll.mean(self.n)
    }

    /// The mean CRPS of the scores that have one, or `None` without such.
    pub fn mean_crps(&self) -> Option<f64> {
        self.crps.mean(self.n_crps)
    }

    /// The mean absolute error, or `None` without scores.
    pub fn mae(&self) -> Option<f64> {
        self.absolute.mean(self.n)
    }

    /// The mean squared error, or `None` without scores.
    pub fn mse(&self) -> Option<f64> {
        self.squared.mean(self.n)
    }

    /// The root of the mean squared error, or `None` without scores.
    pub fn rmse(&self) -> Option<f64> {
        self.mse().map(f64::sqrt)
    }

    /// The share of observations inside the central interval `INTERVALS[interval]`, its ends included; `None`
    /// without scores or without such an interval.
    pub fn coverage(&self, interval: usize) -> Option<f64> {
        let hits = *self.hits.get(interval)?;
        (self.n > 0).then(|| hits as f64 / self.n as f64)
    }

    /// The tally in units of a deviation: what it would be, had forecasts and observations been divided by it.
    ///
    /// Errors and CRPS are divided, squares by the square, each NLL falls by `ln deviation`, hits stay. `None` unless
    /// the deviation is finite and positive.
    pub fn standardised(&self, deviation: f64) -> Option<Tally> {
        if !(deviation.is_finite() && deviation > 0.0) {
            return None;
        }
        let mut nll = self.nll;
        nll.add(-(self.n as f64) * deviation.ln());
        Some(Tally {
            nll,
            crps: self.crps.divided(deviation),
            absolute: self.absolute.divided(deviation),
            squared: self.squared.divided(deviation).divided(deviation),
            ..*self
        })
    }

    /// All of the tally as numbers, for a snapshot: n, n with CRPS, hits of the three intervals, then total and
    /// compensation of the sums of NLL, CRPS, absolute and squared error. Counts are exact up to 2⁵³.
    pub fn to_array(&self) -> [f64; Self::WIDTH] {
        let [hit50, hit80, hit95] = self.hits.map(|hits| hits as f64);
        let [[nll, nll_c], [crps, crps_c]] = [self.nll.parts(), self.crps.parts()];
        let [[absolute, absolute_c], [squared, squared_c]] = [self.absolute.parts(), self.squared.parts()];
        [
            self.n as f64,
            self.n_crps as f64,
            hit50,
            hit80,
            hit95,
            nll,
            nll_c,
            crps,
            crps_c,
            absolute,
            absolute_c,
            squared,
            squared_c,
        ]
    }

    /// The tally that [`to_array`](Tally::to_array) turned into these numbers, or `None` if there is none: counts
    /// that are not whole, or more hits than scores.
    pub fn from_array(array: [f64; Self::WIDTH]) -> Option<Tally> {
        let [n, n_crps, hit50, hit80, hit95, sums @ ..] = array;
        let [nll, nll_c, crps, crps_c, absolute, absolute_c, squared, squared_c] = sums;
        let [n, n_crps] = [count(n)?, count(n_crps)?];
        let hits = [count(hit50)?, count(hit80)?, count(hit95)?];
        let ordered = hits[0] <= hits[1] && hits[1] <= hits[2] && hits[2] <= n && n_crps <= n;
        ordered.then_some(Tally {
            n,
            n_crps,
            hits,
            nll: Sum::from_parts(nll, nll_c),
            crps: Sum::from_parts(crps, crps_c),
            absolute: Sum::from_parts(absolute, absolute_c),
            squared: Sum::from_parts(squared, squared_c),
        })
    }
}
