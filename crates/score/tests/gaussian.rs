//! The Gaussian against scipy and properscoring.

use sluicegate_score::{Gaussian, LEVELS};

#[track_caller]
fn assert_close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{got}, not {expected}");
}

#[test]
fn the_likelihood_and_the_distribution_function_are_scipys() {
    let gaussian = Gaussian::new(1.0, 2.0).unwrap();
    // from scipy.stats import norm
    // for y in (-30.0, -1.5, 1.0, 4.0):
    //     print((y, float(-norm.logpdf(y, 1.0, 2.0)), float(norm.cdf(y, 1.0, 2.0))))
    for (y, nll, cdf) in [
        (-30.0, 121.73708571376461, 1.7344607917938203e-54),
        (-1.5, 2.393335713764618, 0.10564977366685535),
        (1.0, 1.612085713764618, 0.5),
        (4.0, 2.737085713764618, 0.9331927987311419),
    ] {
        assert_close(gaussian.nll(y), nll, 1e-14);
        assert_close(gaussian.ln_pdf(y), -nll, 1e-14);
        assert_close(gaussian.cdf(y), cdf, 1e-13);
    }
}

#[test]
fn the_crps_is_properscorings() {
    // import properscoring
    // for y in (0.0, -0.7, 2.0, 30.0):
    //     print((y, float(properscoring.crps_gaussian(y, 0.0, 1.0))))
    for (y, expected) in
        [(0.0, 0.23369497725510913), (-0.7, 0.42156917007346395), (2.0, 1.4527918216859033), (30.0, 29.435810416452245)]
    {
        assert_close(Gaussian::new(0.0, 1.0).unwrap().crps(y), expected, 1e-14);
        assert_close(Gaussian::new(5.0, 4.0).unwrap().crps(5.0 + 4.0 * y), 4.0 * expected, 1e-14);
    }
}

#[test]
fn the_quantiles_are_scipys() {
    let standard = Gaussian::new(0.0, 1.0).unwrap();
    // from scipy.stats import norm
    // for p in (1e-300, 1e-8, 0.025, 0.4, 0.5000001, 0.999):
    //     print((p, float(norm.ppf(p))))
    for (p, expected) in [
        (1e-300, -37.0470962993612),
        (1e-08, -5.612001244174789),
        (0.025, -1.9599639845400545),
        (0.4, -0.2533471031357997),
        (0.5000001, 2.506628273311648e-07),
        (0.999, 3.090232306167813),
    ] {
        assert_close(standard.quantile(p), expected, 1e-12);
    }
    let shifted = Gaussian::new(3.0, 0.5).unwrap();
    for (got, p) in shifted.quantiles().into_iter().zip(LEVELS) {
        assert_close(got, shifted.quantile(p), 1e-14);
    }
}

#[test]
fn quantiles_end_in_infinities_and_are_nan_outside() {
    let gaussian = Gaussian::new(1.0, 1.0).unwrap();
    assert_eq!(gaussian.quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(gaussian.quantile(0.5), 1.0);
    assert_eq!(gaussian.quantile(1.0), f64::INFINITY);
    assert!(gaussian.quantile(5e-324).is_finite());
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(gaussian.quantile(p).is_nan(), "{p}");
    }
}

#[test]
fn what_is_no_distribution_is_refused() {
    for (mean, std_dev) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::NAN)] {
        assert_eq!(Gaussian::new(mean, std_dev), None, "{mean} {std_dev}");
    }
}

#[test]
fn no_finite_observation_makes_a_nan() {
    for (mean, std_dev) in [(0.0, 1.0), (0.0, 1e-300), (-1e308, 1e300), (1.0, 5e-324)] {
        let gaussian = Gaussian::new(mean, std_dev).unwrap();
        for y in [-f64::MAX, -1e200, -1.0, 0.0, 5e-324, 1e154, f64::MAX] {
            let score = gaussian.score(y);
            let context = format!("mean {mean}, std_dev {std_dev}, y {y}: {score:?}");
            assert!(!score.nll.is_nan(), "{context}");
            assert!(score.crps >= 0.0, "{context}");
            assert!((0.0..=1.0).contains(&score.pit), "{context}");
        }
    }
}
