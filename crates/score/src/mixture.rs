//! A weighted mixture of distributions.

use crate::mixture_nodes::{Core, integrate};
use crate::{Distribution, LEVELS, Score, choose};

/// Steps of the search for a quantile; each at least halves the interval.
const SEARCH_MAX: usize = 60;
/// A quantile is found to this share of the width of the interval its members leave for it.
const SEARCH_TOLERANCE: f64 = 1e-10;

/// Several distributions, each with the probability that the value comes from it.
///
/// Log-likelihood, distribution function, mean and standard deviation are exact. Quantiles are searched for, to 1e-10
/// of the distance between the members' own. The CRPS is `Σ wᵢ CRPSᵢ − ∫ Σ wᵢ (Fᵢ − F)²`: the mean of the members',
/// which is exact, less what their disagreement is worth, which does not depend on `y` (for squared errors: Krogh &
/// Vedelsby 1995, "Neural network ensembles, cross validation, and active learning"). The integral is taken by a double
/// exponential rule with 61 nodes around all members. With members of the symmetric families and scales within a factor
/// of 30 its error is below 0.001 % of the mixture's standard deviation for up to four members whose means are within
/// one of the widest scale, and below 0.2 % for up to eight within three. A member stated by quantiles has a density
/// with steps, which no such rule follows exactly: with quantiles at up to e times their distances in a Gaussian, and
/// up to e times nearer, the error is below 0.3 %.
///
/// ```
/// use sluicegate_score::{Distribution, Mixture};
///
/// let members = [Distribution::gaussian(0.0, 1.0), Distribution::gaussian(0.0, 3.0)].map(Option::unwrap);
/// let mixture = Mixture::new(&[0.5, 0.5], &members).ok_or("not a mixture")?;
/// assert_eq!(mixture.cdf(0.0), 0.5);
/// assert!((mixture.std_dev().ok_or("no deviation")? - 5f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture<'a> {
    weights: &'a [f64],
    members: &'a [Distribution],
}

impl<'a> Mixture<'a> {
    /// The mixture, or `None` unless there are as many weights as members, at least one, none negative, with sum 1 up
    /// to rounding.
    pub fn new(weights: &'a [f64], members: &'a [Distribution]) -> Option<Self> {
        let sum: f64 = weights.iter().sum();
        let valid =
            weights.len() == members.len() && (sum - 1.0).abs() < 1e-9 && weights.iter().all(|weight| *weight >= 0.0);
        valid.then_some(Self { weights, members })
    }

    fn sum(&self, of: impl Fn(&Distribution) -> f64) -> f64 {
        self.weights.iter().zip(self.members).map(|(weight, member)| weight * of(member)).sum()
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.sum(Distribution::mean)
    }

    /// The standard deviation; `None` where a member has none.
    pub fn std_dev(&self) -> Option<f64> {
        let mean = self.mean();
        let mut variance = 0.0;
        for (weight, member) in self.weights.iter().zip(self.members) {
            variance += weight * (member.std_dev()?.powi(2) + (member.mean() - mean).powi(2));
        }
        Some(variance.sqrt())
    }

