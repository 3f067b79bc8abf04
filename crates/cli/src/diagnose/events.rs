//! The forecast operator of a pipeline, and the events that it would get.

use std::path::{Path, PathBuf};

use sluicegate::config::Document;
use sluicegate::model::ForecastConfig;
use sluicegate::stream::ComponentSpec;
use sluicegate::{Batch, ComponentKind, PartitionId, PipelineContext, PipelineSpec, Registry, Source};

use crate::args::DiagnoseArgs;
use crate::failure::Failure;
use crate::layout::counted;

/// The type of the operator that is diagnosed.
const FORECAST: &str = "forecast";

/// What is diagnosed.
pub(super) struct Events {
    pub(super) config: ForecastConfig,
    pub(super) log: Vec<Batch>,
    pub(super) base_dir: PathBuf,
    operator: String,
    partition: PartitionId,
}

impl Events {
    /// Reads settings and events; nothing is written, and no sink is looked at.
    pub(super) fn read(document: &Document, args: &DiagnoseArgs, registry: &Registry) -> Result<Self, Failure> {
        let spec = PipelineSpec::parse(document).map_err(|error| Failure::wrong(&error))?;
        let operator = operator(&spec, args.operator.as_deref())?;
        let source = source(&spec, operator)?;
        let config: ForecastConfig = operator.settings.read().map_err(|error| Failure::wrong(&error))?;
        let base_dir = document.file().parent().unwrap_or(Path::new("")).to_owned();
        let context = PipelineContext::new(spec.name(), &base_dir).for_component(&source.name);
        let made = registry.make_source(&source.type_name, &source.settings, &context);
        let mut made = made.map_err(|error| Failure::wrong(&error))?;
        if made.is_live() {
            let message = format!(
                "`{}` is a live source, and a diagnosis needs events that end\n  help: write some of them to files, and \
                 diagnose a pipeline that reads those",
                source.name
            );
            return Err(Failure::wrong_argument(message));
        }
        let failed = |error: sluicegate::BoxError| Failure::failed_by(error.as_ref());
        let partition = partition(made.partitions().map_err(failed)?, args.partition.as_deref())?;
        let log = log(made.as_mut(), &partition, args.events.get()).map_err(failed)?;
        Ok(Self { config, log, base_dir, operator: operator.name.clone(), partition })
    }

    /// What was looked at, in words.
    pub(super) fn about(&self) -> String {
        let events: usize = self.log.iter().map(Batch::len).sum();
        format!("{} on {} of partition {}", self.operator, counted(events as u64, "event"), self.partition)
    }
}

fn operator<'a>(spec: &'a PipelineSpec, name: Option<&str>) -> Result<&'a ComponentSpec, Failure> {
    let is_forecast =
        |component: &&ComponentSpec| component.kind == ComponentKind::Operator && component.type_name == FORECAST;
    let all: Vec<&ComponentSpec> = spec.components().iter().filter(is_forecast).collect();
    let names = all.iter().map(|component| component.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, all.as_slice()) {
        (_, []) => Err(Failure::wrong_argument(format!(
            "pipeline {} has no operator of type \"{FORECAST}\", so there is no network to diagnose",
            spec.name()
        ))),
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

fn source<'a>(spec: &'a PipelineSpec, operator: &ComponentSpec) -> Result<&'a ComponentSpec, Failure> {
    let input = spec.components().iter().find(|component| Some(&component.name) == operator.input.as_ref());
    input.filter(|component| component.kind == ComponentKind::Source).ok_or_else(|| {
        Failure::wrong_argument(format!(
            "operator `{}` does not take its rows from a source, and a diagnosis reads a source only\n  help: diagnose a \
             pipeline in which it does",
            operator.name
        ))
    })
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

fn log(source: &mut dyn Source, partition: &PartitionId, most: usize) -> Result<Vec<Batch>, sluicegate::BoxError> {
    let mut reader = source.open(partition, None)?;
    let (mut log, mut left) = (Vec::new(), most);
    while left > 0 {
        let Some(batch) = reader.next_batch()? else { break };
        let batch = if batch.len() > left { batch.slice(0, left) } else { batch };
        left -= batch.len();
        if !batch.is_empty() {
            log.push(batch);
        }
    }
    Ok(log)
}
