//! `sluice checkpoint show`.

use comfy_table::{Cell, CellAlignment};
use sluicegate::checkpoint::{Checkpoint, CheckpointError};
use sluicegate::{PartitionId, SnapshotReader};

use super::{partitions, store, unusable};
use crate::args::ShowArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout::{self, grouped};

pub(super) fn show(args: &ShowArgs, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let store = store(&args.pipeline, console)?;
    partitions(&store, Some(&args.partition))?;
    let mut shard = store.shard(&PartitionId::new(&args.partition));
    let found = match &args.checkpoint {
        None => shard.newest().map_err(|error| unusable(&error))?,
        Some(name) => match shard.reference_of(name) {
            Err(CheckpointError::Missing { .. }) => None,
            reference => {
                Some(reference.and_then(|reference| shard.read(&reference)).map_err(|error| unusable(&error))?)
            }
        },
    };
    let Some(checkpoint) = found else {
        let message = format!(
            "partition `{}` has no such checkpoint\n  help: `sluice checkpoint list` names those there are",
            args.partition
        );
        return Err(Failure::wrong_argument(message));
    };
    console.out(format_args!("{}", described(&args.partition, &checkpoint)))?;
    Ok(Ending::Done)
}

fn described(partition: &str, checkpoint: &Checkpoint) -> String {
    let Checkpoint { reference, states, about } = checkpoint;
    let mut text = format!(
        "checkpoint {} of pipeline {}, partition {partition}\nposition    {}\nmanifest    {}\nwritten by  Sluicegate {}\n",
        reference.name, about.pipeline, reference.position, reference.manifest, about.version
    );
    for (component, type_name) in &about.components {
        text.push_str(&format!("component   {component} (type {type_name})"));
        if let Some(arithmetic) = about.arithmetic.get(component) {
            text.push_str(&format!(", arithmetic {arithmetic}"));
        }
        text.push('\n');
    }
    for (component, state) in states {
        text.push_str(&format!("\nstate of {component}, {} bytes\n", grouped(state.len() as u64)));
        let Ok(snapshot) = SnapshotReader::parse(state) else {
            text.push_str("  in a format of its own\n");
            continue;
        };
        let mut table = layout::table();
        table.set_header(["tensor", "type", "shape", "bytes"]);
        for entry in snapshot.entries() {
            table.add_row([
                Cell::new(entry.name),
                Cell::new(entry.dtype),
                Cell::new(format!("{:?}", entry.shape)),
                Cell::new(grouped(entry.size_bytes as u64)).set_alignment(CellAlignment::Right),
            ]);
        }
        text.push_str(&layout::text(&table));
    }
    text
}
