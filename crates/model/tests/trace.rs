//! The order of learning — which window, under which parameters, when — against an independent trace in plain PyTorch.
//!
//! `reference/trace.py` states the order event by event, with automatic differentiation and without any batching, and wrote
//! `data/*.safetensors`: events, starting parameters, the forecast after every event and the parameters at the end.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use sluicegate_core::{Batch, Metrics, Offset, Offsets, Output, PartitionId, Roles, SnapshotReader, SnapshotWriter};
use sluicegate_model::feature::CalendarFeature;
use sluicegate_model::{BackendKind, BpttConfig, Column, ForecastConfig, MixtureSetting, ModelKind};

const ROWS: usize = 500;
const TARGETS: usize = 2;

struct Settings {
    kind: ModelKind,
    horizons: Vec<usize>,
    bptt: BpttConfig,
    update_every: u64,
    /// Largest difference of a mean, in units of the forecast's scale.
    mean_tolerance: f64,
}

/// Parameters under their bare names, as a file to start from.
fn parameters(trace: &SnapshotReader<'_>, scope: &str, names: &[&str]) -> Vec<u8> {
    let mut writer = SnapshotWriter::new();
    for name in names {
        let scope = trace.scope(scope);
        let shape = scope.shape(name).unwrap();
        writer.f32(name, &shape, &scope.f32(name, &shape).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

fn log(trace: &SnapshotReader<'_>) -> Batch {
    let events = trace.scope("events");
    let times = events.i64("time_us", &[ROWS]).unwrap();
    let keys = events.i64("key", &[ROWS]).unwrap();
    let y = events.f64("y", &[ROWS, TARGETS]).unwrap();
    let column = |target: usize| -> Float64Array {
        y.iter().skip(target).step_by(TARGETS).map(|value| (!value.is_nan()).then_some(*value)).collect()
    };
    let schema = Schema::new(vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("key", DataType::Utf8, false),
        Field::new("a", DataType::Float64, true),
        Field::new("b", DataType::Float64, true),
    ]);
    let schema = Roles { time: Some("ts".into()), key: Some("key".into()) }.mark(&schema);
    let records = RecordBatch::try_new(
        schema,
        vec![
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(keys.iter().map(ToString::to_string))),
            Arc::new(column(0)),
            Arc::new(column(1)),
        ],
    )
    .unwrap();
    Batch::new(PartitionId::new("log"), Offsets::dense(Offset(0), ROWS).unwrap(), records).unwrap()
}

fn assert_follows(file: &str, settings: &Settings) {
    assert_follows_on(BackendKind::Libtorch, file, settings);
    assert_follows_on(BackendKind::Native, file, settings);
}

fn assert_follows_on(backend: BackendKind, file: &str, settings: &Settings) {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let trace = SnapshotReader::parse_foreign(&bytes).unwrap();
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "head.weight", "head.bias", "head.df"];
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("initial.safetensors"), parameters(&trace, "initial", &names)).unwrap();

    let mut config = ForecastConfig::new(["a", "b"]);
    config.mixture = MixtureSetting::Off;
    config.horizons = settings.horizons.clone();
    config.controls = vec![];
    config.features.calendar = vec![CalendarFeature::Hour, CalendarFeature::Weekday];
    config.interval = Some("15m".into());
    config.columns = Some(vec![Column::Mean, Column::Scale, Column::Shape]);
    config.model.kind = settings.kind;
    config.model.hidden = 8;
    config.model.backend = backend;
    config.model.bptt = settings.bptt;
    config.model.update_every = Some(settings.update_every);
    config.model.initial = Some("initial.safetensors".into());

    let log = log(&trace);
    let metrics = Metrics::new();
    let mut operator = common::operator(&config, &log.records().schema(), dir.path(), &metrics);
    let expected = trace.scope("expected");
    let shape = [ROWS, TARGETS, settings.horizons.len()];
    let (means, scales, dfs) = (
        expected.f64("mean", &shape).unwrap(),
        expected.f64("scale", &shape).unwrap(),
        expected.f64("df", &shape).unwrap(),
    );
    let steps = expected.i64("steps", &[ROWS]).unwrap();
    let per_event = TARGETS * settings.horizons.len();
    for (row, steps) in steps.iter().enumerate() {
        let mut out = Output::new();
        operator.process(log.slice(row, 1), &mut out).unwrap();
        let table = out.take().remove(0).records().clone();
        let taken = common::metric(&metrics, "forecast_updates");
        assert_eq!(taken, *steps as f64, "optimizer steps after event {row}");
        let [mean, scale, df] = ["mean", "scale", "shape"].map(|column| common::numbers(&table, column));
        assert_eq!(mean.len(), per_event);
        for (k, ((mean, scale), df)) in mean.into_iter().zip(scale).zip(df).enumerate() {
            let at = row * per_event + k;
            let wanted = [means[at], scales[at], dfs[at]];
            let what = format!("event {row}, output {k}: {:?} against {wanted:?}", [mean, scale, df]);
            assert_eq!(mean.is_nan(), wanted[0].is_nan(), "{what}");
            if !mean.is_nan() {
                assert!((mean - wanted[0]).abs() < settings.mean_tolerance * wanted[1], "mean at {what}");
                assert!((scale - wanted[1]).abs() < 1e-4 * wanted[1], "scale at {what}");
                assert!((df - wanted[2]).abs() < 1e-4 * wanted[2], "degrees of freedom at {what}");
            }
        }
    }

    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    let state = writer.finish().unwrap();
    let state = SnapshotReader::parse(&state).unwrap().scope("model.parameters");
    let mut moved: f32 = 0.0;
    for name in names {
        let shape = state.shape(name).unwrap();
        let found = state.f32(name, &shape).unwrap();
        let wanted = trace.scope("final").f32(name, &shape).unwrap();
        let initial = trace.scope("initial").f32(name, &shape).unwrap();
        for ((found, wanted), initial) in found.iter().zip(&wanted).zip(&initial) {
            assert!((found - wanted).abs() < 1e-4, "{name}: {found} against {wanted}");
            moved = moved.max((wanted - initial).abs());
        }
    }
    assert!(moved > 0.1, "the parameters hardly moved, so this checks little");
}

#[test]
fn an_lstm_with_windows_of_four_learns_in_the_order_of_the_trace() {
    assert_follows(
        "trace.safetensors",
        &Settings {
            kind: ModelKind::Lstm,
            horizons: vec![1],
            bptt: BpttConfig { every: 2, window: Some(4.into()) },
            update_every: 3,
            mean_tolerance: 1e-4,
        },
    );
}

#[test]
fn a_gru_with_two_horizons_learns_in_the_order_of_the_trace() {
    assert_follows(
        "trace_gru.safetensors",
        &Settings {
            kind: ModelKind::Gru,
            horizons: vec![1, 3],
            bptt: BpttConfig { every: 1, window: Some(3.into()) },
            update_every: 5,
            mean_tolerance: 2e-3,
        },
    );
}
