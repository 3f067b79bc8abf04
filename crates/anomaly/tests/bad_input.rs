//! Columns, rows and snapshots that are not as they should be.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use common::{build, events, long};
use sluicegate_anomaly::{AnomalyConfig, Emit};
use sluicegate_core::{
    Batch, Metrics, OperatorConfig, Output, PartitionId, PipelineContext, SnapshotReader, SnapshotWriter,
};

fn refusal(schema: &SchemaRef) -> String {
    AnomalyConfig::default().bind(schema, &PipelineContext::default()).err().unwrap().to_string()
}

fn changed(change: impl Fn(&Field) -> Option<Field>) -> SchemaRef {
    let schema = long(&[]).records().schema();
    Arc::new(Schema::new(schema.fields().iter().filter_map(|field| change(field)).collect::<Vec<_>>()))
}

#[test]
fn a_column_that_is_missing_or_of_another_type_is_named() {
    let without = changed(|field| (field.name() != "observed").then(|| field.clone()));
    let message = refusal(&without);
    assert!(message.starts_with("`input`: there is no column `observed`"), "{message}");
    assert!(message.contains("`layout = \"long\"`"), "{message}");
    let retyped = changed(|field| {
        Some(if field.name() == "horizon" { field.clone().with_data_type(DataType::Utf8) } else { field.clone() })
    });
    assert!(refusal(&retyped).starts_with("`input`: column `horizon` has type Utf8, but must hold an integer"));
}

#[test]
fn settings_are_checked_before_columns() {
    let config = AnomalyConfig { threshold: f64::NAN, ..AnomalyConfig::default() };
    let refused = config.bind(&Arc::new(Schema::empty()), &PipelineContext::default()).err().unwrap();
    assert_eq!(refused.key, "threshold");
}

#[test]
fn key_time_and_offset_may_be_left_out() {
    let log = long(&events(20, 1, 1));
    let records = log.records().project(&[3, 4, 5, 6, 7]).unwrap();
    let log = Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap();
    let config = AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() };
    let factory = config.bind(&log.records().schema(), &PipelineContext::default()).unwrap();
    let shard = sluicegate_core::ShardContext::new(common::partition(), "anomaly", Metrics::new());
    let mut operator = factory.build(&shard).unwrap();
    let mut out = Output::new();
    operator.process(log, &mut out).unwrap();
    let table = out.take().remove(0);
    assert_eq!(table.len(), 20);
    assert_eq!(table.records().schema(), factory.output_schema());
    assert_eq!(table.records().column_by_name("key").unwrap().logical_null_count(), 20);
}

#[test]
fn values_that_cannot_be_used_have_no_score_and_are_counted() {
    // The first two have nothing two rows back to compare with.
    let one = Some(1.0);
    let values = [one, one, one, None, Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1e300), Some(1e30), one];
    let events: Vec<common::Event> = values.into_iter().map(|value| (None, vec![(value, Some(1.0))])).collect();
    let metrics = Metrics::new();
    let config = AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() };
    let mut operator = build(&config, metrics.clone());
    let mut out = Output::new();
    operator.process(long(&events), &mut out).unwrap();
    let table = out.take().remove(0);
    let column = |name: &str| table.records().column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let scored: Vec<bool> = column("score").iter().map(|score| score.is_some()).collect();
    assert_eq!(scored, [false, false, true, false, false, false, false, true, true]);
    assert!(column("observed").is_null(4), "NaN is null in the output");
    assert_eq!(column("observed").value(5), f64::NEG_INFINITY);
}

#[test]
fn rows_without_target_horizon_or_model_are_passed_over() {
    let log = long(&events(30, 1, 1));
    for name in ["target", "model", "horizon"] {
        let mut columns = log.records().columns().to_vec();
        let place = log.records().schema().index_of(name).unwrap();
        columns[place] = arrow::array::new_null_array(columns[place].data_type(), log.len());
        let records = arrow::array::RecordBatch::try_new(log.records().schema(), columns).unwrap();
        let config = AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() };
        let mut out = Output::new();
        let nulls = Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap();
        build(&config, Metrics::new()).process(nulls, &mut out).unwrap();
        assert!(out.take().is_empty(), "{name}");
    }
}

