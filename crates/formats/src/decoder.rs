//! The decoder: payloads in, rows out.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use sluicegate_core::BoxError;

/// Turns payloads into rows, one each.
pub trait Decoder: Send {
    /// The columns of the rows.
    fn schema(&self) -> SchemaRef;

    /// Appends the row that a payload holds; `None` is a message without one.
    ///
    /// # Errors
    /// [`DecodeError::Bad`] when it holds none: the decoder is then as it was before. [`DecodeError::Failed`] when it cannot be
    /// told whether it does: whoever reads has to stop.
    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError>;

    /// How many payloads wait.
    fn len(&self) -> usize;

    /// Whether no payload waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the rows that wait, in the order in which they came.
    ///
    /// # Errors
    /// When they do not fit one table.
    fn take(&mut self) -> Result<Taken, ArrowError>;
}

/// What became of the payloads that waited.
#[derive(Debug)]
pub struct Taken {
    /// The rows, in order.
    pub rows: RecordBatch,
    /// Payloads that turned out to hold no row only now, by their place among those that waited, in order.
    pub bad: Vec<(usize, BadRecord)>,
}

impl From<RecordBatch> for Taken {
    fn from(rows: RecordBatch) -> Self {
        Self { rows, bad: Vec::new() }
    }
}

/// Why a payload was not appended.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is no row. Its neighbours are not touched by it.
    #[error(transparent)]
    Bad(#[from] BadRecord),
    /// Something that is needed to read it is not to be had, such as a schema registry that is away. That is no fault of the
    /// record's.
    #[error("a record cannot be read")]
    Failed(#[source] BoxError),
}

/// Why a payload is no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRecord {
    /// Why, in one or two words that can be grouped by: `empty`, `undecodable`, `wrong-type`, `not-utf8`, `unknown-schema` or
    /// `schema-mismatch`.
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
