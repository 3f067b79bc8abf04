//! The state that is generated from: that of the newest checkpoint, of one partition and one key.

use std::fs;
use std::path::Path;

use sluicegate::checkpoint::{Checkpoint, CheckpointConfig, CheckpointError, Store};
use sluicegate::model::{ForecastConfig, Generator, Sequences};
use sluicegate::stream::Node;
use sluicegate::{
    ComponentKind, Metrics, PartitionId, Pipeline, PipelineContext, Registry, ShardContext, SnapshotReader,
};

use super::wrong;
use crate::args::GenerateArgs;
use crate::failure::{Failure, flatten};

/// So many names are listed.
const NAMED_MAX: usize = 8;

/// Reads the state of the last component of `path`, which begins at the source.
pub(super) fn restore(
    args: &GenerateArgs,
    pipeline: &Pipeline,
    registry: &Registry,
    path: &[&Node],
    config: &ForecastConfig,
) -> Result<Sequences, Failure> {
    let (store, place) = store(args, pipeline)?;
    let partition = partition(&store, &place, args)?;
    let newest = store.shard(&partition).newest().map_err(|error| Failure::failed_by(&error))?;
    let Some(checkpoint) = newest else {
        let message = format!("{place}: partition `{partition}` has no checkpoint that can be read");
        return Err(Failure::wrong_argument(format!(
            "{message}\n  help: `sluice checkpoint verify` says what is wrong"
        )));
    };
    let of = Found { checkpoint: &checkpoint, partition: &partition };
    of.compare(path)?;
    for (node, input) in path.iter().skip(1).zip(path).filter(|(node, _)| node.name != path[path.len() - 1].name) {
        of.try_out(node, input, pipeline, registry)?;
    }
    let (operator, input) = match path {
        [.., input, operator] => (operator, input),
        _ => return Err(Failure::failed("the operator has no input".to_owned())),
    };
    let generator = Generator::restore(config.clone(), &input.columns, of.state(operator)?)
        .map_err(|error| of.other(operator, &flatten(&error)))?;
    let key = key(&generator, args.key.as_deref(), &of)?;
    generator.of_key(key.as_deref()).map_err(|error| wrong(&error))
}

/// Where the checkpoints are, and how to call it.
fn store(args: &GenerateArgs, pipeline: &Pipeline) -> Result<(Store, String), Failure> {
    let unusable = |error: CheckpointError| Failure::failed_by(&error);
    let Some(given) = &args.checkpoint else {
        let own = pipeline.store().map_err(unusable)?.zip(pipeline.checkpoint());
        return own.map(|(store, config)| (store, config.path.clone())).ok_or_else(|| {
            let message =
                format!("the pipeline `{}` keeps no checkpoints, so there is nothing to go on from", pipeline.name());
            let help = "say where they are by --checkpoint, or add a table [checkpoint] with a `path` and run it first";
            Failure::wrong_argument(format!("{message}\n  help: {help}"))
        });
    };
    // Opening a folder makes it.
    if !given.contains("://") && !Path::new(given).is_dir() {
        return Err(Failure::wrong_argument(format!("--checkpoint {given}: there is no such folder")));
    }
    let store = Store::open(&CheckpointConfig::new(given), Path::new(""), pipeline.name()).map_err(unusable)?;
    Ok((store, given.clone()))
}

fn partition(store: &Store, place: &str, args: &GenerateArgs) -> Result<PartitionId, Failure> {
    let all = store.shards().map_err(|error| Failure::failed_by(&error))?;
    let names = || named(all.iter().map(|partition| partition.as_str().to_owned()));
    match (&args.partition, all.as_slice()) {
        (_, []) => {
            let message = format!("{place} holds no checkpoints of a pipeline called `{}`", store.pipeline());
            let others = others(place);
            let help = if others.is_empty() {
                "run it first, with [checkpoint]".to_owned()
            } else {
                format!("there are: {others}")
            };
            Err(Failure::wrong_argument(format!("{message}\n  help: {help}")))
        }
        (None, [one]) => Ok(one.clone()),
        (None, _) => {
            let message = format!("{place}: there are checkpoints of several partitions");
            Err(Failure::wrong_argument(format!("{message}\n  help: say which by --partition: {}", names())))
        }
        (Some(name), _) => all.iter().find(|partition| partition.as_str() == name).cloned().ok_or_else(|| {
            let message = format!("{place}: there are no checkpoints of a partition `{name}`");
            Failure::wrong_argument(format!("{message}\n  help: these have: {}", names()))
        }),
    }
}

