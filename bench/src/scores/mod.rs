//! How good forecasts are: one data set per file, each with the figures that we promise on it.
//!
//! A pipeline runs as a user would run it; its written Parquet files are read back and scored here, row by row, under the
//! offset of the row whose value was forecast.

mod figures;
mod power;

pub(crate) use figures::median;
pub(crate) use power::run_once as power_once;

use std::num::NonZeroU64;

use clap::ValueEnum;

use crate::bar::Bar;
use crate::running::Done;
use figures::Figures;

/// What to score.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data set
    data: DataSet,
    /// Runs with the seeds 0, 1, … of the network's starting parameters; bars are on the median
    #[arg(long, default_value_t = NonZeroU64::MIN.saturating_add(2), value_name = "N")]
    seeds: NonZeroU64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DataSet {
    /// Hourly load and oil temperature of a power transformer (ETTh1)
    Power,
}

/// Prints the scores and returns the bars.
pub(crate) fn run(args: &Args) -> Done<Vec<Bar>> {
    match args.data {
        DataSet::Power => power::run(args.seeds.get()),
    }
}

const HEADER: [&str; 7] = ["", "events", "MSE", "MAE", "NLL", "CRPS", "in 95 %"];

/// A line of a table of scores.
fn line(name: impl Into<String>, figures: &Figures) -> Vec<String> {
    let Figures { events, mse, mae, nll, crps, inside } = figures;
    let mut line = vec![name.into(), crate::layout::grouped(*events)];
    line.extend([mse, mae, nll, crps].map(|figure| format!("{figure:.4}")));
    line.push(format!("{:.2}", inside * 100.0));
    line
}
