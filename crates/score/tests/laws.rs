//! What holds for every distribution.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in their helpers")]

use proptest::prelude::*;
use sluicegate_score::{Distribution, LEVELS, Quantiles, TShape, pinball};

/// Any symmetric distribution: log-uniform scales and degrees of freedom from 1.5 on.
fn symmetric() -> impl Strategy<Value = Distribution> {
    let location_scale = (-100.0..100.0, -5.0f64..5.0);
    prop_oneof![
        (location_scale.clone(), 0.4f64..14.0).prop_map(|((m, s), df)| Distribution::student_t(
            m,
            s.exp(),
            TShape::new(df.exp())
        )
        .unwrap()),
        location_scale.prop_map(|(m, s)| Distribution::gaussian(m, s.exp()).unwrap()),
    ]
}

/// Any distribution.
fn distributions() -> impl Strategy<Value = Distribution> {
    let widths = || prop::array::uniform3(0.05f64..3.0);
    let stated = (-100.0..100.0, -5.0f64..5.0, widths(), widths()).prop_map(|(median, s, below, above)| {
        let [below, above] = [below, above].map(|widths| widths.map(|width| width * s.exp()));
        Distribution::Quantiles(Quantiles::around(median, below, above).unwrap())
    });
    prop_oneof![2 => symmetric(), 1 => stated]
}

/// The CRPS by its definition: the squared distance of the distribution function from the step at `y`, integrated.
///
/// Simpson's rule in `u` with `x = y ± scale · sinh u`: the heaviest tail here, squared, falls as `x⁻³`.
fn crps_by_integration(d: &Distribution, y: f64) -> f64 {
    const STEPS: usize = 6_000;
    const END: f64 = 30.0;
    let h = END / STEPS as f64;
    let mirrored = 2.0 * d.mean() - y;
    let side = |y: f64| -> f64 {
        // The mass beyond y − x of a symmetric distribution: as exact in the upper tail as in the lower.
        let integrand = |u: f64| d.cdf(y - d.scale() * u.sinh()).powi(2) * u.cosh();
        let inner: f64 = (1..STEPS).map(|i| integrand(i as f64 * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        d.scale() * h / 3.0 * (integrand(0.0) + inner + integrand(END))
    };
    side(y) + side(mirrored)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_distribution_function_never_falls(d in distributions(), z in -50.0f64..50.0, step in 0.0f64..5.0) {
        let y = d.mean() + d.scale() * z;
        // Where the two formulas meet, rounding may differ in the last bit.
        prop_assert!(d.cdf(y + d.scale() * step) >= d.cdf(y) - 1e-15);
    }

    #[test]
    fn the_distribution_function_undoes_the_quantile(d in distributions(), p in 1e-12f64..1.0) {
        let back = d.cdf(d.quantile(p));
        // A quantile near a location of 100 keeps only 1e-14 / scale of its distance.
        let rounding = 1e-13 * (1.0 + d.mean().abs() / d.scale());
        prop_assert!((back - p).abs() <= rounding, "{back}, not {p}");
    }

    #[test]
    fn the_quantile_undoes_the_distribution_function(d in distributions(), z in -6.0f64..6.0) {
        let y = d.mean() + d.scale() * z;
        // Nearer to one a number has too few digits left to tell where it came from.
        prop_assume!(d.cdf(y) < 1.0 - 1e-10);
        let back = d.quantile(d.cdf(y));
        prop_assert!((back - y).abs() <= 1e-6 * d.scale(), "{back}, not {y}");
    }

    #[test]
    fn the_quantiles_are_those_at_the_levels(d in distributions()) {
        let all = d.quantiles();
        prop_assert!(all.is_sorted());
        for (q, p) in all.into_iter().zip(LEVELS) {
            prop_assert!((q - d.quantile(p)).abs() <= 1e-12 * (q.abs() + d.scale()));
        }
    }

    #[test]
    fn the_crps_is_its_integral(d in symmetric(), z in -20.0f64..20.0) {
        let y = d.mean() + d.scale() * z;
        let (closed, integral) = (d.crps(y), crps_by_integration(&d, y));
        prop_assert!(closed > 0.0);
        prop_assert!((closed / integral - 1.0).abs() < 1e-8, "{closed}, not {integral}");
    }

    #[test]
    fn a_score_is_what_its_parts_say(d in distributions(), z in -20.0f64..20.0) {
        let y = d.mean() + d.scale() * z;
        let score = d.score(y);
        prop_assert_eq!(score.error, y - d.mean());
        prop_assert_eq!(score.nll, d.nll(y));
        prop_assert_eq!(score.nll, -d.ln_pdf(y));
        prop_assert_eq!(score.crps, d.crps(y));
        prop_assert_eq!(score.pit, d.cdf(y));
    }
}

#[test]
fn the_pinball_loss_is_the_mean_over_the_levels_and_half_the_crps_over_all() {
    let t = Distribution::student_t(1.0, 2.0, TShape::new(4.0)).unwrap();
    for y in [-7.0, 1.0, 2.5] {
        let at_levels: f64 = LEVELS.iter().map(|level| pinball(*level, t.quantile(*level), y)).sum();
        assert!((t.pinball(y) - at_levels / 7.0).abs() < 1e-12);
        const N: usize = 100_000;
        let level = |i: usize| (i as f64 + 0.5) / N as f64;
        let all: f64 = (0..N).map(|i| pinball(level(i), t.quantile(level(i)), y)).sum();
        assert!((2.0 * all / N as f64 - t.crps(y)).abs() < 1e-4, "at {y}");
    }
}

#[test]
fn a_distribution_names_its_family_and_its_parameters() {
    let t = Distribution::student_t(1.0, 2.0, TShape::new(4.0)).unwrap();
    assert_eq!((t.family(), t.mean(), t.scale(), t.shape()), ("student-t", 1.0, 2.0, Some(4.0)));
    assert_eq!(t.std_dev(), Some(8f64.sqrt()));
    let gaussian = Distribution::gaussian(1.0, 2.0).unwrap();
    assert_eq!((gaussian.family(), gaussian.mean(), gaussian.scale(), gaussian.shape()), ("gaussian", 1.0, 2.0, None));
    assert_eq!(gaussian.std_dev(), Some(2.0));
    let stated = Distribution::from_quantiles([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]).unwrap();
    assert_eq!((stated.family(), stated.shape()), ("quantiles", None));
    assert!(stated.mean().abs() < 1e-15);
    assert_eq!(stated.std_dev(), Some(stated.scale()));
    assert_eq!(Distribution::student_t(0.0, 0.0, TShape::new(4.0)), None);
    assert_eq!(Distribution::gaussian(0.0, 0.0), None);
}
