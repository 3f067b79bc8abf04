//! Which columns become which part of a record.

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use sluicegate_kafka::Header;

use super::cell;

/// Which columns, by their places, become which part of a record.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) topic: Option<String>,
    pub(super) topic_column: Option<usize>,
    pub(super) key: Vec<usize>,
    /// Columns with the names of their headers.
    pub(super) headers: Vec<(usize, String)>,
    /// A column with a list of headers, written before the others.
    pub(super) header_list: Option<usize>,
    pub(super) timestamp: Option<usize>,
    /// The column that is the value; all of them when `None`.
    pub(super) value: Option<usize>,
}

impl Layout {
    /// The topic of row `row`; `None` where there is none.
    pub(super) fn topic_of(&self, rows: &RecordBatch, row: usize) -> Option<String> {
        self.topic_column.and_then(|column| cell::text(rows.column(column), row)).or_else(|| self.topic.clone())
    }

    /// The key of row `row`; `None` where it has none.
    pub(super) fn key_of(&self, rows: &RecordBatch, row: usize) -> Option<Vec<u8>> {
        match self.key.as_slice() {
            [] => None,
            [column] => cell::bytes(rows.column(*column), row).map(|bytes| bytes.into_owned()),
            several => {
                let cells: Vec<Option<String>> = several
                    .iter()
                    .map(|column| {
                        cell::bytes(rows.column(*column), row).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    })
                    .collect();
                serde_json::to_vec(&cells).ok()
            }
        }
    }

    /// The headers of row `row`.
    pub(super) fn headers_of(&self, rows: &RecordBatch, row: usize) -> Vec<Header> {
        let mut headers = Vec::new();
        if let Some(column) = self.header_list {
            list_headers(rows.column(column), row, &mut headers);
        }
        headers.extend(self.headers.iter().map(|(column, name)| {
            (name.clone(), cell::bytes(rows.column(*column), row).map(|bytes| bytes.into_owned()))
        }));
        headers
    }

    /// The timestamps of all rows, in milliseconds since 1970; those that Kafka cannot hold are `None`.
    ///
    /// # Errors
    /// When the column holds no times.
    pub(super) fn timestamps_of(&self, rows: &RecordBatch) -> Result<Vec<Option<i64>>, ArrowError> {
        let Some(column) = self.timestamp else { return Ok(vec![None; rows.num_rows()]) };
        let column = rows.column(column);
        let zone = match column.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let times = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, zone))?;
        let times = times.as_primitive::<TimestampMillisecondType>();
        Ok(times.iter().map(|time| time.filter(|time| *time > 0)).collect())
    }
}

/// Headers from a list of `name` and `value`, as dead letters have them.
fn list_headers(column: &dyn Array, row: usize, to: &mut Vec<Header>) {
    let Some(lists) = column.as_list_opt::<i32>() else { return };
    if lists.is_null(row) {
        return;
    }
    let items = lists.value(row);
    let Some(pairs) = items.as_any().downcast_ref::<StructArray>() else { return };
    let (Some(names), Some(values)) = (pairs.column_by_name("name"), pairs.column_by_name("value")) else { return };
    for item in 0..pairs.len() {
        let name = cell::text(names, item).unwrap_or_default();
        to.push((name, cell::bytes(values, item).map(|bytes| bytes.into_owned())));
    }
}
