//! The rows of one partition, in order.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{Batch, BoxError, Offset, Offsets, Progress, Reader};

use super::columns::Columns;
use super::decode::{Decoder, Selection};
use super::footer::{Footer, RowGroups};
use super::source::Partition;
use crate::SourceError;

/// Reads the offsets of a range. One file is open at a time, and of it one page per column is decoded at a time.
pub(super) struct ParquetReader {
    partition: Arc<Partition>,
    columns: Arc<Columns>,
    schema: SchemaRef,
    batch_rows: usize,
    first: i64,
    next: i64,
    stop: i64,
    open: Option<OpenFile>,
}

struct OpenFile {
    rows: Decoder,
    /// The place of the file in the partition.
    file: usize,
    /// The offset of the file's first row.
    first: i64,
    /// The offset after the last row that is read of it.
    stop: i64,
}

impl ParquetReader {
    /// A reader of the offsets in `range`, as far as there are rows.
    pub(super) fn new(
        partition: &Arc<Partition>,
        columns: &Arc<Columns>,
        schema: &SchemaRef,
        range: Range<i64>,
        batch_rows: usize,
    ) -> Self {
        let stop = range.end.min(partition.end());
        let first = range.start.min(stop);
        Self {
            partition: Arc::clone(partition),
            columns: Arc::clone(columns),
            schema: schema.clone(),
            batch_rows,
            first,
            next: first,
            stop,
            open: None,
        }
    }

    fn read(&mut self) -> Result<Option<Batch>, BoxError> {
        while self.next < self.stop {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let open = self.open_file()?;
                    self.open.insert(open)
                }
            };
            if self.next == open.stop {
                self.open = None;
                continue;
            }
            let next = open.rows.next_rows();
            let (file, first, stop) = (open.file, open.first, open.stop);
            let damaged = |message: String| self.damaged(file, first, message);
            let rows = next.map_err(damaged)?;
            let rows = rows.ok_or_else(|| damaged("its pages hold fewer rows than its footer says".to_owned()))?;
            let len = rows.num_rows();
            if len == 0 || len as i64 > stop - self.next {
                return Err(damaged("its pages hold more rows than its footer says".to_owned()).into());
            }
            let rows = self.columns.arrange(&self.schema, &rows).map_err(|error| damaged(error.to_string()))?;
            let offsets = Offsets::dense(Offset(self.next), len)?;
            let batch = Batch::new(self.partition.id.clone(), offsets, rows)?;
            self.next += len as i64;
            return Ok(Some(batch));
        }
        self.open = None;
        Ok(None)
    }

    /// Opens the file that holds the next row, at that row.
    fn open_file(&self) -> Result<OpenFile, SourceError> {
        let next = self.next;
        let holds = |(_, (first, file)): &(usize, (i64, &RowGroups))| next < first + file.rows();
        let Some((file, (first, known))) = self.partition.files().enumerate().find(holds) else {
            return Err(SourceError::Ended { partition: self.partition.id.to_string() });
        };
        let stop = self.stop.min(first + known.rows());
        let footer = Footer::read_again(known)?;
        let mut selection =
            Selection { groups: Vec::new(), skip: 0, rows: (stop - next) as usize, batch_rows: self.batch_rows };
        for (group, span) in known.spans() {
            if span.end > next - first && span.start < stop - first {
                if selection.groups.is_empty() {
                    selection.skip = (next - first - span.start) as usize;
                }
                selection.groups.push(group);
            }
        }
        let projection = self.columns.projection(&footer);
        let rows =
            Decoder::new(&footer, projection, selection).map_err(|message| self.damaged(file, first, message))?;
        Ok(OpenFile { rows, file, first, stop })
    }

    fn damaged(&self, file: usize, first: i64, message: String) -> SourceError {
        let path = self.partition.files[file].file.path.clone();
        SourceError::Damaged { path, row: self.next - first, offset: self.next, message }
    }
}

impl Reader for ParquetReader {
    fn start(&self) -> Offset {
        Offset(self.first)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        self.read()
    }

    fn progress(&self) -> Progress {
        Progress::new((self.next - self.first) as u64, Some((self.stop - self.first) as u64))
    }
}
