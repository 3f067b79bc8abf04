//! Exponentially weighted statistics.

use proptest::prelude::*;
use sluicegate_score::{EwMeanSquare, EwMoments};

#[test]
fn the_first_values_have_their_plain_mean_and_variance() {
    // import numpy as np
    // x = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0])
    // print(float((x ** 2).mean()), float(x.mean()), float(x.var()))
    let (mut square, mut moments) = (EwMeanSquare::default(), EwMoments::default());
    for x in [3.0, -1.0, 4.0, 1.0, -5.0, 9.0] {
        square.update(0.05, x);
        moments.update(0.05, x);
    }
    assert!((square.value() - 22.166666666666668).abs() < 1e-13);
    assert!((square.rms() - 22.166666666666668f64.sqrt()).abs() < 1e-13);
    assert!((moments.mean() - 1.8333333333333333).abs() < 1e-14);
    assert!((moments.variance() - 18.805555555555557).abs() < 1e-13);
    assert_eq!((square.n(), moments.n()), (6, 6));
}

#[test]
fn later_values_fade_by_one_less_alpha() {
    // import numpy as np
    // x, alpha = np.arange(40) ** 1.5 % 7, 0.25
    // w = (1 - alpha) ** np.arange(39, -1, -1.0)
    // w[4:] *= alpha
    // w[:4] = w[3] / 4  # the first 1 / alpha values weigh the same
    // mean = (w * x).sum()
    // print(float((w * x ** 2).sum()), float(mean), float((w * (x - mean) ** 2).sum()))
    let (mut square, mut moments) = (EwMeanSquare::default(), EwMoments::default());
    for i in 0..40 {
        let x = f64::from(i).powf(1.5) % 7.0;
        square.update(0.25, x);
        moments.update(0.25, x);
    }
    assert!((square.value() - 18.073407967568293).abs() < 1e-12, "{square:?}");
    assert!((moments.mean() - 3.816509153873777).abs() < 1e-12, "{moments:?}");
    assert!((moments.variance() - 3.507665845965958).abs() < 1e-12, "{moments:?}");
}

#[test]
fn values_that_are_not_finite_change_nothing() {
    let (mut square, mut moments) = (EwMeanSquare::default(), EwMoments::default());
    square.update(0.1, 2.0);
    moments.update(0.1, 2.0);
    let before = (square, moments);
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200, -f64::MAX] {
        square.update(0.1, x);
        moments.update(0.1, x);
        assert_eq!((square, moments), before, "{x}");
    }
}

#[test]
fn parts_that_no_updates_reach_are_refused() {
    for (n, value) in [(0, 1.0), (1, -1.0), (1, f64::NAN), (1, f64::INFINITY)] {
        assert_eq!(EwMeanSquare::from_parts(n, value), None, "{n} {value}");
    }
    for (n, mean, variance) in
        [(0, 1.0, 0.0), (1, 1.0, 1.0), (2, 1.0, -1.0), (2, f64::NAN, 1.0), (2, 1.0, f64::INFINITY)]
    {
        assert_eq!(EwMoments::from_parts(n, mean, variance), None, "{n} {mean} {variance}");
    }
}

proptest! {
    #[test]
    fn a_restored_statistic_goes_on_as_the_first_would(
        alpha in 0.0f64..1.5,
        xs in prop::collection::vec(-1e6f64..1e6, 0..40),
        cut in 0usize..40,
    ) {
        let (mut square, mut moments) = (EwMeanSquare::default(), EwMoments::default());
        for (i, &x) in xs.iter().enumerate() {
            if i == cut {
                square = EwMeanSquare::from_parts(square.n(), square.value()).unwrap();
                moments = EwMoments::from_parts(moments.n(), moments.mean(), moments.variance()).unwrap();
            }
            square.update(alpha, x);
            moments.update(alpha, x);
        }
        let (mut straight, mut straight_moments) = (EwMeanSquare::default(), EwMoments::default());
        for &x in &xs {
            straight.update(alpha, x);
            straight_moments.update(alpha, x);
        }
        prop_assert_eq!(square, straight);
        prop_assert_eq!(moments, straight_moments);
        prop_assert!(moments.variance() >= 0.0);
        prop_assert!(square.value() >= 0.0);
    }
}
