use super::fit::backcast;
use super::*;
use crate::control::testing::{dims, drive};

/// A GARCH(1,1) with a mean; every tenth shock is large.
fn series(n: usize) -> Vec<f64> {
    let (mut random, mut variance) = (1u64, 1.0f64);
    (0..n)
        .map(|i| {
            let mut z = 0.0;
            for _ in 0..12 {
                random = random * 48_271 % 2_147_483_647;
                z += random as f64 / 2_147_483_647.0;
            }
            z -= 6.0;
            if i % 10 == 0 {
                z *= 2.5;
            }
            let change = 0.05 + z * variance.sqrt();
            variance = 0.1 + 0.15 * (change - 0.05).powi(2) + 0.75 * variance;
            change
        })
        .collect()
}

fn assert_close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} against {expected}");
}

/// ```python
/// from arch import arch_model # 8.0.0
/// import numpy as np
/// def series(n):
///     s, v, out = 1, 1.0, []
///     for i in range(n):
///         z = 0.0
///         for _ in range(12):
///             s = s * 48271 % 2147483647; z += s / 2147483647
///         z -= 6.0
///         if i % 10 == 0: z *= 2.5
///         out.append(0.05 + z * v ** .5)
///         v = .1 + .15 * (out[-1] - .05) ** 2 + .75 * v
///     return np.array(out)
/// r = series(1000)
/// print(r[:3], r.sum())
/// for mean, p in ("Zero", []), ("Constant", [.05]):
///     model = arch_model(r, mean=mean, vol="GARCH", dist="t", rescale=False)
///     fixed = model.fix(p + [.1, .1, .8, 5.])
///     print(fixed.loglikelihood, fixed.conditional_volatility[-1] ** 2)
///     fit = model.fit(disp="off", tol=1e-12, options={"maxiter": 1000})
///     print(fit.params, fit.loglikelihood)
///     print(fit.forecast(horizon=5).variance.values[-1])
/// ```
#[test]
fn likelihood_and_variances_are_those_of_arch() {
    let changes = series(1000);
    assert_close(changes[2], 2.167_021_71, 1e-8);
    assert_close(changes.iter().sum(), 90.708_476_743_218_37, 1e-10);
    let fixed = Parameters { mean: 0.0, constant: 0.1, alpha: 0.1, beta: 0.8, df: 5.0 };
    for (kind, mean, log_likelihood, last) in [
        (GarchMean::Zero, 0.0, -1_825.121_001_855_604_2, 1.077_046_736_705_434_6),
        (GarchMean::Constant, 0.05, -1_823.986_220_151_274_7, 1.060_233_276_749_741),
    ] {
        let parameters = Parameters { mean, ..fixed };
        let (nll, next) = parameters.nll(&changes, backcast(&changes, kind));
        assert_close(1000.0 * nll, -log_likelihood, 1e-12);
        assert_close(next, parameters.next_variance(last, changes[999]), 1e-12);
    }
}

/// The snippet above; the likelihood is flat at its top, so the parameters agree to fewer digits than it does.
#[test]
fn fitted_parameters_are_those_of_arch() {
    let changes = series(1000);
    let nll = |found: Parameters, mean| 1000.0 * found.nll(&changes, backcast(&changes, mean)).0;
    let (found, next) = fit(&changes, GarchMean::Zero, Parameters::START).unwrap();
    assert_close(nll(found, GarchMean::Zero), 1_786.563_910_494_893_2, 1e-8);
    let expected = [0.077_558_17, 0.132_492_41, 0.843_425_94, 6.865_032_36];
    for (found, expected) in found.to_array()[1..].iter().zip(expected) {
        assert_close(*found, expected, 2e-3);
    }
    let mut ahead = next;
    for expected in [1.891_518_81, 1.923_526_09, 1.954_762_58, 1.985_246_84, 2.014_996_99] {
        assert_close(ahead, expected, 1e-3);
        ahead = found.expected_variance(ahead);
    }

    let (found, next) = fit(&changes, GarchMean::Constant, Parameters::START).unwrap();
    assert_close(nll(found, GarchMean::Constant), 1_785.824_543_141_547, 1e-8);
    for (found, expected) in
        found.to_array().iter().zip([0.047_213_41, 0.076_962_29, 0.130_089_48, 0.845_668_66, 6.824_624_64])
    {
        assert_close(*found, expected, 5e-3);
    }
    assert_close(next, 1.896_263_04, 1e-3);
}

