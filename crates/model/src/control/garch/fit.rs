//! The parameters of a GARCH(1,1) with Student's t, and their likelihood.

use sluicegate_score::{StudentT, TShape};

use super::simplex::minimise;

/// α + β stays below one by at least this, so that the variance is drawn back to a mean.
const PERSISTENCE_MAX: f64 = 1.0 - 1e-6;
/// Degrees of freedom are held in this range. They exceed 2, so that there is a variance.
const DF: std::ops::RangeInclusive<f64> = 2.05..=100.0;
/// ω, in units of the squared size of a change.
const CONSTANT: std::ops::RangeInclusive<f64> = 1e-9..=1e6;
/// Where a search may begin: at no smaller ω and no larger logits. Farther out the likelihood hardly moves with them, so that a
/// search would stay there.
const CONSTANT_START_MIN: f64 = 1e-3;
const LOGIT_START_MAX: f64 = 4.0;
/// The mean, in sizes of a change.
const MEAN_MAX: f64 = 1.0;
/// Logits beyond this differ in digits that do not matter.
const LOGIT_MAX: f64 = 16.0;
/// What stands before the first change is an average of the first squares, whose weights fall by .94 each, so many of them:
/// as the Python package `arch` has it.
const BACKCAST_DECAY: f64 = 0.94;
const BACKCAST_LENGTH: usize = 75;
/// What a search ends at: nats per change.
const TOLERANCE: f64 = 1e-9;
const EVALUATIONS_MAX: usize = 600;
const STEP: f64 = 0.4;
/// The variance of changes whose median size is one: a little above a Gaussian's, which is 2.2.
const VARIANCE_PER_SQUARED_MEDIAN: f64 = 3.0;
/// Where a search may begin: α, and α + β.
const STARTS: [(f64, f64); 6] = [(0.05, 0.98), (0.1, 0.98), (0.2, 0.98), (0.05, 0.9), (0.1, 0.9), (0.2, 0.7)];

/// Whether changes have a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GarchMean {
    /// It is zero: there is next to nothing to be known of the mean of a return.
    #[default]
    Zero,
    /// It is a constant, fitted with the other parameters.
    Constant,
}

/// Parameters of r_t = μ + e_t, σ²_{t+1} = ω + α e_t² + β σ²_t, e_t/σ_t Student's t of variance one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parameters {
    /// μ.
    pub(super) mean: f64,
    /// ω.
    pub(super) constant: f64,
    pub(super) alpha: f64,
    pub(super) beta: f64,
    /// ν.
    pub(super) df: f64,
}

impl Parameters {
    /// Before the first fit: an exponentially weighted variance, as RiskMetrics has it.
    pub(super) const START: Self = Self { mean: 0.0, constant: 0.0, alpha: 0.06, beta: 0.94, df: 4.0 };

    /// How many they are.
    pub(super) const WIDTH: usize = 5;

    pub(super) fn to_array(self) -> [f64; Self::WIDTH] {
        [self.mean, self.constant, self.alpha, self.beta, self.df]
    }

    /// The parameters that [`Parameters::to_array`] gave; `None` where there are none such.
    pub(super) fn from_array([mean, constant, alpha, beta, df]: [f64; Self::WIDTH]) -> Option<Self> {
        let possible = mean.is_finite()
            && constant.is_finite()
            && constant.min(alpha).min(beta) >= 0.0
            && alpha + beta <= 1.0 + 1e-9
            && DF.contains(&df);
        possible.then_some(Self { mean, constant, alpha, beta, df })
    }

    /// The variance of the next change, after this one.
    pub(super) fn next_variance(&self, variance: f64, change: f64) -> f64 {
        let error = change - self.mean;
        self.constant + self.alpha * (error * error) + self.beta * variance
    }

    /// The variance of the next change but one, expected before the next, whose variance is given.
    pub(super) fn expected_variance(&self, variance: f64) -> f64 {
        self.constant + (self.alpha + self.beta) * variance
    }

    /// Mean negative log-likelihood of a change, in nats, and the variance of the next one; `before` is the square and the
    /// variance that stand before the first.
    pub(super) fn nll(&self, changes: &[f64], before: f64) -> (f64, f64) {
        let Some(standard) = StudentT::new(0.0, 1.0, TShape::new(self.df)) else { return (f64::NAN, f64::NAN) };
        let (mut logs, mut variance) = (0.0, self.expected_variance(before));
        for change in changes {
            let error = change - self.mean;
            let square = error * error / ((self.df - 2.0) * variance);
            logs += 0.5 * variance.ln() + 0.5 * (self.df + 1.0) * square.ln_1p();
            variance = self.next_variance(variance, *change);
        }
        let per_deviation = ((self.df - 2.0) / self.df).sqrt();
        (standard.nll(0.0) + per_deviation.ln() + logs / changes.len() as f64, variance)
    }

