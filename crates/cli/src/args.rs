//! What may stand on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sluicegate::config::Override;
use sluicegate::{Pipeline, Registry};

use crate::failure::Failure;

const AFTER_HELP: &str = "\
Exit codes:
    0  done
    1  failed while running
    2  wrong arguments, or something is wrong in the pipeline file
  130  interrupted (Ctrl-C)";

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
/// The first Ctrl-C ends the run cleanly: what was read so far is worked on and written to complete files. A second one
/// stops at once.
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
    /// Reads, checks and binds the pipeline.
    pub(crate) fn bind(&self, registry: &Registry) -> Result<Pipeline, Failure> {
        let parse = |text: &String| Override::parse(text).map_err(|error| Failure::wrong_setting(text, &error));
        let overrides = self.set.iter().map(parse).collect::<Result<_, _>>()?;
        Pipeline::from_file(&self.file, overrides, registry).map_err(|error| Failure::wrong(&error))
    }
}
