//! What every member of the family keeps, whatever its kind, variant and layers.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::suite::{assert_learned, config, run_for_metrics, suite};
use sluicegate_core::Metrics;
use sluicegate_model::{ForecastConfig, ModelKind};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

/// The controls as models of their own; what they learn they learn at once, so there are no updates to count.
#[test]
fn every_control_keeps_the_laws() {
    for kind in [ModelKind::Persistence, ModelKind::Ar] {
        let spec = LogSpec { rows: 120, keys: 3, missing: 0.05, ..LogSpec::default() };
        let mut config = config(&spec);
        common::set_kind(&mut config, kind);
        config.controls.clear();
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 7]);
        for rows in [0, 1, 33, 64, 119] {
            suite.assert_snapshot_is_prefix(rows, 11);
        }
        suite.assert_predicts_before_learning("y0", 60, &["offset", "key", "time", "target", "model", "forecast"]);
    }
}

#[test]
fn every_network_keeps_the_laws() {
    for network in common::network::networks() {
        let spec = LogSpec { rows: 120, keys: 3, missing: 0.05, ..LogSpec::default() };
        let mut config = config(&spec);
        config.model.bptt.every = 2;
        network.apply(&mut config, 6);
        config.model.update_every = Some(5);
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 7]);
        for rows in [0, 1, 33, 64, 119] {
            suite.assert_snapshot_is_prefix(rows, 11);
        }
        suite.assert_predicts_before_learning("y0", 60, &["offset", "key", "time", "target", "model", "forecast"]);
        assert_learned(&suite, &config, &spec);
    }
}

#[test]
fn a_full_history_computes_more_the_longer_the_past_up_to_its_cap() {
    let spec = LogSpec { rows: 100, keys: 1, ..LogSpec::default() };
    let recomputed = |history_max: usize, learn: bool| {
        let mut config = config(&spec);
        (config.model.kind, config.model.history_max) = (ModelKind::FullHistory, Some(history_max));
        config.model.learn = learn;
        common::metric(&run_for_metrics(&config, &spec), "forecast_steps_recomputed")
    };
    // The first label is there at event 2 (the first difference gives the scale), so updates are made from then on.
    let per_event = |cap: usize| (2..100).map(|event: usize| (event + 1).min(cap) - 1).sum::<usize>() as f64;
    assert_eq!([1, 8, 100].map(|cap| recomputed(cap, true)), [0.0, per_event(8), per_event(100)]);
    assert_eq!(recomputed(100, false), 0.0);
}

#[test]
fn a_full_history_that_does_not_learn_is_its_cell_bit_for_bit() {
    let spec = LogSpec { rows: 150, keys: 3, ..LogSpec::default() };
    let rows = |kind: ModelKind| {
        let mut config = config(&spec);
        (config.model.kind, config.model.learn) = (kind, false);
        let table = suite(&config, &spec).run(16).table.unwrap();
        ["mean", "scale"].map(|column| common::numbers(&table, column).iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(rows(ModelKind::FullHistory), rows(ModelKind::Lstm));
}

#[test]
fn the_state_of_a_key_does_not_depend_on_the_values_of_others_while_nothing_is_learned() {
    let spec = LogSpec { rows: 400, keys: 4, ..LogSpec::default() };
    for network in common::network::networks() {
        let mut config = config(&spec);
        network.apply(&mut config, 4);
        config.model.learn = false;
        assert_alone_as_among_others(&config, &spec);
    }
}

/// The rows of `key-2` are the same whether other keys are there or not.
fn assert_alone_as_among_others(config: &ForecastConfig, spec: &LogSpec) {
    let table = suite(config, spec).run(64).table.unwrap();
    let log = spec.build();
    let keys = arrow::array::AsArray::as_string::<i32>(log.records().column(1).as_ref()).clone();
    let of_key = arrow::array::BooleanArray::from_iter(keys.iter().map(|key| Some(key == Some("key-2"))));
    let alone = arrow::compute::filter_record_batch(log.records(), &of_key).unwrap();
    let offsets = sluicegate_core::Offsets::dense(sluicegate_core::Offset(0), alone.num_rows()).unwrap();
    let log = sluicegate_core::Batch::new(log.partition().clone(), offsets, alone).unwrap();
    let (config, schema) = (config.clone(), spec.schema());
    let build = move || common::operator(&config, &schema, Path::new("."), &Metrics::new());
    let alone = Suite::new(build, log).run(64).table.unwrap();
    let rows: Vec<bool> = arrow::array::AsArray::as_dictionary::<arrow::datatypes::Int32Type>(
        table.column_by_name("key").unwrap().as_ref(),
    )
    .downcast_dict::<arrow::array::StringArray>()
    .unwrap()
    .into_iter()
    .map(|key| key == Some("key-2"))
    .collect();
    let together = arrow::compute::filter_record_batch(&table, &rows.into()).unwrap();
    for column in ["mean", "scale", "shape", "forecast", "nll", "crps", "pit"] {
        assert_eq!(
            common::numbers(&together, column).iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            common::numbers(&alone, column).iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            "{column}"
        );
    }
}

/// While it learns, other keys reach a key's forecasts through the parameters only: not before the next update.
#[test]
fn the_values_of_other_keys_reach_a_key_with_an_update_and_not_before() {
    const CHANGED: usize = 60;
    /// The first row whose forecast is made under parameters that learned from the change.
    const UPDATE: i64 = 79;
    for network in common::network::networks() {
        let spec = LogSpec { rows: 160, keys: 3, ..LogSpec::default() };
        let mut config = config(&spec);
        network.apply(&mut config, 2);
        config.model.update_every = Some(20);
        let log = spec.build();
        let keys = arrow::array::AsArray::as_string::<i32>(log.records().column(1).as_ref()).clone();
        let changed = common::with_column(&log, "y0", &|row, value| match keys.value(row) {
            "key-0" if row >= CHANGED => value + 3.0,
            _ => value,
        });
        let run = |log: sluicegate_core::Batch| {
            let (config, schema) = (config.clone(), spec.schema());
            let build = move || common::operator(&config, &schema, Path::new("."), &Metrics::new());
            Suite::new(build, log).run(64).table.unwrap()
        };
        let (before, after) = (run(log.clone()), run(changed));
        let offsets = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(
            before.column_by_name("offset").unwrap().as_ref(),
        );
        let mut moved = 0;
        let (was, is) = (common::numbers(&before, "mean"), common::numbers(&after, "mean"));
        let models = common::texts(&before, "model");
        for (index, offset) in offsets.values().iter().enumerate() {
            let same = was[index].to_bits() == is[index].to_bits();
            if keys.value(*offset as usize) == "key-0" {
                continue;
            }
            let network_row = models[index] == "forecast";
            assert!(same || network_row && *offset >= UPDATE, "{network:?}: row {offset} of {}", models[index]);
            moved += usize::from(!same);
        }
        assert!(moved > 20, "{network:?}: nothing was learned from the change, so this checks nothing");
    }
}
