//! The forecast operator of a pipeline, and the events that it would get.

use std::path::{Path, PathBuf};

use sluicegate::config::{Document, Table};
use sluicegate::model::{ForecastConfig, ModelError};
use sluicegate::stream::ComponentSpec;
use sluicegate::{
    Batch, BoxError, ComponentKind, ConfigError, Metrics, Operator, OperatorFactory, Output, PartitionId,
    PipelineContext, PipelineSpec, Reader, Registry, ShardContext,
};

use crate::args::DiagnoseArgs;
use crate::failure::Failure;
use crate::layout::counted;

/// The type of the operator that is diagnosed.
pub(crate) const FORECAST: &str = "forecast";

/// The built-in sources that never end: of these it is said before any server is asked for anything.
pub(crate) const LIVE: [&str; 2] = ["kafka", "hybrid"];

/// What is diagnosed.
pub(super) struct Events {
    pub(super) config: ForecastConfig,
    pub(super) log: Vec<Batch>,
    pub(super) base_dir: PathBuf,
    operator: String,
    settings: Table,
    partition: PartitionId,
}

impl Events {
    /// Reads settings and events; nothing is written, and no sink is looked at.
    pub(super) fn read(document: &Document, args: &DiagnoseArgs, registry: &Registry) -> Result<Self, Failure> {
        let spec = PipelineSpec::parse(document).map_err(|error| Failure::wrong(&error))?;
        let operator = operator(&spec, args.operator.as_deref())?;
        let (source, between) = way(&spec, operator)?;
        let config: ForecastConfig = operator.settings.read().map_err(|error| Failure::wrong(&error))?;
        if LIVE.contains(&source.type_name.as_str()) {
            return Err(live(source));
        }
        let base_dir = document.file().parent().unwrap_or(Path::new("")).to_owned();
        let context = PipelineContext::new(spec.name(), &base_dir);
        let made = registry.make_source(&source.type_name, &source.settings, &context.for_component(&source.name));
        let mut made = made.map_err(|error| Failure::wrong(&error))?;
        if made.is_live() {
            return Err(live(source));
        }
        let (mut columns, mut factories) = (made.schema(), Vec::new());
        for component in between.into_iter().chain([operator]) {
            let context = context.for_component(&component.name);
            let factory = registry.make_operator(&component.type_name, &component.settings, &columns, &context);
            let factory = factory.map_err(|error| Failure::wrong(&error))?;
            columns = factory.output_schema();
            factories.push((component.name.as_str(), factory));
        }
        // Of the operator itself it was only to be known whether its settings are right.
        factories.pop();
        let failed = |error: BoxError| Failure::failed_by(error.as_ref());
        let partition = partition(made.partitions().map_err(failed)?, args.partition.as_deref())?;
        let mut reader = made.open(&partition, None).map_err(failed)?;
        let mut operators = built(&factories, &partition).map_err(failed)?;
        let log = log(reader.as_mut(), &mut operators, args.events.get()).map_err(failed)?;
        let (settings, operator) = (operator.settings.clone(), operator.name.clone());
        Ok(Self { config, log, base_dir, operator, settings, partition })
    }

    /// What an error of a diagnosis says: where it is of a setting, with its place in the file.
    pub(super) fn failure(&self, error: &BoxError) -> Failure {
        let located = |error: &ConfigError| Failure::wrong(&self.settings.locate(error.clone()));
        match (error.downcast_ref::<ConfigError>(), error.downcast_ref::<ModelError>()) {
            (Some(error), _) | (_, Some(ModelError::Config(error))) => located(error),
            (_, Some(ModelError::NoNetwork(_))) => located(&ConfigError::new("model.kind", error.to_string())),
            _ => Failure::failed_by(error.as_ref()),
        }
    }

    /// What was looked at, in words.
    pub(super) fn about(&self) -> String {
        let events: usize = self.log.iter().map(Batch::len).sum();
        format!("{} on {} of partition {}", self.operator, counted(events as u64, "event"), self.partition)
    }
}

