//! What a forecast operator needs for a long life: values that go elsewhere, keys that move, and states that others begin with.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use sluicegate_core::{Batch, Metrics, Offsets, Operator, Output, Rejected, SnapshotReader, SnapshotWriter};
use sluicegate_model::{ForecastConfig, MixtureSetting, OnBadValue};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

fn config(spec: &LogSpec) -> ForecastConfig {
    let mut config = ForecastConfig::new(spec.target_names());
    config.mixture = MixtureSetting::Off;
    config.features.inputs = spec.input_names();
    config.features.missing_indicator = true;
    config.model.hidden = 4;
    config.model.update_every = Some(7);
    config
}

fn operator(config: &ForecastConfig, spec: &LogSpec, metrics: &Metrics) -> Box<dyn Operator> {
    common::operator(config, &spec.schema(), Path::new("."), metrics)
}

fn suite(config: &ForecastConfig, spec: &LogSpec, log: Batch) -> Suite {
    let (config, spec) = (config.clone(), spec.clone());
    Suite::new(move || operator(&config, &spec, &Metrics::new()), log)
}

/// What an operator emits and rejects of a log, cut into batches of `size`.
fn run(operator: &mut dyn Operator, log: &Batch, size: usize) -> (Vec<RecordBatch>, Vec<Rejected>) {
    let mut out = Output::new();
    for from in (0..log.len()).step_by(size) {
        operator.process(log.slice(from, size), &mut out).unwrap();
    }
    (out.take().iter().map(|batch| batch.records().clone()).collect(), out.take_rejected())
}

/// Every value as text, row by row, however the tables are cut and their dictionaries sorted.
fn text(tables: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let mut all = Vec::new();
    for table in tables {
        let plain = table.columns().iter().map(|column| match column.data_type() {
            DataType::Timestamp(..) => arrow::compute::cast(column, &DataType::Int64).unwrap(),
            _ => Arc::clone(column),
        });
        let plain: Vec<ArrayRef> = plain.collect();
        let columns: Vec<ArrayFormatter<'_>> =
            plain.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..table.num_rows() {
            all.extend(columns.iter().map(|column| column.value(row).to_string()));
        }
    }
    all
}

fn snapshot(operator: &dyn Operator) -> Vec<u8> {
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    writer.finish().unwrap()
}

/// The rows of a log for which `keep` holds, with their offsets.
fn rows_where(log: &Batch, keep: &dyn Fn(usize) -> bool) -> Batch {
    let mask: BooleanArray = (0..log.len()).map(|row| Some(keep(row))).collect();
    let records = filter_record_batch(log.records(), &mask).unwrap();
    let offsets = log.offsets().iter().enumerate().filter(|(row, _)| keep(*row)).map(|(_, offset)| offset.0);
    let offsets = Offsets::sparse(offsets.collect::<Vec<i64>>()).unwrap();
    Batch::new(log.partition().clone(), offsets, records).unwrap()
}

fn column(log: &Batch, name: &str) -> Float64Array {
    log.records().column_by_name(name).unwrap().as_primitive::<Float64Type>().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// A row in the dead letters leaves no trace: outputs and state are those of the log without it, however it is cut.
    #[test]
    fn a_row_that_is_rejected_leaves_no_trace(seed in 0u64..1000, size in 1usize..40) {
        let spec = LogSpec { rows: 200, keys: 3, missing: 0.1, hostile: 0.1, inputs: 1, seed, ..LogSpec::default() };
        let mut config = config(&spec);
        config.bad_values.target = OnBadValue::DeadLetter;
        config.bad_values.missing_target = OnBadValue::DeadLetter;
        config.bad_values.input = OnBadValue::DeadLetter;
        let log = spec.build();
        let (y, x) = (column(&log, "y0"), column(&log, "x0"));
        let is_good = |row: usize| {
            let good = |of: &Float64Array| of.is_valid(row) && of.value(row).is_finite() && of.value(row).abs() <= 1e100;
            good(&y) && good(&x)
        };
        let bad: Vec<i64> = (0..log.len()).filter(|row| !is_good(*row)).map(|row| row as i64).collect();
        prop_assert!(bad.len() > 20);

        let mut with = operator(&config, &spec, &Metrics::new());
        let (rows, letters) = run(with.as_mut(), &log, size);
        prop_assert_eq!(letters.iter().map(|letter| letter.offset.0).collect::<Vec<_>>(), bad);
        let mut without = operator(&config, &spec, &Metrics::new());
        let (expected, none) = run(without.as_mut(), &rows_where(&log, &is_good), log.len());
        prop_assert!(none.is_empty());
        // NaN is not equal to itself, so the tables are compared as text.
        prop_assert_eq!(text(&rows), text(&expected));
        prop_assert_eq!(snapshot(with.as_ref()), snapshot(without.as_ref()));
    }
}

