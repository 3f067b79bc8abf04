//! States that are computed anew from a key's kept past.

use super::{Driven, Fault, HeadKind, Learning, MARKER, OptimizerConfig};
use crate::predictor::Predictor;

/// The most events of a past.
const CAP: usize = 4;
const FINE: f32 = 0.5;

fn driven(fault: Fault, every: usize, enabled: bool) -> Driven {
    let learning = Learning {
        every,
        window: CAP,
        optimizer: OptimizerConfig::default(),
        enabled,
        full_history: true,
        experts: None,
        memory_events: None,
        probing: None,
    };
    Driven::with_learning(fault, HeadKind::default(), learning)
}

/// An input for every event, none the marker.
fn input(event: usize) -> f32 {
    (event as f32 * 0.9).sin()
}

/// The state that the parameters of the moment make of inputs, one after the other.
fn moved(driven: &Driven, start: f32, inputs: impl Iterator<Item = f32>) -> f32 {
    let [w, u, b, b2] = driven.network.parameters()[..4] else { panic!("the parameters of one unit") };
    inputs.fold(start, |state, input| w * input + u * state + b + b2)
}

#[test]
fn a_state_is_what_the_parameters_of_the_moment_make_of_the_kept_past() {
    for every in [1, 2] {
        let mut driven = driven(Fault::Step(0.0), every, true);
        let (mut before, mut recomputed) = (Vec::new(), 0);
        for event in 0..12 {
            before.push(driven.network.memory.state(0)[0]);
            let updates = driven.counter("forecast_updates");
            driven.tick(&[(0, input(event))]);
            if driven.counter("forecast_updates") > updates {
                let first = (event + 1).saturating_sub(CAP).next_multiple_of(every);
                recomputed += (event - first) as u64;
                let start = if first == 0 { 0.0 } else { before[first] };
                let expected = moved(&driven, start, (first..=event).map(input));
                assert_eq!(driven.network.memory.state(0), [expected], "k1 {every}, event {event}");
            } else {
                let expected = moved(&driven, before[event], std::iter::once(input(event)));
                assert_eq!(driven.network.memory.state(0), [expected], "k1 {every}, event {event}");
            }
        }
        assert_eq!(driven.counter("forecast_updates"), 11 / every as u64);
        assert!(recomputed > 8);
        assert_eq!(driven.counter("forecast_steps_recomputed"), recomputed);
    }
}

#[test]
fn nothing_is_computed_twice_while_the_parameters_stay() {
    let mut driven = driven(Fault::Step(0.0), 1, false);
    (0..9).for_each(|event| drop(driven.tick(&[(0, input(event)), (1, FINE)])));
    assert_eq!(driven.counter("forecast_steps_recomputed"), 0);
    assert_eq!(driven.network.memory.state(0), [moved(&driven, 0.0, (0..9).map(input))]);
}

#[test]
fn pasts_of_different_lengths_in_one_wave_are_each_computed_as_if_alone() {
    let mut driven = driven(Fault::Step(0.0), 1, true);
    (0..3).for_each(|event| drop(driven.tick(&[(1, input(event))])));
    (3..5).for_each(|event| drop(driven.tick(&[(0, input(event)), (1, input(event)), (2, FINE)])));
    assert!(driven.counter("forecast_updates") > 0);
    assert_eq!(driven.network.memory.state(0), [moved(&driven, 0.0, (3..5).map(input))]);
    assert_eq!(driven.network.memory.state(2), [moved(&driven, 0.0, [FINE, FINE].into_iter())]);
    assert_ne!(driven.network.memory.state(1), driven.network.memory.state(0));
}

#[test]
fn a_past_that_cannot_be_computed_with_is_not_looked_at_again() {
    for every in [1, 2] {
        let mut driven = driven(Fault::Backward(f32::NAN), every, true);
        (0..6).for_each(|event| drop(driven.tick(&[(0, input(event)), (1, FINE)])));
        driven.tick(&[(0, MARKER), (1, FINE)]);
        (7..16).for_each(|event| drop(driven.tick(&[(0, input(event)), (1, FINE)])));
        assert_eq!(driven.counter("forecast_windows_dropped"), 1, "k1 {every}");
        assert_eq!(driven.counter("forecast_states_reset"), 1, "k1 {every}");
    }
}

#[test]
fn a_past_that_leads_to_a_broken_state_is_not_looked_at_again() {
    // With k1 = 2, event 4 breaks between two stored states, and the past begins at the next one, before event 6.
    for (every, broken, events) in [(1, 3, 7), (2, 4, 9)] {
        let mut driven = driven(Fault::Step(f32::INFINITY), every, true);
        (0..broken).for_each(|event| drop(driven.tick(&[(0, input(event))])));
        driven.tick(&[(0, MARKER)]);
        assert_eq!((driven.network.memory.state(0), driven.counter("forecast_states_reset")), (&[0.0][..], 1));
        let begin = (broken + 1).next_multiple_of(every);
        (broken + 1..begin).for_each(|event| drop(driven.tick(&[(0, input(event))])));
        let (start, updates) = (driven.network.memory.state(0)[0], driven.counter("forecast_updates"));
        (begin..events).for_each(|event| drop(driven.tick(&[(0, input(event))])));
        assert_eq!(driven.counter("forecast_states_reset"), 1, "k1 {every}");
        assert!(driven.counter("forecast_updates") > updates, "k1 {every}");
        assert_eq!(driven.network.memory.state(0), [moved(&driven, start, (begin..events).map(input))], "k1 {every}");
    }
}

#[test]
fn a_restored_history_goes_on_where_it_was() {
    let mut whole = driven(Fault::Step(0.0), 2, true);
    (0..7).for_each(|event| drop(whole.tick(&[(0, input(event))])));
    let snapshot = whole.snapshot(&[0]);
    let mut restored = driven(Fault::Step(0.0), 2, true);
    restored.restore(1, &snapshot).unwrap();
    (restored.events, restored.rows) = (whole.events.clone(), whole.rows);
    assert_eq!(restored.snapshot(&[0]), snapshot);
    for driven in [&mut whole, &mut restored] {
        (7..15).for_each(|event| drop(driven.tick(&[(0, input(event))])));
    }
    assert_eq!(restored.snapshot(&[0]), whole.snapshot(&[0]));
    assert!(restored.counter("forecast_steps_recomputed") > 0);
}

#[test]
fn a_forgotten_key_leaves_no_past() {
    let mut driven = driven(Fault::Step(0.0), 1, true);
    driven.ticks(6, &[(0, FINE), (1, FINE)]);
    driven.forget(0);
    driven.tick(&[(0, 0.25), (1, FINE)]);
    assert_eq!(driven.network.memory.state(0), [moved(&driven, 0.0, std::iter::once(0.25))]);
    driven.network.learn().unwrap();
}
