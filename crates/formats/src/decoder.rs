//! The decoder: payloads in, rows out.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// Turns payloads into rows, one each.
pub trait Decoder: Send {
    /// The columns of the rows.
    fn schema(&self) -> SchemaRef;

    /// Appends the row that a payload holds; `None` is a message without one.
    ///
    /// # Errors
    /// [`BadRecord`] when it holds none. The decoder is then as it was before.
    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), BadRecord>;

    /// How many rows wait.
    fn len(&self) -> usize;

    /// Whether no row waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the rows that wait, in the order in which they came.
    ///
    /// # Errors
    /// When they do not fit one table.
    fn take(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// Why a payload is no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRecord {
    /// Why, in one or two words that can be grouped by: `empty`, `undecodable`, `wrong-type` or `not-utf8`.
    pub reason: &'static str,
    /// Why, in full.
    pub message: String,
}

impl BadRecord {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// A message without a payload, which deletes a key in a compacted topic.
    pub(crate) fn empty() -> Self {
        Self::new("empty", "the message has no payload")
    }
}
