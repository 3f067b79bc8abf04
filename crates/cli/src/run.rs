//! `sluice run`.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use sluicegate::{
    CancellationToken, ComponentKind, Metrics, Pipeline, Registry, RunOptions, RunReport, Sample, StreamError,
};
use tokio::runtime::Builder;
use tokio::time::MissedTickBehavior;

use crate::args::RunArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout::{counted, grouped};
use crate::progress::Progress;
use crate::{interrupt, score_table, scores};

/// Runs a pipeline until its sources end or somebody interrupts it.
pub(crate) fn run(args: &RunArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let pipeline = args.pipeline.bind(registry)?;
    run_until(pipeline, args, CancellationToken::new(), console)
}

/// Runs a pipeline until its sources end, or `cancel` or an interrupt ends them.
fn run_until(
    pipeline: Pipeline,
    args: &RunArgs,
    cancel: CancellationToken,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads.get())
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))?;
    let metrics = Metrics::new();
    let summary = Summary::before(&pipeline, &args.pipeline.file);
    // A sink that writes to the terminal would tear a bar on it.
    let prints = pipeline.nodes().iter().any(|node| node.kind == ComponentKind::Sink && node.type_name == "console");
    let progress = Progress::new(metrics.clone(), pipeline.shards(), args.quiet, console.is_live() && !prints);
    let options = RunOptions::default().metrics(metrics.clone()).cancel(cancel.clone()).worker_threads(threads);
    let begun = Instant::now();
    let result = runtime.block_on(async {
        let watcher = tokio::spawn(interrupt::watch(cancel.clone()));
        let result = drive(pipeline, options, progress, console).await;
        watcher.abort();
        result
    });
    let report = result.map_err(|error| Failure::of_run(&error))?;
    let text = summary.text(&report, begun.elapsed(), &metrics.samples());
    if prints {
        // Standard output belongs to the rows, so that a program can read them.
        console.err(format_args!("{text}"));
    } else {
        console.out(format_args!("{text}"))?;
    }
    if report.interrupted {
        console.err(format_args!("interrupted; what was read until then is complete\n"));
        return Ok(Ending::Interrupted);
    }
    Ok(Ending::Done)
}