#[test]
fn a_dead_letter_says_which_value_and_holds_the_row() {
    let spec = LogSpec { rows: 3, keys: 1, ..LogSpec::default() };
    let mut config = config(&spec);
    config.bad_values.target = OnBadValue::DeadLetter;
    let log = common::with_values(&spec.build(), "y0", &[Some(1.5), Some(f64::NAN), Some(2.5)]);
    let (_, letters) = run(operator(&config, &spec, &Metrics::new()).as_mut(), &log, 3);
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.component.as_str(), letter.offset.0, letter.reason), ("forecast", 1, "bad-value"));
    assert_eq!(letter.message, "column `y0` is not a finite number");
    assert_eq!(letter.key.as_deref(), Some(&b"key-0"[..]));
    assert!(letter.time_us.is_some());
    let row: serde_json::Value = serde_json::from_slice(letter.payload.as_deref().unwrap()).unwrap();
    assert_eq!(row["key"], "key-0");
    assert!(row["ts"].as_str().is_some_and(|time| time.ends_with('Z')), "{row}");
}

/// A carried value is the key's last one: the run is that of a log in which it stands there.
#[test]
fn a_carried_value_is_the_last_one_of_its_key() {
    let spec = LogSpec { rows: 400, keys: 3, missing: 0.15, hostile: 0.05, inputs: 1, ..LogSpec::default() };
    let mut config = config(&spec);
    config.bad_values.target = OnBadValue::Carry;
    config.bad_values.missing_target = OnBadValue::Carry;
    config.bad_values.input = OnBadValue::Carry;
    let log = spec.build();
    let keys = log.records().column(1).as_string::<i32>().clone();
    let mut filled = log.clone();
    for name in ["y0", "x0"] {
        let values = column(&log, name);
        let mut last = std::collections::HashMap::new();
        let carried: Vec<Option<f64>> = (0..log.len())
            .map(|row| {
                let value =
                    values.is_valid(row).then(|| values.value(row)).filter(|v| v.is_finite() && v.abs() <= 1e100);
                if let Some(value) = value {
                    last.insert(keys.value(row), value);
                }
                last.get(keys.value(row)).copied()
            })
            .collect();
        filled = common::with_values(&filled, name, &carried);
    }
    let carried = suite(&config, &spec, log.clone());
    let expected = suite(&config, &spec, filled).run(400);
    let found = carried.run(400);
    assert_eq!(found.snapshot, expected.snapshot);
    assert_eq!(text(found.table.as_slice()), text(expected.table.as_slice()));
    carried.assert_rechunking(&[1, 13]);
    carried.assert_snapshot_is_prefix(211, 17);
}

#[test]
fn only_times_cannot_be_carried_or_rejected() {
    let spec = LogSpec::default();
    let mut config = config(&spec);
    config.bad_values.time = OnBadValue::Carry;
    let refused = config.validate().unwrap_err().to_string();
    assert!(refused.contains("`bad_values.time`") && refused.contains("\"fail\""), "{refused}");
}

