//! `sluice checkpoint rewind` and `reshard`.

use sluicegate::stream::Sown;
use sluicegate::{PartitionId, Registry};

use crate::args::{ReshardArgs, RewindArgs};
use crate::console::Console;
use crate::failure::{Ending, Failure};

pub(super) fn rewind(args: &RewindArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let pipeline = args.pipeline.bind(registry, console)?;
    let partition = PartitionId::new(&args.partition);
    let commit = pipeline.rewind(&partition, &args.checkpoint).map_err(|error| Failure::of_run(&error))?;
    console.out(format_args!(
        "{partition} goes on at offset {}, from checkpoint {}\n",
        commit.position, args.checkpoint
    ))?;
    Ok(Ending::Done)
}

pub(super) fn reshard(args: &ReshardArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let pipeline = args.pipeline.bind(registry, console)?;
    let sown = pipeline.reshard(args.cold).map_err(|error| Failure::of_run(&error))?;
    if sown.is_empty() {
        console.out(format_args!("no partition is new\n"))?;
    }
    for Sown { partition, from, .. } in &sown {
        match from {
            Some((donor, checkpoint)) => console.out(format_args!(
                "{partition} begins with the state of {donor} at offset {} (checkpoint {})\n",
                checkpoint.position, checkpoint.name
            ))?,
            None => console.out(format_args!("{partition} begins with the state of no event\n"))?,
        }
    }
    Ok(Ending::Done)
}
