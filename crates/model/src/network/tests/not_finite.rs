//! What happens when numbers stop being finite.

use super::super::learner::{COPY_STEPS, SKIPS_MAX};
use super::{Driven, Fault, MARKER};
use crate::head::HeadKind;
use crate::predictor::Predictor;

const BROKEN: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
/// An ordinary input.
const FINE: f32 = 0.5;

#[test]
fn without_faults_nothing_is_dropped_skipped_or_reset() {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    driven.ticks(21, &[(0, FINE), (1, FINE)]);
    let counted = driven.network.counters().into_iter().map(|(_, count)| count).collect::<Vec<_>>();
    assert_eq!(counted, [20, 40, 0, 0, 0, 0], "{:?}", driven.network.counters());
}

/// The other keys' step is, bit for bit, the one they would have made without the broken one.
#[test]
fn a_broken_key_takes_nothing_from_the_others() {
    for fault in BROKEN.into_iter().flat_map(|broken| [Fault::Unroll(broken), Fault::Backward(broken)]) {
        let (mut with, mut without) = (Driven::new(fault), Driven::new(fault));
        let start = with.parameter_bits();
        // Slot 3 lies between the others in the log, and every window of it is broken.
        with.ticks(10, &[(0, FINE), (3, MARKER), (1, FINE), (2, FINE)]);
        without.ticks(10, &[(0, FINE), (1, FINE), (2, FINE)]);
        assert_ne!(with.parameter_bits(), start, "{fault:?}");
        assert_eq!(with.parameter_bits(), without.parameter_bits(), "{fault:?}");
        assert_eq!(with.moments(), without.moments(), "{fault:?}");
        for (counter, expected) in [
            ("forecast_updates", 9),
            ("forecast_windows", 36),
            ("forecast_windows_dropped", 9),
            ("forecast_states_reset", 9),
            ("forecast_updates_skipped", 0),
            ("forecast_rollbacks", 0),
        ] {
            assert_eq!(with.counter(counter), expected, "{counter} after {fault:?}");
        }
    }
}

#[test]
fn the_state_of_a_broken_key_starts_anew_and_the_others_keep_theirs() {
    let mut driven = Driven::new(Fault::Backward(f32::NAN));
    driven.ticks(5, &[(0, FINE), (1, FINE)]);
    driven.tick(&[(0, FINE), (1, MARKER)]);
    driven.observe(&[(0, FINE), (1, FINE)]);
    let other = driven.network.memory.state(0).to_vec();
    assert_ne!(driven.network.memory.state(1), [0.0]);
    driven.network.learn().unwrap();
    assert_eq!(driven.network.memory.state(1), [0.0]);
    assert_eq!(driven.network.memory.state(0), other);
}

#[test]
fn a_key_is_learned_from_again_once_what_broke_it_has_passed() {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    let seen = |input: f32| [(0, FINE), (1, input)];
    driven.ticks(5, &seen(FINE));
    driven.tick(&seen(MARKER));
    driven.ticks(10, &seen(FINE));
    // The broken input is part of k2 = 2 windows.
    assert_eq!((driven.counter("forecast_windows_dropped"), driven.counter("forecast_updates")), (2, 15));
}

#[test]
fn two_broken_windows_of_a_key_reset_its_state_once() {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    driven.tick(&[(0, MARKER)]);
    for _ in 0..2 {
        let wave = driven.observe(&[(0, FINE)]);
        driven.forecast(&wave);
    }
    driven.network.learn().unwrap();
    assert_eq!((driven.counter("forecast_windows_dropped"), driven.counter("forecast_states_reset")), (2, 1));
}

#[test]
fn a_window_of_which_the_loss_alone_is_not_finite_is_dropped_too() {
    let mut driven = Driven::with_head(Fault::Unroll(1e36), HeadKind::Gaussian);
    // The mean overflows, while the gradient that it has is bounded.
    driven.network.values[driven.network.places.cell] = 1e3;
    driven.tick(&[(0, MARKER)]);
    driven.tick(&[(0, FINE)]);
    assert_eq!((driven.counter("forecast_windows_dropped"), driven.counter("forecast_updates")), (1, 0));
}

#[test]
fn a_sum_that_overflows_is_skipped_though_no_window_is_broken() {
    let mut driven = Driven::new(Fault::Backward(f32::MAX));
    driven.tick(&[(0, MARKER), (1, MARKER)]);
    let before = driven.parameter_bits();
    driven.tick(&[(0, FINE), (1, FINE)]);
    assert_eq!(driven.parameter_bits(), before);
    assert_eq!((driven.counter("forecast_windows_dropped"), driven.counter("forecast_updates_skipped")), (0, 1));
}

