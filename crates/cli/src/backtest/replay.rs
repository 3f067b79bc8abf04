//! The pass over the history.

use std::path::Path;

use sluicegate::config::Override;
use sluicegate::model::ForecastConfig;
use sluicegate::{BoxError, PipelineContext, PipelineSpec, Registry};

use super::rows::Losses;
use crate::args::BacktestArgs;
use crate::console::Console;
use crate::diagnose::events::{LIVE, built, operator, through, way};
use crate::failure::Failure;

/// Runs every partition through the pipeline's source and operators, up to the forecast, and keeps the losses. No sink is made and
/// no checkpoint looked at.
pub(super) fn replay(args: &BacktestArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Losses, Failure> {
    let wrong = |error: sluicegate::config::LocatedError| Failure::wrong(&error);
    let document = args.pipeline.document(console)?;
    let spec = PipelineSpec::parse(&document).map_err(wrong)?;
    let found = operator(&spec, args.operator.as_deref())?;
    let config: ForecastConfig = found.settings.read().map_err(wrong)?;
    if config.model.head.is_of_classes() {
        return Err(Failure::wrong_argument(format!(
            "operator `{}` forecasts classes, and a backtest scores numbers\n  help: `sluice run` shows the scores of classes",
            found.name
        )));
    }
    // Losses come from the operator's own rows, whatever the pipeline emits of them.
    let path = format!("operator.{}", found.name);
    let needed = [
        format!("{path}.layout=\"long\""),
        format!("{path}.columns=[\"observed\", \"forecast\", \"nll\", \"crps\", \"pit\"]"),
    ];
    let needed = needed.iter().map(|text| Override::parse(text).map_err(|error| Failure::wrong_setting(text, &error)));
    let document = args.pipeline.document_with(needed.collect::<Result<_, _>>()?, console)?;
    let spec = PipelineSpec::parse(&document).map_err(wrong)?;
    let found = operator(&spec, args.operator.as_deref())?;
    let (source, between) = way(&spec, found)?;
    let live = || {
        Failure::wrong_argument(format!(
            "`{}` is a live source, and a backtest needs a history that ends\n  help: backtest a pipeline that reads the same \
             events from files, such as Parquet",
            source.name
        ))
    };
    if LIVE.contains(&source.type_name.as_str()) {
        return Err(live());
    }
    let context = PipelineContext::new(spec.name(), document.file().parent().unwrap_or(Path::new("")));
    let made = registry.make_source(&source.type_name, &source.settings, &context.for_component(&source.name));
    let mut made = made.map_err(wrong)?;
    if made.is_live() {
        return Err(live());
    }
    let (mut columns, mut factories) = (made.schema(), Vec::new());
    for component in between.into_iter().chain([found]) {
        let context = context.for_component(&component.name);
        let factory = registry.make_operator(&component.type_name, &component.settings, &columns, &context);
        let factory = factory.map_err(wrong)?;
        columns = factory.output_schema();
        factories.push((component.name.as_str(), factory));
    }
    let failed = |error: BoxError| Failure::failed_by(error.as_ref());
    let mut losses = Losses::default();
    for partition in made.partitions().map_err(failed)? {
        let mut reader = made.open(&partition, None).map_err(failed)?;
        let mut operators = built(&factories, &partition).map_err(failed)?;
        loop {
            let next = reader.next_batch().map_err(failed)?;
            let is_over = next.is_none();
            for batch in through(&mut operators, next).map_err(failed)? {
                losses.take(&batch).map_err(failed)?;
            }
            if is_over {
                break;
            }
        }
    }
    Ok(losses)
}
