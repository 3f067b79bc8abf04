//! `pipelines/telemetry.toml`: forty series of machines, roads, advertisements and tweets (NAB; Lavin & Ahmad 2015), one
//! network for all of them.

use super::data_set::{DataSet, FORECASTS, Rows, Scored, Units};
use super::order;
use super::seeds::{PERSISTENCE, Seeds};
use crate::bar::Bar;
use crate::running::Done;

/// The sink of the alarms.
pub(super) const ALERTS: &str = "alerts";

pub(super) fn data_set() -> DataSet {
    DataSet {
        name: "telemetry",
        about: "mean of 40 series, each in its deviations over all its rows; after 300 rows of each",
        pipeline: "telemetry.toml",
        source: "readings",
        file: "nab.parquet",
        time: "ts",
        key: Some("series"),
        targets: &["value"],
        scored: Scored::OfKeyFrom(300),
        units: Units::Deviation,
        rows: Rows::Values,
        sinks: &[FORECASTS, ALERTS],
        overrides: &[],
    }
}

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let telemetry = data_set();
    let passes = Seeds::run(&telemetry, seeds, &[])?;
    passes.print(1)?;
    Ok(vec![
        passes.relative_mae()?.at_most("telemetry, MAE relative to persistence", 0.79),
        passes.spread(1, |figures| figures.nll)?.at_most("telemetry, NLL", -0.27),
        passes.bound(PERSISTENCE, 1)?,
        passes.coverage()?,
        order::bar(&telemetry, &passes)?,
    ])
}
