//! The product as a mixture: who takes part, what is shown of it, and what happens when its forecasts get worse.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Float64Type;
use sluicegate_core::{Batch, Metrics, Output, SnapshotReader, SnapshotWriter};
use sluicegate_model::{DriftConfig, ForecastConfig, LayoutKind, MixtureConfig, MixtureSetting, ModelKind};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

fn spec() -> LogSpec {
    LogSpec { rows: 1200, keys: 2, inputs: 1, ..LogSpec::default() }
}

fn config() -> ForecastConfig {
    let mut config = ForecastConfig::new(["y0"]);
    config.model.hidden = 4;
    config
}

/// A column of the rows of one model.
fn of_model(table: &RecordBatch, model: &str, column: &str) -> Vec<f64> {
    let models = common::texts(table, "model");
    let values = common::numbers(table, column).into_iter().zip(models);
    values.filter(|(_, of)| of == model).map(|(value, _)| value).collect()
}

/// What comes out of a log, and the snapshot at its end.
fn run(config: &ForecastConfig, log: &Batch, metrics: &Metrics) -> (RecordBatch, Vec<u8>) {
    let mut operator = common::operator(config, &spec().schema(), Path::new("."), metrics);
    let mut out = Output::new();
    operator.process(log.clone(), &mut out).unwrap();
    operator.finish(&mut out).unwrap();
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    let tables: Vec<RecordBatch> = out.take().iter().map(|batch| batch.records().clone()).collect();
    (arrow::compute::concat_batches(&tables[0].schema(), &tables).unwrap(), writer.finish().unwrap())
}

#[test]
fn a_network_is_mixed_by_default_and_a_control_is_not() {
    let log = spec().build().slice(0, 40);
    let family = |config: &ForecastConfig| {
        let (table, _) = run(config, &log, &Metrics::new());
        assert_eq!(common::texts(&table, "model")[..4], ["forecast", "persistence", "ar", "forecast"]);
        common::texts(&table, "family")[39 * 3].clone()
    };
    assert_eq!(family(&config()), "mixture");
    let with = |kind: ModelKind, mixture: MixtureSetting| {
        let mut config = config();
        common::set_kind(&mut config, kind);
        config.mixture = mixture;
        family(&config)
    };
    assert_eq!(with(ModelKind::Lstm, MixtureSetting::Off), "student-t");
    assert_eq!(with(ModelKind::Ar, MixtureSetting::ByModel), "student-t");
    assert_eq!(with(ModelKind::Ar, MixtureSetting::On(MixtureConfig::default())), "mixture");
}

/// A copy has the network's scale and shape around the last value, and learns nothing of its own.
#[test]
fn a_zero_mean_copy_is_the_network_around_the_last_value() {
    let log = spec().build().slice(0, 300);
    let with = |zero_mean: bool| {
        let mut config = config();
        let mixture =
            MixtureConfig { rates: Some(vec![3e-3]), emit_members: true, zero_mean, ..MixtureConfig::default() };
        config.mixture = MixtureSetting::On(mixture);
        run(&config, &log, &Metrics::new())
    };
    let (table, snapshot) = with(true);
    for column in ["scale", "shape"] {
        let [network, copy] = ["lstm@0.003", "lstm@0.003-zero-mean"].map(|model| of_model(&table, model, column));
        assert!(network.iter().zip(&copy).all(|(a, b)| a.to_bits() == b.to_bits()), "{column}");
    }
    let [network, copy, level] =
        ["lstm@0.003", "lstm@0.003-zero-mean", "persistence"].map(|model| of_model(&table, model, "mean"));
    assert_eq!(copy[10..], level[10..], "persistence stands at the last value");
    assert!(network[10..] != copy[10..]);
    // All that is learned is in the snapshot under the models.
    let (_, without) = with(false);
    let learned = |bytes: &[u8]| -> Vec<String> {
        let reader = SnapshotReader::parse(bytes).unwrap();
        let parameters = reader.entries().into_iter().filter(|entry| entry.name.contains("parameters."));
        parameters.map(|entry| format!("{} {:?}", entry.name, reader.f32(&entry.name, &entry.shape).unwrap())).collect()
    };
    assert_eq!(learned(&snapshot), learned(&without));
}

