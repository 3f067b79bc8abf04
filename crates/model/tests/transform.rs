//! Targets seen through a function.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use arrow::array::AsArray as _;
use arrow::datatypes::Float64Type;
use sluicegate_core::{Batch, Metrics, Output};
use sluicegate_model::feature::{TransformConfig, TransformKind};
use sluicegate_model::{ForecastConfig, MixtureSetting, OnBadValue};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

const UNIT: f64 = 1e-4;

fn spec() -> LogSpec {
    LogSpec { rows: 300, keys: 2, targets: 2, ..LogSpec::default() }
}

fn config() -> ForecastConfig {
    let mut config = ForecastConfig::new(spec().target_names());
    config.mixture = MixtureSetting::Off;
    config.model.hidden = 4;
    config.transform =
        Some(TransformConfig { kind: TransformKind::Log, unit: UNIT, targets: Some(vec!["y0".to_owned()]) });
    config
}

/// The values of the log's first target, each changed by `change`.
fn changed(log: &Batch, change: impl Fn(usize, f64) -> f64) -> Batch {
    let values = log.records().column_by_name("y0").unwrap().as_primitive::<Float64Type>().clone();
    let values: Vec<Option<f64>> = (0..log.len()).map(|row| Some(change(row, values.value(row)))).collect();
    common::with_values(log, "y0", &values)
}

fn suite(config: ForecastConfig, log: Batch) -> Suite {
    let schema = spec().schema();
    Suite::new(move || common::operator(&config, &schema, Path::new("."), &Metrics::new()), log)
}

/// Prices that wander around 100.
fn prices() -> Batch {
    changed(&spec().build(), |_, y| 100.0 * (y / 50.0).exp())
}

/// The run is that of a log that held the logarithms, `observed`, quantiles and scores included.
#[test]
fn a_log_of_prices_is_a_log_of_their_logarithms() {
    let seen = suite(config(), prices());
    seen.assert_rechunking(&[17]);
    let mut plain = config();
    plain.transform = None;
    let logs = suite(plain, changed(&prices(), |_, price| price.ln() / UNIT));
    let (seen, expected) = (seen.run(64).table.unwrap(), logs.run(64).table.unwrap());
    assert_eq!(seen, expected);
    let observed = common::numbers(&seen, "observed");
    assert!((observed[0] - 46_000.0).abs() < 2_000.0, "basis points of a logarithm: {}", observed[0]);
}

#[test]
fn what_has_no_logarithm_is_a_bad_value() {
    let hostile = |row: usize, price: f64| match row % 10 {
        3 => 0.0,
        7 => -price,
        _ => price,
    };
    let log = changed(&prices(), hostile);
    let missing = changed(&prices(), |row, price| if [3, 7].contains(&(row % 10)) { f64::NAN } else { price });
    for policy in [OnBadValue::Mask, OnBadValue::Carry] {
        let mut config = config();
        config.bad_values.target = policy;
        let (found, expected) = (suite(config.clone(), log.clone()).run(64), suite(config, missing.clone()).run(64));
        assert_eq!(found.table, expected.table, "{policy:?}");
        assert_eq!(found.snapshot, expected.snapshot, "{policy:?}");
    }

    let run = |policy: OnBadValue| {
        let mut config = config();
        config.bad_values.target = policy;
        let mut operator = common::operator(&config, &spec().schema(), Path::new("."), &Metrics::new());
        let mut out = Output::new();
        operator.process(log.clone(), &mut out).map(|()| out.take_rejected())
    };
    let letters = run(OnBadValue::DeadLetter).unwrap();
    assert_eq!(letters.len(), 60);
    assert_eq!(letters[0].message, "column `y0` has no logarithm, as it is not above 0");
    let refused = run(OnBadValue::Fail).unwrap_err().to_string();
    assert!(refused.starts_with("offset 3: column `y0` has no logarithm"), "{refused}");
}