    /// As free numbers to begin a search with, for changes `size` times as large.
    fn to_free(self, size: f64) -> [f64; Self::WIDTH] {
        let logit = |p: f64| (p / (1.0 - p)).ln().clamp(-LOGIT_START_MAX, LOGIT_START_MAX);
        let persistence = self.alpha + self.beta;
        [
            (self.constant * size * size).clamp(CONSTANT_START_MIN, *CONSTANT.end()).ln(),
            logit((persistence / PERSISTENCE_MAX).min(1.0)),
            logit(self.alpha / persistence.max(f64::MIN_POSITIVE)),
            (self.df.clamp(*DF.start(), *DF.end()) - 2.0).ln(),
            self.mean * size,
        ]
    }

    fn from_free([constant, persistence, share, df, mean]: [f64; Self::WIDTH]) -> Self {
        let logistic = |x: f64| 1.0 / (1.0 + (-x.clamp(-LOGIT_MAX, LOGIT_MAX)).exp());
        let persistence = PERSISTENCE_MAX * logistic(persistence);
        let share = logistic(share);
        Self {
            mean: mean.clamp(-MEAN_MAX, MEAN_MAX),
            constant: constant.exp().clamp(*CONSTANT.start(), *CONSTANT.end()),
            alpha: persistence * share,
            beta: persistence * (1.0 - share),
            df: (2.0 + df.exp()).clamp(*DF.start(), *DF.end()),
        }
    }

    fn scaled(self, size: f64) -> Self {
        Self { mean: self.mean * size, constant: self.constant * size * size, ..self }
    }
}

/// What is taken to have been before the first of these changes, as a squared change and as its variance.
pub(super) fn backcast(changes: &[f64], mean: GarchMean) -> f64 {
    let mean = match mean {
        GarchMean::Zero => 0.0,
        GarchMean::Constant => changes.iter().sum::<f64>() / changes.len() as f64,
    };
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for change in changes.iter().take(BACKCAST_LENGTH) {
        sum += weight * (change - mean).powi(2);
        weights += weight;
        weight *= BACKCAST_DECAY;
    }
    sum / weights
}

/// The most likely parameters for these changes, and the variance of the next one; `None` where none can be told.
///
/// The search begins at `last` or at one of a few fixed places, whichever is likelier, and is the same at every run. Changes
/// are measured in their median size, which outliers do not move.
pub(super) fn fit(changes: &[f64], mean: GarchMean, last: Parameters) -> Option<(Parameters, f64)> {
    let size = size(changes)?;
    let measured: Vec<f64> = changes.iter().map(|change| change / size).collect();
    let before = backcast(&measured, mean);
    let nll = |free: &[f64; Parameters::WIDTH]| Parameters::from_free(*free).nll(&measured, before).0;
    let start = |(alpha, persistence): (f64, f64)| {
        let constant = (1.0 - persistence) * VARIANCE_PER_SQUARED_MEDIAN;
        Parameters { mean: 0.0, constant, alpha, beta: persistence - alpha, df: 5.0 }.to_free(1.0)
    };
    let last = if mean == GarchMean::Zero { Parameters { mean: 0.0, ..last } } else { last };
    let starts = std::iter::once(last.to_free(1.0 / size)).chain(STARTS.map(start)).map(|free| (nll(&free), free));
    // The first of those that are equally likely.
    let (_, start) = starts.filter(|(nll, _)| nll.is_finite()).reduce(|a, b| if b.0 < a.0 { b } else { a })?;
    let found = match mean {
        GarchMean::Constant => minimise(nll, start, STEP, TOLERANCE, EVALUATIONS_MAX).at,
        GarchMean::Zero => {
            let [a, b, c, d, _] = start;
            let zero = |free: &[f64; 4]| nll(&[free[0], free[1], free[2], free[3], 0.0]);
            let [a, b, c, d] = minimise(zero, [a, b, c, d], STEP, TOLERANCE, EVALUATIONS_MAX).at;
            [a, b, c, d, 0.0]
        }
    };
    let parameters = Parameters::from_free(found).scaled(size);
    let (nll, variance) = parameters.nll(changes, backcast(changes, mean));
    (nll.is_finite() && variance.is_finite()).then_some((parameters, variance))
}

/// The median size of changes, or their rms where most are zero; `None` where all are.
fn size(changes: &[f64]) -> Option<f64> {
    let mut sizes: Vec<f64> = changes.iter().map(|change| change.abs()).collect();
    let (_, median, _) = sizes.select_nth_unstable_by(changes.len() / 2, f64::total_cmp);
    let size = if *median > 0.0 {
        *median
    } else {
        (changes.iter().map(|change| change * change).sum::<f64>() / changes.len() as f64).sqrt()
    };
    (size.is_finite() && size > 0.0).then_some(size)
}
