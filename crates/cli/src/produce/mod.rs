//! `sluice produce`: feeds a Kafka topic from Parquet files.
//!
//! A pipeline of a Parquet source and a Kafka sink, put together from the command line, so that nothing is written twice.

mod document;
mod rate;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::time::Instant;

use sluicegate::{Metrics, Registry, RunOptions, Sample};

use crate::args::{ProduceArgs, bind};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::interrupt::{self, Stop};
use crate::layout::{counted, grouped};
use crate::progress::Progress;
use crate::run::{drive, runtime};
use rate::Rate;

/// Rows are produced in order, so one thread does.
const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// Writes the rows of Parquet files to a topic, in order, at most so many a second.
pub(crate) fn produce(
    args: &ProduceArgs,
    mut registry: Registry,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    registry.operator::<Rate>(document::RATE_TYPE).map_err(|error| Failure::wrong(&error))?;
    let document = document::document(args)?;
    console.keep(document.secrets());
    let pipeline = bind(&document, &registry)?;
    let (metrics, stop) = (Metrics::new(), Stop::default());
    let progress = Progress::new(metrics.clone(), pipeline.shards(), args.quiet, console.is_live());
    let options = RunOptions::default().metrics(metrics.clone()).cancel(stop.cancel.clone()).worker_threads(THREADS);
    let begun = Instant::now();
    let result = runtime(THREADS)?.block_on(async {
        let watcher = tokio::spawn(interrupt::watch(stop.clone()));
        let result = drive(pipeline, options, progress, args.stop_within, console).await;
        watcher.abort();
        result
    });
    let report = result.map_err(|error| Failure::of_run(&error))?;
    let rows = written(&metrics.samples());
    let seconds = begun.elapsed().as_secs_f64();
    let per_second = grouped((rows as f64 / seconds.max(1e-9)).round() as u64);
    let rows = counted(rows, "row");
    console.out(format_args!("{}: {rows} in {seconds:.1} s, {per_second} rows/s\n", args.topic))?;
    if report.interrupted {
        console.err(format_args!("interrupted; what was read until then is in the topic\n"));
        return Ok(stop.ending());
    }
    Ok(Ending::Done)
}

fn written(samples: &[Sample]) -> u64 {
    let rows = samples.iter().filter(|sample| sample.name == "sink_rows");
    rows.map(|sample| sample.value as u64).sum()
}
