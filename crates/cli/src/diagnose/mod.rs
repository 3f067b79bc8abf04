//! `sluice diagnose`: what a network remembers, why another forgets, how far back it pays to look, and what it costs.
//!
//! What is measured, and how, is in `sluicegate::model::diagnose`; here it is read from a pipeline, printed, drawn and written down.

pub(crate) mod events;
mod picture;
mod report;

use std::path::Path;

use sluicegate::model::diagnose::{self, KINDS, Subject};
use sluicegate::{BoxError, Registry};

use crate::args::DiagnoseCommand;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use events::Events;
use picture::{Axis, Line, Picture};
use report::{Column, Report};

/// Tolerances for which a window is recommended.
const TOLERANCES: [f64; 4] = [0.5, 0.2, 0.1, 0.05];

/// Diagnoses, prints, and writes pictures and tables where asked to.
pub(crate) fn diagnose(
    command: &DiagnoseCommand,
    registry: &Registry,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let args = command.args();
    if let Some(folder) = &args.out {
        probe(folder).map_err(|error| unwritable(folder, &error))?;
    }
    let document = args.pipeline.document(console)?;
    let events = Events::read(&document, args, registry)?;
    let subject = Subject { config: &events.config, log: &events.log, base_dir: &events.base_dir };
    let made = match command {
        DiagnoseCommand::Gradients(args) => gradients(subject, args.lags()),
        DiagnoseCommand::Gates(args) => gates(subject, args.lags()),
        DiagnoseCommand::Order(args) => order(subject, args.seeds.get()),
        DiagnoseCommand::Cost(_) => cost(subject),
        DiagnoseCommand::Truncation(args) => truncation(subject, args.lags()),
    };
    let report = made.map_err(|error| events.failure(&error))?;
    console.out(format_args!("{}: {}\n{}", events.about(), report.about, report.text()))?;
    if let Some(folder) = &args.out {
        write(&report, folder, console)?;
    }
    Ok(Ending::Done)
}

fn write(report: &Report, folder: &Path, console: &mut Console<'_>) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| unwritable(folder, error);
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let name = |ending: &str| folder.join(format!("{}.{ending}", report.name));
    report.write_parquet(&name("parquet")).map_err(|error| failed(&error))?;
    report.picture.write(&name("svg")).map_err(|error| failed(&error))?;
    console.out(format_args!("\nwritten: {} and {}\n", name("svg").display(), name("parquet").display()))
}

fn unwritable(folder: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot write into {}: {error}\n  help: give another folder with --out", folder.display()))
}

/// Tries whether a file can be made in a folder, or where the folder would be made, and leaves nothing behind: who has waited for
/// networks to learn should not hear of it only then.
fn probe(folder: &Path) -> std::io::Result<()> {
    let exists = |folder: &&Path| folder.symlink_metadata().is_ok();
    let existing = folder.ancestors().find(exists).unwrap_or(Path::new("."));
    let file = existing.join(format!(".sluice-diagnose-{}", std::process::id()));
    std::fs::File::create_new(&file)?;
    std::fs::remove_file(&file)
}

/// Norms of gradients by lag, of each kind.
fn gradients(subject: Subject<'_>, lags: usize) -> Result<Report, BoxError> {
    let (mut columns, mut lines) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let norms = diagnose::gradients(subject, kind, lags)?.relative();
        let norms: Vec<f64> = (0..lags).map(|lag| norms.get(lag).copied().unwrap_or(f64::NAN)).collect();
        lines.push(Line::by_index(kind.as_str(), &norms));
        columns.push(Column::small(kind.as_str(), norms));
    }
    columns.insert(0, Column::whole("lag", (0..lags).map(|lag| lag as f64)));
    Ok(Report {
        name: "gradients",
        about: "mean norm of the gradient of a loss with respect to the state k events earlier, relative to k = 0"
            .into(),
        shown: report::spread_out(lags),
        notes: Vec::new(),
        picture: Picture::lines(
            "How far back a gradient reaches",
            Axis::whole("events back, k"),
            Axis::logarithmic("‖∂ loss / ∂ state k events earlier‖, relative to k = 0"),
            lines,
        ),
        columns,
    })
}

/// Gates of the pipeline's own network over time.
fn gates(subject: Subject<'_>, steps: usize) -> Result<Report, BoxError> {
    let kind = subject.config.model.kind;
    let trace = diagnose::gates(subject, kind, steps)?;
    let (hidden, names) = (trace.hidden, trace.names.len());
    let top = trace.gates.last().ok_or("the network has no layer")?;
    let steps = top.len() / (hidden * names);
    let mean = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / hidden as f64;
    let (mut columns, mut lines) = (vec![Column::whole("step", (0..steps).map(|step| step as f64))], Vec::new());
    let mut add = |name: &str, values: Vec<f64>| {
        lines.push(Line::by_index(name, &values));
        columns.push(Column::plain(name, values));
    };
    for (gate, name) in trace.names.iter().enumerate() {
        add(name, (0..steps).map(|step| mean(&top[(step * names + gate) * hidden..][..hidden])).collect());
    }
    if let Some(cells) = trace.cells.last().filter(|cells| !cells.is_empty()) {
        // As the output gate meets it, and on the scale of the gates.
        let size = |cell: &[f32]| cell.iter().map(|c| f64::from(c.tanh().abs())).sum::<f64>() / hidden as f64;
        add("|tanh c|", cells.chunks_exact(hidden).map(size).collect());
    }
    Ok(Report {
        name: "gates",
        about: format!(
            "mean over the units of the topmost layer of `{}`, in the last steps of its busiest key",
            kind.as_str()
        ),
        shown: report::spread_out(steps),
        notes: Vec::new(),
        picture: Picture::lines(
            "What the gates let through",
            Axis::whole("event"),
            Axis::linear("mean over units"),
            lines,
        ),
        columns,
    })
}

