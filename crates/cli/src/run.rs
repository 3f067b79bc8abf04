//! `sluice run`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluicegate::config::Secrets;
use sluicegate::{ComponentKind, Metrics, Pipeline, Registry, RunOptions, RunReport, Sample, StreamError};
use tokio::runtime::{Builder, Runtime};
use tokio::time::MissedTickBehavior;

use crate::args::{RunArgs, bind};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::interrupt::Stop;
use crate::layout::{counted, grouped};
use crate::logs::{LogLevel, Logs};
use crate::progress::Progress;
use crate::serve::{Health, listen_address, serve};
use crate::{interrupt, score_table, scores};

/// How often it is noted whether rows were read, for whoever asks over HTTP.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs a pipeline until its sources end or somebody asks it to stop.
pub(crate) fn run(args: &RunArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let level = args.log_level.unwrap_or(LogLevel::default_of(args.log_format));
    console.speak(args.log_format, level);
    let listen = listen_address(args.listen.as_deref(), args.listen_anywhere)?;
    let document = args.pipeline.document(console)?;
    let pipeline = bind(&document, registry)?;
    if let Some(name) = args.fresh.as_deref().filter(|name| *name != pipeline.name()) {
        let own = pipeline.name();
        let help = format!("to forget what `{own}` has done and learned, write --fresh {own}");
        return Err(Failure::wrong_argument(format!("--fresh {name}: the pipeline is called `{own}`\n  help: {help}")));
    }
    let run = Run { stop: Stop::default(), listen, secrets: document.secrets(), level };
    run.until_the_end(pipeline, args, console)
}

/// What a run is besides its pipeline.
struct Run {
    stop: Stop,
    listen: Option<SocketAddr>,
    secrets: Secrets,
    level: LogLevel,
}

impl Run {
    /// Runs a pipeline until its sources end, or a request to stop ends them.
    fn until_the_end(self, pipeline: Pipeline, args: &RunArgs, console: &mut Console<'_>) -> Result<Ending, Failure> {
        let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let runtime = runtime(threads)?;
        let metrics = Metrics::new();
        let summary = Summary::before(&pipeline, &args.pipeline.file);
        // A sink that writes to the terminal would tear a bar on it.
        let prints =
            pipeline.nodes().iter().any(|node| node.kind == ComponentKind::Sink && node.type_name == "console");
        let progress = Progress::new(metrics.clone(), pipeline.shards(), args.quiet, console.is_live() && !prints);
        if console.is_of_process() {
            let (format, secrets) = (args.log_format, self.secrets.clone());
            Logs { format, level: self.level, secrets, bar: progress.bar() }.install();
        }
        let name = pipeline.name().to_owned();
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(target: "sluice", pipeline = name, shards = pipeline.shards(), version, "pipeline starts");
        let options = RunOptions::default()
            .metrics(metrics.clone())
            .cancel(self.stop.cancel.clone())
            .worker_threads(threads)
            .begin_anew(args.fresh.is_some());
        let options = match &args.trace_protocol {
            Some(folder) => options.protocol_trace(folder),
            None => options,
        };
        let begun = Instant::now();
        let result = runtime.block_on(async {
            let health = Arc::new(Health::new(&name, metrics.clone(), self.stop.cancel.clone()));
            let server = match self.listen {
                Some(address) => {
                    let server = serve(address, Arc::clone(&health), self.secrets.clone()).await?;
                    progress.say(&format!("health and metrics at http://{}", server.address), console);
                    Some(server)
                }
                None => None,
            };
            let watcher = tokio::spawn(interrupt::watch(self.stop.clone()));
            let looker = tokio::spawn(look(health));
            let result = drive(pipeline, options, progress, args.stop_within, console).await;
            watcher.abort();
            looker.abort();
            drop(server);
            result.map_err(|error| Failure::of_run(&error))
        });
        let report = result.inspect_err(|failure| {
            tracing::info!(target: "sluice", pipeline = name, cause = failure.message(), "pipeline failed");
        })?;
        tracing::info!(target: "sluice", pipeline = name, interrupted = report.interrupted, "pipeline stops");
        let text = summary.text(&report, begun.elapsed(), &metrics.samples());
        if prints {
            // Standard output belongs to the rows, so that a program can read them.
            console.err(format_args!("{text}"));
        } else {
            console.out(format_args!("{text}"))?;
        }
        if report.interrupted {
            console.err(format_args!("interrupted; what was read until then is complete\n"));
            return Ok(self.stop.ending());
        }
        Ok(Ending::Done)
    }
}

/// A runtime of so many threads.
pub(crate) fn runtime(threads: NonZeroUsize) -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().worker_threads(threads.get()).enable_all().build();
    built.map_err(|error| Failure::failed(format!("the runtime cannot be started: {error}")))
}

