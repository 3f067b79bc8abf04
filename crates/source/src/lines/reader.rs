//! The rows of one partition, in order.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use sluicegate_core::{Batch, BoxError, Offset, Offsets, Progress, Reader, Rejected};
use sluicegate_formats::{DecodeError, Decoder};

use super::records::Records;
use super::shape::Shape;
use super::source::{OnBadRecord, Partition};
use crate::SourceError;

/// A batch ends when its records have so many bytes, however few they are: what is read ahead is bounded.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// How partitions are read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) component: String,
    pub(super) shape: Shape,
    pub(super) on_error: OnBadRecord,
    pub(super) batch_rows: usize,
}

/// Reads the records whose numbers are in a range; those before it are cut, but not looked at.
pub(super) struct LinesReader {
    partition: Arc<Partition>,
    reading: Arc<Reading>,
    first: i64,
    /// The number of the next record.
    next: i64,
    stop: i64,
    /// The place in the partition of the next file to open.
    next_file: usize,
    open: Option<OpenFile>,
    rejected: Vec<Rejected>,
    rows: u64,
    /// An error that comes after the rows before it.
    pending: Option<SourceError>,
}

struct OpenFile {
    path: PathBuf,
    records: Records,
    decoder: Box<dyn Decoder>,
}

impl LinesReader {
    /// A reader of the records in `range`, as far as there are any.
    pub(super) fn new(partition: &Arc<Partition>, reading: &Arc<Reading>, range: Range<i64>) -> Self {
        Self {
            partition: Arc::clone(partition),
            reading: Arc::clone(reading),
            first: range.start.min(range.end),
            next: 0,
            stop: range.end,
            next_file: 0,
            open: None,
            rejected: Vec::new(),
            rows: 0,
            pending: None,
        }
    }

    /// The next rows, all of one file.
    fn read(&mut self) -> Result<Option<Batch>, BoxError> {
        if let Some(error) = self.pending.take() {
            return Err(error.into());
        }
        while self.first < self.stop && self.next < self.stop {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let Some(file) = self.partition.files.get(self.next_file) else { return Ok(None) };
                    self.next_file += 1;
                    let Some((records, decoder)) = self.reading.shape.open(file)? else { continue };
                    self.open.insert(OpenFile { path: file.path.clone(), records, decoder })
                }
            };
            let mut offsets = Vec::new();
            let mut bytes = 0;
            let over = loop {
                if offsets.len() + self.rejected.len() >= self.reading.batch_rows || bytes >= BATCH_BYTES_MAX {
                    break false;
                }
                let offset = self.next;
                if offset >= self.stop {
                    break true;
                }
                let record = match open.records.next() {
                    Ok(Some(record)) => record,
                    Ok(None) => break true,
                    Err(error) => {
                        self.pending = Some(error);
                        break false;
                    }
                };
                self.next += 1;
                if offset < self.first {
                    continue;
                }
                bytes += record.bytes.len();
                let bad = match open.decoder.push(Some(record.bytes)) {
                    Ok(()) => {
                        offsets.push(offset);
                        continue;
                    }
                    Err(DecodeError::Bad(bad)) => bad,
                    Err(DecodeError::Failed(error)) => return Err(error),
                };
                match bad {
                    bad if self.reading.on_error == OnBadRecord::Fail => {
                        let (path, line) = (open.path.clone(), record.line);
                        self.pending = Some(SourceError::BadLine { path, line, offset, message: bad.message });
                        break false;
                    }
                    bad => self.rejected.push(Rejected {
                        component: self.reading.component.clone(),
                        partition: self.partition.id.clone(),
                        offset: Offset(offset),
                        reason: bad.reason,
                        message: format!("{}, line {}: {}", open.path.display(), record.line, bad.message),
                        time_us: None,
                        key: None,
                        payload: Some(record.bytes.to_vec()),
                        headers: Vec::new(),
                    }),
                }
            };
            // What these formats read is good or bad at once.
            let rows = open.decoder.take()?.rows;
            if over {
                self.open = None;
            }
            if offsets.is_empty() && self.rejected.is_empty() {
                match self.pending.take() {
                    Some(error) => return Err(error.into()),
                    None => continue,
                }
            }
            let rows = rows.with_schema(self.reading.shape.schema.clone())?;
            self.rows += offsets.len() as u64;
            return Ok(Some(Batch::new(self.partition.id.clone(), numbered(offsets)?, rows)?));
        }
        Ok(None)
    }
}

/// Offsets as a range, where none is left out.
fn numbered(offsets: Vec<i64>) -> Result<Offsets, BoxError> {
    Ok(match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) if last - first + 1 == offsets.len() as i64 => {
            Offsets::dense(Offset(*first), offsets.len())?
        }
        _ => Offsets::sparse(offsets)?,
    })
}

impl Reader for LinesReader {
    fn start(&self) -> Offset {
        Offset(self.first)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        self.read()
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// How many records there are is known only when all have been read.
    fn progress(&self) -> Progress {
        Progress::new(self.rows, None)
    }
}
