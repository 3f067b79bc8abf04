//! The suite of laws for forecast operators, and what keeps it from passing in vain.

use std::path::Path;

use sluicegate_core::{Metrics, SnapshotReader};
use sluicegate_model::feature::CalendarFeature;
use sluicegate_model::{ForecastConfig, MixtureSetting};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

/// The suite for `config` on the log of `spec`.
pub(crate) fn suite(config: &ForecastConfig, spec: &LogSpec) -> Suite {
    let (config, schema) = (config.clone(), spec.schema());
    let build = move || super::operator(&config, &schema, Path::new("."), &Metrics::new());
    Suite::new(build, spec.build())
}

/// What the metrics say after the whole log.
pub(crate) fn run_for_metrics(config: &ForecastConfig, spec: &LogSpec) -> Metrics {
    let metrics = Metrics::new();
    let (shared, config, schema) = (metrics.clone(), config.clone(), spec.schema());
    Suite::new(move || super::operator(&config, &schema, Path::new("."), &shared), spec.build()).run(64);
    metrics
}

/// Settings for the columns of `spec`.
pub(crate) fn config(spec: &LogSpec) -> ForecastConfig {
    let mut config = ForecastConfig::new(spec.target_names());
    config.mixture = MixtureSetting::Off;
    config.features.calendar = vec![CalendarFeature::Hour];
    config.model.hidden = 4;
    config
}

fn is_of_cell(entry: &str) -> bool {
    entry.strip_prefix("model.parameters.").is_some_and(|name| !name.starts_with("head."))
}

/// The parameters of the cell in a snapshot.
pub(crate) fn parameters(snapshot: &[u8]) -> Vec<f32> {
    let reader = SnapshotReader::parse(snapshot).unwrap();
    let all = reader.entries().into_iter().filter(|entry| is_of_cell(&entry.name));
    all.flat_map(|entry| reader.f32(&entry.name, &entry.shape).unwrap()).collect()
}

/// A test of a law must not pass because nothing was learned.
pub(crate) fn assert_learned(suite: &Suite, config: &ForecastConfig, spec: &LogSpec) {
    let updates = super::metric(&run_for_metrics(config, spec), "forecast_updates");
    assert!(updates > 0.0, "no optimizer step was taken");
    let (start, end) = (parameters(&suite.snapshot_after(0)), parameters(&suite.run(64).snapshot));
    assert!(start != end, "the parameters did not move");
}
