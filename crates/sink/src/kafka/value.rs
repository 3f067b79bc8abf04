//! Rows as values.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder};

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
    /// When a column's type has no form in JSON.
    pub(super) fn json(rows: &RecordBatch) -> Result<Self, ArrowError> {
        let mut bytes = Vec::new();
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut bytes);
        writer.write(rows)?;
        writer.finish()?;
        drop(writer);
        // Within a JSON text a line break is always escaped.
        let mut places = Vec::with_capacity(rows.num_rows());
        let mut start = 0;
        for (end, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            places.push(start..end);
            start = end + 1;
        }
        Ok(Self { bytes, places })
    }

    /// The value of row `row`.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        self.places.get(row).and_then(|place| self.bytes.get(place.clone()))
    }
}
