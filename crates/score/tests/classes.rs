//! Scores of forecasts of classes.

use proptest::prelude::*;
use sluicegate_score::{ClassScore, ClassTally, FixedShare, ln_mix, mix, most_probable};

const FORECASTS: [([f32; 3], usize); 5] =
    [([0.7, 0.2, 0.1], 0), ([0.1, 0.6, 0.3], 2), ([0.3, 0.3, 0.4], 2), ([0.05, 0.9, 0.05], 1), ([0.25, 0.5, 0.25], 0)];

/// From 2 to 7 probabilities and a class among them.
fn forecasts() -> impl Strategy<Value = (Vec<f32>, usize)> {
    (2usize..8).prop_flat_map(forecasts_of)
}

/// So many probabilities and a class among them.
fn forecasts_of(classes: usize) -> impl Strategy<Value = (Vec<f32>, usize)> {
    let weights = prop::collection::vec(0.0f32..1.0, classes);
    let some = weights.prop_filter("no weight", |all| all.iter().any(|weight| *weight > 0.01));
    (some, 0..classes).prop_map(|(weights, class)| {
        let sum: f32 = weights.iter().sum();
        (weights.into_iter().map(|weight| weight / sum).collect(), class)
    })
}

fn tally(scores: &[ClassScore]) -> ClassTally {
    let mut tally = ClassTally::new();
    scores.iter().for_each(|score| tally.add(score));
    tally
}

#[test]
fn the_scores_are_scikit_learns() {
    // import numpy as np
    // from sklearn.metrics import brier_score_loss, log_loss
    // p = np.array([[.7, .2, .1], [.1, .6, .3], [.3, .3, .4], [.05, .9, .05], [.25, .5, .25]], dtype=np.float32).astype(float)
    // y = np.array([0, 2, 2, 1, 0])
    // p /= p.sum(1, keepdims=True)
    // print(log_loss(y, p), brier_score_loss(y, p, labels=[0, 1, 2], scale_by_half=False), (p.argmax(1) == y).mean())
    // conf, hit = p.max(1), p.argmax(1) == y
    // bins = np.minimum((conf * 10).astype(int), 9)
    // print(sum(abs(conf[bins == b].sum() - hit[bins == b].sum()) for b in range(10)) / 5)
    let tally = tally(&FORECASTS.map(|(probabilities, class)| ClassScore::new(&probabilities, class).unwrap()));
    let close =
        |got: Option<f64>, expected: f64| assert!((got.unwrap() - expected).abs() < 1e-14, "{got:?}, not {expected}");
    close(tally.mean_nll(), 0.7937186766105409);
    close(tally.mean_bits(), 0.7937186766105409 / std::f64::consts::LN_2);
    close(tally.mean_brier(), 0.4860000036805868);
    close(tally.accuracy(), 0.6);
    close(tally.calibration_error(), 0.30000000089406964);
}

#[test]
fn what_is_no_forecast_of_the_class_has_no_score() {
    assert_eq!(ClassScore::new(&[0.5, 0.5], 2), None);
    assert_eq!(ClassScore::new(&[], 0), None);
    for bad in [[0.5, 0.6], [-0.1, 1.1], [f32::NAN, 1.0], [f32::INFINITY, 0.0], [0.0, 0.0]] {
        assert_eq!(ClassScore::new(&bad, 1), None, "{bad:?}");
    }
}

#[test]
fn a_class_held_impossible_costs_without_bound_and_spoils_nothing_else() {
    let score = ClassScore::new(&[1.0, 0.0], 1).unwrap();
    assert_eq!((score.nll, score.brier, score.hit, score.confidence), (f64::INFINITY, 2.0, false, 1.0));
    let tally = tally(&[score, ClassScore::new(&[1.0, 0.0], 0).unwrap()]);
    assert_eq!((tally.mean_nll(), tally.mean_brier(), tally.accuracy()), (Some(f64::INFINITY), Some(1.0), Some(0.5)));
    assert_eq!(ClassTally::from_array(tally.to_array()), Some(tally));
}

#[test]
fn of_several_most_probable_classes_the_first_is_the_forecast() {
    assert_eq!(most_probable(&[0.2, 0.4, 0.4]), Some(1));
    assert_eq!(most_probable(&[]), None);
    assert!(ClassScore::new(&[0.2, 0.4, 0.4], 1).unwrap().hit);
    assert!(!ClassScore::new(&[0.2, 0.4, 0.4], 2).unwrap().hit);
}

#[test]
fn what_rounding_left_of_the_sum_is_made_up_for() {
    let (exact, short) = ([0.5, 0.25, 0.25], [0.4975, 0.248_75, 0.248_75]);
    let [exact, short] = [exact, short].map(|probabilities| ClassScore::new(&probabilities, 0).unwrap());
    assert!((exact.nll - short.nll).abs() < 1e-6);
    assert!((exact.brier - short.brier).abs() < 1e-6);
    assert!((exact.confidence - short.confidence).abs() < 1e-6);
}

#[test]
fn an_empty_tally_has_no_means() {
    let empty = ClassTally::new();
    assert_eq!((empty.n(), empty.mean_nll(), empty.mean_bits(), empty.mean_brier()), (0, None, None, None));
    assert_eq!((empty.accuracy(), empty.calibration_error()), (None, None));
}

#[test]
fn confidence_that_hits_do_not_bear_out_shows_as_calibration_error() {
    // Held 90 % probable, and came in 60 of 100 cases.
    let scores: Vec<ClassScore> =
        (0..100).map(|i| ClassScore::new(&[0.9, 0.1], usize::from(i >= 60)).unwrap()).collect();
    assert!((tally(&scores).calibration_error().unwrap() - 0.3).abs() < 1e-6);
}

