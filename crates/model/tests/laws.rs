//! The laws of the forecast operator, over random logs and settings.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::suite::{assert_learned, config, parameters, run_for_metrics, suite};
use proptest::prelude::*;
use sluicegate_core::{Batch, Metrics, Output, SnapshotReader};
use sluicegate_model::cell::{GruVariant, RecurrentKind};
use sluicegate_model::feature::{CalendarFeature, TransformConfig, TransformKind};
use sluicegate_model::head::HeadKind;
use sluicegate_model::optimizer::{OptimizerConfig, OptimizerKind};
use sluicegate_model::{
    BackendKind, BpttConfig, DriftConfig, ForecastConfig, LayoutKind, MixtureConfig, MixtureSetting, ModelKind,
};
use sluicegate_testkit::logs::LogSpec;

fn waiting_windows(snapshot: &[u8]) -> usize {
    SnapshotReader::parse(snapshot).unwrap().scope("model.pending").shape("row").unwrap()[0]
}

#[test]
fn cutting_the_log_anywhere_changes_nothing_with_300_keys_and_32_units() {
    let spec = LogSpec { rows: 3000, keys: 300, ..LogSpec::default() };
    let mut config = config(&spec);
    config.model.hidden = 32;
    config.model.bptt = BpttConfig { every: 2, window: Some(4.into()) };
    config.model.update_every = Some(250);
    for backend in [BackendKind::Native, BackendKind::Libtorch] {
        config.model.backend = backend;
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 2, 3, 7, 8, 9, 1000]);
        assert_learned(&suite, &config, &spec);
        // Windows of several keys wait together, and a snapshot catches them there.
        assert!(waiting_windows(&suite.snapshot_after(1900)) > 3);
        suite.assert_snapshot_is_prefix(1900, 97);
    }
}

#[test]
fn a_state_of_one_backend_goes_on_with_the_other() {
    const BEFORE: usize = 400;
    let spec = LogSpec { rows: 500, keys: 3, ..LogSpec::default() };
    for kind in [ModelKind::Lstm, ModelKind::Gru, ModelKind::Rnn] {
        let mut config = config(&spec);
        config.model.kind = kind;
        let [native, torch] = [BackendKind::Native, BackendKind::Libtorch].map(|backend| {
            config.model.backend = backend;
            config.clone()
        });
        let snapshot = suite(&torch, &spec).snapshot_after(BEFORE);
        let means = |config: &ForecastConfig| {
            let log = spec.build();
            let mut operator = common::operator(config, &log.records().schema(), Path::new("."), &Metrics::new());
            operator.restore(&SnapshotReader::parse(&snapshot).unwrap()).unwrap();
            let mut out = Output::new();
            operator.process(log.slice(BEFORE, spec.rows - BEFORE), &mut out).unwrap();
            let means = |batch: Batch| common::numbers(batch.records(), "mean");
            out.take().into_iter().flat_map(means).collect::<Vec<f64>>()
        };
        let (here, there) = (means(&native), means(&torch));
        assert!(here.len() >= spec.rows - BEFORE && here.len() == there.len());
        for (here, there) in here.iter().zip(&there) {
            assert!((here - there).abs() < 1e-3 * there.abs().max(1.0), "{kind:?}: {here} against {there}");
        }
        assert_ne!(here, there, "the backends differ in last bits, or one was not used");
    }
}

#[test]
fn changing_a_value_reaches_neither_earlier_rows_nor_the_forecast_of_its_own_row() {
    let spec = LogSpec { rows: 300, keys: 3, targets: 2, ..LogSpec::default() };
    for (kind, horizons) in [(ModelKind::Lstm, vec![1]), (ModelKind::Gru, vec![1, 4])] {
        let mut config = config(&spec);
        config.model.kind = kind;
        config.horizons = horizons;
        let suite = suite(&config, &spec);
        for row in [1, 2, 40, 150, 298] {
            suite.assert_predicts_before_learning("y0", row, &["offset", "key", "time", "target", "model", "forecast"]);
        }
        assert_learned(&suite, &config, &spec);
    }
}

#[test]
fn evicted_keys_leave_their_waiting_windows_and_start_afresh() {
    let spec = LogSpec { rows: 600, keys: 20, ..LogSpec::default() };
    for (max_keys, ttl_events) in [(Some(6), None), (None, Some(15)), (Some(8), Some(40))] {
        let mut config = config(&spec);
        (config.max_keys, config.ttl_events) = (max_keys, ttl_events);
        config.model.update_every = Some(50);
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 7, 64]);
        suite.assert_snapshot_is_prefix(333, 50);
        let metrics = run_for_metrics(&config, &spec);
        assert!(common::metric(&metrics, "forecast_keys_evicted") > 50.0);
        assert_learned(&suite, &config, &spec);
    }
}