/// Notes from time to time whether rows were read.
async fn look(health: Arc<Health>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        health.look();
    }
}

/// Runs a pipeline and shows how far it is. Ends the process when it is asked to stop and has not within `stop_within`.
pub(crate) async fn drive(
    pipeline: Pipeline,
    options: RunOptions,
    mut progress: Progress,
    stop_within: Duration,
    console: &mut Console<'_>,
) -> Result<RunReport, StreamError> {
    let cancel = options.cancel.clone();
    let mut ticks = tokio::time::interval(progress.every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, when there is nothing to see yet.
    ticks.tick().await;
    let mut told = false;
    let mut run = std::pin::pin!(pipeline.run(options));
    let mut overdue = std::pin::pin!(tokio::time::sleep(Duration::MAX));
    let result = loop {
        tokio::select! {
            result = &mut run => break result,
            _ = ticks.tick() => progress.show(console),
            () = cancel.cancelled(), if !told => {
                told = true;
                overdue.as_mut().set(tokio::time::sleep(stop_within));
                progress.say("stopping: finishing what was read; interrupt again to stop at once", console);
            }
            () = &mut overdue, if told => {
                progress.clear();
                // Dropping the run would wait for the very call that does not come back. Ending the process is as safe as a
                // crash: nothing becomes visible without its commit.
                let failure = overdue_message(stop_within);
                tracing::error!(target: "sluice", stop_within_seconds = stop_within.as_secs_f64(), "stopped at once");
                std::process::exit(failure.report(console) as i32);
            }
        }
    };
    progress.clear();
    result
}

fn overdue_message(stop_within: Duration) -> Failure {
    let seconds = stop_within.as_secs_f64();
    let help = "give it longer with --stop-within; what was committed stays, and the next run goes on from there";
    Failure::failed(format!("not through with stopping after {seconds} s, so stopped at once\n  help: {help}"))
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
            text.push_str("nothing was read: the source holds no event, none from `start` to `stop`, or none since the last run\n");
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
    let (updates, keys) = (of("forecast_updates"), of("forecast_keys_known"));
    let sum = |values: &[f64]| values.iter().sum::<f64>() as u64;
    if updates.is_empty() {
        return None;
    }
    let instances = counted(updates.len() as u64, "instance");
    // Those of earlier runs too, unless they were forgotten.
    let keys = counted(sum(&keys), "key");
    let windows = match of("forecast_window") {
        windows if windows.is_empty() => String::new(),
        windows => {
            let (least, most) = windows.iter().fold((u64::MAX, 0), |(a, b), k2| (a.min(*k2 as u64), b.max(*k2 as u64)));
            let least = if least == most { String::new() } else { format!("{} to ", grouped(least)) };
            format!(", windows of {least}{} by now", counted(most, "event"))
        }
    };
    Some(format!("{operator}: {instances}, {}, {keys} known{windows}\n", counted(sum(&updates), "update")))
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
    use sluicegate::MetricKind;

    #[test]
    fn values_that_could_not_be_used_are_told() {
        let sample = |column: &str, reason: &str, value| Sample {
            name: "forecast_bad_values".into(),
            kind: MetricKind::Counter,
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
    fn windows_that_follow_gradients_are_told_as_a_number_of_events_or_from_the_least_to_the_most() {
        let told = |windows: &[f64]| {
            let sample = |name: &str, value| Sample {
                name: name.into(),
                kind: MetricKind::Gauge,
                labels: vec![("operator".to_owned(), "f".to_owned())],
                value,
            };
            let windows = windows.iter().map(|window| sample("forecast_window", *window));
            learned("f", &windows.chain([sample("forecast_updates", 2.0)]).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(told(&[]), "f: 1 instance, 2 updates, 0 keys known\n");
        assert!(told(&[1.0, 1.0]).ends_with(" known, windows of 1 event by now\n"), "{}", told(&[1.0]));
        assert!(told(&[16.0, 1.0]).ends_with(" known, windows of 1 to 16 events by now\n"), "{}", told(&[16.0, 1.0]));
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
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err);
        let pipeline = args.pipeline.bind(&registry, &mut console).unwrap();
        let stop = Stop::default();
        stop.cancel.cancel();
        let run = Run { stop, listen: None, secrets: Secrets::default(), level: LogLevel::Off };
        let ending = run.until_the_end(pipeline, &args, &mut console);
        drop(console);
        assert_eq!(ending.unwrap(), Ending::Interrupted);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("clock: 0 events in ") && !out.contains("nothing was read"), "{out}");
        let err = String::from_utf8(err).unwrap();
        assert!(err.ends_with("interrupted; what was read until then is complete\n"), "{err}");
    }
}
