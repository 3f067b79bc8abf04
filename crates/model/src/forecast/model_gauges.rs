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
        let of_model = |(place, model): (usize, &Box<dyn Predictor<F>>)| {
            let is_its = |source: Source| source == Source::Model(place);
            let name = lineup.members.iter().find(|member| is_its(member.source)).map_or("", |member| &member.name);
            let labels =
                [("operator", shard.component.as_str()), ("partition", shard.partition.as_str()), ("model", name)];
            let named = |(gauge, _): (&'static str, f64)| shard.metrics.gauge(gauge, &labels);
            model.gauges().into_iter().map(named).collect()
        };
        Self { gauges: models.iter().enumerate().map(of_model).collect() }
    }

    pub(super) fn set<F>(&self, models: &[Box<dyn Predictor<F>>]) {
        for (gauges, model) in self.gauges.iter().zip(models) {
            gauges.iter().zip(model.gauges()).for_each(|(gauge, (_, value))| gauge.set(value));
        }
    }
}
