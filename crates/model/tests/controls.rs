//! The controls through the laws, and through whatever a stream may hold.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use proptest::prelude::*;
use sluicegate_core::{Batch, Metrics, Offset, Offsets, OperatorConfig, PartitionId, PipelineContext, SnapshotReader};
use sluicegate_model::control::{GarchMean, SeasonalConfig};
use sluicegate_model::feature::CalendarFeature;
use sluicegate_model::{ForecastConfig, LayoutKind, ModelKind};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::{Outcome, Suite};

const CONTROLS: [ModelKind; 6] =
    [ModelKind::Persistence, ModelKind::Seasonal, ModelKind::Markov, ModelKind::Ar, ModelKind::Ewma, ModelKind::Garch];

/// `kind` as the model and all others beside it, with settings so small that everything happens on a short log.
fn config(spec: &LogSpec, kind: ModelKind) -> ForecastConfig {
    let mut config = ForecastConfig::new(spec.target_names());
    config.model.kind = kind;
    config.controls = CONTROLS.into_iter().filter(|control| *control != kind).collect();
    config.features.calendar = vec![CalendarFeature::Hour];
    config.persistence.adapt = true;
    config.seasonal = Some(SeasonalConfig { period: 5 });
    config.ewma.decay = 0.8;
    (config.garch.refit_every, config.garch.window) = (20, 60);
    config
}

fn suite(config: &ForecastConfig, spec: &LogSpec) -> Suite {
    suite_on(config, spec, spec.build())
}

fn suite_on(config: &ForecastConfig, spec: &LogSpec, log: Batch) -> Suite {
    let (config, schema) = (config.clone(), spec.schema());
    Suite::new(move || common::operator(&config, &schema, Path::new("."), &Metrics::new()), log)
}

/// Rows of a long table by the model that issued them.
fn of_model(table: &RecordBatch, model: &str) -> RecordBatch {
    let models =
        arrow::compute::cast(table.column_by_name("model").unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
    let rows = models.as_string::<i32>().iter().map(|name| Some(name == Some(model))).collect();
    arrow::compute::filter_record_batch(table, &rows).unwrap()
}

/// Entries of a snapshot that hold what a control has learned, all of whose numbers are to be finite.
fn learned(snapshot: &[u8]) -> Vec<(String, Vec<f64>)> {
    const NAMES: [&str; 7] =
        ["parameters", "variance", "variance.square", "tail.losses", "error.square", "weights", "covariance"];
    let reader = SnapshotReader::parse(snapshot).unwrap();
    let of_model = |name: &str| {
        let scoped =
            name.strip_prefix("model.").or_else(|| name.strip_prefix("member.")?.split_once('.').map(|(_, n)| n));
        scoped.is_some_and(|name| NAMES.contains(&name))
    };
    let entries = reader.entries().into_iter().filter(|entry| of_model(&entry.name));
    entries.map(|entry| (entry.name.clone(), reader.f64(&entry.name, &entry.shape).unwrap())).collect()
}

fn assert_finite(outcome: &Outcome) {
    let learned = learned(&outcome.snapshot);
    // One of persistence and seasonal each, two of autoregression and markov each, two of ewma and garch each, one of tails.
    assert_eq!(learned.len(), 13, "{:?}", learned.iter().map(|(path, _)| path).collect::<Vec<_>>());
    for (path, values) in learned {
        assert!(values.iter().all(|value| value.is_finite()), "{path}: {values:?}");
    }
    let table = outcome.table.as_ref().unwrap();
    let (means, scales, shapes) =
        (common::numbers(table, "mean"), common::numbers(table, "scale"), common::numbers(table, "shape"));
    for ((mean, scale), shape) in means.iter().zip(&scales).zip(&shapes) {
        let none = mean.is_nan() && scale.is_nan() && shape.is_nan();
        assert!(
            none || (mean.is_finite() && *scale > 0.0 && scale.is_finite() && *shape > 2.0),
            "{mean} {scale} {shape}"
        );
    }
}

#[test]
fn every_control_keeps_the_laws_as_the_model_and_beside_it() {
    let spec = LogSpec { rows: 500, keys: 3, targets: 2, missing: 0.1, ..LogSpec::default() };
    for (kind, horizons) in CONTROLS.into_iter().zip([vec![1], vec![1, 4], vec![2], vec![3, 1], vec![6], vec![1, 7]]) {
        let mut config = config(&spec, kind);
        config.horizons = horizons;
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 7, 64]);
        suite.assert_snapshot_is_prefix(333, 50);
        let outcome = suite.run(64);
        assert_finite(&outcome);
        let garch = learned(&outcome.snapshot).into_iter().find(|(path, _)| path.ends_with(".parameters")).unwrap().1;
        assert!(garch.chunks_exact(5).all(|parameters| parameters != [0.0, 0.0, 0.06, 0.94, 4.0]), "no fit: {garch:?}");
    }
}

