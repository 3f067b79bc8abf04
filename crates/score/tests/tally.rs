//! Sums of scores.

use proptest::prelude::*;
use sluicegate_score::{Distribution, Score, TShape, Tally};

fn scores() -> impl Strategy<Value = Vec<Score>> {
    let crps = prop_oneof![3 => 0.0f64..10.0, 1 => Just(f64::NAN)];
    let score = (-1e3f64..1e3, -10.0f64..10.0, crps, 0.0f64..1.0);
    prop::collection::vec(score.prop_map(|(error, nll, crps, pit)| Score { error, nll, crps, pit }), 0..100)
}

fn tally(scores: &[Score]) -> Tally {
    let mut tally = Tally::new();
    scores.iter().for_each(|score| tally.add(score));
    tally
}

fn sums(tally: &Tally) -> [f64; 4] {
    [tally.sum_nll(), tally.sum_crps(), tally.sum_absolute(), tally.sum_squared()]
}

proptest! {
    #[test]
    fn merging_tallies_is_joining_their_series(a in scores(), b in scores()) {
        let mut merged = tally(&a);
        merged.merge(&tally(&b));
        let joined = tally(&[a, b].concat());
        prop_assert_eq!((merged.n(), merged.n_crps(), merged.hits()), (joined.n(), joined.n_crps(), joined.hits()));
        for (got, expected) in sums(&merged).into_iter().zip(sums(&joined)) {
            prop_assert!((got - expected).abs() <= 1e-15 * expected.abs().max(1.0), "{got}, not {expected}");
        }
    }

    #[test]
    fn a_tally_survives_its_array_to_the_bit(a in scores()) {
        let tally = tally(&a);
        prop_assert_eq!(Tally::from_array(tally.to_array()), Some(tally));
    }

    #[test]
    fn a_standardised_tally_is_that_of_standardised_forecasts(
        pairs in prop::collection::vec((-5.0f64..5.0, 0.1f64..5.0, -9.0f64..9.0), 1..50),
        deviation in 0.1f64..10.0,
    ) {
        let shape = TShape::new(5.0);
        let (mut plain, mut divided) = (Tally::new(), Tally::new());
        for (location, scale, y) in pairs {
            plain.add(&Distribution::student_t(location, scale, shape).unwrap().score(y));
            let forecast = Distribution::student_t(location / deviation, scale / deviation, shape).unwrap();
            divided.add(&forecast.score(y / deviation));
        }
        let standardised = plain.standardised(deviation).unwrap();
        for (got, expected) in sums(&standardised).into_iter().zip(sums(&divided)) {
            prop_assert!((got - expected).abs() <= 1e-11 * expected.abs().max(1.0), "{got}, not {expected}");
        }
    }
}

#[test]
fn an_empty_tally_has_no_means() {
    let empty = Tally::new();
    assert_eq!(empty.n(), 0);
    assert_eq!((empty.mean_nll(), empty.mean_crps()), (None, None));
    assert_eq!((empty.mae(), empty.mse(), empty.rmse()), (None, None, None));
    assert_eq!(empty.coverage(0), None);
}

#[test]
fn the_ends_of_an_interval_are_hits() {
    let at = |pit| Score { error: 0.0, nll: 0.0, crps: 0.0, pit };
    for (pit, hits) in [
        (0.0, [0, 0, 0]),
        (0.025, [0, 0, 1]),
        (0.0249, [0, 0, 0]),
        (0.1, [0, 1, 1]),
        (0.25, [1, 1, 1]),
        (0.75, [1, 1, 1]),
        (0.7501, [0, 1, 1]),
        (0.9, [0, 1, 1]),
        (0.975, [0, 0, 1]),
        (1.0, [0, 0, 0]),
    ] {
        assert_eq!(tally(&[at(pit)]).hits(), hits, "at {pit}");
    }
    let four = tally(&[at(0.5), at(0.2), at(0.05), at(0.01)]);
    assert_eq!([0, 1, 2, 3].map(|i| four.coverage(i)), [Some(0.25), Some(0.5), Some(0.75), None]);
}

#[test]
fn a_score_without_crps_counts_in_every_other_mean() {
    let with = Score { error: -2.0, nll: 1.0, crps: 0.5, pit: 0.3 };
    let without = Score { error: 4.0, nll: 2.0, crps: f64::NAN, pit: 0.8 };
    let tally = tally(&[with, without]);
    assert_eq!((tally.n(), tally.n_crps()), (2, 1));
    assert_eq!((tally.mean_nll(), tally.mean_crps()), (Some(1.5), Some(0.5)));
    assert_eq!((tally.mae(), tally.mse(), tally.rmse()), (Some(3.0), Some(10.0), Some(10f64.sqrt())));
}

#[test]
fn the_score_of_a_missing_observation_changes_nothing() {
    let forecast = Distribution::student_t(0.0, 1.0, TShape::new(5.0)).unwrap();
    assert_eq!(tally(&[forecast.score(f64::NAN), Score::NAN]), Tally::new());
}

#[test]
fn small_scores_after_a_large_one_are_not_lost() {
    let mut tally = Tally::new();
    let mut add = |nll| {
        tally.add(&Score { error: 0.0, nll, crps: f64::NAN, pit: 0.5 });
    };
    add(1e16);
    (0..1000).for_each(|_| add(1.0));
    add(-1e16);
    assert_eq!(tally.sum_nll(), 1000.0);
}

#[test]
fn an_infinite_score_makes_an_infinite_mean_and_no_nan() {
    let score = |nll| Score { error: 1e200, nll, crps: 1.0, pit: 0.0 };
    let tally = tally(&[score(1.0), score(f64::INFINITY), score(2.0)]);
    assert_eq!(tally.mean_nll(), Some(f64::INFINITY));
    assert_eq!(tally.mse(), Some(f64::INFINITY));
    assert_eq!(tally.mean_crps(), Some(1.0));
}

#[test]
fn a_deviation_that_is_none_standardises_nothing() {
    for deviation in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Tally::new().standardised(deviation), None, "{deviation}");
    }
}

#[test]
fn an_array_that_no_tally_made_is_refused() {
    let score = Score { error: 1.0, nll: 1.0, crps: 1.0, pit: 0.2 };
    let good = tally(&[score]).to_array();
    assert!(Tally::from_array(good).is_some());
    for (index, number) in [(0, 0.5), (0, -1.0), (0, f64::NAN), (0, 0.0), (1, 2.0), (2, 2.0), (4, 1e17)] {
        let mut bad = good;
        bad[index] = number;
        assert_eq!(Tally::from_array(bad), None, "{number} at {index}");
    }
}
