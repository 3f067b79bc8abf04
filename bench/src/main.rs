//! Scores and speed of Sluicegate, printed beside controls and peers.
//!
//! `cargo xtask scores` and `cargo xtask bench` run this command. Every figure that we promise is a [`bar::Bar`]; a bar
//! that is missed is named, and makes the command fail.
//!
//! - [`scores`]: how good forecasts are, one data set per file, computed from the Parquet files that a pipeline wrote.
//! - [`speed`]: how fast they are made, beside a bare libtorch loop in the same run.
//! - [`kafka`]: how fast events go from Kafka to Kafka, exactly once, beside a plain pass-through in the same run.
//! - [`forecasts`], [`running`]: what both share.

mod bar;
mod forecasts;
mod kafka;
mod layout;
mod process;
mod running;
mod scores;
mod speed;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use bar::Bar;
use running::Done;

/// Scores and speed of Sluicegate, beside controls and peers
#[derive(Parser)]
#[command(after_help = "Exits with 1 when a bar falls short, and names it.")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Scores forecasts of real data beside their controls
    Scores(scores::Args),
    /// Measures events/s of the whole pipeline and of the model alone, beside a bare libtorch loop
    Bench(speed::Args),
    /// Measures events/s from Kafka to Kafka, exactly once, beside files and a plain pass-through
    Kafka(kafka::Args),
    /// Runs a pipeline quietly and prints the most memory it took, in bytes
    #[command(hide = true)]
    Memory { pipeline: PathBuf },
}

fn main() -> ExitCode {
    let bars = match run(Cli::parse().what) {
        Ok(bars) => bars,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if bars.is_empty() {
        return ExitCode::SUCCESS;
    }
    let (lines, all_met) = bar::verdict(&bars);
    println!("{lines}");
    if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(what: What) -> Done<Vec<Bar>> {
    match what {
        What::Scores(args) => scores::run(&args),
        What::Bench(args) => speed::run(&args),
        What::Kafka(args) => kafka::run(&args).map(|()| Vec::new()),
        What::Memory { pipeline } => speed::print_peak(&pipeline).map(|()| Vec::new()),
    }
}
