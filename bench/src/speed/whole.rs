//! The whole pipeline: Parquet, forecast, Parquet.

use std::collections::HashMap;
use std::time::Duration;

use super::case::Case;
use crate::forecasts;
use crate::running::{self, Done};

/// Where the time of a run went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) wall: Duration,
    /// Of all threads; `None` where the system does not say.
    pub(super) processor: Option<Duration>,
    pub(super) source: Duration,
    pub(super) model: Duration,
    pub(super) sink: Duration,
    /// Rows written.
    pub(super) rows: u64,
}

/// Runs the pipeline of a case.
pub(super) fn run(case: &Case) -> Done<Times> {
    let run = running::run(&case.pipeline, &[])?;
    Ok(Times {
        wall: run.wall,
        processor: run.processor,
        source: run.busy("events"),
        model: run.busy("forecast"),
        sink: run.busy("forecasts"),
        rows: run.report.total("forecasts").0,
    })
}

/// How good forecasts are that were made fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quality {
    pub(super) nll: f64,
    /// Mean absolute error in units of that of the last value, on the same events.
    pub(super) relative_mae: f64,
}

/// Scores the second half of what the pipeline of a case wrote.
pub(super) fn quality(case: &Case) -> Done<Quality> {
    let from = (case.events / 2) as i64;
    let mut last: HashMap<String, f64> = HashMap::new();
    let (mut events, mut nll, mut own, mut persistence) = (0.0, 0.0, 0.0, 0.0);
    forecasts::each_row(&case.out, |row| {
        let key = row.key.unwrap_or_default();
        if row.offset >= from
            && let Some(before) = last.get(key)
        {
            events += 1.0;
            nll += row.nll;
            own += (row.observed - row.forecast).abs();
            persistence += (row.observed - before).abs();
        }
        match last.get_mut(key) {
            Some(before) => *before = row.observed,
            None => drop(last.insert(key.to_owned(), row.observed)),
        }
        Ok(())
    })?;
    Ok(Quality { nll: nll / events, relative_mae: own / persistence })
}