#[test]
fn the_metric_of_a_weight_is_its_mean_over_the_keys() {
    let (metrics, log) = (Metrics::new(), spec().build());
    let mut config = config();
    config.mixture = MixtureSetting::On(MixtureConfig { emit_members: true, ..MixtureConfig::default() });
    let (table, _) = run(&config, &log, &metrics);
    let (keys, models, weights) =
        (common::texts(&table, "key"), common::texts(&table, "model"), common::numbers(&table, "weight"));
    let names = ["lstm@0.001", "lstm@0.003", "lstm@0.01", "persistence", "ar"];
    let mut sum = 0.0;
    for name in names {
        let last_of = |key: &str| {
            let row = (0..table.num_rows()).rev().find(|row| models[*row] == name && keys[*row] == key).unwrap();
            weights[row]
        };
        let expected = (last_of("key-0") + last_of("key-1")) / 2.0;
        let samples = metrics.samples();
        let is_it = |sample: &&sluicegate_core::Sample| {
            sample.name == "forecast_weight"
                && sample.label("model") == Some(name)
                && (sample.label("target"), sample.label("horizon")) == (Some("y0"), Some("1"))
        };
        let gauge = samples.iter().find(is_it).unwrap().value;
        assert!((gauge - expected).abs() < 1e-12, "{name}: {gauge}, not {expected}");
        sum += gauge;
    }
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

/// The row of the log from which on the values of `key-0` are noise.
const CHANGE: usize = 800;

/// A log of two keys, one of which goes wild.
fn changing() -> Batch {
    let log = spec().build();
    let keys = log.records().column(1).as_string::<i32>().clone();
    let column = |name: &str| log.records().column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let (y, noise) = (column("y0"), column("x0"));
    let values: Vec<Option<f64>> = (0..log.len())
        .map(|row| {
            let wild = row >= CHANGE && keys.value(row) == "key-0" && noise.is_valid(row);
            Some(if wild { y.value(row) + 20.0 * noise.value(row) } else { y.value(row) })
        })
        .collect();
    common::with_values(&log, "y0", &values)
}

fn watching() -> ForecastConfig {
    let mut config = config();
    config.drift = Some(DriftConfig { threshold: 10.0, ..DriftConfig::default() });
    config.mixture = MixtureSetting::On(MixtureConfig { emit_members: true, ..MixtureConfig::default() });
    config
}

#[test]
fn forecasts_that_get_worse_make_an_alarm_and_the_weights_even() {
    let metrics = Metrics::new();
    let (table, _) = run(&watching(), &changing(), &metrics);
    let alarms = table.column_by_name("drift").unwrap().as_boolean().clone();
    let (keys, models, weights) =
        (common::texts(&table, "key"), common::texts(&table, "model"), common::numbers(&table, "weight"));
    let per_event = 6;
    let events: Vec<usize> =
        (0..table.num_rows() / per_event).filter(|event| alarms.value(event * per_event)).collect();
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| keys[event * per_event] == "key-0"), "the other key is as it was");
    assert!((CHANGE..CHANGE + 100).contains(&events[0]), "{events:?}");
    for event in &events {
        for row in event * per_event..(event + 1) * per_event {
            assert!(alarms.value(row), "every row of the target says it");
            assert!(
                models[row] == "forecast" || (weights[row] - 0.2).abs() < 1e-12,
                "{}: {}",
                models[row],
                weights[row]
            );
        }
    }
    assert_eq!(common::metric(&metrics, "forecast_drift_alarms"), events.len() as f64);

    let mut wide = watching();
    wide.layout = LayoutKind::Wide;
    let (table, _) = run(&wide, &changing(), &Metrics::new());
    let alarms = table.column_by_name("y0_drift").unwrap().as_boolean().clone();
    assert_eq!((0..table.num_rows()).filter(|event| alarms.value(*event)).collect::<Vec<_>>(), events);
    assert!(table.column_by_name("y0_1_weight").is_none(), "the mixture has no weight in itself");
}

#[test]
fn nobody_watches_unless_asked() {
    let (table, snapshot) = run(&config(), &changing(), &Metrics::new());
    assert!(table.column_by_name("drift").is_none());
    assert!(!SnapshotReader::parse(&snapshot).unwrap().entries().iter().any(|entry| entry.name.starts_with("drift")));
}

#[test]
fn the_laws_hold_through_an_alarm() {
    let mut config = watching();
    config.horizons = vec![1, 3];
    let schema = spec().schema();
    let build = move || common::operator(&config, &schema, Path::new("."), &Metrics::new());
    let suite = Suite::new(build, changing().slice(0, CHANGE + 150));
    suite.assert_rechunking(&[13]);
    suite.assert_snapshot_is_prefix(CHANGE + 20, 64);
    suite.assert_snapshot_is_prefix(CHANGE + 120, 64);
}
