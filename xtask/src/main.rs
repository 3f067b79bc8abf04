//! `cargo xtask …`: the one way in for a newcomer, a contributor and continuous integration.
//!
//! - [`libtorch`] and [`wheel`]: where libtorch comes from, pinned by hash.
//! - [`kafka`]: the broker that the end-to-end tests use, and one for first steps.
//! - [`registry`]: the schema registry that the end-to-end tests use.
//! - [`python`]: the Python that the end-to-end tests read Parquet with.
//! - [`checks`]: what a change must pass. [`demo`]: the first pipeline.
//! - [`tools`], [`workspace`], [`failure`]: what all of these share.

mod checks;
mod demo;
mod failure;
mod kafka;
mod libtorch;
mod python;
mod registry;
mod tools;
mod wheel;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Done;
use crate::workspace::{Profile, Workspace};

/// Set-up, demo, checks, scores and speed of Sluicegate.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "New here? `cargo xtask demo` sets everything up and runs the first pipeline."
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch libtorch, once
    ///
    /// Downloads 540 MB with Python's pip (your pip configuration holds), checks the SHA-256 of every file, and leaves
    /// 490 MB of libtorch for the CPU in `.sluicegate/libtorch`. Needs about 1.2 GB of disk while it works. An
    /// interrupted run leaves nothing behind that a later one would use, and a second run has nothing to do.
    ///
    /// A libtorch of your own is used instead when the variable LIBTORCH names its folder (with `include/` and `lib/`).
    Setup,
    /// Run the first pipeline: forecasts for a power transformer, learned while they are made
    ///
    /// Sets up, builds the `sluice` command and runs `sluice run pipelines/power.toml`. What follows `--` goes to
    /// `sluice run` as well.
    Demo {
        /// More arguments for `sluice run`
        #[arg(last = true, value_name = "ARGS")]
        sluice: Vec<OsString>,
    },
    /// Run every check that a change must pass
    ///
    /// Format, lints, tests with the examples in the docs, and the docs themselves, in this order; the first failure
    /// ends the run and says how to repeat that step alone. Sets up first, including a Python with pandas, pyarrow and
    /// DuckDB in `.sluicegate/python` (pinned in `tests/requirements.txt`) that reads the Parquet files we write, and an
    /// Apache Kafka in `.sluicegate/kafka` and a schema registry in `.sluicegate/registry` for the tests with real ones.
    Test {
        /// For the time between edits: leave out the end-to-end tests, the examples in the docs, and the docs
        #[arg(long)]
        fast: bool,
    },
    /// Start, stop or look for a Kafka broker of your own, for first steps
    ///
    /// Fetches Apache Kafka with Maven first (44 MB, pinned by hash, into `.sluicegate/kafka`); needs Java 17 or later.
    Kafka {
        #[command(subcommand)]
        task: kafka::KafkaTask,
    },
    /// Torture a live pipeline: kills, zombies, rebalances, outages, a full disk, and memory over time
    ///
    /// Sets up, builds the `sluice` command of the tests and runs it on a real broker; most of an hour, or some minutes with
    /// `--quick`. `--only LINE` runs one line, `--seed N` other random times. The last line sums up; exit code 1 if a line falls
    /// short.
    Torture {
        /// `--quick`, `--only LINE`, `--seed N`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Score forecasts beside their controls
    ///
    /// Sets up, builds the package `sluicegate-bench` and runs its `scores`: `power`, `prices`, `text`, `sound`, `telemetry`,
    /// `anomalies`, `copy` or, by default, all of them, with five seeds each. On two cores that other work shared, a seed took from half a minute
    /// (`sound`) to ten (`text`); `--seeds 1` gives a quick look.
    /// `cargo xtask scores -- --help` lists ARGS.
    Scores {
        /// Arguments for the scores
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Measure speed beside peers, in the release profile
    ///
    /// Sets up, builds the package `sluicegate-bench` in the release profile and runs its `bench`;
    /// `cargo xtask bench -- --help` lists ARGS. `cargo xtask bench kafka` measures events/s from Kafka to Kafka instead, on a broker
    /// of its own.
    Bench {
        /// Arguments for the measurement
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Done {
    let workspace = Workspace::find();
    match task {
        Task::Setup => libtorch::set_up(&workspace),
        Task::Demo { sluice } => demo::run(&workspace, &sluice),
        Task::Test { fast } => checks::run(&workspace, fast),
        Task::Kafka { task } => kafka::run(&workspace, task),
        Task::Torture { args } => torture(&workspace, &args),
        Task::Scores { args } => measure(&workspace, "scores", &args, Profile::Dev),
        Task::Bench { args } => match args.split_first() {
            Some((kafka, rest)) if kafka == "kafka" => {
                kafka::set_up(&workspace)?;
                measure(&workspace, "kafka", rest, Profile::Release)
            }
            _ => measure(&workspace, "bench", &args, Profile::Release),
        },
    }
}

fn torture(workspace: &Workspace, args: &[OsString]) -> Done {
    libtorch::set_up(workspace)?;
    kafka::set_up(workspace)?;
    // What it tortures lies beside it.
    workspace.built("sluice-under-test", Profile::Dev)?;
    let mut torture = workspace.built("torture", Profile::Dev)?;
    workspace::succeed(torture.args(args))
}

fn measure(workspace: &Workspace, what: &str, args: &[OsString], profile: Profile) -> Done {
    libtorch::set_up(workspace)?;
    let mut bench = workspace.built("sluicegate-bench", profile)?;
    workspace::succeed(bench.arg(what).args(args))
}