pub(crate) fn operator<'a>(spec: &'a PipelineSpec, name: Option<&str>) -> Result<&'a ComponentSpec, Failure> {
    let is_forecast =
        |component: &&ComponentSpec| component.kind == ComponentKind::Operator && component.type_name == FORECAST;
    let all: Vec<&ComponentSpec> = spec.components().iter().filter(is_forecast).collect();
    let names = all.iter().map(|component| component.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, all.as_slice()) {
        (_, []) => {
            Err(Failure::wrong_argument(format!("pipeline {} has no operator of type \"{FORECAST}\"", spec.name())))
        }
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::wrong_argument(format!(
            "pipeline {} has several operators of type \"{FORECAST}\"\n  help: name one with --operator: {names}",
            spec.name()
        ))),
        (Some(name), all) => all.iter().find(|component| component.name == name).copied().ok_or_else(|| {
            Failure::wrong_argument(format!(
                "there is no operator `{name}` of type \"{FORECAST}\"\n  help: there is {names}"
            ))
        }),
    }
}

/// The source that an operator's rows come from, and the operators that they go through on the way.
pub(crate) fn way<'a>(
    spec: &'a PipelineSpec,
    operator: &ComponentSpec,
) -> Result<(&'a ComponentSpec, Vec<&'a ComponentSpec>), Failure> {
    let (mut at, mut between) = (operator, Vec::new());
    loop {
        let input = spec.components().iter().find(|component| Some(&component.name) == at.input.as_ref());
        let Some(input) = input else {
            let name = &operator.name;
            return Err(Failure::wrong_argument(format!(
                "the rows of operator `{name}` do not come from a source\n  help: name an operator whose rows do"
            )));
        };
        if input.kind == ComponentKind::Source {
            between.reverse();
            return Ok((input, between));
        }
        between.push(input);
        at = input;
    }
}

fn live(source: &ComponentSpec) -> Failure {
    Failure::wrong_argument(format!(
        "`{}` is a live source, and a diagnosis needs events that end\n  help: write some of them to files, and diagnose a \
         pipeline that reads those",
        source.name
    ))
}

/// The instances of operators for one partition.
pub(crate) fn built(
    factories: &[(&str, Box<dyn OperatorFactory>)],
    partition: &PartitionId,
) -> Result<Vec<Box<dyn Operator>>, BoxError> {
    let build = |(name, factory): &(&str, Box<dyn OperatorFactory>)| {
        factory.build(&ShardContext::new(partition.clone(), *name, Metrics::new()))
    };
    factories.iter().map(build).collect()
}

fn partition(all: Vec<PartitionId>, name: Option<&str>) -> Result<PartitionId, Failure> {
    let known = all.iter().map(|partition| format!("`{partition}`")).collect::<Vec<_>>().join(", ");
    let mut all = all.into_iter();
    let found = match name {
        Some(name) => all.find(|partition| partition.as_str() == name),
        None => all.next(),
    };
    found.ok_or_else(|| Failure::wrong_argument(format!("there is no such partition\n  help: there are {known}")))
}

/// The first rows that come out behind the operators.
fn log(reader: &mut dyn Reader, operators: &mut [Box<dyn Operator>], most: usize) -> Result<Vec<Batch>, BoxError> {
    let (mut log, mut left, mut is_over) = (Vec::new(), most, false);
    while left > 0 && !is_over {
        let next = reader.next_batch()?;
        is_over = next.is_none();
        for batch in through(operators, next)? {
            let batch = if batch.len() > left { batch.slice(0, left) } else { batch };
            left -= batch.len();
            if !batch.is_empty() {
                log.push(batch);
            }
        }
    }
    Ok(log)
}

/// What follows from a batch, or from the end of the partition, behind all operators.
pub(crate) fn through(operators: &mut [Box<dyn Operator>], next: Option<Batch>) -> Result<Vec<Batch>, BoxError> {
    let is_over = next.is_none();
    let mut batches: Vec<Batch> = next.into_iter().collect();
    for operator in operators {
        let mut out = Output::new();
        for batch in batches {
            operator.process(batch, &mut out)?;
        }
        if is_over {
            operator.finish(&mut out)?;
        }
        batches = out.take();
    }
    Ok(batches)
}
