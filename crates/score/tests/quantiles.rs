//! Distributions that are stated by their quantiles.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in their helpers")]

use proptest::prelude::*;
use sluicegate_score::{Distribution, LEVELS, Quantiles, pinball};

#[track_caller]
fn assert_close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{got}, not {expected}");
}

/// Any: pieces of very different widths, anywhere.
fn any_quantiles() -> impl Strategy<Value = Quantiles> {
    let widths = || prop::array::uniform3(-4.0f64..2.0);
    (-100.0..100.0, -5.0f64..5.0, widths(), widths()).prop_map(|(median, scale, below, above)| {
        Quantiles::around(median, below.map(|w| (scale + w).exp()), above.map(|w| (scale + w).exp())).unwrap()
    })
}

#[test]
fn all_results_are_those_of_scipys_pieces() {
    // import numpy as np
    // from scipy import integrate, stats
    // p = np.array([.025, .1, .25, .5, .75, .9, .975])
    // q = np.array([-3., -1.2, -.4, .1, .9, 2., 4.5])
    // lo, hi = stats.expon(scale=(q[1] - q[0]) / np.log(4)), stats.expon(scale=(q[6] - q[5]) / np.log(4))
    // inner = stats.rv_histogram((np.diff(p), q), density=False)
    // pdf = lambda x: .025 * lo.pdf(q[0] - x) + .025 * hi.pdf(x - q[6]) + .95 * inner.pdf(x)
    // cdf = lambda x: .025 * lo.sf(q[0] - x) + .025 * hi.cdf(x - q[6]) + .95 * inner.cdf(x)
    // def quad(f, *cuts):
    //     cuts = sorted(cuts)
    //     return sum(integrate.quad(f, a, b, epsabs=1e-13, limit=500)[0] for a, b in zip(cuts, cuts[1:]))
    // mean = quad(lambda x: x * pdf(x), -np.inf, *q, np.inf)
    // print(mean, quad(lambda x: (x - mean)**2 * pdf(x), -np.inf, *q, np.inf)**.5)
    // print(quad(lambda x: cdf(x) * (1 - cdf(x)), -np.inf, *q, np.inf))
    // for y in (-9., -2., .1, .5, 3., 20.):
    //     crps = quad(lambda x: (cdf(x) - (x >= y))**2, -np.inf, *q, y, np.inf)
    //     print((y, float(-np.log(pdf(y))), float(cdf(y)), float(crps)))
    let stated = Quantiles::new([-3.0, -1.2, -0.4, 0.1, 0.9, 2.0, 4.5]).unwrap();
    assert_close(stated.mean(), 0.3213735816077783, 1e-12);
    assert_close(stated.std_dev(), 1.78292172959249, 1e-12);
    assert_close(stated.half_mean_difference(), 0.8951797143838544, 1e-12);
    for (y, nll, cdf, crps) in [
        (-9.0, 8.571013062770742, 0.00024607833005759264, 8.426832895999526),
        (-2.0, 3.1780538303479453, 0.06666666666666668, 1.582781810730597),
        (0.1, 1.1631508098056809, 0.5, 0.2711151440639306),
        (0.5, 1.1631508098056809, 0.625, 0.3211151440639306),
        (3.0, 3.5065578973199822, 0.93, 2.0161151440639307),
        (20.0, 12.873560964953132, 0.9999953744001265, 18.783463387333363),
    ] {
        assert_close(stated.nll(y), nll, 1e-12);
        assert_eq!(stated.ln_pdf(y), -stated.nll(y));
        assert_close(stated.cdf(y), cdf, 1e-12);
        assert_close(stated.crps(y), crps, 1e-12);
    }
}

#[test]
fn a_tail_has_the_two_outermost_quantiles_of_an_exponential() {
    // from scipy.stats import expon
    // print(float(expon.ppf(.9999)), float(-expon.logpdf(30)))
    let exponential = Quantiles::new(LEVELS.map(|level| -(-level).ln_1p())).unwrap();
    assert_close(exponential.quantile(0.9999), 9.210340371976294, 1e-12);
    assert_close(exponential.nll(30.0), 30.0, 1e-12);
    // The inner pieces are straight where the exponential is bent: the mean is near, not equal.
    assert_close(exponential.mean(), 1.0, 0.05);
}

