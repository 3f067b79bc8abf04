//! At which offsets `start` and `stop` are.
//!
//! As for Parquet, a time becomes an offset before reading begins, so the bounds are the same wherever reading begins. Here that
//! takes a first pass over the files up to the bound, in which only event times are decoded.

use std::sync::Arc;

use sluicegate_core::{BoxError, Reader as _};

use super::reader::{LinesReader, Reading};
use super::shape::Shape;
use super::source::{OnBadRecord, Partition};
use crate::position::Bound;
use crate::time;

/// Rows whose event times are looked at in one go.
const SCAN_ROWS: usize = 8192;

/// The offset of a bound in a partition; past all offsets where no row has so late a time.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn resolve(bound: Bound, partition: &Arc<Partition>, shape: &Shape) -> Result<i64, BoxError> {
    let nanos = match bound {
        Bound::Offset(offset) => return Ok(offset),
        Bound::Time(nanos) => nanos,
    };
    let Some(shape) = shape.of_time() else { return Ok(i64::MAX) };
    let least = shape.schema.fields().first().and_then(|field| time::least_tick(nanos, field.data_type()));
    let Some(least) = least else { return Ok(i64::MAX) };
    let reading = Reading { component: String::new(), shape, on_error: OnBadRecord::DeadLetter, batch_rows: SCAN_ROWS };
    let mut times = LinesReader::new(partition, &Arc::new(reading), 0..i64::MAX);
    while let Some(batch) = times.next_batch()? {
        // A record without a time is no row that a time could mean.
        drop(times.take_rejected());
        let ticks = time::ticks(batch.records().column(0))?;
        let at = ticks.iter().position(|tick| tick.is_some_and(|tick| tick >= least));
        if let Some(offset) = at.and_then(|row| batch.offsets().get(row)) {
            return Ok(offset.0);
        }
    }
    Ok(i64::MAX)
}
