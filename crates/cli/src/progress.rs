//! What is shown while a pipeline runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluicegate::{Metrics, Sample};
use tracing::Level;

use crate::console::Console;
use crate::layout::{counted, grouped};
use crate::scores;

/// How often a terminal is drawn over. Faster is flicker.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// How often a line is written where nothing can be drawn over, such as a log file.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The rate shown is that of the last so many looks: about five seconds on a terminal.
const LOOKS: usize = 25;

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    events: u64,
    /// Events there are in all, where every source knows. An estimate until every shard has begun.
    total: Option<u64>,
    scores: Option<String>,
}

impl State {
    /// Reads it out of the metrics of a pipeline with this many shards.
    pub(crate) fn read(samples: &[Sample], shards: usize) -> Self {
        let of = |family: &'static str| samples.iter().filter(move |sample| sample.name == family);
        let events = of("source_rows").map(|sample| sample.value).sum::<f64>() as u64;
        let begun = of("source_rows").count();
        let totals: Vec<f64> = of("source_rows_total").map(|sample| sample.value).collect();
        let known = !totals.is_empty() && totals.len() >= begun && totals.iter().all(|total| total.is_finite());
        let total = known.then(|| {
            let estimate = totals.iter().sum::<f64>() * shards as f64 / totals.len() as f64;
            (estimate.round() as u64).max(events)
        });
        Self { events, total, scores: scores::in_short(&scores::blocks(samples)) }
    }

    /// Everything on one line.
    fn line(&self, rate: f64) -> String {
        std::iter::once(self.pace(rate)).chain(self.scores.clone()).collect::<Vec<_>>().join(" · ")
    }

    /// How many events, of how many, how fast.
    fn pace(&self, rate: f64) -> String {
        let mut parts = vec![counted(self.events, "event")];
        if let Some(total) = self.total.filter(|total| *total > 0) {
            parts.push(format!("{:.0} %", 100.0 * self.events as f64 / total as f64));
        }
        parts.push(format!("{} events/s", grouped(rate.round() as u64)));
        parts.join(" · ")
    }
}

/// Events per second over the last [`LOOKS`] looks.
struct Rate {
    looks: VecDeque<(Instant, u64)>,
}

impl Rate {
    fn look(&mut self, now: Instant, events: u64) -> f64 {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((now, events));
        let Some((then, before)) = self.looks.front() else { return 0.0 };
        let seconds = now.duration_since(*then).as_secs_f64();
        if seconds > 0.0 { events.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

/// Shows how far a run has come: as a bar on a terminal, else as a line every few seconds.
pub(crate) struct Progress {
    metrics: Metrics,
    shards: usize,
    rate: Rate,
    view: View,
}

enum View {
    Bar(ProgressBar),
    Lines,
    Off,
}

impl Progress {
    /// Nothing is shown when `quiet`. A bar is drawn only when `may_draw`: where something else writes to the same terminal it
    /// would be torn.
    pub(crate) fn new(metrics: Metrics, shards: usize, quiet: bool, may_draw: bool) -> Self {
        let view = match (quiet, may_draw) {
            (true, _) => View::Off,
            (false, true) => View::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())),
            (false, false) => View::Lines,
        };
        // The rate counts from the beginning.
        let rate = Rate { looks: VecDeque::from([(Instant::now(), 0)]) };
        Self { metrics, shards, rate, view }
    }

    /// How long to wait before the next look.
    pub(crate) fn every(&self) -> Duration {
        match self.view {
            View::Bar(_) => DRAW_EVERY,
            View::Lines | View::Off => LINE_EVERY,
        }
    }

    /// Looks, and shows what there is to see.
    pub(crate) fn show(&mut self, console: &mut Console<'_>) {
        if matches!(self.view, View::Off) {
            return;
        }
        let state = State::read(&self.metrics.samples(), self.shards);
        let rate = self.rate.look(Instant::now(), state.events);
        match &self.view {
            View::Bar(bar) => draw(bar, &state, rate),
            View::Lines if console.is_json() => {
                let fields = [("events", state.events.into()), ("events_per_second", rate.round().into())];
                console.say(Level::INFO, "progress", fields);
            }
            View::Lines => console.err(format_args!("{}\n", state.line(rate))),
            View::Off => {}
        }
    }

    /// What is drawn, if anything is.
    pub(crate) fn bar(&self) -> Option<ProgressBar> {
        match &self.view {
            View::Bar(bar) => Some(bar.clone()),
            View::Lines | View::Off => None,
        }
    }

    /// Writes a message between two looks.
    pub(crate) fn say(&self, message: &str, console: &mut Console<'_>) {
        let write = || console.err(format_args!("{message}\n"));
        match &self.view {
            View::Bar(bar) => bar.suspend(write),
            View::Lines | View::Off => {
                let mut write = write;
                write();
            }
        }
    }

    /// Takes away what was drawn.
    pub(crate) fn clear(&self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
    }
}

/// Draws two lines, so that both fit a terminal of 80 columns: how far and how fast, and the scores.
fn draw(bar: &ProgressBar, state: &State, rate: f64) {
    let pace = if state.total.is_some() { "{bar:20} {prefix} · {eta} left" } else { "{spinner} {prefix}" };
    let scores = if state.scores.is_some() { "\n{wide_msg}" } else { "" };
    if let Ok(style) = ProgressStyle::with_template(&format!("{pace}{scores}")) {
        bar.set_style(style);
    }
    bar.set_length(state.total.unwrap_or(0));
    bar.set_position(state.events);
    bar.set_prefix(state.pace(rate));
    bar.set_message(state.scores.clone().unwrap_or_default());
    bar.tick();
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::MetricKind;

    fn sample(name: &str, partition: &str, value: f64) -> Sample {
        let labels = vec![("partition".to_owned(), partition.to_owned()), ("source".to_owned(), "s".to_owned())];
        Sample { name: name.to_owned(), kind: MetricKind::Gauge, labels, value }
    }

    #[test]
    fn the_total_is_estimated_until_every_shard_has_begun() {
        let mut samples = vec![sample("source_rows", "p0", 50.0), sample("source_rows_total", "p0", 200.0)];
        let state = State::read(&samples, 3);
        assert_eq!((state.events, state.total), (50, Some(600)));
        samples.extend([sample("source_rows", "p1", 70.0), sample("source_rows_total", "p1", 100.0)]);
        let state = State::read(&samples, 2);
        assert_eq!((state.events, state.total), (120, Some(300)));
        assert_eq!(state.line(1234.5), "120 events · 40 % · 1,235 events/s");
    }

    #[test]
    fn a_source_that_does_not_know_leaves_the_share_out() {
        for total in [vec![], vec![sample("source_rows_total", "p0", f64::NAN)]] {
            let mut samples = vec![sample("source_rows", "p0", 50.0)];
            samples.extend(total);
            assert_eq!(State::read(&samples, 1).line(10.0), "50 events · 10 events/s");
        }
    }

    #[test]
    fn the_running_score_stands_beside_its_controls() {
        let mut samples = crate::testing::score("forecast", "p", "forecast", "OT", 1, "all", 9.0, 0.171);
        samples.extend(crate::testing::score("forecast", "p", "persistence", "OT", 1, "all", 9.0, 0.466));
        samples.extend(crate::testing::score("forecast", "p", "ar", "OT", 1, "all", 9.0, 0.322));
        let line = State::read(&samples, 1).line(0.0);
        assert_eq!(line, "0 events · 0 events/s · nll forecast 0.171 · ar 0.322 · persistence 0.466");
    }
}
