//! Alarms when losses grow, and none while they do not.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in their helpers")]

use proptest::prelude::*;
use sluicegate_score::{Distribution, PageHinkley, TShape};

/// Numbers from 0 to 1, exclusive (Steele, Lea & Flood 2014, SplitMix64).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

type Noise = fn(f64) -> f64;

fn t(df: f64) -> Distribution {
    Distribution::student_t(0.0, 1.0, TShape::new(df)).unwrap()
}

fn gaussian() -> Distribution {
    Distribution::gaussian(0.0, 1.0).unwrap()
}

/// Losses by the number from 0 to 1 that they come from, and what counts as their deviation.
const NOISES: [(&str, Noise, f64); 7] = [
    ("gaussian", |u| gaussian().quantile(u), 1.0),
    ("student-t, 3 degrees of freedom", |u| t(3.0).quantile(u), 1.7),
    ("student-t without variance", |u| t(1.5).quantile(u), 3.0),
    ("log-loss of a Gaussian", |u| gaussian().nll(gaussian().quantile(u)), 0.7),
    ("log-loss of a Student's t", |u| t(3.0).nll(t(3.0).quantile(u)), 1.0),
    ("exponential", |u| -u.ln(), 1.0),
    ("exponential, mirrored", |u| u.ln(), 1.0),
];

#[test]
fn stationary_losses_of_any_shape_raise_no_alarm() {
    for (name, noise, _) in NOISES {
        let (mut uniform, mut drift) = (Uniform(1), PageHinkley::default());
        for _ in 0..100_000 {
            drift.update(noise(uniform.next()));
        }
        assert_eq!(drift.alarms(), 0, "{name}");
    }
}

#[test]
fn a_rise_is_found_within_the_stated_delay() {
    // threshold / (s − tolerance) is 50 and 22.
    for (rise, expected) in [(1.0, 50.0), (2.0, 22.0)] {
        for (name, noise, deviation) in NOISES {
            let mut delays: Vec<usize> = (0..51)
                .map(|seed| {
                    let (mut uniform, mut drift) = (Uniform(seed), PageHinkley::default());
                    for _ in 0..1000 {
                        drift.update(noise(uniform.next()));
                    }
                    (0..2000).position(|_| drift.update(noise(uniform.next()) + rise * deviation)).unwrap_or(2000)
                })
                .collect();
            delays.sort_unstable();
            let (median, late) = (delays[25] as f64, delays[45] as f64);
            assert!((0.8 * expected..1.25 * expected).contains(&median), "{name}, rise {rise}: {median}");
            assert!(late < 2.5 * expected, "{name}, rise {rise}: nine of ten within {late}");
        }
    }
}

#[test]
fn more_tolerance_or_a_higher_threshold_raise_fewer_alarms() {
    let alarms = |tolerance, threshold| {
        let (mut uniform, mut drift) = (Uniform(5), PageHinkley::new(tolerance, threshold, 1e-3, 100).unwrap());
        (0..100_000).for_each(|_| {
            drift.update(gaussian().quantile(uniform.next()));
        });
        drift.alarms()
    };
    // Siegmund's formula says one alarm in 280, 2,300 and 27,000 losses.
    let (often, less, rarely) = (alarms(0.05, 12.0), alarms(0.2, 12.0), alarms(0.2, 18.0));
    assert!(often > 2 * less && less > 4 * rarely.max(1), "{often}, {less}, {rarely}");
    assert!((20..80).contains(&less), "{less} in 100,000");
}

#[test]
fn losses_that_fall_raise_no_alarm_and_do_not_hide_a_later_rise() {
    let (mut uniform, mut drift) = (Uniform(2), PageHinkley::default());
    let mut noise = || gaussian().quantile(uniform.next());
    for i in 0..20_000 {
        assert!(!drift.update(noise() + 20.0 * (-f64::from(i) / 3_000.0).exp()), "at {i}");
    }
    let delay = (0..500).position(|_| drift.update(noise() + 1.0));
    assert!(delay.is_some_and(|delay| delay < 120), "{delay:?}");
}