/// The free numbers are endless towards the edges, and the likelihood flat there: a search that began far out stayed there.
#[test]
fn a_fit_at_the_edge_does_not_hold_the_next_one_there() {
    let changes = series(1000);
    let edges = [(0.0, 0.06, 0.94), (1e-9, 0.0, 1.0), (0.5, 0.0, 0.0), (1e-9, 1.0, 0.0)];
    for (constant, alpha, beta) in edges {
        for df in [2.05, 100.0] {
            let last = Parameters { mean: 0.0, constant, alpha, beta, df };
            let (found, _) = fit(&changes, GarchMean::Zero, last).unwrap();
            let (nll, _) = found.nll(&changes, backcast(&changes, GarchMean::Zero));
            assert_close(1000.0 * nll, 1_786.563_910_494_893_2, 1e-7);
        }
    }
}

#[test]
fn a_fit_does_not_depend_on_the_unit_of_the_changes() {
    let changes = series(400);
    let (one, _) = fit(&changes, GarchMean::Zero, Parameters::START).unwrap();
    for unit in [1e-6, 1e9] {
        let measured: Vec<f64> = changes.iter().map(|change| unit * change).collect();
        let (other, _) = fit(&measured, GarchMean::Zero, Parameters::START).unwrap();
        assert_close(other.alpha, one.alpha, 1e-3);
        assert_close(other.beta, one.beta, 1e-3);
        assert_close(other.df, one.df, 1e-2);
        assert_close(other.constant, one.constant * unit * unit, 1e-2);
    }
}

#[test]
fn no_changes_give_no_fit_or_parameters_that_are_ones() {
    assert_eq!(fit(&[0.0; 100], GarchMean::Zero, Parameters::START), None);
    assert_eq!(fit(&[f64::NAN; 100], GarchMean::Zero, Parameters::START), None);
    let mut outlier = series(200);
    outlier[120] = 1e100;
    let mut mostly_zero = vec![0.0; 200];
    mostly_zero[7] = -3.0;
    let same = vec![2.0; 200];
    let tiny: Vec<f64> = series(200).iter().map(|change| 1e-150 * change).collect();
    for changes in [outlier, mostly_zero, same, tiny] {
        for mean in [GarchMean::Zero, GarchMean::Constant] {
            if let Some((parameters, variance)) = fit(&changes, mean, Parameters::START) {
                assert_eq!(Parameters::from_array(parameters.to_array()), Some(parameters));
                assert!(variance.is_finite() && variance >= 0.0, "{variance}");
            }
        }
    }
}

/// A GARCH of one key that saw a level move by these changes, and its last forecasts.
fn after(config: GarchConfig, horizons: &[usize], changes: &[f64]) -> (Garch, Vec<Option<Distribution>>) {
    let mut garch = Garch::new(config, dims(horizons));
    let mut levels = vec![0.0];
    changes.iter().for_each(|change| levels.push(levels[levels.len() - 1] + change));
    let said = drive(&mut garch, horizons, &levels).pop().unwrap();
    (garch, said)
}

#[test]
fn it_is_refitted_to_the_last_window_and_forecasts_sums_of_expected_variances() {
    let changes = series(1000);
    let config = GarchConfig { refit_every: 200, window: 300, mean: GarchMean::Constant };
    let (garch, out) = after(config, &[1, 5], &changes);
    let mut last = Parameters::START;
    for n in (200..=1000usize).step_by(200) {
        last = fit(&changes[n.saturating_sub(300)..n], GarchMean::Constant, last).unwrap().0;
    }
    let state = garch.states.row(0)[0];
    assert_eq!(state.n, 1000);
    // It sees differences of levels, so up to rounding.
    assert_close(state.parameters.beta, last.beta, 1e-4);
    assert_close(state.parameters.df, last.df, 1e-3);

    let level: f64 = changes.iter().sum();
    let p = state.parameters;
    let mean_variance = p.constant / (1.0 - p.alpha - p.beta);
    let drawn = |k: i32| mean_variance + (p.alpha + p.beta).powi(k) * (state.variance - mean_variance);
    for (out, horizon) in out.iter().zip([1, 5]) {
        let forecast = out.unwrap();
        assert!((forecast.mean() - level - f64::from(horizon) * p.mean).abs() < 1e-9);
        assert_close(forecast.std_dev().unwrap().powi(2), (0..horizon).map(drawn).sum(), 1e-9);
        assert_eq!(forecast.shape(), Some(p.df));
    }
}

#[test]
fn before_the_first_fit_the_variance_is_exponentially_weighted() {
    let changes = series(60);
    let (garch, out) = after(GarchConfig::default(), &[1], &changes);
    let mut variance = sluicegate_score::EwMeanSquare::default();
    changes.iter().for_each(|change| variance.update(0.06, *change));
    assert_eq!(garch.states.row(0)[0].parameters, Parameters::START);
    assert_close(out[0].unwrap().std_dev().unwrap().powi(2), variance.value(), 1e-9);
}