/// Scores with and without the order of the rows.
fn order(subject: Subject<'_>, seeds: u64) -> Result<Report, BoxError> {
    let found = diagnose::order(subject, seeds)?;
    let of = |which: usize| found.scores.iter().map(move |pair| pair[which]).collect::<Vec<f64>>();
    let (mean, error) = found.lost();
    let verdict = match error {
        error if error.is_nan() => "a single seed tells no error".to_owned(),
        error if mean > 2.0 * error => "order matters".to_owned(),
        _ => "no sign that order matters".to_owned(),
    };
    let error = if error.is_nan() { String::new() } else { format!(" ± {error:.4}") };
    Ok(Report {
        name: "order",
        about: format!(
            "mean NLL in nats of `{}`, rows as they are and in another order",
            subject.config.model.kind.as_str()
        ),
        shown: (0..found.scores.len()).collect(),
        notes: vec![format!("lost without the order: {mean:.4}{error} nats (standard error over seeds): {verdict}")],
        picture: Picture::lines(
            "What is lost without the order",
            Axis::whole("seed"),
            Axis::linear("mean NLL, nats"),
            vec![Line::by_index("as they are", &of(0)), Line::by_index("shuffled", &of(1))],
        ),
        columns: vec![
            Column::whole("seed", (0..seeds).map(|seed| seed as f64)),
            Column::plain("as they are", of(0)),
            Column::plain("shuffled", of(1)),
        ],
    })
}

/// What each kind costs.
fn cost(subject: Subject<'_>) -> Result<Report, BoxError> {
    let costs = KINDS.map(|kind| diagnose::cost(subject, kind)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let figures: [(&'static str, Vec<f64>); 4] = [
        ("parameters", costs.iter().map(|cost| cost.parameters as f64).collect()),
        ("multiply-adds per event", costs.iter().map(|cost| cost.multiply_adds).collect()),
        ("bytes per key", costs.iter().map(|cost| cost.bytes_per_key as f64).collect()),
        ("µs per event", costs.iter().map(|cost| cost.time_per_event.as_secs_f64() * 1e6).collect()),
    ];
    let names: Vec<String> = KINDS.iter().map(|kind| kind.as_str().to_owned()).collect();
    let relative = |values: &[f64]| values.iter().map(|value| value / values[0]).collect::<Vec<f64>>();
    let bars = figures.iter().map(|(name, values)| ((*name).to_owned(), relative(values))).collect();
    let [parameters, multiply_adds, bytes, time] = figures;
    Ok(Report {
        name: "cost",
        about: "each network alone, with the pipeline's own settings".into(),
        shown: (0..KINDS.len()).collect(),
        notes: Vec::new(),
        columns: vec![
            Column::text("model", names.clone()),
            Column::whole(parameters.0, parameters.1),
            Column::whole(multiply_adds.0, multiply_adds.1),
            Column::whole(bytes.0, bytes.1),
            Column::plain(time.0, time.1),
        ],
        picture: Picture::bars("What a network costs, beside a plain one", "times that of rnn", names, bars),
    })
}

/// The bias of shorter windows, and the windows for some tolerances.
fn truncation(subject: Subject<'_>, lags: usize) -> Result<Report, BoxError> {
    let every = subject.config.model.bptt.every.max(1);
    let lags = lags.max(every).next_multiple_of(every);
    let (mut columns, mut lines, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for kind in KINDS {
        let decay = diagnose::gradients(subject, kind, lags)?;
        let biases: Vec<f64> = decay.bias(every).into_iter().skip(1).collect();
        let points = biases.iter().enumerate().map(|(place, bias)| ((place + 1) as f64 * every as f64, *bias));
        lines.push(Line { name: kind.as_str().to_owned(), points: points.collect() });
        let windows = TOLERANCES.map(|tolerance| match biases.iter().position(|bias| *bias < tolerance) {
            Some(place) => format!("{} for {tolerance}", (place + 1) * every),
            None => format!("beyond {lags} for {tolerance}"),
        });
        notes.push(format!("{}: a window of {}", kind.as_str(), windows.join(", ")));
        columns.push(Column::small(kind.as_str(), biases));
    }
    let count = lags / every;
    columns.insert(0, Column::whole("window", (1..=count).map(|place| (place * every) as f64)));
    Ok(Report {
        name: "truncation",
        about: "estimated relative bias of gradients through windows of so many events; ∞ where more may be left out than seen"
            .into(),
        shown: report::spread_out(count),
        notes,
        picture: Picture::lines(
            "What a window leaves out",
            Axis::whole("events of a window, k2"),
            Axis::logarithmic("estimated relative bias of its gradient"),
            lines,
        ),
        columns,
    })
}
