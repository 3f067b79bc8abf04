//! How fast events go from Kafka to Kafka, exactly once: with a network that learns from each, without one, and beside a plain
//! pass-through, taken in turns within one run on a broker of its own.

mod events;
mod pass_through;
mod pipelines;

use std::time::Duration;

use sluicegate_broker::Broker;

use crate::layout::{grouped, table};
use crate::running::{self, Done, Run};
use crate::scores::median;
use events::{KEYS, PARTITIONS};
use pipelines::{COMMIT_MS, HIDDEN, WINDOW};

const ROUNDS: usize = 3;

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Events of a run
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(20_000..), value_name = "N")]
    events: u32,
}

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Kafka, forecast and learn, Kafka.
    Kafka,
    /// The same from files to files.
    Files,
    /// Kafka to Kafka without an operator.
    Empty,
    /// librdkafka alone: consume, produce as many records of the same size, commit as often.
    Plain,
}

const WAYS: [Way; 4] = [Way::Kafka, Way::Files, Way::Empty, Way::Plain];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka → forecast + learn → Kafka, exactly once",
            Self::Files => "the same, Parquet → Parquet",
            Self::Empty => "Kafka → Kafka without operator, exactly once",
            Self::Plain => "plain rdkafka, consume + produce in transactions",
        }
    }
}

/// One run.
struct Measured {
    way: Way,
    wall: Duration,
    processor: Option<Duration>,
    /// Where the time of a pipeline went, in the order of [`PARTS`].
    parts: [f64; PARTS.len()],
}

/// Components and what they do, whose time is told.
const PARTS: [&str; 4] = ["source: wait, take, decode", "forecast + learn", "sink: encode, send, wait", "commits"];

/// Measures everything and prints it.
pub(crate) fn run(args: &Args) -> Done {
    let folder = tempfile::tempdir()?;
    let events = args.events as usize;
    eprintln!("a broker, and {} events", grouped(events as f64));
    let broker = Broker::start()?;
    let size = events::prepare(broker.bootstrap(), folder.path(), events)?;
    let mut all = Vec::new();
    let mut record_bytes = 0;
    for round in 1..=ROUNDS {
        for way in WAYS {
            eprintln!("round {round} of {ROUNDS}: {}", way.name());
            let name = format!("bench-{}-{round}", way as u8);
            let measured = match way {
                Way::Plain => {
                    let (wall, processor) = pass_through::run(broker.bootstrap(), &name, events, record_bytes)?;
                    Measured { way, wall, processor, parts: [f64::NAN; PARTS.len()] }
                }
                way => {
                    let file = pipelines::write(folder.path(), broker.bootstrap(), &name, way)?;
                    let measured = Measured::of(way, &running::run(&file, &[])?);
                    if way == Way::Kafka {
                        record_bytes = events::mean_bytes(broker.bootstrap(), &format!("{name}-out"))?;
                    }
                    measured
                }
            };
            all.push(measured);
        }
    }
    print!("{}", report(&all, events, size, record_bytes));
    Ok(())
}

impl Measured {
    fn of(way: Way, run: &Run) -> Self {
        let seconds = |component: &str| run.busy(component).as_secs_f64();
        let parts = [seconds("events"), seconds("forecast"), seconds("out"), run.seconds("commit_ns")];
        Self { way, wall: run.wall, processor: run.processor, parts }
    }
}

fn report(all: &[Measured], events: usize, event_bytes: usize, record_bytes: usize) -> String {
    let of = |way: Way| all.iter().filter(move |measured| measured.way == way);
    let per_second = |way: Way| median(of(way).map(|m| events as f64 / m.wall.as_secs_f64()).collect());
    let plain = per_second(Way::Plain);
    let lines = WAYS.iter().map(|way| {
        let rates: Vec<f64> = of(*way).map(|m| events as f64 / m.wall.as_secs_f64()).collect();
        let spread = |pick: fn(f64, f64) -> f64| rates.iter().copied().reduce(pick).unwrap_or(f64::NAN);
        let processor =
            median(of(*way).filter_map(|m| m.processor).map(|time| time.as_secs_f64() * 1e6 / events as f64).collect());
        vec![
            way.name().to_owned(),
            grouped(per_second(*way)),
            format!("{} to {}", grouped(spread(f64::min)), grouped(spread(f64::max))),
            format!("{:.2}", per_second(*way) / plain),
            format!("{processor:.1}"),
        ]
    });
    let speed = table(["", "events/s", "of all rounds", "/ plain", "processor\nµs/event"], lines);
    let micros = |way: Way, part: usize| median(of(way).map(|m| m.parts[part] * 1e6 / events as f64).collect());
    let parts = PARTS.iter().enumerate().map(|(place, part)| {
        let cells = [Way::Kafka, Way::Files, Way::Empty].map(|way| format!("{:.2}", micros(way, place)));
        [vec![(*part).to_owned()], cells.to_vec()].concat()
    });
    let inside = table(["µs per event, all shards", "with Kafka", "with files", "without operator"], parts);
    format!(
        "{PARTITIONS} partitions, {KEYS} keys, {} JSON events of {event_bytes} bytes, records of {record_bytes} bytes out; lstm of {HIDDEN}, \
         k1 = k2 = {WINDOW};\na commit every {COMMIT_MS} ms. One process, medians of {ROUNDS} rounds in turns, start-up included; client and \
         broker share the machine.\n\n{speed}\n{inside}\n\
         For comparison, quoted and not measured here: Kafka Streams 4.3.1, exactly_once_v2, one thread, passes 48,500 to 49,000\n\
         messages/s through on two shared cores (80,000 to 90,000 once warm), at 9.6 to 9.8 µs of processor time each.\n",
        grouped(events as f64)
    )
}
