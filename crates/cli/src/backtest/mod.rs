//! `sluice backtest`: would the forecasts of a pipeline have been any good?
//!
//! One pass over the history, through the source and the operators of the pipeline itself. Every event is scored before it is
//! learned from, so the scores of any range of time are what a live run would have had there.

mod bootstrap;
mod fold;
mod replay;
mod rows;
mod scores;
mod table;

use sluicegate::Registry;
use sluicegate::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use sluicegate::arrow::temporal_conversions::timestamp_us_to_datetime;

use crate::args::BacktestArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use fold::{WarmUp, folds};

/// Backtests a pipeline, prints the leaderboard, and writes scores where asked to.
pub(crate) fn backtest(args: &BacktestArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let warm_up = WarmUp::parse(&args.warm_up).map_err(Failure::wrong_argument)?;
    let time = |name: &str, text: &Option<String>| {
        let parse = |text: &String| {
            let parsed = string_to_timestamp_nanos(text).map(|nanos| nanos.div_euclid(1_000));
            let help = "write 2017-01-01, or 2017-01-01T06:00:00Z";
            parsed.map_err(|error| Failure::wrong_argument(format!("--{name} {text}: {error}\n  help: {help}")))
        };
        text.as_ref().map(parse).transpose()
    };
    let (from, to) = (time("from", &args.from)?, time("to", &args.to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Failure::wrong_argument("--from must be before --to".to_owned()));
    }
    let losses = replay::replay(args, registry, console)?;
    let times = losses.times();
    if times.is_empty() {
        return Err(Failure::wrong_argument(
            "there is no event in the history, so there is nothing to score".to_owned(),
        ));
    }
    let folds = folds(&times, warm_up, from, to, args.folds.get()).map_err(Failure::wrong_argument)?;
    console.out(format_args!("{}", table::leaderboard(&losses, &folds, times.len(), args.seed)))?;
    if let Some(folder) = &args.output {
        let file = table::write(&losses, &folds, folder).map_err(|error| {
            Failure::failed(format!(
                "cannot write into {}: {error}\n  help: give another folder with --output",
                folder.display()
            ))
        })?;
        console.out(format_args!("\nscores of every fold: {}\n", file.display()))?;
    }
    Ok(Ending::Done)
}

/// A time in microseconds since 1970 as people write it.
fn time_text(micros: i64) -> String {
    match timestamp_us_to_datetime(micros) {
        Some(time) => format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S")),
        None => format!("{micros} µs"),
    }
}
