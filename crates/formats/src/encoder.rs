//! The encoder: rows in, payloads out.

use arrow::array::RecordBatch;
use sluicegate_core::BoxError;

/// Turns rows into payloads, one each.
pub trait Encoder: Send {
    /// The payloads of some rows, in order.
    ///
    /// # Errors
    /// When a row cannot be written.
    fn encode(&mut self, rows: &RecordBatch) -> Result<Encoded, BoxError>;
}

/// Payloads, one after the other.
#[derive(Debug, Default)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Encoded {
    /// Payloads that lie one after the other, each up to one of `ends`.
    pub fn new(bytes: Vec<u8>, ends: Vec<usize>) -> Self {
        Self { bytes, ends }
    }

    /// The payload of row `row`; `None` past the last.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let start = match row.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.bytes.get(start..*self.ends.get(row)?)
    }
}
