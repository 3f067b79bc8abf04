//! Whether a pipeline lives, and whether it is ready.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use sluicegate::{CancellationToken, Metrics, Sample};

/// What the gauge `shard_state` says of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShardState {
    /// It starts, or recovers what it knew.
    Recovering,
    Running,
    Stopping,
    Done,
}

impl ShardState {
    /// What is no known state is taken as one in which nothing is ready.
    fn of(value: f64) -> Self {
        match value {
            1.0 => Self::Running,
            2.0 => Self::Stopping,
            3.0 => Self::Done,
            _ => Self::Recovering,
        }
    }
}

/// Reads out of its metrics how a pipeline is.
pub(crate) struct Health {
    pipeline: String,
    metrics: Metrics,
    stop: CancellationToken,
    /// Rows that had been read when it was last looked at, and when that number last grew.
    progress: Mutex<(u64, Instant)>,
}

impl Health {
    pub(crate) fn new(pipeline: &str, metrics: Metrics, stop: CancellationToken) -> Self {
        Self { pipeline: pipeline.to_owned(), metrics, stop, progress: Mutex::new((0, Instant::now())) }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Notes whether rows have been read since the last look.
    pub(crate) fn look(&self) {
        self.progress_at(Instant::now());
    }

    fn progress_at(&self, now: Instant) -> (u64, f64) {
        let samples = self.metrics.samples();
        let rows = samples.iter().filter(|sample| sample.name == "source_rows").map(|sample| sample.value as u64).sum();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if rows != progress.0 {
            *progress = (rows, now);
        }
        (rows, now.saturating_duration_since(progress.1).as_secs_f64())
    }

    /// That the process answers at all says that it lives. When the last row was read says how well.
    pub(crate) fn alive(&self) -> Value {
        let (rows, idle) = self.progress_at(Instant::now());
        json!({
            "status": "alive",
            "pipeline": self.pipeline,
            "source_rows": rows,
            "seconds_since_last_row": (idle * 1e3).round() / 1e3,
        })
    }

    /// Whether every shard runs, or is through; and what stands in the way.
    pub(crate) fn ready(&self) -> (bool, Value) {
        let samples = self.metrics.samples();
        let shards: Vec<(&Sample, ShardState)> = samples
            .iter()
            .filter(|sample| sample.name == "shard_state")
            .map(|sample| (sample, ShardState::of(sample.value)))
            .collect();
        let of = |wanted: ShardState| shards.iter().filter(move |(_, state)| *state == wanted);
        let names = |wanted| of(wanted).filter_map(|(sample, _)| sample.label("partition")).collect::<Vec<_>>();
        let status = match () {
            () if self.stop.is_cancelled() || of(ShardState::Stopping).next().is_some() => "stopping",
            () if shards.is_empty() => "starting",
            () if of(ShardState::Recovering).next().is_some() => "recovering",
            () => "ready",
        };
        let body = json!({
            "status": status,
            "pipeline": self.pipeline,
            "running": of(ShardState::Running).count(),
            "done": of(ShardState::Done).count(),
            "recovering": names(ShardState::Recovering),
            "stopping": names(ShardState::Stopping),
        });
        (status == "ready", body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn health(states: &[f64]) -> Health {
        let metrics = Metrics::new();
        for (index, state) in states.iter().enumerate() {
            metrics.gauge("shard_state", &[("partition", &format!("p{index}")), ("source", "s")]).set(*state);
        }
        Health::new("power", metrics, CancellationToken::new())
    }

    #[test]
    fn a_pipeline_is_ready_once_every_shard_runs_or_is_through() {
        for (states, ready, status) in [
            (&[][..], false, "starting"),
            (&[1.0, 0.0], false, "recovering"),
            (&[1.0, 2.0], false, "stopping"),
            (&[1.0, 7.0], false, "recovering"),
            (&[1.0, 1.0, 3.0], true, "ready"),
        ] {
            let (is_ready, body) = health(states).ready();
            assert_eq!((is_ready, &body["status"]), (ready, &status.into()), "{states:?}");
        }
        assert_eq!(health(&[1.0, 0.0]).ready().1["recovering"], json!(["p1"]));
    }

    #[test]
    fn a_pipeline_that_was_asked_to_stop_is_not_ready() {
        let health = health(&[1.0]);
        health.stop.cancel();
        assert_eq!(health.ready().1["status"], "stopping");
    }

    #[test]
    fn the_time_since_the_last_row_counts_from_the_look_that_saw_more() {
        let health = health(&[]);
        let rows = health.metrics.counter("source_rows", &[]);
        let begun = Instant::now();
        rows.add(3);
        assert_eq!(health.progress_at(begun), (3, 0.0));
        assert_eq!(health.progress_at(begun + Duration::from_secs(5)), (3, 5.0));
        rows.add(1);
        assert_eq!(health.progress_at(begun + Duration::from_secs(6)), (4, 0.0));
    }
}
