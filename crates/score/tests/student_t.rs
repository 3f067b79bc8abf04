//! Student's t against scipy and mpmath.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in their helpers")]

use sluicegate_score::{LEVELS, StudentT, TShape};

fn standard(df: f64) -> StudentT {
    StudentT::new(0.0, 1.0, TShape::new(df)).unwrap()
}

#[track_caller]
fn assert_close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * expected.abs(), "{got}, not {expected}");
}

#[test]
fn the_likelihood_and_the_distribution_function_are_scipys() {
    // from scipy.stats import t
    // for df in (1.5, 3.0, 8.0, 200.0):
    //     for z in (-6.0, -1.0, 0.25, 2.5, 1e6):
    //         print((df, z, float(-t.logpdf(z, df)), float(t.cdf(z, df))))
    for (df, z, nll, cdf) in [
        (1.5, -6.0, 5.100245065917141, 0.025101228388162394),
        (1.5, -1.0, 1.715182314539379, 0.22556768363835517),
        (1.5, 0.25, 1.1276777779822098, 0.5837451579983959),
        (1.5, 2.5, 3.129434953903255, 0.915096748692652),
        (1.5, 1000000.0, 35.108595294609245, 0.9999999996229147),
        (3.0, -6.0, 6.1307875645465835, 0.004636357446142333),
        (3.0, -1.0, 1.5762529945270716, 0.19550110947788524),
        (3.0, 0.25, 1.042127424028981, 0.5906353887855852),
        (3.0, 2.5, 3.252911375335958, 0.9561466764959672),
        (3.0, 1000000.0, 54.065706504150384, 1.0),
        (8.0, -6.0, 8.621475027223145, 0.00016169661094257446),
        (8.0, -1.0, 1.480132272603956, 0.17329675354366708),
        (8.0, 0.25, 0.985128244139478, 0.5955562772532325),
        (8.0, 2.5, 3.5480277548069368, 0.981528981143188),
        (8.0, 1000000.0, 115.93221669630545, 1.0),
        (200.0, -6.0, 17.554389594992667, 4.557560174405173e-09),
        (200.0, -1.0, 1.4214364498559715, 0.15925942395487336),
        (200.0, 0.25, 0.9515898717920815, 0.5985780243189678),
        (200.0, 2.5, 4.01274022400529, 0.9933884136791497),
        (200.0, 1000000.0, 2245.3569153608382, 1.0),
    ] {
        assert_close(standard(df).nll(z), nll, 1e-13);
        assert_close(standard(df).cdf(z), cdf, 1e-12);
    }
}

#[test]
fn the_quantiles_are_scipys() {
    // from scipy.stats import t
    // for df in (1.5, 2.0, 5.5, 30.0, 1e6):
    //     print((df, [float(q) for q in t.isf((0.025, 0.1, 0.25), df)]))
    for (df, [far, middle, near]) in [
        (1.5, [6.016663104427933, 2.196398417565537, 0.8725946625415716]),
        (2.0, [4.302652729749464, 1.8856180831641267, 0.8164965809277261]),
        (5.5, [2.501858617589239, 1.455977033464072, 0.7216865563699734]),
        (30.0, [2.042272456301238, 1.3104150253913955, 0.6827556933212927]),
        (1e6, [1.9599663568141072, 1.2815524121299389, 0.6744899955310875]),
    ] {
        let expected = [-far, -middle, -near, 0.0, near, middle, far];
        let all = standard(df).quantiles();
        for ((got, expected), p) in all.into_iter().zip(expected).zip(LEVELS) {
            assert_close(got, expected, 1e-12);
            assert_close(standard(df).quantile(p), expected, 1e-12);
        }
    }

    // from scipy.stats import t
    // for p, df in ((1e-12, 3.0), (0.3, 3.0), (0.95, 1.2), (0.999, 40.0)):
    //     print((p, df, float(t.ppf(p, df))))
    for (p, df, expected) in [
        (1e-12, 3.0, -10331.108244292487),
        (0.3, 3.0, -0.5843897274398188),
        (0.95, 1.2, 4.79580134680627),
        (0.999, 40.0, 3.3068777140858225),
    ] {
        assert_close(standard(df).quantile(p), expected, 1e-12);
    }
}