#[test]
fn no_control_sees_the_value_it_forecasts() {
    let spec = LogSpec { rows: 300, keys: 2, ..LogSpec::default() };
    for (kind, horizons) in [(ModelKind::Garch, vec![1]), (ModelKind::Persistence, vec![1, 4])] {
        let mut config = config(&spec, kind);
        config.horizons = horizons;
        let suite = suite(&config, &spec);
        for row in [1, 2, 40, 150, 298] {
            suite.assert_predicts_before_learning("y0", row, &["offset", "key", "time", "target", "model", "forecast"]);
        }
    }
}

#[test]
fn the_calendar_moves_autoregression_and_not_the_first_order() {
    let spec = LogSpec { rows: 300, keys: 2, ..LogSpec::default() };
    let mut config = config(&spec, ModelKind::Markov);
    let with = suite(&config, &spec).run(64).table.unwrap();
    config.features.calendar.clear();
    let without = suite(&config, &spec).run(64).table.unwrap();
    assert!(of_model(&with, "forecast") == of_model(&without, "forecast"));
    assert!(of_model(&with, "ar") != of_model(&without, "ar"));
}

#[test]
fn a_period_that_is_not_given_is_asked_for() {
    let spec = LogSpec::default();
    let mut config = config(&spec, ModelKind::Persistence);
    config.seasonal = None;
    let error = config.bind(&spec.schema(), &PipelineContext::new("test", Path::new("."))).err().unwrap().to_string();
    assert_eq!(
        error,
        "`seasonal`: the model `seasonal` forecasts the value of one period ago, and no period is given; \
         write seasonal = { period = 24 } for a day of hourly values, in events of a key"
    );
}

#[test]
fn settings_that_a_state_rests_on_may_not_change_and_others_may() {
    let spec = LogSpec::default();
    let config = config(&spec, ModelKind::Garch);
    let snapshot = suite(&config, &spec).snapshot_after(300);
    let reader = SnapshotReader::parse(&snapshot).unwrap();
    let restored = |change: fn(&mut ForecastConfig)| {
        let mut other = config.clone();
        change(&mut other);
        common::operator(&other, &spec.schema(), Path::new("."), &Metrics::new()).restore(&reader)
    };
    type Change = fn(&mut ForecastConfig);
    let cases: [(&str, Change); 3] = [
        ("persistence.adapt", |c| c.persistence.adapt = false),
        ("seasonal.period", |c| c.seasonal = Some(SeasonalConfig { period: 6 })),
        ("garch.window", |c| c.garch.window = 61),
    ];
    for (setting, change) in cases {
        let message = restored(change).unwrap_err().to_string();
        assert!(message.contains(&format!("`{setting}`")), "{setting}: {message}");
    }
    restored(|c| {
        c.ewma.decay = 0.9;
        (c.garch.refit_every, c.garch.mean) = (500, GarchMean::Constant);
    })
    .unwrap();
}

#[test]
fn a_damaged_snapshot_is_refused_or_restores_without_a_panic() {
    let spec = LogSpec { rows: 200, keys: 2, ..LogSpec::default() };
    let config = config(&spec, ModelKind::Garch);
    let snapshot = suite(&config, &spec).snapshot_after(150);
    for place in (0..snapshot.len()).step_by(snapshot.len() / 200) {
        let mut changed = snapshot.clone();
        changed[place] ^= 0x40;
        let Ok(reader) = SnapshotReader::parse(&changed) else { continue };
        let mut operator = common::operator(&config, &spec.schema(), Path::new("."), &Metrics::new());
        if operator.restore(&reader).is_ok() {
            let _worked_or_not = operator.process(spec.build().slice(150, 50), &mut sluicegate_core::Output::new());
        }
    }
}

/// A log of the given values, keys in turn.
fn log(spec: &LogSpec, values: &[Vec<Option<f64>>]) -> Batch {
    let rows = values.iter().map(Vec::len).max().unwrap_or(0) * values.len();
    let of = |row: usize| values[row % values.len()].get(row / values.len()).copied();
    let rows: Vec<(usize, Option<f64>)> = (0..rows).filter_map(|row| of(row).map(|value| (row, value))).collect();
    let times = rows.iter().map(|(row, _)| Some(60_000_000 * *row as i64));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(row, _)| format!("key-{}", row % values.len())))),
        Arc::new(rows.iter().map(|(_, value)| *value).collect::<Float64Array>()),
    ];
    let records = RecordBatch::try_new(spec.schema(), columns).unwrap();
    Batch::new(PartitionId::new("log"), Offsets::dense(Offset(0), rows.len()).unwrap(), records).unwrap()
}