#[test]
fn hostile_values_break_nothing_and_are_counted() {
    let spec = LogSpec { rows: 1500, keys: 4, targets: 2, missing: 0.1, hostile: 0.05, seed: 3, ..LogSpec::default() };
    for head in [HeadKind::StudentT, HeadKind::Gaussian] {
        let mut config = config(&spec);
        config.model.head = head;
        config.features.missing_indicator = true;
        config.features.scale_ratio = true;
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[13]);
        assert!(parameters(&suite.run(64).snapshot).iter().all(|value| value.is_finite()));
        assert_learned(&suite, &config, &spec);
        let metrics = run_for_metrics(&config, &spec);
        let bad = |reason: &str| -> f64 {
            let of = |sample: &&sluicegate_core::Sample| {
                sample.name == "forecast_bad_values" && sample.label("reason") == Some(reason)
            };
            metrics.samples().iter().filter(of).map(|sample| sample.value).sum()
        };
        assert!(bad("missing") > 100.0 && bad("not-finite") > 30.0);
    }
}

#[test]
fn a_mixture_is_no_worse_than_any_member_by_more_than_its_bound() {
    let spec = LogSpec { rows: 2400, keys: 3, missing: 0.05, ..LogSpec::default() };
    let mut config = config(&spec);
    config.horizons = vec![1, 2];
    config.mixture = MixtureSetting::On(MixtureConfig {
        rates: Some(vec![3e-4, 1e-2]),
        emit_members: true,
        zero_mean: true,
        share: 0.02,
    });
    let suite = suite(&config, &spec);
    suite.assert_rechunking(&[1, 9]);
    suite.assert_snapshot_is_prefix(777, 30);
    let table = suite.run(64).table.unwrap();
    let texts = |column: &str| common::texts(&table, column);
    let (keys, models, families) = (texts("key"), texts("model"), texts("family"));
    let horizons: Vec<i32> = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(
        table.column_by_name("horizon").unwrap().as_ref(),
    )
    .values()
    .to_vec();
    let (nll, weights) = (common::numbers(&table, "nll"), common::numbers(&table, "weight"));
    let names =
        ["forecast", "lstm@0.0003", "lstm@0.01", "lstm@0.0003-zero-mean", "lstm@0.01-zero-mean", "persistence", "ar"];
    assert_eq!(models[..names.len()], names);
    // Weights of what was issued sum to 1, and the mixture itself has none.
    for row in (0..table.num_rows()).step_by(names.len()).filter(|row| families[*row] == "mixture") {
        assert!(weights[row].is_nan());
        let sum: f64 = weights[row + 1..row + names.len()].iter().filter(|weight| !weight.is_nan()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "row {row}: {sum}");
    }
    for key in ["key-0", "key-1", "key-2"] {
        for horizon in [1, 2] {
            let of = |model: &str| -> Vec<f64> {
                let rows = (0..table.num_rows()).filter(|row| keys[*row] == key && horizons[*row] == horizon);
                rows.filter(|row| models[*row] == model).map(|row| nll[row]).collect()
            };
            let mixed = of("forecast");
            for member in &names[1..] {
                let alone = of(member);
                // Where both said something; a member may have nothing to say at first.
                let both: Vec<(f64, f64)> = mixed
                    .iter()
                    .zip(&alone)
                    .filter(|(a, b)| !a.is_nan() && !b.is_nan())
                    .map(|(a, b)| (*a, *b))
                    .collect();
                let n = both.len() as f64;
                let behind = both.iter().map(|(mixed, alone)| mixed - alone).sum::<f64>() / n;
                // One interleaved sequence per step of the horizon, each with its own bound.
                let per = n / f64::from(horizon);
                let bound = 6f64.ln() / per - (per - 1.0) / per * 0.98f64.ln();
                assert!(n > 600.0 && behind <= bound, "{key}, {horizon} ahead, {member}: {behind} > {bound}");
            }
        }
    }
}