#[test]
fn rows_of_another_partition_or_without_a_column_are_an_error_with_its_name() {
    let log = long(&events(5, 1, 1));
    let other = Batch::new(PartitionId::new("q"), log.offsets().clone(), log.records().clone()).unwrap();
    let process = |batch| build(&AnomalyConfig::default(), Metrics::new()).process(batch, &mut Output::new());
    assert_eq!(
        process(other).unwrap_err().to_string(),
        "this operator instance works on partition p, but was given rows of q"
    );
    let records = log.records().project(&[0, 1, 2, 3, 4, 5, 6]).unwrap();
    let short = Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap();
    assert_eq!(process(short).unwrap_err().to_string(), "column `forecast` at offset 0: is not in this batch");
}

/// A snapshot after some rows, with one of its entries changed.
fn tampered(change: impl Fn(&str, &mut Vec<i64>, &mut Vec<f64>)) -> Vec<u8> {
    let mut operator = build(&AnomalyConfig::default(), Metrics::new());
    operator.process(long(&events(60, 2, 1)), &mut Output::new()).unwrap();
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    let bytes = writer.finish().unwrap();
    let reader = SnapshotReader::parse(&bytes).unwrap();
    let mut writer = SnapshotWriter::new();
    for entry in reader.entries() {
        let (name, shape) = (entry.name.as_str(), entry.shape.as_slice());
        let (mut whole, mut numbers) = (Vec::new(), Vec::new());
        match entry.dtype.as_str() {
            "I64" => whole = reader.i64(name, shape).unwrap(),
            "F64" => numbers = reader.f64(name, shape).unwrap(),
            _ => writer.u8(name, shape, &reader.u8(name, shape).unwrap()).unwrap(),
        }
        change(name, &mut whole, &mut numbers);
        match entry.dtype.as_str() {
            "I64" => writer.i64(name, shape, &whole).unwrap(),
            "F64" => writer.f64(name, shape, &numbers).unwrap(),
            _ => {}
        }
    }
    writer.finish().unwrap()
}

fn restore(bytes: &[u8]) -> Result<(), String> {
    let mut operator = build(&AnomalyConfig::default(), Metrics::new());
    operator.restore(&SnapshotReader::parse(bytes).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_snapshot_that_no_rows_lead_to_is_refused() {
    assert_eq!(restore(&tampered(|_, _, _| {})), Ok(()));
    let refused = |name: &'static str, whole: Option<i64>, number: Option<f64>| {
        let bytes = tampered(|entry, integers, numbers| {
            if entry == name {
                if let (Some(first), Some(value)) = (integers.first_mut(), whole) {
                    *first = value;
                }
                if let (Some(first), Some(value)) = (numbers.first_mut(), number) {
                    *first = value;
                }
            }
        });
        let message = restore(&bytes).err().unwrap_or_else(|| panic!("`{name}` was accepted"));
        assert!(message.starts_with("the snapshot cannot be restored"), "{message}");
    };
    refused("series.rows", Some(-1), None);
    refused("series.last_row", Some(1 << 40), None);
    refused("series.detectors.rows", Some(-3), None);
    refused("series.detectors.alarm", Some(1 << 40), None);
    refused("series.detectors.moments", None, Some(f64::NAN));
    refused("series.detectors.level", None, Some(f64::INFINITY));
    refused("series.detectors.level.len", Some(1 << 40), None);
    refused("series.detectors.novelty.value.history", None, Some(1e90));
    refused("series.detectors.novelty.error.distances", None, Some(-1.0));
}

#[test]
fn text_of_any_kind_serves_as_key() {
    let log = long(&events(10, 3, 1));
    let mut columns = log.records().columns().to_vec();
    let keys: StringArray = arrow::compute::cast(&columns[1], &DataType::Utf8).unwrap().as_string::<i32>().clone();
    columns[1] = Arc::new(keys);
    let records = arrow::array::RecordBatch::try_from_iter_with_nullable(
        log.records()
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(columns)
            .map(|(n, c)| (n, c, true)),
    )
    .unwrap();
    let plain = Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap();
    let config = AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() };
    let run = |batch| {
        let mut out = Output::new();
        build(&config, Metrics::new()).process(batch, &mut out).unwrap();
        out.take().remove(0)
    };
    assert_eq!(run(plain).records(), run(log).records());
}

fn run_to_the_end(config: AnomalyConfig, log: Batch) -> Result<(), String> {
    let mut operator = build(&config, Metrics::new());
    let mut out = Output::new();
    operator.process(log, &mut out).and_then(|()| operator.finish(&mut out)).map_err(|error| error.to_string())
}

