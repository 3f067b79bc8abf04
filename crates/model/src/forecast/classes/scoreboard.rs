//! Scores of classes summed up while running, and published as metrics.

use sluicegate_core::{Gauge, ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::{ClassScore, ClassTally};

use crate::config::ScoresConfig;
use crate::error::ModelError;
use crate::forecast::plan::Plan;
use crate::forecast::ranges::Ranges;

const STATS: [&str; 6] = ["n", "nll", "bits", "brier", "accuracy", "calibration_error"];

/// Sums per output, model and range of rows.
///
/// Gauges `forecast_score{operator, partition, model, target, horizon, range, stat}` hold the means so far, NaN where there is
/// none.
pub(super) struct Scoreboard {
    ranges: Ranges,
    cells: usize,
    /// `[2, K · models]`.
    tallies: Vec<ClassTally>,
    /// `[ranges shown, K · models, stats]`.
    gauges: Vec<Gauge>,
}

impl Scoreboard {
    pub(super) fn new(config: ScoresConfig, plan: &Plan, shard: &ShardContext) -> Self {
        let (ranges, cells) = (Ranges::new(config), plan.dims.outputs() * plan.models.len());
        let gauges = ranges.gauges(plan, shard, &STATS);
        Self { ranges, cells, tallies: vec![ClassTally::new(); Ranges::COUNT * cells], gauges }
    }

    /// Takes in a score of a row.
    pub(super) fn add(&mut self, row: u64, place: usize, score: &ClassScore) {
        if let Some(range) = self.ranges.of(row) {
            self.tallies[range * self.cells + place].add(score);
        }
    }

    pub(super) fn publish(&self) {
        let shown = &self.tallies[self.ranges.first_shown() * self.cells..];
        for (tally, gauges) in shown.iter().zip(self.gauges.chunks_exact(STATS.len())) {
            let stats = [
                Some(tally.n() as f64),
                tally.mean_nll(),
                tally.mean_bits(),
                tally.mean_brier(),
                tally.accuracy(),
                tally.calibration_error(),
            ];
            for (gauge, stat) in gauges.iter().zip(stats) {
                gauge.set(stat.unwrap_or(f64::NAN));
            }
        }
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let tallies: Vec<f64> = self.tallies.iter().flat_map(ClassTally::to_array).collect();
        Ok(to.f64("tallies", &[self.tallies.len(), ClassTally::WIDTH], &tallies)?)
    }

    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let tallies = from.f64("tallies", &[self.tallies.len(), ClassTally::WIDTH])?;
        for (tally, array) in self.tallies.iter_mut().zip(tallies.as_chunks::<{ ClassTally::WIDTH }>().0) {
            let read = ClassTally::from_array(*array);
            *tally = read.ok_or_else(|| ModelError::Restore("the sums of scores are none".into()))?;
        }
        Ok(())
    }
}
