//! Pipelines, run to their end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sluicegate::config::Override;
use sluicegate::{BoxError, Metrics, Pipeline, RunOptions, RunReport, Sample, default_registry};

use crate::process;

/// What everything that can fail returns; the message says what and where.
pub(crate) type Done<T = ()> = Result<T, BoxError>;

/// The root of the checkout that this command was built in.
pub(crate) fn workspace_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// How a run went.
pub(crate) struct Run {
    pub(crate) report: RunReport,
    samples: Vec<Sample>,
    /// From reading the pipeline file to the last file on disk.
    pub(crate) wall: Duration,
    /// Processor time of all threads meanwhile, where it is known.
    pub(crate) processor: Option<Duration>,
}

/// Runs the pipeline file at `path`, with `overrides` of the form `path=value` in place of what it says.
pub(crate) fn run(path: &Path, overrides: &[String]) -> Done<Run> {
    let overrides = overrides.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let metrics = Metrics::new();
    let (before, begun) = (process::processor_time(), Instant::now());
    let pipeline = Pipeline::from_file(path, overrides, &default_registry()?)?;
    let report = runtime.block_on(pipeline.run(RunOptions::default().metrics(metrics.clone())))?;
    let wall = begun.elapsed();
    let processor = process::processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Run { report, samples: metrics.samples(), wall, processor })
}

impl Run {
    /// The sum of a counter of nanoseconds over all its labels, in seconds.
    pub(crate) fn seconds(&self, counter: &str) -> f64 {
        self.samples.iter().filter(|sample| sample.name == counter).map(|sample| sample.value).sum::<f64>() * 1e-9
    }

    /// A mean score of a model.
    pub(crate) fn score(&self, range: &str, model: &str, stat: &str) -> f64 {
        let is_it = |sample: &&Sample| {
            let labels = [("range", range), ("model", model), ("stat", stat)];
            sample.name == "forecast_score" && labels.iter().all(|(name, value)| sample.label(name) == Some(*value))
        };
        self.samples.iter().find(is_it).map_or(f64::NAN, |sample| sample.value)
    }

    /// A gauge that there is once.
    pub(crate) fn gauge(&self, name: &str) -> f64 {
        self.samples.iter().find(|sample| sample.name == name).map_or(f64::NAN, |sample| sample.value)
    }

    /// How long a component was at work.
    pub(crate) fn busy(&self, component: &str) -> Duration {
        let of = |sample: &&Sample| sample.name == "component_busy_ns" && sample.label("component") == Some(component);
        Duration::from_nanos(self.samples.iter().filter(of).map(|sample| sample.value).sum::<f64>() as u64)
    }
}