/// The pipelines that have checkpoints in a folder, if it is one.
fn others(place: &str) -> String {
    let folders = fs::read_dir(place).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    named(names)
}

/// The key that is asked for, or the only one.
fn key(generator: &Generator, asked: Option<&str>, of: &Found<'_>) -> Result<Option<String>, Failure> {
    let mut all = generator.keys();
    if all.is_empty() {
        let message = format!(
            "the checkpoint {} was made before any event, so there is nothing to go on from",
            of.checkpoint.reference.name
        );
        return Err(Failure::wrong_argument(format!("{message}\n  help: run the pipeline first")));
    }
    let names = || named(all.iter().map(|key| key.clone().unwrap_or_else(|| "(none)".to_owned())));
    match asked {
        Some(asked) if !all.iter().any(|key| key.as_deref() == Some(asked)) => {
            let message = format!("--key {asked}: partition `{}` has seen no such key", of.partition);
            Err(Failure::wrong_argument(format!("{message}\n  help: it has seen: {}", names())))
        }
        Some(asked) => Ok(Some(asked.to_owned())),
        None if all.len() > 1 => {
            let message = format!("partition `{}` has {} keys, each with a state of its own", of.partition, all.len());
            Err(Failure::wrong_argument(format!("{message}\n  help: say which by --key: {}", names())))
        }
        None => Ok(all.remove(0)),
    }
}

/// Some names; the rest are counted.
fn named(names: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = names.into_iter().collect();
    let some = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED_MAX { format!("{some}, … ({} in all)", all.len()) } else { some }
}

/// A checkpoint that was found.
struct Found<'a> {
    checkpoint: &'a Checkpoint,
    partition: &'a PartitionId,
}

impl Found<'_> {
    /// Makes sure that the components which lead to the operator are those that made the checkpoint.
    fn compare(&self, path: &[&Node]) -> Result<(), Failure> {
        let then = &self.checkpoint.about.components;
        let differs = |node: &&&Node| then.get(&node.name) != Some(&node.type_name);
        let Some(node) = path.iter().find(differs) else { return Ok(()) };
        let here = format!("{} `{}` of type {}", node.kind, node.name, node.type_name);
        let then =
            then.iter().map(|(name, type_name)| format!("`{name}` ({type_name})")).collect::<Vec<_>>().join(", ");
        Err(Failure::wrong_argument(format!(
            "the checkpoint {} was made by another pipeline: here there is the {here}, there were {then}",
            self.checkpoint.reference.name
        )))
    }

    fn state(&self, node: &Node) -> Result<&[u8], Failure> {
        self.checkpoint.states.get(&node.name).map(Vec::as_slice).ok_or_else(|| {
            Failure::wrong_argument(format!(
                "the checkpoint {} has no state of `{}`",
                self.checkpoint.reference.name, node.name
            ))
        })
    }

    /// Lets an operator before the one that is generated from say whether its state is one of the same settings.
    fn try_out(&self, node: &Node, input: &Node, pipeline: &Pipeline, registry: &Registry) -> Result<(), Failure> {
        if node.kind != ComponentKind::Operator {
            return Ok(());
        }
        let context = PipelineContext::new(pipeline.name(), pipeline.base_dir()).for_component(&node.name);
        let factory = registry
            .make_operator(&node.type_name, &node.settings, &input.columns, &context)
            .map_err(|error| Failure::wrong(&error))?;
        let shard = ShardContext::new(self.partition.clone(), &node.name, Metrics::new());
        let mut operator = factory.build(&shard).map_err(|error| Failure::failed_by(&*error))?;
        let state = SnapshotReader::parse(self.state(node)?).map_err(|error| Failure::failed_by(&error))?;
        operator.restore(&state).map_err(|error| self.other(node, &flatten(&*error)))
    }

    fn other(&self, node: &Node, why: &str) -> Failure {
        let name = &self.checkpoint.reference.name;
        Failure::wrong_argument(format!(
            "the state of `{}` in the checkpoint {name} cannot be gone on from: {why}",
            node.name
        ))
    }
}