/// The log without the rows of horizon 1.
fn far(log: &Batch) -> Batch {
    let horizons =
        log.records().column_by_name("horizon").unwrap().as_primitive::<arrow::datatypes::Int32Type>().clone();
    let far = horizons.iter().map(|horizon| Some(horizon != Some(1))).collect();
    let records = arrow::compute::filter_record_batch(log.records(), &far).unwrap();
    let offsets = sluicegate_core::Offsets::dense(sluicegate_core::Offset(0), records.num_rows()).unwrap();
    Batch::new(log.partition().clone(), offsets, records).unwrap()
}

#[test]
fn a_model_that_never_comes_is_an_error_that_names_those_that_do() {
    let log = long(&events(30, 2, 1));
    let named = |model: &str| AnomalyConfig { model: Some(model.into()), ..AnomalyConfig::default() };
    assert_eq!(run_to_the_end(named("persistence"), log.clone()), Ok(()));
    let expected = "of 120 rows none is by the model `persistance`; there are `forecast`, `persistence`: correct `model`, or leave \
                    it out to take the forecast itself";
    assert_eq!(run_to_the_end(named("persistance"), log).unwrap_err(), expected);
}

#[test]
fn forecasts_without_horizon_one_are_an_error() {
    let message = run_to_the_end(AnomalyConfig::default(), far(&long(&events(30, 2, 1)))).unwrap_err();
    assert!(message.starts_with("of 60 rows none is of horizon 1 by the model `forecast`; put 1 among"), "{message}");
    assert_eq!(run_to_the_end(AnomalyConfig::default(), long(&[])), Ok(()), "no rows are no fault");
}

#[test]
fn a_stream_without_end_is_not_searched_for_ever_and_a_snapshot_knows_how_far() {
    let config = AnomalyConfig { model: Some("nobody".into()), ..AnomalyConfig::default() };
    // 10,000 events of four rows each time.
    let log = long(&events(10_000, 2, 1));
    let mut operator = build(&config, Metrics::new());
    operator.process(log.clone(), &mut Output::new()).unwrap();
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    let bytes = writer.finish().unwrap();
    let mut operator = build(&config, Metrics::new());
    operator.restore(&SnapshotReader::parse(&bytes).unwrap()).unwrap();
    operator.process(log.clone(), &mut Output::new()).unwrap();
    let message = operator.process(log, &mut Output::new()).unwrap_err().to_string();
    assert!(message.starts_with("of 100000 rows none is by the model `nobody`; there are `forecast`"), "{message}");
}

/// All rows of a series of one target, with the last value as the forecast.
fn judged(values: &[Option<f64>]) -> arrow::array::RecordBatch {
    let mut last = None;
    let event = |value: &Option<f64>| (None, vec![(*value, std::mem::replace(&mut last, *value))]);
    let log = long(&values.iter().map(event).collect::<Vec<_>>());
    let mut out = Output::new();
    build(&AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() }, Metrics::new())
        .process(log, &mut out)
        .unwrap();
    out.take().remove(0).records().clone()
}

#[test]
fn a_series_shorter_than_the_probation_has_scores_and_no_alarm() {
    let mut values: Vec<_> = (0..300).map(|row| Some(f64::from(row % 7))).collect();
    values[200] = Some(1e6);
    values[299] = Some(-1e6);
    let rows = judged(&values);
    let scores = rows.column_by_name("score").unwrap().as_primitive::<Float64Type>();
    assert!(scores.value(200) > 2.0 && scores.value(299) > 1.0);
    assert_eq!(rows.column_by_name("alarm").unwrap().as_boolean().true_count(), 0);
}

#[test]
fn a_constant_is_never_an_alarm_and_has_no_score_before_there_is_anything_to_compare_with() {
    let rows = judged(&vec![Some(3.5); 500]);
    let scores = rows.column_by_name("score").unwrap().as_primitive::<Float64Type>();
    assert!(scores.is_null(0) && scores.is_null(1));
    assert!(scores.iter().skip(2).all(|score| score.is_some_and(|score| score.to_bits() == 0)), "zero, and not below");
    assert_eq!(rows.column_by_name("alarm").unwrap().as_boolean().true_count(), 0);
}

#[test]
fn a_series_of_no_numbers_has_neither_scores_nor_alarms() {
    let rows = judged(&[Some(f64::NAN), None, Some(f64::INFINITY)].repeat(200));
    assert_eq!(rows.num_rows(), 600);
    assert_eq!(rows.column_by_name("score").unwrap().logical_null_count(), 600);
    assert_eq!(rows.column_by_name("alarm").unwrap().as_boolean().true_count(), 0);
}
