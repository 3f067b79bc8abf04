//! What may stand on the command line.

#[cfg(feature = "model")]
use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use sluicegate::config::{Document, Override};
use sluicegate::{Pipeline, PipelineError, PipelineSpec, Registry};

use crate::console::Console;
use crate::failure::Failure;
use crate::logs::{LogFormat, LogLevel};

const AFTER_HELP: &str = "\
Exit codes:
    0  done; also after SIGTERM, when what was read is worked on and committed
    1  failed while running, or not through with stopping in the time given
    2  wrong arguments, or something is wrong in the pipeline file
  130  interrupted (Ctrl-C)
  143  stopped at once by a second SIGTERM";

/// Runs streaming pipelines whose operators are recurrent networks that learn while the stream runs.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Components(ComponentsArgs),
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    #[cfg(feature = "model")]
    Backtest(BacktestArgs),
    #[cfg(feature = "model")]
    Generate(GenerateArgs),
    Produce(ProduceArgs),
    #[cfg(feature = "model")]
    #[command(subcommand)]
    Diagnose(DiagnoseCommand),
}

/// Shows what the network of a pipeline remembers, why another forgets, how far back it pays to look, and what it costs
///
/// Reads the pipeline's events, trains on them with the pipeline's own settings, prints a table and with --out writes a picture
/// (SVG) and all figures (Parquet). Nothing else is written, and no checkpoint is looked at.
#[cfg(feature = "model")]
#[derive(Debug, Subcommand)]
pub(crate) enum DiagnoseCommand {
    /// Gradients by lag of rnn, gru and lstm: how much a loss has to do with what was remembered k events earlier
    Gradients(DiagnoseArgs),
    /// What the gates of the pipeline's own network do over time, with the cell state
    Gates(DiagnoseArgs),
    /// Whether order matters: the same rows as they are and in another order, scored by the same network
    Order(DiagnoseArgs),
    /// Parameters, multiplications, memory and time of rnn, gru and lstm
    Cost(DiagnoseArgs),
    /// What windows of so many events leave out, and which are long enough
    Truncation(DiagnoseArgs),
}

#[cfg(feature = "model")]
impl DiagnoseCommand {
    pub(crate) fn args(&self) -> &DiagnoseArgs {
        match self {
            Self::Gradients(args)
            | Self::Gates(args)
            | Self::Order(args)
            | Self::Cost(args)
            | Self::Truncation(args) => args,
        }
    }
}

/// What is diagnosed, and where to.
#[cfg(feature = "model")]
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// So many events at most
    #[arg(long, value_name = "N", default_value = "200000")]
    pub(crate) events: NonZeroUsize,
    /// The forecast operator, where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<String>,
    /// The partition [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
    /// Lags, or steps of gates, that are looked at
    #[arg(long, value_name = "K", default_value = "64", value_parser = lags)]
    lags: usize,
    /// Seeds of networks and orders
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) seeds: NonZeroU64,
    /// Writes a picture and all figures into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(feature = "model")]
impl DiagnoseArgs {
    pub(crate) fn lags(&self) -> usize {
        self.lags
    }
}

/// Farther back than this no gradient is followed.
#[cfg(feature = "model")]
const LAGS_MAX: usize = 10_000;

#[cfg(feature = "model")]
fn lags(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(lags) if (1..=LAGS_MAX).contains(&lags) => Ok(lags),
        _ => Err(format!("expected a whole number from 1 to {LAGS_MAX}")),
    }
}

/// Runs a pipeline and prints its scores
///
/// The first Ctrl-C or SIGTERM ends the run cleanly: what was read so far is worked on, committed and written to complete
/// files. A second one stops at once, and so does the end of --stop-within.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Shows no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Threads for the networks; as many partitions run at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// What messages on standard error look like
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Logs this and whatever is more serious [default: warn as text, info as JSON]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// Serves /healthz, /readyz and /metrics over HTTP, such as at 127.0.0.1:9464; a port alone is one of 127.0.0.1
    ///
    /// Without it the environment variable SLUICE_LISTEN is taken, where it is set.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Allows an address to --listen at that other machines can reach; nobody is asked for a password
    #[arg(long)]
    pub(crate) listen_anywhere: bool,
    /// How long a clean stop may take; after that the run stops at once, with exit code 1
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) stop_within: Duration,
    /// Starts over: leaves behind where the pipeline was and what it learned. NAME must be the pipeline's name
    #[arg(long, value_name = "NAME")]
    pub(crate) fresh: Option<String>,
    /// Writes what the commit protocol of each partition was told and decided into this folder, to find out what went wrong
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(crate) trace_protocol: Option<PathBuf>,
}