#[test]
fn after_too_many_skips_in_a_row_parameters_and_moments_are_those_of_the_last_good_copy() {
    for fault in [Fault::Unroll(f32::NAN), Fault::Backward(f32::INFINITY)] {
        let mut driven = Driven::new(fault);
        let all = |input: f32| [(0, input), (1, input)];
        driven.ticks(1 + COPY_STEPS as usize, &all(FINE));
        let (parameters, moments) = (driven.parameter_bits(), driven.moments());
        assert_eq!(driven.counter("forecast_updates"), COPY_STEPS);
        driven.ticks(7, &all(FINE));
        // The window of the tick before the first marker is fine; the steps of those with it in them are skipped.
        driven.tick(&all(MARKER));
        let (later, later_moments) = (driven.parameter_bits(), driven.moments());
        assert_ne!(later, parameters);
        assert_ne!(later_moments, moments);
        for skipped in 1..SKIPS_MAX {
            driven.tick(&all(MARKER));
            assert_eq!(driven.counter("forecast_updates_skipped"), skipped);
            assert_eq!((driven.parameter_bits(), driven.moments()), (later.clone(), later_moments.clone()));
        }
        driven.tick(&all(FINE));
        assert_eq!((driven.parameter_bits(), driven.moments()), (parameters.clone(), moments));
        assert_eq!(driven.counter("forecast_rollbacks"), 1);
        assert_eq!(driven.counter("forecast_updates_skipped"), SKIPS_MAX);
        assert_eq!(driven.counter("forecast_windows_dropped"), 2 * SKIPS_MAX);
        // One more window holds the last marker; then learning goes on from the copy.
        driven.ticks(3, &all(FINE));
        assert_eq!(driven.counter("forecast_updates"), COPY_STEPS + 8 + 2);
        assert_eq!(driven.counter("forecast_rollbacks"), 1);
        assert_ne!(driven.parameter_bits(), parameters);
    }
}

#[test]
fn the_good_copy_outlives_a_restart() {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    let (parameters, moments) = (driven.parameter_bits(), driven.moments());
    driven.ticks(9, &[(0, FINE)]);
    driven.ticks(2, &[(0, MARKER)]);
    let snapshot = driven.snapshot(&[0]);
    let mut restored = Driven::new(Fault::Unroll(f32::NAN));
    restored.restore(1, &snapshot).unwrap();
    (restored.events, restored.rows) = (driven.events.clone(), driven.rows);
    for driven in [&mut driven, &mut restored] {
        assert_eq!(driven.counter("forecast_updates_skipped"), 1);
        driven.ticks(2, &[(0, MARKER)]);
        assert_eq!(driven.counter("forecast_rollbacks"), 1);
        assert_eq!((driven.parameter_bits(), driven.moments()), (parameters.clone(), moments.clone()));
    }
}

#[test]
fn a_good_step_ends_a_row_of_skips() {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    driven.ticks(5, &[(0, FINE)]);
    for _ in 0..4 {
        // Two skips each.
        driven.tick(&[(0, MARKER)]);
        driven.ticks(4, &[(0, FINE)]);
    }
    assert_eq!((driven.counter("forecast_updates_skipped"), driven.counter("forecast_rollbacks")), (8, 0));
}

#[test]
fn a_state_that_is_not_finite_after_a_step_is_put_to_zero_and_counted() {
    for broken in BROKEN {
        let mut driven = Driven::new(Fault::Step(broken));
        driven.ticks(5, &[(0, FINE), (1, FINE)]);
        let out = driven.tick(&[(0, FINE), (1, MARKER)]);
        assert_eq!(driven.network.memory.state(1), [0.0]);
        assert_ne!(driven.network.memory.state(0), [0.0]);
        assert_eq!(driven.counter("forecast_states_reset"), 1);
        assert!(out.iter().all(Option::is_some));
    }
}

/// A slot with a broken window that waits, whose key was forgotten and which another key has taken since.
fn with_a_slot_used_again() -> Driven {
    let mut driven = Driven::new(Fault::Unroll(f32::NAN));
    driven.tick(&[(0, MARKER)]);
    driven.observe(&[(0, FINE)]);
    driven.forget(0);
    let wave = driven.observe(&[(0, FINE)]);
    driven.forecast(&wave);
    driven
}

#[test]
fn a_broken_window_of_a_forgotten_key_leaves_the_next_key_of_its_slot_alone() {
    let mut driven = with_a_slot_used_again();
    let snapshot = driven.snapshot(&[0]);
    let mut restored = Driven::new(Fault::Unroll(f32::NAN));
    restored.restore(1, &snapshot).unwrap();
    let state = driven.network.memory.state(0).to_vec();
    assert_ne!(state, [0.0]);
    for driven in [&mut driven, &mut restored] {
        driven.network.learn().unwrap();
        assert_eq!(driven.counter("forecast_windows_dropped"), 1);
        assert_eq!(driven.counter("forecast_states_reset"), 0);
        assert_eq!(driven.network.memory.state(0), state);
    }
}
