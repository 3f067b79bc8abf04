//! The weights of a mixture as metrics.

use sluicegate_core::{Gauge, ShardContext};

use super::members::Lineup;
use super::plan::Plan;

/// Gauges `forecast_weight{operator, partition, model, target, horizon}`: a member's weight as it is now, averaged over the
/// keys that are remembered. None where the product is no mixture.
pub(super) struct WeightGauges {
    /// `[K, members]`.
    gauges: Vec<Gauge>,
}

impl WeightGauges {
    pub(super) fn new(plan: &Plan, lineup: &Lineup, shard: &ShardContext) -> Self {
        let mut gauges = Vec::new();
        for (target, horizon) in plan.dims.pairs().filter(|_| lineup.is_mixed()) {
            let horizon = horizon.to_string();
            for member in &lineup.members {
                let gauge = shard.metrics.gauge(
                    "forecast_weight",
                    &[
                        ("operator", &shard.component),
                        ("partition", shard.partition.as_str()),
                        ("model", &member.name),
                        ("target", &plan.targets[target]),
                        ("horizon", &horizon),
                    ],
                );
                gauge.set(f64::NAN);
                gauges.push(gauge);
            }
        }
        Self { gauges }
    }

    pub(super) fn set(&self, weights: impl Iterator<Item = f64>) {
        self.gauges.iter().zip(weights).for_each(|(gauge, weight)| gauge.set(weight));
    }
}
