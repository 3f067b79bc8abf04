//! Rows as JSON.

use std::io;

use arrow::array::RecordBatch;
use sluicegate_formats::Encoded;

use crate::console::json::write_row;

/// Each row as a JSON object.
///
/// # Errors
/// When a row cannot be written as one.
pub(super) fn json(rows: &RecordBatch) -> io::Result<Encoded> {
    let columns: Vec<usize> = (0..rows.num_columns()).collect();
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows.num_rows()));
    for row in 0..rows.num_rows() {
        write_row(rows, &columns, row, &mut bytes)?;
        // Without the line break at its end.
        bytes.pop();
        ends.push(bytes.len());
    }
    Ok(Encoded::new(bytes, ends))
}
