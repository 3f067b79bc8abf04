//! The forecast operator alone: batches in memory, driven by `Operator::process`.

use std::fs;
use std::time::{Duration, Instant};

use sluicegate::config::{Document, Override};
use sluicegate::{
    Batch, Metrics, Output, PartitionId, Pipeline, PipelineContext, PipelineSpec, ShardContext, default_registry,
};

use super::case::Case;
use crate::running::Done;

/// Rows that a pipeline hands to an operator at a time.
const BATCH_ROWS: usize = 1024;

/// The events of a case, in memory, in batches as a pipeline hands them on.
pub(super) fn batches(case: &Case) -> Done<Vec<Batch>> {
    let (spec, context, registry) = (spec(case, &[])?, context(case), default_registry()?);
    let source = spec.components().iter().find(|component| component.name == "events").ok_or("there is no source")?;
    let mut source = registry.make_source(&source.type_name, &source.settings, &context)?;
    let partition = source.partitions()?.into_iter().next().ok_or("the source has no partition")?;
    let mut reader = source.open(&partition, None)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.extend((0..batch.len()).step_by(BATCH_ROWS).map(|from| batch.slice(from, BATCH_ROWS)));
    }
    Ok(batches)
}

/// Runs the operator over all batches, with `overrides` in place of what the pipeline says; what it emits is dropped.
pub(super) fn run(case: &Case, batches: &[Batch], overrides: &[&str]) -> Done<Duration> {
    let (spec, context, registry) = (spec(case, overrides)?, context(case), default_registry()?);
    let columns = Pipeline::bind(&spec, &registry)?;
    let columns = columns.nodes().iter().find(|node| node.name == "events").ok_or("there is no source")?;
    let forecast =
        spec.components().iter().find(|component| component.name == "forecast").ok_or("there is no operator")?;
    let factory = registry.make_operator(&forecast.type_name, &forecast.settings, &columns.columns, &context)?;
    let partition = batches.first().map_or_else(|| PartitionId::new("none"), |batch| batch.partition().clone());
    let mut operator = factory.build(&ShardContext::new(partition, "forecast", Metrics::new()))?;
    let mut out = Output::new();
    let begun = Instant::now();
    for batch in batches {
        operator.process(batch.clone(), &mut out)?;
        drop(out.take());
    }
    operator.finish(&mut out)?;
    Ok(begun.elapsed())
}

fn spec(case: &Case, overrides: &[&str]) -> Done<PipelineSpec> {
    let overrides = overrides.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    let text = fs::read_to_string(&case.pipeline)?;
    Ok(PipelineSpec::parse(&Document::parse(&case.pipeline, text, overrides)?)?)
}

fn context(case: &Case) -> PipelineContext {
    PipelineContext::new("bench", case.pipeline.parent().unwrap_or(&case.pipeline))
}
