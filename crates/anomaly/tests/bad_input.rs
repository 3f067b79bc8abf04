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
    let values = [Some(1.0), None, Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1e300), Some(1e30), Some(1.0)];
    let events: Vec<common::Event> = values.into_iter().map(|value| (None, vec![(value, Some(1.0))])).collect();
    let metrics = Metrics::new();
    let config = AnomalyConfig { emit: Emit::All, ..AnomalyConfig::default() };
    let mut operator = build(&config, metrics.clone());
    let mut out = Output::new();
    operator.process(long(&events), &mut out).unwrap();
    let table = out.take().remove(0);
    let column = |name: &str| table.records().column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let scored: Vec<bool> = column("score").iter().map(|score| score.is_some()).collect();
    assert_eq!(scored, [true, false, false, false, false, true, true]);
    assert!(column("observed").is_null(2), "NaN is null in the output");
    assert_eq!(column("observed").value(3), f64::NEG_INFINITY);
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