#[test]
fn one_poisoned_key_does_not_move_the_forecasts_of_another() {
    let spec = LogSpec::default();
    let well: Vec<Option<f64>> = (0..200).map(|i| Some(f64::from(i * 37 % 101))).collect();
    let ill = |i: i32| [Some(1e30), Some(-1e100), None, Some(f64::NAN), Some(0.0)][i as usize % 5];
    let ill: Vec<Option<f64>> = (0..200).map(ill).collect();
    for kind in CONTROLS {
        let config = config(&spec, kind);
        let run = |values: &[Vec<Option<f64>>]| suite_on(&config, &spec, log(&spec, values)).run(64);
        let (beside, alone) = (run(&[well.clone(), ill.clone()]), run(&[well.clone(), vec![Some(1.0)]]));
        assert_finite(&beside);
        let means = |outcome: &Outcome| {
            let table = of_model(outcome.table.as_ref().unwrap(), "forecast");
            let keys = arrow::compute::cast(table.column_by_name("key").unwrap(), &arrow::datatypes::DataType::Utf8);
            let rows = keys.unwrap().as_string::<i32>().iter().map(|key| Some(key == Some("key-0"))).collect();
            let table = arrow::compute::filter_record_batch(&table, &rows).unwrap();
            let bits = |column: &str| common::numbers(&table, column).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            [bits("mean"), bits("scale"), bits("shape")]
        };
        assert_eq!(means(&beside), means(&alone), "{kind:?}");
    }
}

/// Stretches of what real and broken streams hold: each a value or a walk, and how long it lasts.
fn adversarial() -> impl Strategy<Value = Vec<Option<f64>>> {
    const VALUES: [f64; 10] = [0.0, 1.0, -0.0, 1e30, -1e30, 1e100, 1e200, 1e-300, f64::INFINITY, f64::NAN];
    const SIZES: [f64; 4] = [1e-8, 1.0, 1e6, 1e30];
    let stretch = prop_oneof![
        (prop::sample::select(&VALUES[..]), 1usize..40).prop_map(|(value, n)| vec![Some(value); n]),
        (1usize..40).prop_map(|n| vec![None; n]),
        (prop::sample::select(&SIZES[..]), prop::collection::vec(-1.0..1.0f64, 1..80))
            .prop_map(|(size, walk)| walk.into_iter().map(|value| Some(size * value)).collect()),
    ];
    prop::collection::vec(stretch, 1..8).prop_map(|stretches| stretches.concat())
}

fn any_config() -> impl Strategy<Value = (ForecastConfig, LogSpec)> {
    let share = || prop_oneof![Just(0.0), Just(0.2)];
    let spec =
        (1usize..8, 1usize..3, share(), share(), any::<u64>()).prop_map(|(keys, targets, missing, hostile, seed)| {
            LogSpec { rows: 200, keys, targets, missing, hostile, seed, ..LogSpec::default() }
        });
    let horizons = prop_oneof![Just(vec![1]), Just(vec![2]), Just(vec![3, 1]), Just(vec![9])];
    let layout = prop_oneof![Just(LayoutKind::Long), Just(LayoutKind::Wide)];
    let max_keys = prop_oneof![Just(None), Just(Some(4))];
    let mean = prop_oneof![Just(GarchMean::Zero), Just(GarchMean::Constant)];
    let kind = prop::sample::select(&CONTROLS[..]);
    (spec, kind, horizons, layout, max_keys, any::<bool>(), 2usize..30, mean).prop_map(
        |(spec, kind, horizons, layout, max_keys, adapt, period, mean)| {
            let mut config = config(&spec, kind);
            (config.horizons, config.layout, config.max_keys) = (horizons, layout, max_keys);
            (config.persistence.adapt, config.seasonal) = (adapt, Some(SeasonalConfig { period }));
            config.garch.mean = mean;
            (config, spec)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_for_any_settings((config, spec) in any_config(), size in 1usize..70, at in 0usize..200) {
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[size]);
        suite.assert_snapshot_is_prefix(at, size);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_stream_holds_makes_a_control_anything_but_finite(
        keys in prop::collection::vec(adversarial(), 1..4),
        horizons in prop_oneof![Just(vec![1]), Just(vec![1, 5]), Just(vec![30])],
        mean in prop_oneof![Just(GarchMean::Zero), Just(GarchMean::Constant)],
    ) {
        let spec = LogSpec::default();
        let mut config = config(&spec, ModelKind::Garch);
        (config.horizons, config.garch.mean) = (horizons, mean);
        assert_finite(&suite_on(&config, &spec, log(&spec, &keys)).run(64));
    }
}
