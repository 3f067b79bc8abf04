//! How good forecasts are, on real data, each data set with the figures that we promise on it.
//!
//! A pipeline runs as a user would run it; its written Parquet files are read back and scored here, row by row, under the
//! offset of the row whose value was forecast. Settings are the same for all keys of a data set, nothing is known beforehand.
//!
//! | file | holds |
//! |---|---|
//! | `data_set` | what a data set is, and one pass over it |
//! | `values` | what its source file holds, and the same in another order |
//! | `figures`, `refit` | the arithmetic of scores; a control with its scale fitted in hindsight |
//! | `seeds` | passes with several seeds, their table, medians and ranges |
//! | `power`, `prices`, `text`, `sound`, `telemetry` | a data set and its bars |
//! | `anomalies` | alarms over those series, by the rule of the benchmark |
//! | `copy` | what is remembered of made-up events, and how far back windows go |
//! | `horizons`, `order`, `cost` | labels that come late; rows without their order; cells beside each other |

mod anomalies;
mod copy;
mod cost;
mod data_set;
mod figures;
mod horizons;
mod order;
mod power;
mod prices;
mod refit;
mod seeds;
mod sound;
mod telemetry;
mod text;
mod values;

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
    #[arg(default_value = "all")]
    data: Which,
    /// Runs with the seeds 0, 1, … of the network's starting parameters; bars are on the median. 1 gives a quick look
    #[arg(long, default_value_t = NonZeroU64::MIN.saturating_add(4), value_name = "N")]
    seeds: NonZeroU64,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Which {
    /// Hourly load and oil temperature of a power transformer (ETTh1), horizons, and the cost of cells
    Power,
    /// Minutes of a currency and of a crypto-currency
    Prices,
    /// Shakespeare, byte by byte, beside compressors
    Text,
    /// Spoken digits of two people, sample by sample
    Sound,
    /// Forty series of machines, roads, advertisements and tweets (NAB)
    Telemetry,
    /// Alarms in those forty series, by the rule of the benchmark, beside published detectors
    Anomalies,
    /// Made-up symbols that come again after fifty events: what networks remember
    Copy,
    /// All of them
    All,
}

/// Prints the scores and returns the bars.
pub(crate) fn run(args: &Args) -> Done<Vec<Bar>> {
    let seeds = args.seeds.get();
    let asked = |which| args.data == which || args.data == Which::All;
    let mut bars = Vec::new();
    if asked(Which::Power) {
        bars.extend(power::run(seeds)?);
    }
    if asked(Which::Prices) {
        bars.extend(prices::run(seeds)?);
    }
    if asked(Which::Text) {
        bars.extend(text::run(seeds)?);
    }
    if asked(Which::Sound) {
        bars.extend(sound::run(seeds)?);
    }
    if asked(Which::Telemetry) {
        bars.extend(telemetry::run(seeds)?);
    }
    if asked(Which::Anomalies) {
        bars.extend(anomalies::run(seeds)?);
    }
    if asked(Which::Copy) {
        bars.extend(copy::run(seeds)?);
    }
    Ok(bars)
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