/// Keys that are dropped are as if they had never come, but for what was learned from them: whoever goes on with the others
/// alone forecasts them, up to the next step of the optimizer and, where nothing is learned, for good, as one who kept all.
#[test]
fn retained_keys_go_on_as_if_the_others_were_still_there() {
    let spec = LogSpec { rows: 600, keys: 6, ..LogSpec::default() };
    let mut learning = config(&spec);
    learning.model.update_every = Some(50);
    let log = spec.build();
    let mut first = operator(&learning, &spec, &Metrics::new());
    run(first.as_mut(), &log.slice(0, 333), 64);
    let state = snapshot(first.as_ref());

    let frozen = {
        let mut config = learning.clone();
        config.model.learn = false;
        config
    };
    let keys = log.records().column(1).as_string::<i32>().clone();
    let stays = |key: Option<&str>| key.is_some_and(|key| ["key-1", "key-4"].contains(&key));
    let rest = log.slice(333, 267);
    let of_kept = rows_where(&rest, &|row| stays(Some(keys.value(333 + row))));

    let restored = || {
        let mut operator = operator(&frozen, &spec, &Metrics::new());
        operator.restore(&SnapshotReader::parse(&state).unwrap()).unwrap();
        operator
    };
    let mut all = restored();
    let (everything, _) = run(all.as_mut(), &rest, 64);
    let mut some = restored();
    some.retain_keys(&stays).unwrap();
    let (kept, _) = run(some.as_mut(), &of_kept, 64);
    let lines = |tables: &[RecordBatch]| {
        let mut lines = Vec::new();
        for table in tables {
            let keys = table.column_by_name("key").unwrap();
            let keys = arrow::compute::cast(keys, &arrow::datatypes::DataType::Utf8).unwrap();
            let [mean, scale, nll] = ["mean", "scale", "nll"].map(|name| common::numbers(table, name));
            for (row, key) in keys.as_string::<i32>().iter().enumerate().filter(|(_, key)| stays(*key)) {
                lines.push((key.map(str::to_owned), [mean[row], scale[row], nll[row]].map(f64::to_bits)));
            }
        }
        lines
    };
    assert!(lines(&kept).len() > 200);
    assert_eq!(lines(&kept), lines(&everything));

    let names = SnapshotReader::parse(&snapshot(some.as_ref())).unwrap().scope("keys").strings("names").unwrap();
    assert_eq!(names, ["key-1", "key-4"]);
    // The parameters, and windows that wait, are those of all.
    let parameters = |bytes: &[u8]| {
        let reader = SnapshotReader::parse(bytes).unwrap();
        let weights = reader.scope("model.parameters");
        let waiting =
            reader.scope("model.pending").i64("row", &reader.scope("model.pending").shape("row").unwrap()).unwrap();
        (weights.f32("weight_hh_l0", &weights.shape("weight_hh_l0").unwrap()).unwrap(), waiting)
    };
    assert_eq!(parameters(&snapshot(some.as_ref())), parameters(&state));
    assert!(!parameters(&state).1.is_empty(), "windows wait in the state");
}

/// A state made while learning starts a frozen run, in which no parameter and no moment changes, and the reverse.
#[test]
fn a_frozen_run_changes_no_parameter_and_learning_goes_on_after_it() {
    let spec = LogSpec { rows: 300, keys: 2, ..LogSpec::default() };
    let learning = config(&spec);
    let mut frozen = learning.clone();
    frozen.model.learn = false;
    let log = spec.build();
    let part = |bytes: &[u8], scope: &str| {
        let reader = SnapshotReader::parse(bytes).unwrap();
        let names: Vec<_> = reader.scope(scope).entries();
        let all = names.into_iter().map(|entry| {
            let short = entry.name.strip_prefix(&format!("{scope}.")).unwrap().to_owned();
            (short.clone(), format!("{:?}", reader.scope(scope).f32(&short, &entry.shape)))
        });
        all.collect::<Vec<_>>()
    };
    let mut first = operator(&learning, &spec, &Metrics::new());
    run(first.as_mut(), &log.slice(0, 101), 64);
    let before = snapshot(first.as_ref());
    let metrics = Metrics::new();
    let mut second = operator(&frozen, &spec, &metrics);
    second.restore(&SnapshotReader::parse(&before).unwrap()).unwrap();
    let (_, _) = run(second.as_mut(), &log.slice(101, 99), 64);
    let after = snapshot(second.as_ref());
    for scope in ["model.parameters", "model.optimizer"] {
        assert!(!part(&before, scope).is_empty());
        assert_eq!(part(&before, scope), part(&after, scope));
    }
    assert_ne!(before, after, "states go on");
    drop(second);
    assert_eq!(common::metric(&metrics, "forecast_updates"), 0.0);
    let mut third = operator(&learning, &spec, &Metrics::new());
    third.restore(&SnapshotReader::parse(&after).unwrap()).unwrap();
    run(third.as_mut(), &log.slice(200, 100), 64);
    assert_ne!(part(&after, "model.parameters"), part(&snapshot(third.as_ref()), "model.parameters"));
}
