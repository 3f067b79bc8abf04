//! The rows of one partition, in order.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringDictionaryBuilder};
use arrow::datatypes::{Int32Type, SchemaRef};
use sluicegate_core::{Batch, BoxError, Offset, Offsets, Progress, Reader};

use super::pieces::Pieces;
use super::source::{Partition, Reading, TextFile};

/// A batch ends when its pieces have so many bytes, however few they are: what is read ahead is bounded.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// Reads the bytes of a partition whose numbers, counted over all files, are in a range.
pub(super) struct TextReader {
    partition: Arc<Partition>,
    reading: Arc<Reading>,
    first: i64,
    /// The number of the next byte.
    next: i64,
    stop: i64,
    /// The place in the partition of the next file to open.
    next_file: usize,
    open: Option<(usize, Pieces)>,
    rows: u64,
}

impl TextReader {
    /// A reader of the bytes in `range`, as far as there are any.
    pub(super) fn new(partition: &Arc<Partition>, reading: &Arc<Reading>, range: Range<i64>) -> Self {
        let first = range.start.min(range.end);
        Self {
            partition: Arc::clone(partition),
            reading: Arc::clone(reading),
            first,
            next: first,
            stop: range.end,
            next_file: 0,
            open: None,
            rows: 0,
        }
    }

    /// The next rows, all of one file.
    fn read(&mut self) -> Result<Option<Batch>, BoxError> {
        loop {
            let (place, pieces) = match &mut self.open {
                Some(open) => open,
                None => {
                    let place = self.next_file;
                    let Some(file) = self.partition.files.get(place) else { return Ok(None) };
                    self.next_file += 1;
                    let (from, to) = (self.next.max(file.first), self.stop.min(file.end()));
                    if from >= to {
                        continue;
                    }
                    let in_file = |offset: i64| u64::try_from(offset - file.first).unwrap_or(0);
                    let max = self.reading.piece_bytes_max;
                    self.open.insert((place, Pieces::open(&file.input, in_file(from), in_file(to), max)?))
                }
            };
            let Some(file) = self.partition.files.get(*place) else { return Ok(None) };
            let mut rows = Rows::default();
            let mut over = false;
            while !over && rows.offsets.len() < self.reading.batch_rows && rows.bytes < BATCH_BYTES_MAX {
                match pieces.next()? {
                    Some(piece) => rows.push(file, piece.position, piece.bytes)?,
                    None => over = true,
                }
            }
            if over {
                self.open = None;
            }
            let Some(last) = rows.offsets.last() else { continue };
            self.next = last + 1;
            self.rows += rows.offsets.len() as u64;
            let offsets = Offsets::sparse(std::mem::take(&mut rows.offsets))?;
            return Ok(Some(Batch::new(self.partition.id.clone(), offsets, rows.finish(&self.reading.schema)?)?));
        }
    }
}

/// Rows in the making.
#[derive(Default)]
struct Rows {
    offsets: Vec<i64>,
    bytes: usize,
    files: StringDictionaryBuilder<Int32Type>,
    positions: Int64Builder,
    pieces: BinaryBuilder,
}

impl Rows {
    fn push(&mut self, file: &TextFile, position: u64, bytes: &[u8]) -> Result<(), BoxError> {
        let position = i64::try_from(position)?;
        // The number of its last byte, so that reading goes on at the one after it.
        self.offsets.push(file.first + position + bytes.len() as i64 - 1);
        self.bytes += bytes.len();
        self.files.append(&file.name)?;
        self.positions.append_value(position);
        self.pieces.append_value(bytes);
        Ok(())
    }

    fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch, BoxError> {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.files.finish()), Arc::new(self.positions.finish()), Arc::new(self.pieces.finish())];
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }
}

impl Reader for TextReader {
    fn start(&self) -> Offset {
        Offset(self.first)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        self.read()
    }

    /// How many pieces there are is known only when all have been cut.
    fn progress(&self) -> Progress {
        Progress::new(self.rows, None)
    }
}