#[test]
fn an_alarm_begins_everything_anew() {
    let (mut uniform, mut drift) = (Uniform(3), PageHinkley::default());
    let mut noise = |level: f64| gaussian().quantile(uniform.next()) + level;
    (0..1000).for_each(|_| assert!(!drift.update(noise(0.0))));
    assert!((0..200).any(|_| drift.update(noise(3.0))));
    assert_eq!((drift.alarms(), drift.level()), (1, 0.0));
    assert_eq!(drift.to_array()[..4], [0.0; 4], "nothing of the time before is left");
    (0..5000).for_each(|_| assert!(!drift.update(noise(3.0)), "the new level is normal"));
    assert!((0..200).any(|_| drift.update(noise(6.0))));
    assert_eq!(drift.alarms(), 2);
}

#[test]
fn single_outliers_raise_no_alarm_and_blind_nobody() {
    for outlier in [1e3, 1e30, f64::MAX, f64::INFINITY, -1e30, f64::NEG_INFINITY, f64::NAN] {
        let (mut uniform, mut drift) = (Uniform(4), PageHinkley::default());
        let mut noise = || gaussian().quantile(uniform.next());
        for i in 0..5_000 {
            let loss = if i % 500 == 499 { outlier } else { noise() };
            assert!(!drift.update(loss), "{outlier} at {i}");
        }
        assert!(drift.to_array().iter().all(|number| number.is_finite()), "{outlier}");
        let delay = (0..500).position(|_| drift.update(noise() + 1.0));
        assert!(delay.is_some_and(|delay| delay < 150), "{outlier}: {delay:?}");
    }
}

#[test]
fn losses_without_any_deviation_are_no_drift_until_they_change() {
    let mut drift = PageHinkley::default();
    (0..10_000).for_each(|_| assert!(!drift.update(0.1)));
    let delay = (0..100).position(|_| drift.update(0.2));
    assert!(delay.is_some_and(|delay| delay < 100), "{delay:?}");
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    assert!(PageHinkley::new(0.2, 40.0, 1e-3, 100).is_some_and(|drift| drift == PageHinkley::default()));
    let nan = f64::NAN;
    for (tolerance, threshold, alpha) in [(-0.1, 40.0, 0.1), (4.0, 40.0, 0.1), (nan, 40.0, 0.1), (0.2, 0.0, 0.1)] {
        assert_eq!(PageHinkley::new(tolerance, threshold, alpha, 1), None);
    }
    for (threshold, alpha) in [(f64::INFINITY, 0.1), (nan, 0.1), (40.0, 0.0), (40.0, 1.1), (40.0, nan)] {
        assert_eq!(PageHinkley::new(0.2, threshold, alpha, 1), None);
    }
}

#[test]
fn an_array_that_no_detector_made_is_refused() {
    let drift = PageHinkley::default();
    assert!(drift.with_array([120.0, 1.0, 2.0, 3.0, 1.0]).is_some());
    for bad in [
        [0.5, 0.0, 0.0, 0.0, 0.0],
        [120.0, f64::NAN, 2.0, 3.0, 1.0],
        [120.0, 1.0, -2.0, 3.0, 1.0],
        [120.0, 1.0, 2.0, -3.0, 1.0],
        [120.0, 1.0, 2.0, 41.0, 1.0],
        [120.0, 1.0, 2.0, f64::NAN, 1.0],
        [120.0, 1.0, 2.0, 3.0, -1.0],
    ] {
        assert_eq!(drift.with_array(bad), None, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn a_detector_goes_on_from_its_array_as_if_nothing_had_been(
        before in prop::collection::vec(-5.0f64..5.0, 0..300),
        after in prop::collection::vec(-5.0f64..9.0, 0..300),
    ) {
        let mut straight = PageHinkley::new(0.1, 5.0, 0.01, 20).unwrap();
        before.iter().for_each(|loss| {
            straight.update(*loss);
        });
        let mut restored = PageHinkley::new(0.1, 5.0, 0.01, 20).unwrap().with_array(straight.to_array()).unwrap();
        prop_assert_eq!(restored, straight);
        for loss in after {
            prop_assert_eq!(restored.update(loss), straight.update(loss));
        }
        prop_assert_eq!(restored, straight);
    }

    #[test]
    fn alarms_do_not_depend_on_the_unit_of_the_losses(losses in prop::collection::vec(-5.0f64..5.0, 0..400),
                                                     unit in 1e-6f64..1e6) {
        let alarms = |unit: f64| {
            let mut drift = PageHinkley::new(0.0, 3.0, 0.05, 20).unwrap();
            losses.iter().map(|loss| drift.update(loss * unit)).collect::<Vec<_>>()
        };
        // By a power of two, which rounds nothing.
        prop_assert_eq!(alarms(1.0), alarms(unit.log2().round().exp2()));
    }
}
