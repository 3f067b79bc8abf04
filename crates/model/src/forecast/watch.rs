//! An operator that works on a stretch of a log and is then looked into.

use sluicegate_core::{BoxError, Metrics, Operator, Output, PartitionId, PipelineContext, ShardContext};

use super::bind::Factory;
use super::desk::Desk;
use super::operator::ForecastOperator;
use crate::config::ForecastConfig;
use crate::diagnose::Subject;
use crate::error::ModelError;
use crate::family::ModelKind;
use crate::predictor::Inspect;

/// Runs an operator of these settings on the subject's log, and shows its first network to `look`, with the slot of the key that has
/// most events and their number.
///
/// # Errors
/// When the settings are wrong, the model is no network, there are no events, or what is looked at fails.
pub(crate) fn watch<T>(
    config: &ForecastConfig,
    subject: Subject<'_>,
    metrics: &Metrics,
    look: impl FnOnce(&mut dyn Inspect, Option<(usize, u64)>) -> Result<T, ModelError>,
) -> Result<T, BoxError> {
    let Some(first) = subject.log.first() else {
        return Err(ModelError::NothingToDiagnose { what: "anything".into(), needed: 1 }.into());
    };
    let partition: PartitionId = first.partition().clone();
    let shard = ShardContext::new(partition, "forecast", metrics.clone());
    let pipeline = PipelineContext::new("diagnose", subject.base_dir);
    let factory = Factory::check(config.clone(), &first.records().schema(), &pipeline)?;
    if config.model.head.is_of_classes() {
        go(factory.of_classes(&shard)?, subject, config.model.kind, look)
    } else {
        go(factory.of_numbers(&shard)?, subject, config.model.kind, look)
    }
}

fn go<D: Desk, T>(
    mut operator: ForecastOperator<D>,
    subject: Subject<'_>,
    kind: ModelKind,
    look: impl FnOnce(&mut dyn Inspect, Option<(usize, u64)>) -> Result<T, ModelError>,
) -> Result<T, BoxError> {
    let mut out = Output::new();
    for batch in subject.log {
        operator.process(batch.clone(), &mut out)?;
        out.take();
    }
    operator.finish(&mut out)?;
    let busiest = operator.keys.busiest();
    let network = operator.models.first_mut().and_then(|model| model.inspect()).ok_or(ModelError::NoNetwork(kind))?;
    Ok(look(network, busiest)?)
}
