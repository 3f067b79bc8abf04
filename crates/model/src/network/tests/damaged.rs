//! Snapshots whose contents contradict each other or the settings.

use sluicegate_core::{SnapshotError, SnapshotReader, SnapshotWriter};

use super::{Driven, Fault};
use crate::predictor::Predictor;

/// Two keys with a waiting window each, the second of which was evicted.
fn two_windows() -> Driven {
    let mut driven = Driven::new(Fault::Step(0.0));
    driven.ticks(3, &[(0, 0.5), (1, 0.5)]);
    driven.observe(&[(0, 0.5), (1, 0.5)]);
    driven.forget(1);
    driven
}

/// The entries of a snapshot: those of f32 and those of i64. The only one of f64 is `memory.scales`.
fn entries(driven: &Driven) -> (Vec<String>, Vec<String>) {
    let good = ["learner.good.parameters", "learner.good.optimizer.exp_avg", "learner.good.optimizer.exp_avg_sq"];
    let scopes = ["parameters", "optimizer.exp_avg", "optimizer.exp_avg_sq"].into_iter().chain(good);
    let names: Vec<&str> = driven.network.layout().iter().map(|(spec, _)| spec.name.as_str()).collect();
    let of_keys = ["state", "inputs", "labels", "starts"].map(|name| format!("memory.{name}"));
    let of_windows = ["inputs", "states", "labels"].map(|name| format!("pending.{name}"));
    let named = scopes.flat_map(|scope| names.iter().map(move |name| format!("{scope}.{name}")));
    let integers = ["pending.row", "pending.owner", "pending.steps", "learner.counts", "states_reset"];
    let steps = ["optimizer.step", "learner.good.optimizer.step"];
    (named.chain(of_keys).chain(of_windows).collect(), integers.into_iter().chain(steps).map(str::to_owned).collect())
}

/// The snapshot of [`two_windows`] with one entry written anew.
fn replaced(
    name: &str,
    write: impl FnOnce(&mut SnapshotWriter, &str) -> Result<(), SnapshotError>,
) -> Result<Vec<u8>, SnapshotError> {
    let driven = two_windows();
    let bytes = driven.snapshot(&[0]);
    let from = SnapshotReader::parse(&bytes)?;
    let mut to = SnapshotWriter::new();
    let (floats, integers) = entries(&driven);
    assert!(floats.iter().chain(&integers).any(|entry| entry == name), "no entry `{name}`");
    for entry in floats.iter().filter(|entry| *entry != name) {
        to.f32(entry, &from.shape(entry)?, &from.f32(entry, &from.shape(entry)?)?)?;
    }
    for entry in integers.iter().filter(|entry| *entry != name) {
        to.i64(entry, &from.shape(entry)?, &from.i64(entry, &from.shape(entry)?)?)?;
    }
    let scales = "memory.scales";
    to.f64(scales, &from.shape(scales)?, &from.f64(scales, &from.shape(scales)?)?)?;
    write(&mut to, name)?;
    to.finish()
}

/// Why a snapshot is refused.
fn refusal(snapshot: &[u8]) -> String {
    Driven::new(Fault::Step(0.0)).restore(1, snapshot).expect_err("it is damaged").to_string()
}

#[test]
fn an_undamaged_snapshot_is_restored_and_learned_from() {
    let undamaged = replaced("pending.owner", |to, name| to.i64(name, &[2], &[0, -1])).unwrap();
    assert_eq!(undamaged, two_windows().snapshot(&[0]));
    let mut driven = Driven::new(Fault::Step(0.0));
    driven.restore(1, &undamaged).unwrap();
    driven.network.learn().unwrap();
    assert_eq!((driven.counter("forecast_updates"), driven.counter("forecast_windows")), (3, 6));
}

#[test]
fn wrong_integers_are_refused_by_name() {
    let cases: [(&str, &[i64], &str); 13] = [
        ("pending.steps", &[2, 0], "waiting window 1 has 0 steps instead of a multiple of 1 up to 2"),
        ("pending.steps", &[3, 2], "waiting window 0 has 3 steps"),
        ("pending.steps", &[-1, 2], "waiting window 0 has -1 steps"),
        ("pending.steps", &[i64::MAX, 2], "waiting window 0 has 9223372036854775807 steps"),
        ("pending.steps", &[2], "pending.steps"),
        ("pending.owner", &[1, -1], "waiting window 0 belongs to key 1, but there are 1"),
        ("pending.owner", &[0, -2], "waiting window 1 belongs to key -2"),
        ("pending.row", &[-6, 7], "waiting window 0 is of row -6"),
        ("pending.row", &[7, 7], "waiting window 1 is of row 7, out of order"),
        ("pending.row", &[7], "pending.owner"),
        ("learner.counts", &[2, 4, -1, 0, 0, 0], "the count `windows_dropped` is -1"),
        ("learner.counts", &[2, 4, 0, 0, 0, i64::MIN], "the count `skipped_in_a_row` is -9223372036854775808"),
        ("states_reset", &[-3], "the count `states_reset` is -3"),
    ];
    for (name, values, expected) in cases {
        let snapshot = replaced(name, |to, name| to.i64(name, &[values.len()], values)).unwrap();
        let refusal = refusal(&snapshot);
        assert!(refusal.contains(expected), "{name} = {values:?}: {refusal}");
    }
}

#[test]
fn arrays_that_do_not_fit_the_windows_are_refused_by_name() {
    // Two windows of two steps: four inputs, two states, two labels.
    for (name, lengths) in [("pending.inputs", [3, 5]), ("pending.states", [1, 4]), ("pending.labels", [0, 4])] {
        for len in lengths {
            let snapshot = replaced(name, |to, name| to.f32(name, &[len], &vec![0.5; len])).unwrap();
            let refusal = refusal(&snapshot);
            assert!(refusal.contains(name), "{name} of {len}: {refusal}");
        }
    }
}

#[test]
fn windows_with_other_steps_than_inputs_are_refused() {
    let snapshot = replaced("pending.steps", |to, name| to.i64(name, &[2], &[2, 1])).unwrap();
    assert!(refusal(&snapshot).contains("pending.inputs"));
}
