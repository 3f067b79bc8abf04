//! How fast forecasts are made: the whole pipeline, the model alone, and a bare libtorch loop of the same arithmetic, taken
//! in turns within one run, so that a machine that slows down slows down all three.

mod bare;
mod case;
mod memory;
mod model;
mod report;
mod stream;
mod whole;

pub(crate) use memory::print_peak;

use std::time::Duration;

use crate::bar::Bar;
use crate::running::Done;
use crate::scores;
use bare::Work;
use case::Case;
use whole::{Quality, Times};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Events of a run over 256 keys; runs over 16 and 1 take a quarter and a sixteenth of them
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(20_000..), value_name = "N")]
    events: u32,
}

/// Keys, and the share of events that they get: fewer keys are slower.
const CASES: [(usize, usize); 3] = [(1, 16), (16, 4), (256, 1)];
const ROUNDS: usize = 3;
/// The run of the demo may take so long.
const DEMO_SECONDS_MAX: f64 = 25.0;
/// Source, streams and sink may take so long per output row.
const OUTSIDE_US_MAX: f64 = 0.5;
/// 256 keys are so much faster than one, at least.
const BATCHING_MIN: f64 = 8.0;

/// What was measured of one case.
struct Measured {
    case: Case,
    /// One per round.
    whole: Vec<Times>,
    model: Vec<Duration>,
    bare: Vec<Duration>,
    /// Of the bare loop, the cell alone.
    cell: Vec<Duration>,
    /// The model without learning, and without the optional columns of its table.
    without_learning: Vec<Duration>,
    without_columns: Vec<Duration>,
    quality: Quality,
}

/// Measures everything, prints it and returns the bars.
pub(crate) fn run(args: &Args) -> Done<Vec<Bar>> {
    let folder = tempfile::tempdir()?;
    let events = args.events as usize;
    let mut all = Vec::new();
    for (keys, share) in CASES {
        let case = Case::prepare(folder.path(), keys, events / share)?;
        let quality = Quality { nll: f64::NAN, relative_mae: f64::NAN };
        let none = Vec::new;
        let [model, bare, cell, without_learning, without_columns] = [(); 5].map(|()| none());
        all.push(Measured { case, whole: Vec::new(), model, bare, cell, without_learning, without_columns, quality });
    }
    for round in 1..=ROUNDS {
        for measured in &mut all {
            eprintln!("round {round} of {ROUNDS}, keys: {}", measured.case.keys);
            measured.take_turns()?;
        }
    }
    for measured in &mut all {
        measured.quality = whole::quality(&measured.case)?;
    }
    print!("{}", report::text(&all));
    let mut bars = bars(&all);
    eprintln!("the demo");
    let demo = scores::power_once(0)?;
    let seconds = demo.wall.as_secs_f64();
    bars.push(Bar::at_most("run of the demo", seconds, DEMO_SECONDS_MAX).shown(0, " s").note(demo.in_short()));
    eprintln!("memory");
    bars.push(memory::measure(folder.path(), events / 2)?);
    Ok(bars)
}

impl Measured {
    fn take_turns(&mut self) -> Done {
        let case = &self.case;
        let batches = model::batches(case)?;
        self.whole.push(whole::run(case)?);
        self.model.push(model::run(case, &batches, &[])?);
        self.bare.push(bare::run(case, Work::Everything)?);
        self.cell.push(bare::run(case, Work::Cell)?);
        self.without_learning.push(model::run(case, &batches, &["operator.forecast.model.learn=false"])?);
        self.without_columns.push(model::run(case, &batches, &["operator.forecast.columns=[]"])?);
        Ok(())
    }

    /// Nanoseconds per event, median of the rounds.
    fn ns(&self, times: &[Duration]) -> f64 {
        scores::median(times.iter().map(|time| time.as_nanos() as f64 / self.case.events as f64).collect())
    }

    /// Nanoseconds per event that the model took more than `without` something, median of the rounds: noise may make it
    /// negative.
    fn saved_ns(&self, without: &[Duration]) -> f64 {
        let pairs = self.model.iter().zip(without);
        let saved = pairs.map(|(all, without)| all.as_secs_f64() - without.as_secs_f64());
        scores::median(saved.map(|seconds| seconds * 1e9 / self.case.events as f64).collect())
    }

    fn whole_ns(&self) -> f64 {
        self.ns(&self.whole.iter().map(|times| times.wall).collect::<Vec<_>>())
    }

    /// Microseconds per output row, median of the rounds.
    fn us_per_row(&self, of: impl Fn(&Times) -> Duration) -> f64 {
        scores::median(self.whole.iter().map(|times| of(times).as_secs_f64() * 1e6 / times.rows as f64).collect())
    }
}

impl Times {
    /// Processor time of all threads less the model's time; that of source and sink where that is more, as it is on a machine
    /// that interrupts the model, or where the system does not tell.
    fn outside(&self) -> Duration {
        let parts = self.source + self.sink;
        self.processor.map_or(parts, |all| all.saturating_sub(self.model).max(parts))
    }
}

fn bars(all: &[Measured]) -> Vec<Bar> {
    let [one, .., many] = all else { return Vec::new() };
    let quality = |measured: &Measured| {
        let Quality { nll, relative_mae } = measured.quality;
        format!("NLL {nll:.3}, MAE {relative_mae:.3} of persistence")
    };
    vec![
        Bar::at_least("256 keys against 1, events/s of the pipeline", one.whole_ns() / many.whole_ns(), BATCHING_MIN)
            .shown(0, " ×")
            .note(format!("1 key: {}; 256 keys: {}", quality(one), quality(many))),
        Bar::at_most("outside the model at 256 keys, per row", many.us_per_row(Times::outside), OUTSIDE_US_MAX)
            .shown(2, " µs")
            .note(quality(many)),
    ]
}
