//! Rows that go to the dead letters instead of into the models.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use sluicegate_core::{Batch, Offset, Offsets, Rejected};

use super::decode::Columns;
use crate::error::ModelError;

/// Divides a batch into the rows that are worked on and the dead letters of the others, each with its reason in full.
pub(super) fn divide(
    columns: &Columns,
    component: &str,
    batch: &Batch,
    refused: Vec<(usize, String)>,
) -> Result<(Batch, Vec<Rejected>), ModelError> {
    let mut letters = Vec::with_capacity(refused.len());
    let refused: BTreeMap<usize, String> = refused.into_iter().collect();
    for (row, message) in &refused {
        let (key, time_us) = columns.key_and_time(batch, *row)?;
        letters.push(Rejected {
            component: component.to_owned(),
            partition: batch.partition().clone(),
            offset: batch.offsets().get(*row).unwrap_or(Offset(0)),
            reason: "bad-value",
            message: message.clone(),
            time_us,
            key: key.map(String::into_bytes),
            payload: Some(json(batch, *row)?),
            headers: Vec::new(),
        });
    }
    let kept: BooleanArray = (0..batch.len()).map(|row| Some(!refused.contains_key(&row))).collect();
    let records = filter_record_batch(batch.records(), &kept)?;
    let offsets = batch.offsets().iter().enumerate().filter(|(row, _)| !refused.contains_key(row));
    let offsets = Offsets::sparse(offsets.map(|(_, offset)| offset.0).collect::<Vec<i64>>())?;
    Ok((Batch::new(batch.partition().clone(), offsets, records)?, letters))
}

/// A row as a JSON object. Numbers that JSON does not have are null there, and times that have a zone are given in UTC.
fn json(batch: &Batch, row: usize) -> Result<Vec<u8>, ModelError> {
    let one = batch.records().slice(row, 1);
    let in_utc = one.schema_ref().fields().iter().zip(one.columns()).map(|(field, column)| {
        let column = match column.data_type() {
            // The writer knows no zone by its name.
            DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))?,
            _ => Arc::clone(column),
        };
        Ok((field.name(), column))
    });
    let one = RecordBatch::try_from_iter(in_utc.collect::<Result<Vec<_>, ArrowError>>()?)?;
    let mut bytes = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut bytes);
    writer.write(&one)?;
    writer.finish()?;
    bytes.truncate(bytes.trim_ascii_end().len());
    Ok(bytes)
}
