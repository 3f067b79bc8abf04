//! What models say of themselves that goes up and down, as metrics.

use sluicegate_core::{Gauge, ShardContext};

use super::members::{Lineup, Source};
use crate::predictor::Predictor;

/// Gauges `{operator, partition, model}` of every model that has some, such as `forecast_window`.
pub(super) struct ModelGauges {
    /// By model.
    gauges: Vec<Vec<Gauge>>,
}

impl ModelGauges {
    pub(super) fn new<F>(models: &[Box<dyn Predictor<F>>], lineup: &Lineup, shard: &ShardContext) -> Self {
        let mut gauges = Vec::with_capacity(models.len());
        for (place, model) in models.iter().enumerate() {
            let member = lineup.members.iter().find(|member| member.source == Source::Model(place));
            let labels = [
                ("operator", shard.component.as_str()),
                ("partition", shard.partition.as_str()),
                ("model", member.map_or("", |member| &member.name)),
            ];
            gauges.push(model.gauges().into_iter().map(|(name, _)| shard.metrics.gauge(name, &labels)).collect());
        }
        Self { gauges }
    }

    pub(super) fn set<F>(&self, models: &[Box<dyn Predictor<F>>]) {
        for (gauges, model) in self.gauges.iter().zip(models) {
            gauges.iter().zip(model.gauges()).for_each(|(gauge, (_, value))| gauge.set(value));
        }
    }
}