async fn drive(
    pipeline: Pipeline,
    options: RunOptions,
    mut progress: Progress,
    console: &mut Console<'_>,
) -> Result<RunReport, StreamError> {
    let cancel = options.cancel.clone();
    let mut ticks = tokio::time::interval(progress.every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, when there is nothing to see yet.
    ticks.tick().await;
    let mut told = false;
    let mut run = std::pin::pin!(pipeline.run(options));
    let result = loop {
        tokio::select! {
            result = &mut run => break result,
            _ = ticks.tick() => progress.show(console),
            () = cancel.cancelled(), if !told => {
                told = true;
                progress.say("stopping: finishing what was read; interrupt again to stop at once", console);
            }
        }
    };
    progress.clear();
    result
}

/// What is printed at the end.
struct Summary {
    pipeline: String,
    sources: Vec<String>,
    operators: Vec<String>,
    /// Name and, where its settings have one, path of each sink.
    sinks: Vec<(String, Option<std::path::PathBuf>)>,
}

impl Summary {
    fn before(pipeline: &Pipeline, file: &Path) -> Self {
        let base = file.parent().unwrap_or(Path::new(""));
        let of = |kind| pipeline.nodes().iter().filter(move |node| node.kind == kind);
        let path = |node: &sluicegate::stream::Node| {
            let path = node.settings.clone().take::<String>("path").ok().flatten()?;
            Some(base.join(path))
        };
        Self {
            pipeline: pipeline.name().to_owned(),
            sources: of(ComponentKind::Source).map(|node| node.name.clone()).collect(),
            operators: of(ComponentKind::Operator).map(|node| node.name.clone()).collect(),
            sinks: of(ComponentKind::Sink).map(|node| (node.name.clone(), path(node))).collect(),
        }
    }

    fn text(&self, report: &RunReport, elapsed: Duration, samples: &[Sample]) -> String {
        let events: u64 = self.sources.iter().map(|source| report.total(source).1).sum();
        let seconds = elapsed.as_secs_f64();
        let rate = grouped((events as f64 / seconds.max(1e-9)).round() as u64);
        let mut text = format!("{}: {} in {seconds:.1} s, {rate} events/s\n", self.pipeline, counted(events, "event"));
        if events == 0 && !report.interrupted {
            text.push_str("nothing was read: the source holds no event, or none from `start` to `stop`\n");
        }
        for block in scores::blocks(samples).into_iter().filter(|block| !block.is_empty()) {
            text.push('\n');
            text.push_str(&score_table::render(&block));
        }
        text.push('\n');
        for operator in &self.operators {
            text.extend(learned(operator, samples));
            text.extend(masked(operator, samples));
        }
        for (sink, path) in &self.sinks {
            let rows = counted(report.total(sink).0, "row");
            match path {
                Some(path) => text.push_str(&format!("{sink}: {rows} in {}\n", shown(path))),
                None => text.push_str(&format!("{sink}: {rows}\n")),
            }
        }
        text
    }
}

/// How much an operator learned, if it is one that learns.
fn learned(operator: &str, samples: &[Sample]) -> Option<String> {
    let of = |family: &str| {
        let own = |sample: &&Sample| sample.name == family && sample.label("operator") == Some(operator);
        samples.iter().filter(own).map(|sample| sample.value).collect::<Vec<f64>>()
    };
    let (updates, keys) = (of("forecast_updates"), of("forecast_keys"));
    let sum = |values: &[f64]| values.iter().sum::<f64>() as u64;
    if updates.is_empty() {
        return None;
    }
    let instances = counted(updates.len() as u64, "instance");
    // A key that comes back after it was forgotten counts again.
    let keys = counted(sum(&keys), "key");
    Some(format!("{operator}: {instances}, {}, {keys} seen\n", counted(sum(&updates), "update")))
}

/// Values that could not be used, if there were any.
fn masked(operator: &str, samples: &[Sample]) -> Option<String> {
    const KINDS: [(&str, &str, &str); 4] = [
        ("target", "missing", "missing target"),
        ("target", "not-finite", "target that was no finite number"),
        ("input", "missing-or-not-finite", "input without a finite number"),
        ("time", "out-of-order", "event before an earlier one of its key"),
    ];
    let count = |column: &str, reason: &str| {
        let of = |sample: &&Sample| {
            sample.name == "forecast_bad_values"
                && sample.label("operator") == Some(operator)
                && (sample.label("column"), sample.label("reason")) == (Some(column), Some(reason))
        };
        samples.iter().filter(of).map(|sample| sample.value).sum::<f64>() as u64
    };
    let said = |(column, reason, one): &(&str, &str, &str)| {
        let count = count(column, reason);
        (count > 0).then(|| format!("{} × {one}", grouped(count)))
    };
    let said: Vec<String> = KINDS.iter().filter_map(said).collect();
    (!said.is_empty()).then(|| format!("{operator}: taken as missing or left in place: {}\n", said.join(", ")))
}

/// A path as short as it can be said from the current folder.
fn shown(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let short = here.ok().and_then(|here| full.strip_prefix(here).ok().map(Path::to_owned));
    short.filter(|short| !short.as_os_str().is_empty()).unwrap_or(full).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn values_that_could_not_be_used_are_told() {
        let sample = |column: &str, reason: &str, value| Sample {
            name: "forecast_bad_values".into(),
            labels: [("operator", "f"), ("column", column), ("reason", reason)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            value,
        };
        let samples = [
            sample("target", "missing", 1200.0),
            sample("time", "out-of-order", 0.0),
            sample("target", "missing", 1.0),
        ];
        let told = masked("f", &samples);
        assert_eq!(told.as_deref(), Some("f: taken as missing or left in place: 1,201 × missing target\n"));
        assert_eq!(masked("g", &samples), None);
    }

    #[test]
    fn an_interrupted_run_says_so_and_ends_with_130() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("clock.toml");
        std::fs::write(&file, crate::tests::CLOCK).unwrap();
        let file = file.display().to_string();
        let Command::Run(args) = Cli::try_parse_from(["sluice", "run", &file, "--quiet"]).unwrap().command else {
            panic!("not a run");
        };
        let mut registry = Registry::new();
        crate::tests::register(&mut registry).unwrap();
        let pipeline = args.pipeline.bind(&registry).unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ending = run_until(pipeline, &args, cancel, &mut Console::new(&mut out, &mut err));
        assert_eq!(ending.unwrap(), Ending::Interrupted);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("clock: 0 events in ") && !out.contains("nothing was read"), "{out}");
        let err = String::from_utf8(err).unwrap();
        assert!(err.ends_with("interrupted; what was read until then is complete\n"), "{err}");
    }
}
