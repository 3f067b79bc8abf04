//! What may stand on the command line.

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
        let parse = |text: &String| Override::parse(text).map_err(|error| Failure::wrong_setting(text, &error));
        let overrides = self.set.iter().map(parse).collect::<Result<_, _>>()?;
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
