//! At which offsets `start` and `stop` are.
//!
//! A time is turned into an offset before reading begins, by looking at event times only. So a reader knows nothing of
//! times, the bounds are the same wherever reading begins, and progress is known from the first row on. Row groups whose
//! statistics say that all their times are earlier are passed over; that saves reading them and changes nothing else.

use arrow::datatypes::FieldRef;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type;
use parquet::schema::types::ColumnDescPtr;

use super::columns::Columns;
use super::decode::{Decoder, Selection, guarded, message_of};
use super::footer::{Footer, RowGroups};
use super::source::Partition;
use crate::SourceError;
use crate::position::Bound;
use crate::time;

/// Rows whose event times are looked at in one go.
const SCAN_ROWS: usize = 8192;

/// The offset of a bound in a partition, at most the offset after its last row.
///
/// # Errors
/// When the event times of a file cannot be read.
pub(super) fn resolve(bound: Bound, partition: &Partition, columns: &Columns) -> Result<i64, SourceError> {
    let end = partition.end();
    let nanos = match bound {
        Bound::Offset(offset) => return Ok(offset.clamp(0, end)),
        Bound::Time(nanos) => nanos,
    };
    let Some(field) = columns.time() else { return Ok(end) };
    let Some(least) = time::least_tick(nanos, field.data_type()) else { return Ok(end) };
    for (first, file) in partition.files() {
        if let Some(row) = first_row(file, first, &field, least, columns)? {
            return Ok(first + row);
        }
    }
    Ok(end)
}

/// The first row of a file whose event time is at least `least`.
fn first_row(
    file: &RowGroups,
    file_offset: i64,
    field: &FieldRef,
    least: i64,
    columns: &Columns,
) -> Result<Option<i64>, SourceError> {
    let footer = Footer::read_again(file)?;
    let latest = latest_per_group(&footer, field, columns);
    let projection = columns.time_projection(&footer);
    for (group, span) in file.spans() {
        if span.is_empty() || latest.as_ref().and_then(|latest| latest[group]).is_some_and(|latest| latest < least) {
            continue;
        }
        let mut row = span.start;
        let damaged = |row: i64, message: String| SourceError::Damaged {
            path: file.file.path.clone(),
            row,
            offset: file_offset + row,
            message,
        };
        let selection =
            Selection { groups: vec![group], skip: 0, rows: (span.end - span.start) as usize, batch_rows: SCAN_ROWS };
        let mut times =
            Decoder::new(&footer, projection.clone(), selection).map_err(|message| damaged(row, message))?;
        while let Some(rows) = times.next_rows().map_err(|message| damaged(row, message))? {
            let ticks = columns
                .time_as_handed_on(field.name(), rows.column(0))
                .and_then(|column| time::ticks(&column))
                .map_err(|error| damaged(row, error.to_string()))?;
            if let Some(at) = ticks.iter().position(|tick| tick.is_some_and(|tick| tick >= least)) {
                return Ok(Some(row + at as i64));
            }
            row += ticks.len() as i64;
        }
        if row != span.end {
            return Err(damaged(row, "its pages do not hold as many rows as its footer says".to_owned()));
        }
    }
    Ok(None)
}

/// The latest event time of every row group, where statistics tell.
fn latest_per_group(footer: &Footer, field: &FieldRef, columns: &Columns) -> Option<Vec<Option<i64>>> {
    let (arrow, parquet) = (footer.metadata.schema(), footer.metadata.parquet_schema());
    let groups = footer.metadata.metadata().row_groups();
    // Writers disagree on how the old 96-bit timestamps are ordered.
    let is_old = |column: &ColumnDescPtr| column.name() == field.name() && column.physical_type() == Type::INT96;
    if parquet.columns().iter().any(is_old) {
        return None;
    }
    let latest = guarded(|| {
        let converter =
            StatisticsConverter::try_new(field.name(), arrow, parquet).map_err(|error| message_of(&error))?;
        converter.row_group_maxes(groups).map_err(|error| message_of(&error))
    });
    let latest = time::ticks(&columns.time_as_handed_on(field.name(), &latest.ok()?).ok()?).ok()?;
    (latest.len() == groups.len()).then(|| latest.iter().collect())
}
