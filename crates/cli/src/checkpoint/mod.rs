//! `sluice checkpoint`.

mod list;
mod moves;
mod show;
mod verify;

use std::path::Path;

use sluicegate::checkpoint::{CheckpointError, Store};
use sluicegate::{PartitionId, PipelineSpec, Registry};

use crate::args::{CheckpointCommand, PipelineArgs};
use crate::console::Console;
use crate::failure::{Ending, Failure};

/// Does what is asked of the checkpoints.
pub(crate) fn checkpoint(
    command: &CheckpointCommand,
    registry: &Registry,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    match command {
        CheckpointCommand::List(args) => list::list(args, console),
        CheckpointCommand::Show(args) => show::show(args, console),
        CheckpointCommand::Verify(args) => verify::verify(args, console),
        CheckpointCommand::Rewind(args) => moves::rewind(args, registry, console),
        CheckpointCommand::Reshard(args) => moves::reshard(args, registry, console),
    }
}

/// The place that `[checkpoint]` names. Nothing else of the pipeline is looked at, so no broker and no data has to be there.
fn store(args: &PipelineArgs, console: &mut Console<'_>) -> Result<Store, Failure> {
    let document = args.document(console)?;
    let spec = PipelineSpec::parse(&document).map_err(|error| Failure::wrong(&error))?;
    let Some(config) = spec.checkpoint() else {
        let message = format!(
            "{}: the pipeline keeps no checkpoints\n  help: add a table [checkpoint] with a `path`",
            args.file.display()
        );
        return Err(Failure::wrong_argument(message));
    };
    let folder = document.file().parent().unwrap_or(Path::new(""));
    Store::open(config, folder, spec.name()).map_err(|error| unusable(&error))
}

/// The partitions that have checkpoints, or the one that is asked for.
fn partitions(store: &Store, only: Option<&str>) -> Result<Vec<PartitionId>, Failure> {
    let all = store.shards().map_err(|error| unusable(&error))?;
    let Some(only) = only else { return Ok(all) };
    match all.iter().find(|partition| partition.as_str() == only) {
        Some(found) => Ok(vec![found.clone()]),
        None => Err(unknown(&all, only)),
    }
}

fn unknown(all: &[PartitionId], partition: &str) -> Failure {
    let known: Vec<&str> = all.iter().map(PartitionId::as_str).collect();
    let help = match known.as_slice() {
        [] => "none has any yet".to_owned(),
        known => format!("these have: {}", known.join(", ")),
    };
    Failure::wrong_argument(format!("there are no checkpoints of a partition `{partition}`\n  help: {help}"))
}

fn unusable(error: &CheckpointError) -> Failure {
    Failure::failed_by(error)
}