#[test]
fn a_snapshot_of_other_settings_is_refused_by_the_name_of_the_setting() {
    let spec = LogSpec { targets: 2, inputs: 1, ..LogSpec::default() };
    let snapshot = suite(&config(&spec), &spec).snapshot_after(100);
    let reader = SnapshotReader::parse(&snapshot).unwrap();
    type Change = fn(&mut ForecastConfig);
    let cases: [(&str, Change); 15] = [
        ("targets", |c| c.targets.reverse()),
        ("horizons", |c| c.horizons = vec![2]),
        ("transform", |c| {
            c.transform = Some(TransformConfig { kind: TransformKind::Log, unit: 1.0, targets: None });
        }),
        ("features.lags", |c| c.features.lags = vec![3]),
        ("features.elapsed", |c| c.features.elapsed = true),
        ("features.scale_ratio", |c| c.features.scale_ratio = true),
        ("features.calendar", |c| c.features.calendar = vec![CalendarFeature::Weekday]),
        ("interval", |c| c.interval = Some("1h".into())),
        ("controls", |c| c.controls.reverse()),
        ("mixture", |c| c.mixture = MixtureSetting::On(MixtureConfig::default())),
        ("drift", |c| c.drift = Some(DriftConfig::default())),
        ("ar.lags", |c| c.ar.lags = vec![3, 2, 1]),
        ("model.head", |c| c.model.head = HeadKind::Gaussian),
        ("model.hidden", |c| c.model.hidden = 5),
        ("model.bptt.window", |c| c.model.bptt.window = Some(4.into())),
    ];
    for (setting, change) in cases {
        let mut other = config(&spec);
        change(&mut other);
        let mut operator = common::operator(&other, &spec.schema(), Path::new("."), &Metrics::new());
        let message = operator.restore(&reader).unwrap_err().to_string();
        assert!(message.contains(&format!("`{setting}`")), "{setting}: {message}");
    }
    let cases: [(ModelKind, &str, Change); 6] = [
        (ModelKind::Lstm, "model.layers", |c| c.model.layers = 2),
        (ModelKind::Gru, "model.variant", |c| c.model.variant = Some(GruVariant::ResetBefore)),
        (ModelKind::Mlp, "model.lags", |c| c.model.lags = Some(7)),
        (ModelKind::FullHistory, "model.cell", |c| c.model.cell = Some(RecurrentKind::Gru)),
        (ModelKind::FullHistory, "model.history_max", |c| c.model.history_max = Some(100)),
        (ModelKind::FullHistory, "model.kind", |c| c.model.kind = ModelKind::Lstm),
    ];
    for (kind, setting, change) in cases {
        let mut other = config(&spec);
        other.model.kind = kind;
        let snapshot = suite(&other, &spec).snapshot_after(20);
        change(&mut other);
        let mut operator = common::operator(&other, &spec.schema(), Path::new("."), &Metrics::new());
        let message = operator.restore(&SnapshotReader::parse(&snapshot).unwrap()).unwrap_err().to_string();
        assert!(message.contains(&format!("`{setting}`")), "{setting}: {message}");
    }
    // What only steers the run may change.
    let mut other = config(&spec);
    other.model.optimizer.rate = 1e-4;
    other.model.learn = false;
    other.scores.from = 10;
    let mut operator = common::operator(&other, &spec.schema(), Path::new("."), &Metrics::new());
    operator.restore(&reader).unwrap();
}

#[test]
fn an_older_snapshot_can_be_restored_into_a_used_operator() {
    let spec = LogSpec::default();
    let (config, metrics) = (config(&spec), Metrics::new());
    let suite = suite(&config, &spec);
    let (early, log) = (suite.snapshot_after(50), spec.build());
    let mut operator = common::operator(&config, &spec.schema(), Path::new("."), &metrics);
    let mut out = sluicegate_core::Output::new();
    operator.process(log.slice(0, 300), &mut out).unwrap();
    operator.restore(&SnapshotReader::parse(&early).unwrap()).unwrap();
    let before = common::metric(&metrics, "forecast_updates");
    operator.process(log.slice(50, 100), &mut out).unwrap();
    operator.finish(&mut out).unwrap();
    assert!((1.0..=100.0).contains(&(common::metric(&metrics, "forecast_updates") - before)));
}

#[test]
fn evicting_a_key_does_not_break_up_the_batches_of_the_others() {
    // One key more than there is room for, in turn: every row evicts one, never one that waits in the same wave.
    let spec = LogSpec { rows: 400, keys: 40, ..LogSpec::default() };
    let mut config = config(&spec);
    (config.max_keys, config.model.update_every) = (Some(30), Some(100));
    let suite = suite(&config, &spec);
    suite.assert_rechunking(&[1, 3, 50]);
    suite.assert_snapshot_is_prefix(211, 17);
}