/// Longest time for a clean stop: a day is longer than any service manager waits.
const STOP_WITHIN_SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=STOP_WITHIN_SECONDS_MAX).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected a number of seconds from 0 to {STOP_WITHIN_SECONDS_MAX}")),
    }
}

/// Checks a pipeline without running it and prints its graph
///
/// Shows every component with the columns and partitions that it gives. Writes nothing.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

/// Lists the component types that a pipeline may name, with their settings
#[derive(Debug, Args)]
pub(crate) struct ComponentsArgs {
    /// Prints the JSON schemas of the settings instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists, shows, verifies and moves the checkpoints of a pipeline
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// Lists all checkpoints, oldest first
    ///
    /// Asks nobody but the place that `[checkpoint]` names.
    List(CheckpointsArgs),
    /// Shows what a checkpoint holds: what made it, its files, and every tensor with its shape
    Show(ShowArgs),
    /// Reads every byte of every checkpoint and holds it against its hashes; exit code 1 if one is damaged
    Verify(CheckpointsArgs),
    /// Lets a partition go back to an earlier checkpoint
    ///
    /// The next run goes on from there. Events since then are worked on, and their results written, once more; newer checkpoints
    /// are removed. Stop the pipeline first: a process that runs the partition is fenced.
    Rewind(RewindArgs),
    /// Gives partitions that a topic has gained the state of those that their keys came to before
    ///
    /// Each new partition begins with a copy of what was learned, and keeps the states of its own keys. Let the pipeline
    /// work on everything that was written before the topic was enlarged, stop it, and then run this.
    Reshard(ReshardArgs),
}

/// The checkpoints of a pipeline.
#[derive(Debug, Args)]
pub(crate) struct CheckpointsArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Of this partition alone
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The partition
    pub(crate) partition: String,
    /// The checkpoint, as `list` names it [default: the newest]
    pub(crate) checkpoint: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RewindArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The partition
    pub(crate) partition: String,
    /// The checkpoint, as `list` names it
    pub(crate) checkpoint: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReshardArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Lets partitions begin cold whose keys came to several others, instead of refusing
    #[arg(long)]
    pub(crate) cold: bool,
}

/// Samples sequences forward from what a pipeline has learned
///
/// Draws the next event of a key from the forecast of its newest checkpoint, takes it for that event, and so on. Symbols come out as
/// text and other classes one per line; of numbers many paths are drawn, which come out as a fan of quantiles. Nothing is learned
/// and no checkpoint is written.
#[cfg(feature = "model")]
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// So many events
    #[arg(long, value_name = "N")]
    pub(crate) length: usize,
    /// The same seed gives the same sequence
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where the checkpoints are: a folder or a URL [default: where `[checkpoint]` says]
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<String>,
    /// The operator of type forecast [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<String>,
    /// The partition [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
    /// The key to go on with [default: the only one]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The file to write: of numbers .parquet, of sound also .wav; else text [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Draws classes by their probabilities to the power of 1/T: below 1 what is probable comes more often
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Stops at the first end of a text, where the symbols have one
    #[arg(long)]
    pub(crate) stop_at_end: bool,
    /// Paths of numbers to draw [default: 100]
    #[arg(long, value_name = "M")]
    pub(crate) paths: Option<NonZeroUsize>,
    /// Writes every path beside the quantiles over them
    #[arg(long)]
    pub(crate) keep_paths: bool,
}

