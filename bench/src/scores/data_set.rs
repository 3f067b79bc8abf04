//! A data set: which pipeline forecasts it, which of its events are scored and in what units.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figures::Scores;
use super::refit::Refit;
use super::values::{self, Values};
use crate::forecasts;
use crate::running::{self, Done, Run};

/// The share of every mixture here; the bounds that are printed are stated for it.
pub(super) const SHARE: f64 = 0.01;

/// The sink whose rows are scored.
pub(super) const FORECASTS: &str = "forecasts";

/// Real data, and the pipeline that forecasts it.
#[derive(Debug, Clone)]
pub(super) struct DataSet {
    pub(super) name: &'static str,
    /// What it is, in a few words.
    pub(super) about: &'static str,
    /// File in `pipelines/`.
    pub(super) pipeline: &'static str,
    /// Name of the source.
    pub(super) source: &'static str,
    /// File in `pipelines/data/`.
    pub(super) file: &'static str,
    pub(super) time: &'static str,
    pub(super) key: Option<&'static str>,
    pub(super) targets: &'static [&'static str],
    pub(super) scored: Scored,
    pub(super) units: Units,
    /// What rows are when their order is taken away.
    pub(super) rows: Rows,
    /// Sinks of the pipeline; `forecasts` is one.
    pub(super) sinks: &'static [&'static str],
    /// Settings in place of what the file says.
    pub(super) overrides: &'static [&'static str],
}

/// Which events are scored, by the value that was forecast.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scored {
    /// Those at these offsets.
    Rows(Range<i64>),
    /// Those of each key from this one on.
    OfKeyFrom(u64),
}

/// What scores of a key's target are stated in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Units {
    /// As they are.
    Own,
    /// Population deviation of its first values.
    FirstDeviation(usize),
    /// Population deviation of all its values.
    Deviation,
}

/// What rows are when their order is taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rows {
    /// Values as they are.
    Values,
    /// Log returns: of a price nobody expects its level to come back.
    Returns,
}

/// What one run gave.
pub(super) struct Pass {
    pub(super) scores: Scores,
    pub(super) refit: Refit,
    pub(super) wall: Duration,
}

impl DataSet {
    /// The pipeline file.
    fn path(&self) -> PathBuf {
        running::workspace_root().join("pipelines").join(self.pipeline)
    }

    /// The values of the source file.
    pub(super) fn values(&self) -> Done<Values> {
        values::read(&running::workspace_root().join("pipelines/data").join(self.file), self)
    }

    /// Runs the pipeline with one seed and other settings of its forecasts, each `path=value`, and scores what it wrote.
    pub(super) fn run(&self, seed: u64, more: &[String]) -> Done<Pass> {
        let out = tempfile::tempdir()?;
        let run = self.run_into(out.path(), seed, more)?;
        let mut scores = Scores::of(self.scored.clone());
        let mut refit = Refit::of("persistence", self.scored.clone());
        forecasts::each_row(&out.path().join(FORECASTS), |row| {
            scores.add(&row);
            refit.add(&row);
            Ok(())
        })?;
        scores.check_complete()?;
        Ok(Pass { scores, refit, wall: run.wall })
    }

    /// Runs the pipeline so, and leaves what each sink wrote in a folder of its name below `out`.
    pub(super) fn run_into(&self, out: &Path, seed: u64, more: &[String]) -> Done<Run> {
        let mut overrides: Vec<String> = self.overrides.iter().map(|text| (*text).to_owned()).collect();
        overrides.extend([
            format!("operator.forecast.model.seed={seed}"),
            format!("operator.forecast.mixture.share={SHARE}"),
            "operator.forecast.mixture.emit_members=true".to_owned(),
            // Searching for a mixture's quantiles takes longer than its network, and scores need none.
            "operator.forecast.columns=[\"scale\",\"shape\",\"observed\",\"forecast\",\"nll\",\"crps\",\"pit\"]"
                .to_owned(),
        ]);
        overrides.extend(self.paths(out));
        overrides.extend_from_slice(more);
        running::run(&self.path(), &overrides)
    }

    /// The settings by which each sink writes below `out`.
    fn paths(&self, out: &Path) -> impl Iterator<Item = String> {
        self.sinks.iter().map(move |sink| format!("sink.{sink}.path={}", out.join(sink).display()))
    }

    /// Processor time in the forecast operator per event, in microseconds, with other settings of the forecasts.
    pub(super) fn us_per_event(&self, more: &[String]) -> Done<f64> {
        let out = tempfile::tempdir()?;
        let mut overrides: Vec<String> = self.overrides.iter().map(|text| (*text).to_owned()).collect();
        overrides.extend(self.paths(out.path()));
        overrides.extend_from_slice(more);
        let run = running::run(&self.path(), &overrides)?;
        Ok(run.busy("forecast").as_secs_f64() * 1e6 / self.values()?.rows() as f64)
    }
}
