//! The tables of speed. Every line shows the scores of the same settings: speed that costs forecasts is no gain.

use super::case::{HIDDEN, WINDOW};
use super::stream::BEST_NLL;
use super::whole::{Quality, Times};
use super::{Measured, ROUNDS};
use crate::layout::{grouped, table};

pub(super) fn text(all: &[Measured]) -> String {
    let settings = format!(
        "lstm of {HIDDEN}, one target, k1 = k2 = {WINDOW}, U = {WINDOW} · keys, all columns; medians of {ROUNDS} rounds in turns.\n\
         NLL in nats (of the stream itself: {BEST_NLL}) and MAE in units of persistence's, over the second half of the events.\n"
    );
    [settings, speed(all), outside(all), inside(all)].join("\n")
}

fn scores(measured: &Measured) -> [String; 2] {
    let Quality { nll, relative_mae } = measured.quality;
    [format!("{nll:.3}"), format!("{relative_mae:.3}")]
}

fn lines(all: &[Measured], of: impl Fn(&Measured) -> Vec<String>) -> Vec<Vec<String>> {
    let line =
        |measured: &Measured| [vec![measured.case.keys.to_string()], of(measured), scores(measured).to_vec()].concat();
    all.iter().map(line).collect()
}

fn speed(all: &[Measured]) -> String {
    let header = [
        "keys",
        "pipeline\nevents/s",
        "ns",
        "model\nevents/s",
        "ns",
        "bare tch\nevents/s",
        "ns",
        "its cell\nalone, ns",
        "model\n/ bare",
        "model\n/ cell",
        "NLL",
        "MAE",
    ];
    let of = |measured: &Measured| {
        let [whole, model] = [measured.whole_ns(), measured.ns(&measured.model)];
        let [bare, cell] = [measured.ns(&measured.bare), measured.ns(&measured.cell)];
        let pair = |ns: f64| [grouped(1e9 / ns), grouped(ns)];
        let ratios = [format!("{:.2}", model / bare), format!("{:.2}", model / cell)];
        [pair(whole), pair(model), pair(bare)].concat().into_iter().chain([grouped(cell)]).chain(ratios).collect()
    };
    let why = "The bare loop goes through autograd for head and loss and has Adam of libtorch's operations, which the model computes\n\
               by itself: below 1 × bare, that is why. Its cell alone is the least that any use of libtorch's cell costs.\n";
    format!("Speed\n{}{why}", table(header, lines(all, of)))
}

fn outside(all: &[Measured]) -> String {
    let header = [
        "keys",
        "source",
        "sink",
        "streams\nand rest",
        "all outside\nthe model",
        "share of all",
        "wall beyond\nthe model",
        "NLL",
        "MAE",
    ];
    let of = |measured: &Measured| {
        let us = |of: fn(&Times) -> std::time::Duration| measured.us_per_row(of);
        let all = us(Times::outside);
        let model = us(|times| times.model);
        let mut cells = [
            us(|times| times.source),
            us(|times| times.sink),
            us(|times| times.outside().saturating_sub(times.source + times.sink)),
            all,
        ]
        .map(|us| format!("{us:.3}"))
        .to_vec();
        cells.push(format!("{:.1} %", 100.0 * all / (all + model)));
        cells.push(format!("{:.3}", us(|times| times.wall.saturating_sub(times.model))));
        cells
    };
    format!(
        "Outside the model, µs per output row: processor time less the model's, at least that of source and sink\n{}",
        table(header, lines(all, of))
    )
}

fn inside(all: &[Measured]) -> String {
    let header = ["keys", "features, step,\nscores", "learning", "optional\ncolumns", "all", "NLL", "MAE"];
    let of = |measured: &Measured| {
        let model = measured.ns(&measured.model);
        let learning = measured.saved_ns(&measured.without_learning);
        let columns = measured.saved_ns(&measured.without_columns);
        [model - learning - columns, learning, columns, model].map(|ns| format!("{ns:.0}")).to_vec()
    };
    format!(
        "Inside the model, ns per event: what is saved without learning, and without optional columns (noise may make a\nsmall one negative)\n{}",
        table(header, lines(all, of))
    )
}