    /// The logarithm of the density at `y`.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        ln_sum_exp(self.weights.iter().zip(self.members).map(|(weight, member)| weight.ln() + member.ln_pdf(y)))
    }

    /// The negative log-likelihood of `y`, in nats.
    pub fn nll(&self, y: f64) -> f64 {
        -self.ln_pdf(y)
    }

    /// The probability of a value of at most `y`.
    pub fn cdf(&self, y: f64) -> f64 {
        self.sum(|member| member.cdf(y))
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    pub fn crps(&self, y: f64) -> f64 {
        self.sum(|member| member.crps(y)) - self.disagreement()
    }

    /// `∫ Σ wᵢ (Fᵢ − F)²`: by how much the mixture's CRPS is better than its members' in the mean, whatever comes.
    fn disagreement(&self) -> f64 {
        let heard = || self.weights.iter().zip(self.members).filter(|(weight, _)| **weight > 0.0);
        if heard().nth(1).is_none() {
            return 0.0;
        }
        let cores: Vec<Core> = heard().map(|(_, member)| member.core()).collect();
        integrate(&cores, |x| {
            let (mut mean, mut square) = (0.0, 0.0);
            for (weight, member) in heard() {
                let below = member.cdf(x);
                mean += weight * below;
                square += weight * below * below;
            }
            (square - mean * mean).max(0.0)
        })
    }

    /// All scores of `y`.
    pub fn score(&self, y: f64) -> Score {
        Score { error: y - self.mean(), nll: self.nll(y), crps: self.crps(y), pit: self.cdf(y).clamp(0.0, 1.0) }
    }

    /// The value that is not exceeded with probability `p`, for `0 < p < 1`; NaN otherwise.
    pub fn quantile(&self, p: f64) -> f64 {
        if !(p > 0.0 && p < 1.0) {
            return f64::NAN;
        }
        // It lies between the smallest and the largest of the members' quantiles.
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (_, member) in self.weights.iter().zip(self.members).filter(|(weight, _)| **weight > 0.0) {
            let quantile = member.quantile(p);
            (low, high) = (low.min(quantile), high.max(quantile));
        }
        let tolerance = SEARCH_TOLERANCE * (high - low);
        let mut at = 0.5 * (low + high);
        for _ in 0..SEARCH_MAX {
            if high - low <= tolerance {
                break;
            }
            let excess = self.cdf(at) - p;
            if excess > 0.0 {
                high = at;
            } else {
                low = at;
            }
            let newton = at - excess / self.ln_pdf(at).exp();
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if (next - at).abs() <= tolerance {
                return next;
            }
            at = next;
        }
        at
    }

    /// A sample: `choice` says of which member and `at` where in it. Where both are drawn evenly from (0, 1), apart, the value has
    /// this distribution.
    pub fn sample(&self, choice: f64, at: f64) -> f64 {
        let member = choose(self.weights.iter().copied(), choice).and_then(|place| self.members.get(place));
        member.map_or(f64::NAN, |member| member.quantile(at))
    }

    /// The quantiles at [`LEVELS`], ascending.
    pub fn quantiles(&self) -> [f64; 7] {
        LEVELS.map(|level| self.quantile(level))
    }
}

/// ln Σ exp(xᵢ), without overflow.
pub(crate) fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

/// Weights of experts that predict one sequence together, by fixed share (Herbster & Warmuth 1998) on log loss.
///
/// When a value arrives, each weight is multiplied by the density its expert had given it, all are normalised, and a
/// share α of the whole is dealt out evenly, so that no weight falls below α/E and a change of the best expert is
/// followed in about 1/α values.
///
/// Against any single one of E experts over n values, the mean negative log-likelihood of the mixture is worse by at
/// most `ln(E)/n − (n − 1)/n · ln(1 − α)`. Where values come h predictions late, that holds for each of the h interleaved
/// sequences, with its own n, if each has weights of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedShare {
    share: f64,
}

