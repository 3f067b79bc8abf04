//! Scores summed up while running, and published as metrics.

use sluicegate_core::{Gauge, ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::{Score, Tally};

use crate::config::ScoresConfig;
use crate::error::ModelError;
use crate::forecast::plan::Plan;
use crate::forecast::ranges::Ranges;

const STATS: [&str; 9] = ["n", "nll", "crps", "mae", "mse", "rmse", "coverage50", "coverage80", "coverage95"];

/// Sums per output, model and range of rows, and each target's deviation over the first rows.
///
/// Gauges `forecast_score{operator, partition, model, target, horizon, range, stat}` hold the means so far, NaN where there
/// is none.
pub(super) struct Scoreboard {
    standardise_rows: Option<u64>,
    ranges: Ranges,
    targets: usize,
    per_target: usize,
    /// `[2, K · models]`.
    tallies: Vec<Tally>,
    /// `[targets]`: count, mean and sum of squared deviations of the first rows.
    first: Vec<[f64; 3]>,
    /// `[ranges shown, K · models, stats]`.
    gauges: Vec<Gauge>,
}

impl Scoreboard {
    pub(super) fn new(config: ScoresConfig, plan: &Plan, shard: &ShardContext) -> Self {
        let (outputs, models) = (plan.dims.outputs(), plan.models.len());
        let labels = [("operator", shard.component.as_str()), ("partition", shard.partition.as_str())];
        let standardised = shard.metrics.gauge("forecast_standardised", &labels);
        standardised.set(f64::from(u8::from(config.standardise_rows.is_some())));
        let ranges = Ranges::new(config);
        Self {
            standardise_rows: config.standardise_rows,
            gauges: ranges.gauges(plan, shard, &STATS),
            ranges,
            targets: plan.dims.targets,
            per_target: plan.dims.horizons.len() * models,
            tallies: vec![Tally::new(); Ranges::COUNT * outputs * models],
            first: vec![[0.0; 3]; plan.dims.targets],
        }
    }

    /// Takes in the values of a row, NaN where missing. Rows must come in order.
    pub(super) fn observe(&mut self, row: u64, values: &[f64]) {
        if self.standardise_rows.is_none_or(|rows| row >= rows) {
            return;
        }
        for ([n, mean, squares], value) in self.first.iter_mut().zip(values).filter(|(_, value)| !value.is_nan()) {
            *n += 1.0;
            let before = value - *mean;
            *mean += before / *n;
            *squares += before * (value - *mean);
        }
    }

    /// Takes in a score of a row.
    pub(super) fn add(&mut self, row: u64, place: usize, score: &Score) {
        if let Some(range) = self.ranges.of(row) {
            self.tallies[range * self.targets * self.per_target + place].add(score);
        }
    }

    /// A tally in the units it is shown in; `None` where the target has no deviation to show it in.
    fn shown(&self, place: usize) -> Option<Tally> {
        let tally = self.tallies[place];
        if self.standardise_rows.is_none() {
            return Some(tally);
        }
        let target = place % (self.targets * self.per_target) / self.per_target;
        let [n, _, squares] = self.first[target];
        tally.standardised((squares / n).sqrt())
    }

    pub(super) fn publish(&self) {
        let cells = self.targets * self.per_target;
        let places = self.ranges.first_shown() * cells..Ranges::COUNT * cells;
        for (place, gauges) in places.zip(self.gauges.chunks_exact(STATS.len())) {
            let shown = self.shown(place);
            let stat = |of: fn(&Tally) -> Option<f64>| shown.as_ref().and_then(of);
            let stats = [
                Some(self.tallies[place].n() as f64),
                stat(Tally::mean_nll),
                stat(Tally::mean_crps),
                stat(Tally::mae),
                stat(Tally::mse),
                stat(Tally::rmse),
                stat(|tally| tally.coverage(0)),
                stat(|tally| tally.coverage(1)),
                stat(|tally| tally.coverage(2)),
            ];
            for (gauge, stat) in gauges.iter().zip(stats) {
                gauge.set(stat.unwrap_or(f64::NAN));
            }
        }
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let tallies: Vec<f64> = self.tallies.iter().flat_map(Tally::to_array).collect();
        to.f64("tallies", &[self.tallies.len(), Tally::WIDTH], &tallies)?;
        Ok(to.f64("first", &[self.targets, 3], self.first.as_flattened())?)
    }

    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let damaged = || ModelError::Restore("the sums of scores are none".into());
        let tallies = from.f64("tallies", &[self.tallies.len(), Tally::WIDTH])?;
        for (tally, array) in self.tallies.iter_mut().zip(tallies.as_chunks::<{ Tally::WIDTH }>().0) {
            *tally = Tally::from_array(*array).ok_or_else(damaged)?;
        }
        let first = from.f64("first", &[self.targets, 3])?;
        self.first.copy_from_slice(first.as_chunks::<3>().0);
        Ok(())
    }
}
