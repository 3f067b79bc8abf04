//! Which rows of either side belong to a partition's log, and under which offsets.
//!
//! Where the history is a copy of the topic its rows have the offsets of their records. Where the two meet at a time, a row of the
//! history has its number in the history, less [`BEFORE`]: far below every offset of a topic, and the same however long the
//! history is.

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use sluicegate_core::{BoxError, ConfigError, Offset, Offsets};

use crate::time::cast_strictly;

/// How far the offsets of a history lie below those of a topic: more rows than any history has.
pub(super) const BEFORE: i64 = 1 << 60;

/// Where the history ends and the live records begin.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    Time { column: String, micros: i64, key: Option<String> },
    Offset { partition: String, offset: String },
}

/// Rows that belong to a log, with their offsets.
pub(super) struct Kept {
    pub(super) offsets: Offsets,
    /// Of the rows that were looked at.
    pub(super) rows: BooleanArray,
}

impl Cut {
    pub(super) fn at_time(column: String, micros: i64, key: Option<String>) -> Self {
        Self::Time { column, micros, key }
    }

    pub(super) fn at_offset(history: &Schema, partition: &str, offset: &str) -> Result<Self, ConfigError> {
        for (setting, name) in [("hand_over.partition", partition), ("hand_over.offset", offset)] {
            match history.field_with_name(name) {
                Ok(field) if field.data_type().is_integer() => {}
                Ok(field) => {
                    let message = format!("column `{name}` holds {}, not whole numbers", field.data_type());
                    return Err(ConfigError::new(setting, message));
                }
                Err(_) => {
                    return Err(ConfigError::new(setting, format!("the history has no column `{name}`"))
                        .help("name the columns that the copy of the topic has; `columns` of `history` must not leave them out"));
                }
            }
        }
        Ok(Self::Offset { partition: partition.to_owned(), offset: offset.to_owned() })
    }

    /// Whether rows of the history have offsets of their own, below those of the topic.
    pub(super) fn is_before(&self) -> bool {
        matches!(self, Self::Time { .. })
    }

    /// Rows of the history that belong to a partition: `raw` as they were read, `aligned` with the columns of live ones.
    /// `first`: the row number of the first one. `routes`: whether a key comes to the partition. `number`: that of the partition.
    pub(super) fn history(
        &self,
        raw: &RecordBatch,
        aligned: &RecordBatch,
        rows: &Offsets,
        number: i64,
        routes: &dyn Fn(Option<&str>) -> bool,
    ) -> Result<Kept, BoxError> {
        match self {
            Self::Time { column, micros, key } => {
                let before = is_before(aligned, column, *micros)?;
                let keys = key.as_ref().and_then(|key| aligned.column_by_name(key));
                let keys = keys.map(|keys| cast(keys, &DataType::Utf8)).transpose()?;
                let keys = keys.as_ref().map(|keys| keys.as_string::<i32>());
                let comes = |row: usize| {
                    let key = keys.filter(|keys| keys.is_valid(row)).map(|keys| keys.value(row));
                    before.value(row) && routes(key)
                };
                let kept: BooleanArray = (0..aligned.num_rows()).map(|row| Some(comes(row))).collect();
                let offsets = rows.iter().zip(kept.values().iter()).filter(|(_, kept)| *kept);
                let offsets = offsets.map(|(offset, _)| offset.0 - BEFORE).collect::<Vec<i64>>();
                Ok(Kept { offsets: Offsets::sparse(offsets)?, rows: kept })
            }
            Self::Offset { partition, offset } => {
                let whole = |name: &str| -> Result<_, BoxError> {
                    let column =
                        raw.column_by_name(name).ok_or_else(|| format!("the history lost its column `{name}`"))?;
                    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
                };
                let (numbers, offsets) = (whole(partition)?, whole(offset)?);
                let comes = |row: usize| numbers.is_valid(row) && numbers.value(row) == number;
                let kept: BooleanArray = (0..raw.num_rows()).map(|row| Some(comes(row))).collect();
                let mut own = Vec::new();
                for row in (0..raw.num_rows()).filter(|row| kept.value(*row)) {
                    if offsets.is_null(row) || offsets.value(row) < 0 {
                        let at = rows.get(row).unwrap_or(Offset(0));
                        return Err(
                            format!("row {at} of the history is of partition {number}, but names no offset").into()
                        );
                    }
                    own.push(offsets.value(row));
                }
                Ok(Kept { offsets: Offsets::sparse(own)?, rows: kept })
            }
        }
    }

    /// Live rows that belong to the log; `None` for all.
    pub(super) fn live(&self, rows: &RecordBatch) -> Result<Option<BooleanArray>, ArrowError> {
        match self {
            Self::Offset { .. } => Ok(None),
            Self::Time { column, micros, .. } => {
                let before = is_before(rows, column, *micros)?;
                Ok((before.true_count() > 0).then(|| before.values().iter().map(|before| Some(!before)).collect()))
            }
        }
    }
}

/// Which rows are of an earlier time. A row without a time is none of the history's, and so a live one.
fn is_before(rows: &RecordBatch, column: &str, micros: i64) -> Result<BooleanArray, ArrowError> {
    let Some(times) = rows.column_by_name(column) else {
        return Err(ArrowError::SchemaError(format!("there is no column `{column}`")));
    };
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let times = cast_strictly(times, &utc)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    Ok(times.iter().map(|time| Some(time.is_some_and(|time| time < micros))).collect())
}

/// The rows that stay.
pub(super) fn keep(rows: &RecordBatch, kept: &BooleanArray) -> Result<RecordBatch, ArrowError> {
    filter_record_batch(rows, kept)
}