#[test]
fn what_is_no_distribution_is_refused() {
    let good = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
    assert!(Quantiles::new(good).is_some());
    for (index, value) in [(0, f64::NEG_INFINITY), (1, -3.0), (3, 1.0), (4, -0.5), (5, f64::NAN), (6, f64::INFINITY)] {
        let mut bad = good;
        bad[index] = value;
        assert_eq!(Quantiles::new(bad), None, "{value} at {index}");
        assert_eq!(Distribution::from_quantiles(bad), None);
    }
    let mut wide = good.map(|q| q * 1e308 / 2.0);
    assert_eq!(Quantiles::new(wide), None, "wider than numbers reach");
    wide = good.map(|q| q * 1e300);
    assert!(Quantiles::new(wide).is_some());
    let one = [1.0; 3];
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Quantiles::around(0.0, [1.0, bad, 1.0], one), None, "{bad}");
        assert_eq!(Quantiles::around(0.0, one, [bad, 1.0, 1.0]), None, "{bad}");
    }
    assert_eq!(Quantiles::around(f64::NAN, one, one), None);
    assert_eq!(Quantiles::around(f64::INFINITY, one, one), None);
}

#[test]
fn distances_lost_in_rounding_still_part_the_quantiles() {
    for median in [1e20, -1e20, 1e300] {
        let narrow = Quantiles::around(median, [1.0; 3], [1.0; 3]).unwrap();
        assert!(narrow.quantiles().windows(2).all(|pair| pair[0] < pair[1]), "{narrow:?}");
        assert_eq!(narrow.quantile(0.5), median);
        assert!(narrow.std_dev() > 0.0);
    }
}

#[test]
fn no_finite_observation_makes_a_nan() {
    let unit = [1.0; 3];
    for (median, width) in [(0.0, 1.0), (0.0, 1e-300), (-1e308, 1e290), (1.0, 5e-324), (0.0, 5e-324)] {
        let stated = Quantiles::around(median, unit.map(|w| w * width), unit.map(|w| w * width)).unwrap();
        for y in [-f64::MAX, -1e200, -1.0, 0.0, 5e-324, 1.0, 1e154, f64::MAX] {
            let score = stated.score(y);
            let context = format!("median {median}, width {width}, y {y}: {score:?}");
            assert!(score.nll.is_finite(), "{context}");
            assert!(score.crps >= 0.0, "{context}");
            assert!((0.0..=1.0).contains(&score.pit), "{context}");
            assert!(!score.error.is_nan(), "{context}");
        }
    }
    let stated = Quantiles::around(0.0, unit, unit).unwrap();
    let none = stated.score(f64::NAN);
    assert!(none.nll.is_nan() && none.crps.is_nan() && none.pit.is_nan());
}