#[test]
fn every_truncated_or_changed_snapshot_is_refused_or_restores_without_a_panic() {
    let spec = LogSpec { rows: 60, keys: 3, ..LogSpec::default() };
    let config = config(&spec);
    let snapshot = suite(&config, &spec).snapshot_after(50);
    for place in (0..snapshot.len()).step_by(snapshot.len() / 120) {
        assert!(SnapshotReader::parse(&snapshot[..place]).is_err());
        let mut changed = snapshot.clone();
        changed[place] ^= 0x10;
        if let Ok(reader) = SnapshotReader::parse(&changed) {
            let mut operator = common::operator(&config, &spec.schema(), Path::new("."), &Metrics::new());
            if operator.restore(&reader).is_ok() {
                // Numbers were changed; going on from them must not panic either.
                let mut out = sluicegate_core::Output::new();
                let _worked_or_not = operator.process(spec.build().slice(50, 10), &mut out);
            }
        }
    }
}

fn any_config() -> impl Strategy<Value = (ForecastConfig, LogSpec)> {
    let share = || prop_oneof![Just(0.0), Just(0.2)];
    let spec = (1usize..12, 1usize..3, share(), share(), share(), 0usize..2, any::<u64>()).prop_map(
        |(keys, targets, missing, null_keys, odd_times, inputs, seed)| LogSpec {
            rows: 160,
            keys,
            targets,
            missing,
            hostile: 0.0,
            null_keys,
            odd_times,
            inputs,
            seed,
        },
    );
    let head = prop_oneof![Just(HeadKind::StudentT), Just(HeadKind::Gaussian)];
    let optimizer = prop_oneof![Just(OptimizerKind::Adam), Just(OptimizerKind::Sgd)];
    let horizons = prop_oneof![Just(vec![1]), Just(vec![2]), Just(vec![3, 1])];
    let layout = prop_oneof![Just(LayoutKind::Long), Just(LayoutKind::Wide)];
    let learning = (1usize..4, 1usize..4, 1u64..30);
    let keys = prop_oneof![Just(None), Just(Some(4))];
    let mixed = MixtureConfig {
        rates: Some(vec![1e-3, 1e-2]),
        emit_members: true,
        zero_mean: true,
        ..MixtureConfig::default()
    };
    // So that there are alarms within some rows.
    let drift = DriftConfig { threshold: 3.0, events_min: 5, ..DriftConfig::default() };
    let mixture = prop_oneof![Just(MixtureSetting::Off), Just(MixtureSetting::On(mixed))];
    let memory = (keys, mixture, prop_oneof![Just(None), Just(Some(drift))]);
    (spec, proptest::sample::select(common::network::networks()), head, optimizer, horizons, layout, learning, memory)
        .prop_map(
            |(
                spec,
                member,
                head,
                optimizer,
                horizons,
                layout,
                (every, windows, update_every),
                (max_keys, mixture, drift),
            )| {
                let mut config = config(&spec);
                config.model.head = head;
                config.model.optimizer = OptimizerConfig { kind: optimizer, ..OptimizerConfig::default() };
                config.model.bptt.every = every;
                member.apply(&mut config, every * windows);
                config.model.update_every = Some(update_every);
                config.horizons = horizons;
                config.layout = layout;
                config.max_keys = max_keys;
                (config.mixture, config.drift) = (mixture, drift);
                config.features.inputs = spec.input_names();
                (config, spec)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_for_any_settings(
        (config, spec) in any_config(),
        size in 1usize..70,
        at in 0usize..160,
        changed in 1usize..159,
    ) {
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[size]);
        suite.assert_snapshot_is_prefix(at, size);
        // 160 rows, at most 13 keys, a span of at most 30 rows: unless keys go all the time, something is learned.
        if config.max_keys.is_none() {
            assert_learned(&suite, &config, &spec);
        }
        if config.layout == LayoutKind::Long && spec.missing == 0.0 {
            suite.assert_predicts_before_learning("y0", changed, &["forecast"]);
        }
    }
}

#[test]
fn keys_known_after_a_restart_include_those_of_before() {
    let spec = LogSpec { rows: 200, keys: 5, ..LogSpec::default() };
    let (config, log) = (config(&spec), spec.build());
    let snapshot = suite(&config, &spec).snapshot_after(200);
    let metrics = Metrics::new();
    let mut operator = common::operator(&config, &log.records().schema(), Path::new("."), &metrics);
    operator.restore(&SnapshotReader::parse(&snapshot).unwrap()).unwrap();
    assert_eq!(common::metric(&metrics, "forecast_keys_known"), 5.0);
    assert_eq!(common::metric(&metrics, "forecast_keys"), 0.0, "none is new");
}
