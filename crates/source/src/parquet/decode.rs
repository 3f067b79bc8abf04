//! Rows of one file, decoded page by page.
//!
//! The decoder reports most damage as an error but panics on some; [`guarded`] makes an error of that as well. What it
//! guards is dropped after a panic, never used again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::footer::Footer;

/// Which rows of a file are decoded.
pub(super) struct Selection {
    /// Row groups, in order.
    pub(super) groups: Vec<usize>,
    /// Rows at the beginning of these that are passed over.
    pub(super) skip: usize,
    /// Rows after those that are wanted.
    pub(super) rows: usize,
    /// Rows of a batch, at most.
    pub(super) batch_rows: usize,
}

/// Decodes chosen rows and columns. Holds one page of each column at a time, and its dictionary where it has one.
pub(super) struct Decoder {
    /// `None` after a panic.
    reader: Option<ParquetRecordBatchReader>,
}

impl Decoder {
    /// Begins to decode a file.
    ///
    /// # Errors
    /// What the decoder said.
    pub(super) fn new(file: &Footer, columns: ProjectionMask, selection: Selection) -> Result<Self, String> {
        let input = file.input.try_clone().map_err(|error| error.to_string())?;
        guarded(|| {
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, file.metadata.clone())
                .with_projection(columns)
                .with_row_groups(selection.groups)
                .with_batch_size(selection.batch_rows)
                .with_limit(selection.rows);
            if selection.skip > 0 {
                builder = builder.with_offset(selection.skip);
            }
            builder.build().map_err(|error| message_of(&error))
        })
        .map(|reader| Self { reader: Some(reader) })
    }

    /// The next rows; `None` when there are no more.
    ///
    /// # Errors
    /// What the decoder said. It is of no use any more.
    pub(super) fn next_rows(&mut self) -> Result<Option<RecordBatch>, String> {
        let Some(mut reader) = self.reader.take() else { return Err("it failed before".to_owned()) };
        guarded(move || {
            let rows = reader.next().transpose().map_err(|error| error.to_string())?;
            Ok((reader, rows))
        })
        .map(|(reader, rows)| {
            self.reader = Some(reader);
            rows
        })
    }
}

/// Runs `decode`, and makes an error of a panic in it.
///
/// # Errors
/// Those of `decode`, and what a panic said.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| Err(said(panic.as_ref())))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the decoder gave up: {}", text.unwrap_or("no reason given"))
}

/// What the decoder said, without the name of its own error type in front.
pub(super) fn message_of(error: &ParquetError) -> String {
    match error {
        ParquetError::General(message) | ParquetError::EOF(message) | ParquetError::ArrowError(message) => {
            message.clone()
        }
        other => other.to_string(),
    }
}