#[test]
fn quantiles_end_in_infinities_and_are_nan_outside() {
    let stated = Quantiles::new([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!(stated.quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(stated.quantile(1.0), f64::INFINITY);
    assert!(stated.quantile(5e-324).is_finite());
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(stated.quantile(p).is_nan(), "{p}");
    }
}

/// The CRPS by its definition. Between the cuts the integrand is a square of a straight line, of which Simpson's rule
/// gives the integral itself; beyond them it falls as an exponential, and 40 scales are all of it.
fn crps_by_integration(stated: &Quantiles, y: f64) -> f64 {
    let at = stated.quantiles();
    let reach = 40.0 * (at[6] - at[0]);
    let mut cuts = [at.as_slice(), &[y]].concat();
    let (low, high) = (at[0].min(y), at[6].max(y));
    const STEPS: usize = 20_000;
    for i in 0..=STEPS {
        // Denser towards the quantile, where the tail is steep.
        let away = (i as f64 / STEPS as f64).powi(3) * reach;
        cuts.extend([at[0] - away, at[6] + away].into_iter().filter(|cut| !(at[0]..=at[6]).contains(cut)));
        let between =
            [low + (at[0] - low) * (i as f64 / STEPS as f64), at[6] + (high - at[6]) * (i as f64 / STEPS as f64)];
        cuts.extend(between);
    }
    cuts.sort_by(f64::total_cmp);
    let integrand = |x: f64, above: bool| {
        let below = stated.cdf(x);
        if above { (1.0 - below).powi(2) } else { below * below }
    };
    let simpson = |a: f64, b: f64| {
        let above = 0.5 * (a + b) > y;
        (b - a) / 6.0 * (integrand(a, above) + 4.0 * integrand(0.5 * (a + b), above) + integrand(b, above))
    };
    cuts.windows(2).map(|cut| simpson(cut[0], cut[1])).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_quantiles_at_the_levels_are_the_stated_ones(stated in any_quantiles()) {
        for (at, level) in stated.quantiles().into_iter().zip(LEVELS) {
            prop_assert_eq!(stated.quantile(level), at);
            prop_assert!((stated.cdf(at) - level).abs() < 1e-15);
        }
    }

    #[test]
    fn the_distribution_function_never_falls(stated in any_quantiles(), z in -9.0f64..9.0, step in 0.0f64..5.0) {
        let y = stated.mean() + stated.std_dev() * z;
        prop_assert!(stated.cdf(y + stated.std_dev() * step) >= stated.cdf(y));
    }

    #[test]
    fn the_crps_is_its_integral(stated in any_quantiles(), z in -9.0f64..9.0) {
        let y = stated.mean() + stated.std_dev() * z;
        let (closed, integral) = (stated.crps(y), crps_by_integration(&stated, y));
        prop_assert!(closed > 0.0);
        prop_assert!((closed / integral - 1.0).abs() < 1e-7, "{closed}, not {integral}");
    }

    #[test]
    fn the_density_is_the_slope_of_the_distribution_function(stated in any_quantiles(), p in 0.001f64..0.999) {
        // Not across a quantile, where the density jumps.
        let (low, high) = (p - 1e-4, p + 1e-4);
        prop_assume!(LEVELS.iter().all(|level| !(low..=high).contains(level)));
        let [from, at, to] = [low, p, high].map(|p| stated.quantile(p));
        let slope = (stated.cdf(to) - stated.cdf(from)) / (to - from);
        prop_assert!((stated.ln_pdf(at).exp() / slope - 1.0).abs() < 5e-3);
    }

    #[test]
    fn the_mean_and_the_deviation_are_those_of_its_values(stated in any_quantiles()) {
        const N: usize = 100_000;
        let values = || (0..N).map(|i| stated.quantile((i as f64 + 0.5) / N as f64));
        let mean = values().sum::<f64>() / N as f64;
        let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64;
        prop_assert!((mean - stated.mean()).abs() < 1e-3 * stated.std_dev());
        prop_assert!((variance.sqrt() / stated.std_dev() - 1.0).abs() < 2e-3);
    }

    /// Of all forecasts of values that come from one of them, that one scores best: by likelihood, CRPS and pinball
    /// loss.
    #[test]
    fn the_truth_scores_best(truth in any_quantiles(), below in prop::array::uniform3(-1.0f64..1.0),
                             above in prop::array::uniform3(-1.0f64..1.0), shift in -1.0f64..1.0) {
        const N: usize = 4_000;
        let at = truth.quantiles();
        let other_below = [0, 1, 2].map(|i| (at[3 - i] - at[2 - i]) * below[i].exp());
        let other_above = [0, 1, 2].map(|i| (at[4 + i] - at[3 + i]) * above[i].exp());
        let other = Quantiles::around(at[3] + shift * truth.std_dev(), other_below, other_above).unwrap();
        let mean = |score: &dyn Fn(f64) -> f64| {
            (0..N).map(|i| score(truth.quantile((i as f64 + 0.5) / N as f64))).sum::<f64>() / N as f64
        };
        let [truth, other] = [truth, other].map(Distribution::Quantiles);
        let unit = truth.scale();
        prop_assert!(mean(&|y| truth.nll(y)) <= mean(&|y| other.nll(y)) + 2e-3);
        prop_assert!(mean(&|y| truth.crps(y)) <= mean(&|y| other.crps(y)) + 1e-6 * unit);
        prop_assert!(mean(&|y| truth.pinball(y)) <= mean(&|y| other.pinball(y)) + 1e-6 * unit);
    }

    #[test]
    fn the_crps_is_twice_the_pinball_loss_over_all_levels(stated in any_quantiles(), z in -5.0f64..5.0) {
        const N: usize = 20_000;
        let y = stated.mean() + stated.std_dev() * z;
        let level = |i: usize| (i as f64 + 0.5) / N as f64;
        let loss: f64 = (0..N).map(|i| pinball(level(i), stated.quantile(level(i)), y)).sum();
        prop_assert!((2.0 * loss / N as f64 - stated.crps(y)).abs() < 1e-4 * stated.std_dev());
    }
}

#[test]
fn the_pinball_loss_is_scikit_learns() {
    // from scipy.stats import norm
    // from sklearn.metrics import mean_pinball_loss
    // levels = [.025, .1, .25, .5, .75, .9, .975]
    // for y in (-3.0, 0.0, 0.8):
    //     print((y, float(sum(mean_pinball_loss([y], [norm.ppf(p)], alpha=p) for p in levels)) / 7))
    let gaussian = Distribution::gaussian(0.0, 1.0).unwrap();
    for (y, expected) in [(-3.0, 1.0393640124504608), (0.0, 0.09879334106199479), (0.8, 0.17386623389112602)] {
        assert_close(gaussian.pinball(y), expected, 1e-13);
        let moved = Distribution::gaussian(5.0, 4.0).unwrap();
        assert_close(moved.pinball(5.0 + 4.0 * y), 4.0 * expected, 1e-12);
    }
    assert!(gaussian.pinball(f64::NAN).is_nan());
}