impl FixedShare {
    /// With the share α, which must be from 0 to below 1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..1.0).contains(&share).then_some(Self { share })
    }

    /// Moves `weights` by the logarithms of the densities that the experts gave to a value.
    ///
    /// An expert whose logarithm is NaN keeps the weight that the others leave it, as if it had predicted as the
    /// mixture did.
    pub fn update(&self, weights: &mut [f64], ln_densities: &[f64]) {
        let even = 1.0 / weights.len() as f64;
        let known = || weights.iter().zip(ln_densities).filter(|(_, density)| !density.is_nan());
        let ln_mixture = ln_sum_exp(known().map(|(weight, density)| weight.ln() + density));
        let awake: f64 = known().map(|(weight, _)| weight).sum();
        if !ln_mixture.is_finite() || awake <= 0.0 {
            return;
        }
        for (weight, density) in weights.iter_mut().zip(ln_densities) {
            if !density.is_nan() {
                *weight *= (density - ln_mixture).exp() * awake;
            }
            *weight = (1.0 - self.share) * *weight + self.share * even;
        }
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quantiles, TShape};

    fn t(location: f64, scale: f64, df: f64) -> Distribution {
        Distribution::student_t(location, scale, TShape::new(df)).unwrap()
    }

    fn stated() -> Distribution {
        Distribution::from_quantiles([-3.0, -1.2, -0.4, 0.1, 0.9, 2.0, 4.5]).unwrap()
    }

    /// ```python
    /// import numpy as np; from scipy import stats, integrate, optimize
    /// W = [.2, .5, .3]; M = [stats.t(3, .1, 1.), stats.t(8, -.4, .3), stats.norm(.9, 2.)]
    /// F = lambda x: sum(w * m.cdf(x) for w, m in zip(W, M)); y = .7
    /// a = integrate.quad(lambda x: F(x)**2, -np.inf, y, epsabs=1e-12, limit=500)[0]
    /// b = integrate.quad(lambda x: (1 - F(x))**2, y, np.inf, epsabs=1e-12, limit=500)[0]
    /// print(-np.log(sum(w * m.pdf(y) for w, m in zip(W, M))), a + b, F(y))
    /// print([optimize.brentq(lambda x: F(x) - p, -50, 50, xtol=1e-13) for p in (.025, .1, .25, .5, .75, .9, .975)])
    /// ```
    #[test]
    fn scores_and_quantiles_equal_numerical_integration() {
        let members = [t(0.1, 1.0, 3.0), t(-0.4, 0.3, 8.0), Distribution::gaussian(0.9, 2.0).unwrap()];
        let mixture = Mixture::new(&[0.2, 0.5, 0.3], &members).unwrap();
        let score = mixture.score(0.7);
        assert!((score.nll - 2.073_304_436_366).abs() < 1e-12, "{}", score.nll);
        assert!((score.pit - 0.777_386_552_38).abs() < 1e-12, "{}", score.pit);
        assert!((score.crps - 0.555_216_925_678).abs() < 1e-7, "{}", score.crps);
        for (found, expected) in mixture.quantiles().iter().zip([
            -2.343_411_729_939,
            -1.039_218_058_677,
            -0.603_912_322_91,
            -0.253_092_333_348,
            0.497_542_731_175,
            2.041_262_923_136,
            3.821_063_079_65,
        ]) {
            assert!((found - expected).abs() < 1e-8, "{found} against {expected}");
        }
    }

    #[test]
    fn a_mixture_of_one_is_that_one() {
        for member in [t(3.0, 0.2, 2.14), t(-1.0, 5.0, 4.0), stated(), Distribution::gaussian(2.0, 0.1).unwrap()] {
            let members = [member];
            let mixture = Mixture::new(&[1.0], &members).unwrap();
            for y in [-30.0, 0.0, 2.5, 1e3] {
                assert!((mixture.nll(y) - member.nll(y)).abs() < 1e-9 * member.nll(y).abs().max(1.0));
                assert_eq!(mixture.crps(y), member.crps(y), "{y}: {member:?}");
            }
        }
    }

    /// Numbers from 0 to 1 (Weyl's sequence of the golden ratio).
    fn weyl(at: &mut u32) -> f64 {
        *at += 1;
        f64::from(*at) * 0.618_033_988_749_894_8 % 1.0
    }

    /// The largest error of the CRPS over random mixtures, in their standard deviations, against a fine sum.
    fn worst_error(members: usize, factor: f64, apart: f64, stated_by_quantiles: bool) -> f64 {
        let mut at = 0;
        let mut next = || weyl(&mut at);
        let mut worst = 0.0f64;
        for _ in 0..6 {
            let any: Vec<Distribution> = (0..members)
                .map(|i| {
                    let (scale, mean) = (factor.powf(-next()), apart * (2.0 * next() - 1.0));
                    if stated_by_quantiles && i % 2 == 0 {
                        let [near, middle, far] = [0.67, 0.61, 0.68].map(|gap| gap * scale);
                        let mut widths = || [near, middle, far].map(|gap| gap * (2.0 * next() - 1.0).exp());
                        Distribution::Quantiles(Quantiles::around(mean, widths(), widths()).unwrap())
                    } else if i % 3 == 1 {
                        Distribution::gaussian(mean, scale).unwrap()
                    } else {
                        t(mean, scale, 3.0 + 9.0 * next())
                    }
                })
                .collect();
            let shares: Vec<f64> = any.iter().map(|_| 0.1 + next()).collect();
            let weights: Vec<f64> = shares.iter().map(|share| share / shares.iter().sum::<f64>()).collect();
            let mixture = Mixture::new(&weights, &any).unwrap();
            // ∫ F² up to y and ∫ (1 − F)² from there, in steps of a fiftieth of the narrowest scale.
            let (step, reach, y) = (0.02 / factor, 60.0, 0.3);
            let half = (reach / step) as i64;
            let square = |x: f64| if x < y { mixture.cdf(x).powi(2) } else { (1.0 - mixture.cdf(x)).powi(2) };
            let fine: f64 = (-half..half).map(|i| square(y + (i as f64 + 0.5) * step) * step).sum();
            worst = worst.max((mixture.crps(y) - fine).abs() / mixture.std_dev().unwrap());
        }
        worst
    }

    #[test]
    fn the_stated_error_of_the_crps_holds_for_members_of_different_scale() {
        for (members, factor, apart, bound) in [
            (2, 10.0, 1.0, 1e-5),
            (4, 10.0, 1.0, 1e-5),
            (4, 30.0, 1.0, 1e-5),
            (3, 30.0, 3.0, 1e-3),
            (8, 30.0, 3.0, 2e-3),
        ] {
            let error = worst_error(members, factor, apart, false);
            assert!(error < bound, "{members} members, factor {factor}, apart {apart}: {error}");
        }
    }

    #[test]
    fn the_stated_error_of_the_crps_holds_for_members_stated_by_quantiles() {
        for (members, factor, apart) in [(2, 10.0, 1.0), (4, 10.0, 1.0), (3, 30.0, 3.0), (8, 30.0, 3.0)] {
            let error = worst_error(members, factor, apart, true);
            assert!(error < 3e-3, "{members} members, factor {factor}, apart {apart}: {error}");
        }
    }

    /// By as many values of each member as its weight says, each a quantile of it.
    #[test]
    fn samples_have_the_distribution() {
        let members = [t(-1.0, 0.5, 3.0), stated(), Distribution::gaussian(3.0, 0.2).unwrap()];
        let mixture = Mixture::new(&[0.5, 0.2, 0.3], &members).unwrap();
        let grid = |i: u32, n: u32| (f64::from(i) + 0.5) / f64::from(n);
        let values: Vec<f64> = (0..100)
            .flat_map(|choice| (0..200).map(move |at| (choice, at)))
            .map(|(choice, at)| mixture.sample(grid(choice, 100), grid(at, 200)))
            .collect();
        for y in [-3.0, -1.0, -0.5, 0.3, 2.0, 3.0, 3.3] {
            let below = values.iter().filter(|value| **value <= y).count() as f64 / values.len() as f64;
            assert!((below - mixture.cdf(y)).abs() < 3e-3, "{below} against {} at {y}", mixture.cdf(y));
        }
    }

    #[test]
    fn no_members_make_a_crps_of_nan() {
        let extremes = [(0.0, 5e-324), (1e308, 1e300), (-1e308, 1e-300), (1.0, 1.0), (0.0, 1e306)];
        for first in extremes {
            for second in extremes {
                let members = [first, second].map(|(mean, scale)| t(mean, scale, 2.2));
                let mixture = Mixture::new(&[0.5, 0.5], &members).unwrap();
                assert!(!mixture.crps(0.5).is_nan(), "{first:?} and {second:?}");
            }
        }
    }

    #[test]
    fn what_is_no_mixture_is_refused() {
        let members = [t(0.0, 1.0, 3.0), t(1.0, 1.0, 3.0)];
        assert!(Mixture::new(&[0.5, 0.4], &members).is_none());
        assert!(Mixture::new(&[1.5, -0.5], &members).is_none());
        assert!(Mixture::new(&[1.0], &members).is_none());
        assert!(Mixture::new(&[], &[]).is_none());
    }

    /// The bound of the documentation, on a sequence made to hurt: the best expert changes midway.
    #[test]
    fn fixed_share_keeps_its_bound_against_every_expert() {
        let (experts, share) = ([t(0.0, 1.0, 3.0), t(4.0, 1.0, 3.0), t(2.0, 5.0, 3.0)], 0.01);
        let rule = FixedShare::new(share).unwrap();
        let mut weights = [1.0 / 3.0; 3];
        let (mut mixed, mut alone, n) = (0.0, [0.0; 3], 400);
        for i in 0..n {
            let y = if i < n / 2 { 0.3 } else { 4.2 };
            mixed += Mixture::new(&weights, &experts).unwrap().nll(y);
            let densities = experts.map(|expert| expert.ln_pdf(y));
            alone.iter_mut().zip(densities).for_each(|(sum, density)| *sum -= density);
            rule.update(&mut weights, &densities);
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(weights.iter().all(|weight| *weight >= share / 3.0 * 0.999));
        }
        let bound = 3f64.ln() - (f64::from(n) - 1.0) * (1.0 - share).ln();
        for alone in alone {
            assert!(mixed <= alone + bound, "{mixed} against {alone} + {bound}");
        }
        assert!(weights[1] > 0.9, "the new best expert leads: {weights:?}");
    }

    #[test]
    fn an_expert_without_a_forecast_keeps_its_weight() {
        let rule = FixedShare::new(0.0).unwrap();
        let mut weights = [0.5, 0.3, 0.2];
        rule.update(&mut weights, &[-1.0, f64::NAN, -3.0]);
        assert!((weights[1] - 0.3).abs() < 1e-12 && weights[0] > 0.6, "{weights:?}");
        let before = weights;
        rule.update(&mut weights, &[f64::NAN; 3]);
        assert_eq!(weights, before);
    }
}
