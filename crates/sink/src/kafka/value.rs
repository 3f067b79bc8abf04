//! Rows as values.

use std::io;
use std::ops::Range;

use arrow::array::RecordBatch;

use crate::console::json::write_row;

/// The values of a batch of rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Values {
    /// Each row as a JSON object.
    ///
    /// # Errors
    /// When a row cannot be written as one.
    pub(super) fn json(rows: &RecordBatch) -> io::Result<Self> {
        let columns: Vec<usize> = (0..rows.num_columns()).collect();
        let mut values = Self::default();
        for row in 0..rows.num_rows() {
            let start = values.bytes.len();
            write_row(rows, &columns, row, &mut values.bytes)?;
            // Without the line break at its end.
            values.places.push(start..values.bytes.len() - 1);
        }
        Ok(values)
    }

    /// The value of row `row`.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        self.places.get(row).and_then(|place| self.bytes.get(place.clone()))
    }
}
