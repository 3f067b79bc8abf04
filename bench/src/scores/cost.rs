//! What the gates cost: parameters and time per event of the recurrent cells, in the same pipeline, on either backend.

use sluicegate::model::cell::{CellKind, CellShape};

use super::data_set::DataSet;
use super::figures::median;
use crate::bar::Bar;
use crate::layout;
use crate::running::Done;

/// Each cell is timed so often, in turns; the median counts.
const ROUNDS: usize = 3;
/// The default, and the other.
const BACKENDS: [&str; 2] = ["auto", "libtorch"];
const CELLS: [(&str, CellKind); 3] = [("rnn", CellKind::Rnn), ("gru", CellKind::Gru), ("lstm", CellKind::Lstm)];
/// Of each: large enough that the cell, not the calls to it, takes the time.
const HIDDEN: usize = 64;
/// What the network sees of the power data: difference and level of 7 targets, 4 columns of calendar.
const INPUTS: usize = 18;

/// Prints the cost and returns the bars.
pub(super) fn run(of: &DataSet) -> Done<Vec<Bar>> {
    let mut times = [(); BACKENDS.len()].map(|()| [(); CELLS.len()].map(|()| Vec::new()));
    for round in 1..=ROUNDS {
        eprintln!("cost of cells, round {round} of {ROUNDS}");
        let timed = times.iter_mut().zip(BACKENDS).flat_map(|(times, backend)| {
            times.iter_mut().zip(CELLS).map(move |(times, (name, _))| (times, backend, name))
        });
        for (times, backend, name) in timed {
            let more = [
                format!("operator.forecast.model.kind={name}"),
                format!("operator.forecast.model.backend={backend}"),
                format!("operator.forecast.model.hidden={HIDDEN}"),
                "operator.forecast.mixture=false".to_owned(),
                "operator.forecast.controls=[]".to_owned(),
                "operator.forecast.columns=[]".to_owned(),
            ];
            times.push(of.us_per_event(&more)?);
        }
    }
    let times = times.map(|times| times.map(median));
    let [native, torch] = times;
    let parameters = CELLS.map(|(_, kind)| {
        let shape = CellShape::new(kind, INPUTS, HIDDEN);
        shape.parameters().iter().map(|part| part.len()).sum::<usize>() as f64
    });
    let lines =
        CELLS.iter().zip(parameters).zip(native.iter().zip(torch)).map(|(((name, _), parameters), (native, torch))| {
            vec![(*name).to_owned(), layout::grouped(parameters), format!("{native:.0}"), format!("{torch:.0}")]
        });
    println!(
        "cost of a cell of {HIDDEN} units, in pipelines/{}\n{}",
        of.pipeline,
        layout::table(["", "parameters", "µs/event", "by libtorch"], lines)
    );
    let [[_, gru, lstm], [_, gru_us, lstm_us]] = [parameters, native];
    Ok(vec![
        Bar::at_most("gru's parameters beside lstm's", gru, lstm - 1.0).shown(0, ""),
        Bar::at_most("gru's time per event beside lstm's", gru_us, lstm_us).shown(0, " µs"),
    ])
}