#[test]
fn the_crps_is_the_integral_that_defines_it() {
    // from mpmath import mp, mpf, quad, inf, betainc
    // mp.dps = 30
    // def cdf(z, df):
    //     h = betainc(df / 2, mpf(1) / 2, 0, df / (df + z * z), regularized=True) / 2
    //     return h if z < 0 else 1 - h
    // def crps(z, df):
    //     below = quad(lambda x: cdf(x, df) ** 2, [-inf, -4, min(z, 0), z])
    //     return below + quad(lambda x: cdf(-x, df) ** 2, [z, max(z, 0), 4, inf])
    // for df in (2.5, 8, 50):
    //     for z in (-3.0, 0.0, 0.7):
    //         print((float(df), z, float(crps(mpf(z), mpf(df)))))
    for (df, z, expected) in [
        (2.5, -3.0, 2.246324283721986),
        (2.5, 0.0, 0.2861186241862707),
        (2.5, 0.7, 0.4542371902526854),
        (8.0, -3.0, 2.3757784961366455),
        (8.0, 0.0, 0.24768841464267052),
        (8.0, 0.7, 0.4290141258270559),
        (50.0, -3.0, 2.4271415276452144),
        (50.0, 0.0, 0.23581200102734468),
        (50.0, 0.7, 0.4226189785505213),
    ] {
        assert_close(standard(df).crps(z), expected, 1e-12);
    }
}

#[test]
fn location_and_scale_move_every_result_as_they_should() {
    let shape = TShape::new(4.0);
    let (plain, moved) = (standard(4.0), StudentT::new(-7.0, 3.0, shape).unwrap());
    let y = -7.0 + 3.0 * 1.25;
    assert_close(moved.nll(y), plain.nll(1.25) + 3f64.ln(), 1e-14);
    assert_eq!(moved.ln_pdf(y), -moved.nll(y));
    assert_close(moved.crps(y), 3.0 * plain.crps(1.25), 1e-14);
    assert_close(moved.cdf(y), plain.cdf(1.25), 1e-14);
    assert_close(moved.quantile(0.8), -7.0 + 3.0 * plain.quantile(0.8), 1e-14);
    assert_close(moved.std_dev().unwrap(), 3.0 * 2f64.sqrt(), 1e-14);
}

#[test]
fn a_standard_deviation_exists_only_above_two_degrees_of_freedom() {
    assert_eq!(standard(2.0).std_dev(), None);
    assert_close(standard(2.5).std_dev().unwrap(), 5f64.sqrt(), 1e-14);
}

#[test]
fn what_is_no_distribution_is_refused() {
    let shape = TShape::new(8.0);
    for (location, scale) in
        [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::NAN), (0.0, f64::INFINITY)]
    {
        assert_eq!(StudentT::new(location, scale, shape), None, "{location} {scale}");
    }
    for df in [1.0, 0.0, -3.0, f64::NAN, f64::NEG_INFINITY] {
        assert!(!TShape::new(df).is_valid(), "{df}");
        assert_eq!(StudentT::new(0.0, 1.0, TShape::new(df)), None, "{df}");
    }
}

#[test]
fn degrees_of_freedom_without_bound_give_the_gaussian() {
    let shape = TShape::new(f64::INFINITY);
    assert_eq!(shape.df(), TShape::DF_MAX);
    let t = StudentT::new(0.0, 1.0, shape).unwrap();
    let gaussian = sluicegate_score::Gaussian::new(0.0, 1.0).unwrap();
    for z in [-6.0, -2.0, -0.3, 0.0, 1.9, 2.1, 5.0] {
        assert_close(t.nll(z), gaussian.nll(z), 1e-9);
        assert_close(t.cdf(z), gaussian.cdf(z), 1e-9);
        assert_close(t.crps(z), gaussian.crps(z), 1e-9);
    }
}

#[test]
fn no_finite_observation_makes_a_nan() {
    let ys = [0.0, 5e-324, 1e-200, 1.0, 1e6, 1e154, 1e200, 1e300, f64::MAX];
    for df in [1.000001, 1.5, 2.0, 8.0, 200.0, 1e6, 1e12] {
        for (location, scale) in [(0.0, 1.0), (0.0, 1e-300), (-1e308, 1e300), (1.0, 5e-324)] {
            let t = StudentT::new(location, scale, TShape::new(df)).unwrap();
            for y in ys.into_iter().flat_map(|y| [-y, y]) {
                let score = t.score(y);
                let context = format!("df {df}, location {location}, scale {scale}, y {y}: {score:?}");
                assert!(score.nll.is_finite(), "{context}");
                assert!(score.crps >= 0.0, "{context}");
                assert!((0.0..=1.0).contains(&score.pit), "{context}");
                assert!(!score.error.is_nan(), "{context}");
            }
        }
    }
    assert!(standard(8.0).score(f64::NAN).nll.is_nan());
}

#[test]
fn quantiles_end_in_infinities_and_are_nan_outside() {
    let t = standard(3.0);
    assert_eq!(t.quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(t.quantile(0.5), 0.0);
    assert_eq!(t.quantile(1.0), f64::INFINITY);
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(t.quantile(p).is_nan(), "{p}");
    }
    assert!(standard(1.01).quantile(1e-300).is_finite());
    assert!(standard(1e12).quantile(5e-324).is_finite());
}
