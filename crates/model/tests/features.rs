//! The laws for every kind of feature, each switched on alone: nothing is seen before it happens, and what is kept of a key is
//! in the snapshot.

mod common;

use std::path::Path;

use proptest::prelude::*;
use sluicegate_core::Metrics;
use sluicegate_model::feature::{CalendarFeature, Event, FeatureConfig, Features};
use sluicegate_model::score::EwMoments;
use sluicegate_model::{Dims, ForecastConfig, MixtureSetting, Wave};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

/// Every kind of feature alone, then all of them. A new one does not compile before it is taken apart here: give it a line.
fn every_kind(inputs: &[String]) -> Vec<(&'static str, FeatureConfig)> {
    let base = FeatureConfig::default();
    let FeatureConfig {
        calendar: _,
        inputs: _,
        categories: _,
        lags: _,
        elapsed: _,
        scale_ratio: _,
        missing_indicator: _,
        level_alpha: _,
        scale_alpha: _,
    } = &base;
    let mut kinds: Vec<(&str, FeatureConfig)> = vec![
        ("none", base.clone()),
        ("calendar", FeatureConfig { calendar: CalendarFeature::ALL.to_vec(), ..base.clone() }),
        ("inputs", FeatureConfig { inputs: inputs.to_vec(), ..base.clone() }),
        ("categories", FeatureConfig { categories: vec!["key".to_owned()], ..base.clone() }),
        ("lags", FeatureConfig { lags: vec![1, 2, 7], ..base.clone() }),
        ("elapsed", FeatureConfig { elapsed: true, ..base.clone() }),
        ("scale_ratio", FeatureConfig { scale_ratio: true, ..base.clone() }),
        ("missing_indicator", FeatureConfig { missing_indicator: true, ..base.clone() }),
        ("level_alpha", FeatureConfig { level_alpha: 0.02, ..base.clone() }),
        ("scale_alpha", FeatureConfig { scale_alpha: 0.2, ..base }),
    ];
    let all = FeatureConfig {
        calendar: CalendarFeature::ALL.to_vec(),
        inputs: inputs.to_vec(),
        categories: vec!["key".to_owned()],
        lags: vec![1, 2, 7],
        elapsed: true,
        scale_ratio: true,
        missing_indicator: true,
        level_alpha: 0.02,
        scale_alpha: 0.2,
    };
    kinds.push(("all", all));
    kinds
}

/// An event of a made-up log: key, time, value, value of a further column.
type Made = (usize, Option<i64>, f64, f64);

fn made() -> impl Strategy<Value = Made> {
    let value = || prop_oneof![8 => -3.0..3.0f64, 1 => Just(f64::NAN), 1 => Just(1e30)];
    // Minutes, mostly forwards as the rows are sorted; some are missing.
    (0usize..3, prop::option::weighted(0.9, 0i64..10_000), value(), value())
}

fn seen(config: &FeatureConfig, horizons: &[usize], interval: Option<i64>, log: &[Made]) -> Wave {
    let calendar = config.calendar_width();
    let dims = Dims { targets: 1, horizons: horizons.to_vec(), inputs: config.width(1), calendar, ..Dims::default() };
    let mut features = Features::new(config, &dims, interval);
    features.reserve(3);
    let (mut wave, mut counts) = (Wave::default(), [0u64; 3]);
    for (row, (slot, minutes, y, x)) in log.iter().enumerate() {
        let inputs = [*x];
        let event = Event {
            slot: *slot,
            row: row as i64,
            index: counts[*slot],
            time: minutes.map(|minutes| minutes * 60_000_000),
            targets: &[*y],
            inputs: &inputs[..config.inputs.len()],
            carried_inputs: &[],
        };
        features.observe(&event, &mut wave);
        counts[*slot] += 1;
    }
    assert_eq!(wave.inputs.len(), log.len() * dims.inputs, "the stated width");
    assert!(wave.inputs.iter().all(|input| input.is_finite()));
    wave
}

/// Everything that models look at of the first `rows` events, bit by bit.
fn bits(wave: &Wave, rows: usize) -> Vec<u64> {
    let per_row = |values: &[f64]| values[..values.len() / wave.len() * rows].iter().map(|v| v.to_bits()).collect();
    let mut bits: Vec<u64> =
        wave.inputs[..wave.inputs.len() / wave.len() * rows].iter().map(|v| u64::from(v.to_bits())).collect();
    for values in [&wave.level, &wave.level_feature, &wave.scale_min, &wave.scale, &wave.difference, &wave.calendar] {
        bits.extend::<Vec<u64>>(per_row(values));
    }
    bits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens from row t on, to values, times and further columns, no model sees anything of it before row t.
    #[test]
    fn no_feature_sees_the_future(
        mut log in prop::collection::vec(made(), 2..60),
        other in prop::collection::vec(made(), 60),
        at in 0.0..1.0f64,
        sorted in any::<bool>(),
        horizon in 1usize..12,
    ) {
        if sorted {
            let mut times: Vec<Option<i64>> = log.iter().map(|made| made.1).collect();
            times.sort_unstable();
            log.iter_mut().zip(times).for_each(|(made, time)| made.1 = time);
        }
        let row = (at * log.len() as f64) as usize;
        let mut changed = log.clone();
        changed[row..].copy_from_slice(&other[row..log.len()]);
        for (kind, config) in every_kind(&["x0".to_owned()]) {
            for interval in [None, Some(60_000_000)] {
                let before = seen(&config, &[1, 1 + horizon], interval, &log);
                let after = seen(&config, &[1, 1 + horizon], interval, &changed);
                prop_assert_eq!(bits(&before, row), bits(&after, row), "{} at row {}", kind, row);
            }
        }
    }
}