/// Says whether a pipeline's forecasts would have been any good, fold by fold, beside its controls
///
/// Goes through the history once. Every event is scored before it is learned from, so every fold is honest. The pipeline's sinks
/// and checkpoints are not touched. Prints a leaderboard with confidence intervals, and with --output writes all scores.
#[cfg(feature = "model")]
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BacktestArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Scores no event before this time, such as 2017-01-01 or 2017-01-01T06:00:00Z; earlier ones are learned from
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Scores no event at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Scoring ranges, one after the other, each with as many events
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) folds: NonZeroUsize,
    /// First events that are learned from and not scored: a number of them, or a share such as 20%
    #[arg(long, value_name = "N|P%", default_value = "20%")]
    pub(crate) warm_up: String,
    /// The forecast operator, where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<String>,
    /// Seed of the resampling behind the intervals
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Writes scores.parquet into this folder: of every fold, target, horizon and model
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// Feeds a Kafka topic from Parquet files
///
/// Writes every row, in order, at least once: after a failure, run again, rows are there twice. Shows progress, and how many
/// rows were written at the end. Ctrl-C and SIGTERM end it cleanly.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ProduceArgs {
    /// Parquet files, folders or patterns
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The topic
    #[arg(long)]
    pub(crate) topic: String,
    /// The addresses of brokers to begin with, such as localhost:9092
    #[arg(long, value_name = "HOST:PORT,…")]
    pub(crate) bootstrap: String,
    /// So many rows a second, at most [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// The column whose value is the record's key
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// How a row becomes a record [default: as the Kafka sink has it]
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// A property of librdkafka, such as sasl.password='${PASSWORD}', whose value is then that of the variable and never shown
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub(crate) properties: Vec<(String, String)>,
    /// Any other setting: topic.… of the Kafka sink, rows.… of the Parquet source
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Shows no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How long a clean stop may take; after that it stops at once, with exit code 1
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) stop_within: Duration,
}

impl ProduceArgs {
    /// What `--set` says.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        overrides(&self.set)
    }
}

fn overrides(set: &[String]) -> Result<Vec<Override>, Failure> {
    let parse = |text: &String| Override::parse(text).map_err(|error| Failure::wrong_setting(text, &error));
    set.iter().map(parse).collect()
}

/// Slowest pace of `sluice produce`: a row every ten seconds. A stop waits for the row that is due.
const ROWS_PER_SECOND_MIN: f64 = 0.1;

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= ROWS_PER_SECOND_MIN => Ok(rate),
        _ => Err(format!("expected a number of rows per second, at least {ROWS_PER_SECOND_MIN}")),
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE, such as compression.type=zstd".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file (TOML)
    pub(crate) file: PathBuf,
    /// Puts a value in place of what the file says, such as --set forecast.model.hidden=64
    ///
    /// The beginning of the path may be left out where that is clear. The value is TOML; anything else is a string.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
}

impl PipelineArgs {
    /// Reads the pipeline file. From here on `console` shows none of the secrets in it.
    pub(crate) fn document(&self, console: &mut Console<'_>) -> Result<Document, Failure> {
        self.document_with(Vec::new(), console)
    }

    /// As [`PipelineArgs::document`], with more put in place of what the file says.
    pub(crate) fn document_with(&self, more: Vec<Override>, console: &mut Console<'_>) -> Result<Document, Failure> {
        let mut overrides = overrides(&self.set)?;
        overrides.extend(more);
        let text = std::fs::read_to_string(&self.file)
            .map_err(|source| Failure::wrong(&PipelineError::File { file: self.file.clone(), source }))?;
        let document = Document::parse(&self.file, text, overrides).map_err(|error| Failure::wrong(&error))?;
        console.keep(document.secrets());
        Ok(document)
    }

    /// Reads, checks and binds the pipeline. From here on `console` shows none of the secrets in its file.
    pub(crate) fn bind(&self, registry: &Registry, console: &mut Console<'_>) -> Result<Pipeline, Failure> {
        bind(&self.document(console)?, registry)
    }
}

/// Checks and binds the pipeline that a document describes.
pub(crate) fn bind(document: &Document, registry: &Registry) -> Result<Pipeline, Failure> {
    let spec = PipelineSpec::parse(document).map_err(|error| Failure::wrong(&error))?;
    Pipeline::bind(&spec, registry).map_err(|error| Failure::wrong(&error))
}