#[test]
fn an_array_that_no_tally_made_is_refused() {
    let good = tally(&[ClassScore::new(&[0.75, 0.25], 0).unwrap()]).to_array();
    assert!(ClassTally::from_array(good).is_some());
    for (index, number) in [(4, 0.5), (4, -1.0), (5, 1.0), (4 + 4 * 7, 0.0), (4 + 4 * 7, f64::NAN), (4 + 4 * 7, 1e17)] {
        let mut bad = good;
        bad[index] = number;
        assert_eq!(ClassTally::from_array(bad), None, "{number} at {index}");
    }
}

/// The bound of `FixedShare`, for classes: on symbols whose best expert changes midway.
#[test]
fn fixed_share_keeps_its_bound_for_classes() {
    let (experts, share, n) = ([[0.8f32, 0.1, 0.1], [0.1, 0.1, 0.8], [0.34, 0.33, 0.33]], 0.01, 400);
    let rule = FixedShare::new(share).unwrap();
    let mut weights = [1.0 / 3.0; 3];
    let (mut mixed, mut alone) = (0.0, [0.0; 3]);
    for i in 0..n {
        let class = if i < n / 2 { i % 7 / 6 } else { 2 - i % 5 / 4 };
        let scores = experts.map(|expert| ClassScore::new(&expert, class).unwrap());
        let ln_probabilities = scores.map(|score| -score.nll);
        let loss = -ln_mix(&weights, &ln_probabilities);
        let vector = mix(&weights, &experts.each_ref().map(|expert| Some(expert.as_slice()))).unwrap();
        assert!((ClassScore::new(&vector, class).unwrap().nll - loss).abs() < 1e-6, "both mix alike");
        mixed += loss;
        alone.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score.nll);
        rule.update(&mut weights, &ln_probabilities);
    }
    let bound = 3f64.ln() - (n as f64 - 1.0) * (1.0 - share).ln();
    for alone in alone {
        assert!(mixed <= alone + bound, "{mixed} against {alone} + {bound}");
    }
    assert!(weights[1] > 0.9, "the new best expert leads: {weights:?}");
}

#[test]
fn experts_without_a_forecast_take_no_part_in_a_mixture() {
    let (ln_half, nan) = (0.5f64.ln(), f64::NAN);
    assert!((ln_mix(&[0.1, 0.9], &[ln_half, nan]) - ln_half).abs() < 1e-15);
    assert!(ln_mix(&[0.5, 0.5], &[nan, nan]).is_nan());
    assert!(ln_mix(&[0.0, 1.0], &[ln_half, nan]).is_nan());
    assert_eq!(ln_mix(&[1.0], &[f64::NEG_INFINITY]), f64::NEG_INFINITY);
    let (two, three) = ([0.5f32, 0.5], [0.5f32, 0.25, 0.25]);
    assert_eq!(mix(&[0.5, 0.5], &[None, None]), None);
    assert_eq!(mix(&[0.0, 1.0], &[Some(&two), None]), None);
    assert_eq!(mix(&[0.5, 0.5], &[Some(&two), Some(&three)]), None);
    assert_eq!(mix(&[0.1, 0.9], &[Some(&two), None]), Some(two.to_vec()));
}

proptest! {
    #[test]
    fn merging_tallies_is_joining_their_series(a in prop::collection::vec(forecasts(), 0..50),
                                               b in prop::collection::vec(forecasts(), 0..50)) {
        let scores = |all: &[(Vec<f32>, usize)]| -> Vec<ClassScore> {
            all.iter().filter_map(|(probabilities, class)| ClassScore::new(probabilities, *class)).collect()
        };
        let (a, b) = (scores(&a), scores(&b));
        let mut merged = tally(&a);
        merged.merge(&tally(&b));
        let joined = tally(&[a, b].concat());
        prop_assert_eq!((merged.n(), merged.hits()), (joined.n(), joined.hits()));
        let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-14 * a.abs().max(1.0);
        prop_assert!(close(merged.sum_nll(), joined.sum_nll()));
        prop_assert!(close(merged.sum_brier(), joined.sum_brier()));
        prop_assert!(close(merged.calibration_error().unwrap_or(0.0), joined.calibration_error().unwrap_or(0.0)));
        prop_assert_eq!(ClassTally::from_array(joined.to_array()), Some(joined));
    }

    /// Of all forecasts of classes that come as one of them says, that one scores best, by likelihood and by Brier's
    /// score.
    #[test]
    fn the_truth_scores_best((truth, _) in forecasts_of(4), (other, _) in forecasts_of(4)) {
        let expected = |forecast: &[f32], of: &dyn Fn(&ClassScore) -> f64| -> f64 {
            let term = |(class, p): (usize, &f32)| f64::from(*p) * of(&ClassScore::new(forecast, class).unwrap());
            truth.iter().enumerate().filter(|(_, p)| **p > 0.0).map(term).sum()
        };
        for of in [&(|score: &ClassScore| score.nll) as &dyn Fn(&ClassScore) -> f64, &|score| score.brier] {
            prop_assert!(expected(&truth, of) <= expected(&other, of) + 1e-6);
        }
    }

    #[test]
    fn a_brier_score_lies_between_0_and_2_and_a_hit_is_likely((probabilities, class) in forecasts()) {
        let score = ClassScore::new(&probabilities, class).unwrap();
        prop_assert!((0.0..=2.0 + 1e-9).contains(&score.brier));
        prop_assert!(score.nll >= -1e-9);
        prop_assert_eq!(score.hit, most_probable(&probabilities) == Some(class));
        prop_assert!(!score.hit || (score.nll + score.confidence.ln()).abs() < 1e-12);
    }
}
