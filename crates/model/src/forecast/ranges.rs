//! Which rows of a partition scores are summed up over.

use sluicegate_core::{Gauge, ShardContext};

use super::plan::Plan;
use crate::config::ScoresConfig;

const LEARNING: usize = 0;
const SCORED: usize = 1;

/// Rows while it is still learning, and rows that are scored. They are shown as `learning` and `scored`, or as `all` where the
/// settings tell no rows apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranges {
    config: ScoresConfig,
}

impl Ranges {
    /// Ranges there are.
    pub(super) const COUNT: usize = 2;

    pub(super) fn new(config: ScoresConfig) -> Self {
        Self { config }
    }

    /// The range that a row belongs to, if it counts.
    pub(super) fn of(&self, row: u64) -> Option<usize> {
        let counts = self.config.to.is_none_or(|to| row < to);
        counts.then_some(if row < self.config.from { LEARNING } else { SCORED })
    }

    /// The first range that is shown; the others after it are.
    pub(super) fn first_shown(&self) -> usize {
        if self.config.from > 0 { LEARNING } else { SCORED }
    }

    /// Gauges `forecast_score{operator, partition, model, target, horizon, range, stat}`: `[ranges shown, K, models, stats]`.
    pub(super) fn gauges(&self, plan: &Plan, shard: &ShardContext, stats: &[&str]) -> Vec<Gauge> {
        let names: &[&str] = if self.config.from > 0 { &["learning", "scored"] } else { &["all"] };
        let mut gauges = Vec::new();
        for range in names {
            for (target, horizon) in plan.dims.pairs() {
                let horizon = horizon.to_string();
                for model in &plan.models {
                    for stat in stats {
                        let labels = [
                            ("operator", shard.component.as_str()),
                            ("partition", shard.partition.as_str()),
                            ("model", model),
                            ("target", &plan.targets[target]),
                            ("horizon", &horizon),
                            ("range", range),
                            ("stat", stat),
                        ];
                        let gauge = shard.metrics.gauge("forecast_score", &labels);
                        gauge.set(f64::NAN);
                        gauges.push(gauge);
                    }
                }
            }
        }
        gauges
    }
}