#[test]
fn every_feature_says_something() {
    let log: Vec<Made> = (0..40)
        .map(|row| {
            let y = if row % 9 == 4 { f64::NAN } else { (row as f64 * 0.7).sin() * (1.0 + row as f64) };
            let x = if row % 7 == 3 { f64::NAN } else { (row as f64 * 0.3).cos() };
            (0, Some((row * row * 97) % 10_000 + row * 10_000), y, x)
        })
        .collect();
    let plain = FeatureConfig::default().width(1);
    // Classes are no numbers of the input: the network has its own for them.
    let of_numbers = |(kind, _): &(&str, FeatureConfig)| !["none", "categories"].contains(kind);
    for (kind, config) in every_kind(&["x0".to_owned()]).into_iter().filter(of_numbers) {
        let (wave, width) = (seen(&config, &[1], None, &log), config.width(1));
        if kind.ends_with("_alpha") {
            // A weight adds no number, but makes others of them or of the scales.
            let usual = seen(&FeatureConfig::default(), &[1], None, &log);
            assert!(wave.inputs != usual.inputs || wave.scale != usual.scale, "{kind} changes nothing");
            continue;
        }
        assert!(width > plain, "{kind} adds nothing");
        for column in 0..width {
            let mut values: Vec<u32> =
                wave.inputs.iter().skip(column).step_by(width).map(|value| value.to_bits()).collect();
            values.sort_unstable();
            values.dedup();
            assert!(values.len() > 1, "{kind}: column {column} never changes");
        }
    }
}

/// A lag is a level of before in the units of now: its distance from the running mean in running deviations.
#[test]
fn a_lag_is_the_level_so_many_events_ago() {
    let values = [3.0, 4.0, f64::NAN, 9.0, 1.0, 2.0, 7.0];
    let log: Vec<Made> = values.iter().map(|y| (1, None, *y, 0.0)).collect();
    let config = FeatureConfig { lags: vec![3, 1], ..FeatureConfig::default() };
    // Horizons shorter and longer than the lags: the levels are kept in one ring.
    for horizons in [&[1][..], &[2, 5]] {
        let wave = seen(&config, horizons, None, &log);
        let mut level = EwMoments::default();
        // The missing value's level is the last one.
        let levels = [3.0, 4.0, 4.0, 9.0, 1.0, 2.0, 7.0];
        for (row, (inputs, y)) in wave.inputs.chunks_exact(4).zip(values).enumerate() {
            level.update(0.002, y);
            for (input, lag) in inputs[2..].iter().zip([3, 1]) {
                let expected = match row.checked_sub(lag) {
                    Some(then) => ((levels[then] - level.mean()) / level.deviation().max(1e-8)).clamp(-5.0, 5.0),
                    None => 0.0,
                };
                assert!((f64::from(*input) - expected).abs() < 1e-6, "row {row}, lag {lag}: {input}, not {expected}");
            }
        }
    }
}

/// Laws 1, 2 and 3 of the operator with each feature switched on.
#[test]
fn the_laws_hold_with_every_feature() {
    let spec = LogSpec { rows: 220, keys: 3, missing: 0.1, odd_times: 0.1, inputs: 1, seed: 5, ..LogSpec::default() };
    for (_, features) in every_kind(&spec.input_names()) {
        let mut config = ForecastConfig::new(spec.target_names());
        config.model.hidden = 4;
        config.mixture = MixtureSetting::Off;
        config.horizons = vec![1, 3];
        let looks_at_inputs = !features.inputs.is_empty();
        config.features = features;
        let schema = spec.schema();
        let build = move || common::operator(&config, &schema, Path::new("."), &Metrics::new());
        let suite = Suite::new(build, spec.build());
        suite.assert_rechunking(&[1, 7]);
        suite.assert_snapshot_is_prefix(113, 9);
        let fixed = ["offset", "key", "time", "target", "model", "forecast"];
        suite.assert_predicts_before_learning("y0", 100, &fixed);
        if looks_at_inputs {
            suite.assert_predicts_before_learning("x0", 100, &fixed);
        }
    }
}
