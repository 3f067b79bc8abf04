//! `sluice checkpoint list`.

use comfy_table::{Cell, CellAlignment};
use indicatif::BinaryBytes;

use super::{partitions, store, unusable};
use crate::args::CheckpointsArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout::{self, grouped};

pub(super) fn list(args: &CheckpointsArgs, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let store = store(&args.pipeline, console)?;
    let mut table = layout::table();
    table.set_header(["partition", "checkpoint", "position", "written as", "size", ""]);
    let mut any = false;
    for partition in partitions(&store, args.partition.as_deref())? {
        let shard = store.shard(&partition);
        // Kept here only where the source and the sinks keep no positions themselves.
        let committed = shard.ledger().read().ok().flatten().and_then(|commit| commit.checkpoint);
        for summary in shard.list().map_err(|error| unusable(&error))? {
            any = true;
            let is_committed = committed.as_ref() == Some(&summary.reference);
            table.add_row([
                Cell::new(&partition),
                Cell::new(&summary.reference.name),
                Cell::new(position(summary.reference.position.0)).set_alignment(CellAlignment::Right),
                Cell::new(if summary.is_delta { "difference" } else { "whole" }),
                Cell::new(BinaryBytes(summary.size_bytes)).set_alignment(CellAlignment::Right),
                Cell::new(if is_committed { "committed" } else { "" }),
            ]);
        }
    }
    if any {
        console.out(format_args!("{}", layout::text(&table)))?;
    } else {
        console.out(format_args!("there are no checkpoints yet\n"))?;
    }
    Ok(Ending::Done)
}

/// An offset as people read it.
fn position(offset: i64) -> String {
    match u64::try_from(offset) {
        Ok(offset) => grouped(offset),
        Err(_) => offset.to_string(),
    }
}
