//! Notices when losses grow: a stream that has changed, or a model that no longer fits it.

use crate::EwMoments;
use crate::sum::count;

/// By how many deviations at most a single loss counts, upwards and downwards.
const LIMIT: f64 = 4.0;

/// The test of Page (1954), "Continuous inspection schemes", and Hinkley (1971), "Inference about the change-point from
/// cumulative sum tests", on a stream of losses.
///
/// Each loss is taken in deviations from the running mean, `z = (loss − mean) / deviation`, both as they were before
/// it. The excess `max(0, excess + z − tolerance)` sums up what is above the tolerance since it last was not; an alarm
/// is raised when it passes the threshold, and everything then begins anew: the losses after a change are the new
/// normal.
///
/// - *Scale*: units of the deviation make one setting right for every loss.
/// - *Outliers*: `z` is held within ±4, and a loss beyond that moves mean and deviation as one of four deviations
///   would. No alarm comes from fewer than `threshold / (4 − tolerance)` losses, eleven by default.
/// - *Slow change*: mean and deviation forget at the rate `alpha` (a model that learns has falling losses; the mean of
///   them all would hide their rise). What rises by less than about 0.4 deviations, or more slowly than the mean
///   follows, is so learned as normal and raises no alarm.
/// - *False alarms*: by Siegmund's formula for the mean run length of a sum of independent Gaussian losses (Siegmund
///   1985, "Sequential analysis"), `(exp(2δb) − 2δb − 1) / 2δ²` with `b = threshold + 1.166` and tolerance `δ`, one in
///   1.8 · 10⁸ by default with known mean and deviation. As these have to be learned, and losses have tails, there was
///   one in 9 · 10⁶: 10⁶ each of nine kinds, from light to heavy tails and skewed to either side. Losses that depend on
///   each other raise more: with an autocorrelation of 0.5 one in 16,000, with 0.8 one in 950.
/// - *Delay*: a rise by `s` deviations raises an alarm after about `threshold / (s − tolerance)` losses: 50 for one
///   deviation, 22 for two.
///
/// ```
/// use sluicegate_score::PageHinkley;
///
/// let mut drift = PageHinkley::default();
/// let loss = |i: u64| (i * 7 % 10) as f64; // 4.5 in the mean, with a deviation of 2.9
/// assert!((0..1000).all(|i| !drift.update(loss(i))));
/// let delay = (1000..).position(|i| drift.update(loss(i) + 3.0)).ok_or("no alarm")?;
/// assert!((30..80).contains(&delay));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkley {
    tolerance: f64,
    threshold: f64,
    alpha: f64,
    count_min: u64,
    moments: EwMoments,
    excess: f64,
    alarms: u64,
}

impl Default for PageHinkley {
    /// Tolerance 0.2, threshold 40, alpha 0.001, and no alarm within the first 100 losses.
    fn default() -> PageHinkley {
        PageHinkley {
            tolerance: 0.2,
            threshold: 40.0,
            alpha: 1e-3,
            count_min: 100,
            moments: EwMoments::default(),
            excess: 0.0,
            alarms: 0,
        }
    }
}

impl PageHinkley {
    /// The length of [`to_array`](PageHinkley::to_array).
    pub const WIDTH: usize = 5;

    /// A detector that has seen nothing.
    ///
    /// `tolerance` and `threshold` are in deviations, `alpha` is the weight of a new loss in mean and deviation, and
    /// the first `count_min` losses, also after an alarm, only go into these. `None` unless the tolerance is from 0 to
    /// below 4, the threshold finite and positive, and alpha above 0 and up to 1.
    pub fn new(tolerance: f64, threshold: f64, alpha: f64, count_min: u64) -> Option<PageHinkley> {
        let valid = (0.0..LIMIT).contains(&tolerance)
            && threshold > 0.0
            && threshold.is_finite()
            && alpha > 0.0
            && alpha <= 1.0;
        valid.then_some(PageHinkley { tolerance, threshold, alpha, count_min, ..PageHinkley::default() })
    }

    /// Takes in a loss, and says whether it raises an alarm. One that is NaN changes nothing; an infinite one counts as
    /// any other beyond four deviations.
    pub fn update(&mut self, loss: f64) -> bool {
        let (mean, deviation) = (self.moments.mean(), self.moments.deviation());
        if loss.is_nan() {
            return false;
        }
        if self.moments.n() < self.count_min.max(2) {
            self.moments.update(self.alpha, loss);
            return false;
        }
        let z = if loss == mean { 0.0 } else { ((loss - mean) / deviation).clamp(-LIMIT, LIMIT) };
        // Without a deviation nothing can be measured in it: then the loss itself goes in, so that there is one.
        let taken = if deviation > 0.0 { mean + z * deviation } else { loss };
        self.moments.update(self.alpha, taken);
        self.excess = (self.excess + z - self.tolerance).max(0.0);
        let alarm = self.excess > self.threshold;
        if alarm {
            self.moments = EwMoments::default();
            self.excess = 0.0;
            self.alarms += 1;
        }
        alarm
    }

    /// How many alarms there were.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// How far it is to an alarm: the excess as a share of the threshold.
    pub fn level(&self) -> f64 {
        self.excess / self.threshold
    }

    /// What it has seen as numbers, for a snapshot: count, mean and variance of the losses since the last alarm, the
    /// excess, and the alarms. The settings are not in it.
    pub fn to_array(&self) -> [f64; Self::WIDTH] {
        [self.moments.n() as f64, self.moments.mean(), self.moments.variance(), self.excess, self.alarms as f64]
    }

    /// A detector of these settings that has seen what [`to_array`](PageHinkley::to_array) says, or `None` where none
    /// comes to that.
    pub fn with_array(self, array: [f64; Self::WIDTH]) -> Option<PageHinkley> {
        let [n, mean, variance, excess, alarms] = array;
        let moments = EwMoments::from_parts(count(n)?, mean, variance)?;
        let alarms = count(alarms)?;
        (0.0..=self.threshold).contains(&excess).then_some(PageHinkley { moments, excess, alarms, ..self })
    }
}
