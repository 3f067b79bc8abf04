//! `pipelines/copy.toml`: what networks remember, over a lag of fifty events; and windows that follow the lag.

use super::figures::median;
use crate::bar::Bar;
use crate::layout;
use crate::running::{self, Done};

/// More seeds would tell no more.
const SEEDS_MAX: u64 = 3;
const KINDS: [&str; 3] = ["rnn", "gru", "lstm"];
/// Who remembers nothing is right one time in four, and loses two bits.
const CHANCE_PER_CENT: f64 = 25.0;

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let seeds = seeds.min(SEEDS_MAX);
    let (mut lines, mut right) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let (mut bits, mut accuracy) = (Vec::new(), Vec::new());
        for seed in 0..seeds {
            let run = learn(&[format!("operator.forecast.model.kind={kind}"), seeded(seed)])?;
            eprintln!("copy, {kind}, seed {seed}: {:.0} s", run.wall.as_secs_f64());
            bits.push(run.score("scored", "forecast", "bits"));
            accuracy.push(run.score("scored", "forecast", "accuracy") * 100.0);
        }
        let (bits, accuracy) = (median(bits), median(accuracy));
        lines.push(vec![kind.to_owned(), format!("{bits:.3}"), format!("{accuracy:.1}")]);
        right.push(accuracy);
    }
    lines.push(vec!["chance".to_owned(), "2.000".to_owned(), format!("{CHANCE_PER_CENT:.1}")]);
    println!(
        "copy: pipelines/copy.toml, a lag of 50; copies of the last quarter, median of {seeds} seeds\n{}",
        layout::table(["", "bits", "right, %"], lines)
    );
    let [rnn, gru, lstm] = [right[0], right[1], right[2]];
    let mut bars = vec![
        Bar::at_most("copy of 50 events ago, right by rnn", rnn, 30.0).shown(0, " %").note("by chance 25 %"),
        Bar::at_least("copy of 50 events ago, right by gru", gru, 99.0).shown(0, " %"),
        Bar::at_least("copy of 50 events ago, right by lstm", lstm, 99.0).shown(0, " %"),
    ];
    for seed in 0..seeds {
        bars.extend(windows(seed)?);
    }
    Ok(bars)
}

fn seeded(seed: u64) -> String {
    format!("operator.forecast.model.seed={seed}")
}

fn learn(more: &[String]) -> Done<running::Run> {
    let out = tempfile::tempdir()?;
    let mut overrides = vec![
        "operator.forecast.controls=[]".to_owned(),
        "operator.forecast.columns=[]".to_owned(),
        format!("sink.forecasts.path={}", out.path().display()),
    ];
    overrides.extend_from_slice(more);
    running::run(&running::workspace_root().join("pipelines/copy.toml"), &overrides)
}

/// Adaptive windows of a GRU on a lag of 4, and after it has become longer: 16 streams of 2000 events each time.
fn windows(seed: u64) -> Done<[Bar; 2]> {
    const HALF: u64 = 32_000;
    let long = 20 + 7 * seed;
    let k2 = |events: u64| -> Done<f64> {
        let run = learn(&[
            seeded(seed),
            format!("source.symbols.seed={seed}"),
            "source.symbols.lag=4".to_owned(),
            "source.symbols.noise=0.1".to_owned(),
            "source.symbols.streams=16".to_owned(),
            format!("source.symbols.events={events}"),
            format!("source.symbols.change={{ offset = {HALF}, lag = {long} }}"),
            "operator.forecast.scores={}".to_owned(),
            "operator.forecast.model.hidden=16".to_owned(),
            "operator.forecast.model.memory_events=16".to_owned(),
            "operator.forecast.model.update_every=64".to_owned(),
            "operator.forecast.model.bptt={ every = 4, window = { adaptive = { tolerance = 0.25, max = 48 } } }"
                .to_owned(),
        ])?;
        Ok(run.gauge("forecast_window"))
    };
    let (least, most) = (long as f64 - 4.0, long as f64 + 8.0);
    Ok([
        Bar::at_most(format!("adaptive window on a lag of 4, seed {seed}"), k2(HALF)?, 16.0).shown(0, ""),
        Bar::within(format!("and on one of {long} after it"), k2(2 * HALF)?, least, most).shown(0, ""),
    ])
}
