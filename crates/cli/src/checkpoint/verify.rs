//! `sluice checkpoint verify`.

use super::{partitions, store, unusable};
use crate::args::CheckpointsArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure, flatten};
use crate::layout::counted;

pub(super) fn verify(args: &CheckpointsArgs, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let store = store(&args.pipeline, console)?;
    let (mut intact, mut damaged) = (0, 0);
    for partition in partitions(&store, args.partition.as_deref())? {
        for examined in store.shard(&partition).examine().map_err(|error| unusable(&error))? {
            let name = &examined.name;
            match &examined.found {
                Ok(Some(_)) => intact += 1,
                Ok(None) => {
                    console.out(format_args!("{partition} {name}: was never completed, and is never read\n"))?
                }
                Err(error) => {
                    damaged += 1;
                    console.out(format_args!("{partition} {name}: {}\n", flatten(error)))?;
                }
            }
        }
    }
    console.out(format_args!("{} intact, {damaged} damaged\n", counted(intact, "checkpoint")))?;
    Ok(if damaged == 0 { Ending::Done } else { Ending::Failed })
}
