//! The rows between two checkpoints: an Arrow stream whose length and hash the later checkpoint knows.
//!
//! An Arrow stream that is cut between two messages reads as complete. So nothing of a segment is read before all of it has
//! turned out to be what was written.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use blake3::{Hash, Hasher};
use sluicegate_place::PlaceError;

use super::folder::{Folder, Output};
use crate::SinkError;

/// Bytes that are hashed at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// A segment that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) size_bytes: u64,
    pub(super) blake3: Hash,
}

impl Segment {
    /// Its rows, from the file of this name.
    ///
    /// # Errors
    /// [`SinkError::Damaged`] when the file is not what was written.
    pub(super) fn rows(&self, folder: &Folder, name: &str) -> Result<Rows, SinkError> {
        self.verify(folder, name)?;
        let path = folder.path_of(name);
        // Fetched once more, as it may be too large to be kept.
        let file = BufReader::new(folder.open(name)?);
        let stream = StreamReader::try_new(file, None).map_err(|error| failed(path.clone(), error))?;
        Ok(Rows { path, stream })
    }

    fn verify(&self, folder: &Folder, name: &str) -> Result<(), SinkError> {
        let damaged = |message: String| SinkError::Damaged { path: folder.path_of(name), message };
        let mut file = folder.open(name)?;
        let (mut hasher, mut size_bytes, mut block) = (Hasher::new(), 0, vec![0; BLOCK_BYTES]);
        loop {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(len) => {
                    hasher.update(&block[..len]);
                    size_bytes += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(folder.path_of(name), error.into())),
            }
        }
        if size_bytes != self.size_bytes {
            return Err(damaged(format!("it has {size_bytes} bytes, where {} were written", self.size_bytes)));
        }
        if hasher.finalize() != self.blake3 {
            return Err(damaged("its hash is not the one in the checkpoint".to_owned()));
        }
        Ok(())
    }
}

/// The rows of a segment, batch by batch.
pub(super) struct Rows {
    path: PathBuf,
    stream: StreamReader<BufReader<Box<dyn Read + Send>>>,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.stream.next()?;
        Some(rows.map_err(|error| failed(self.path.clone(), error)))
    }
}

/// A segment in the making.
pub(super) struct SegmentWriter {
    path: PathBuf,
    stream: StreamWriter<BufWriter<Hashed>>,
}

impl SegmentWriter {
    pub(super) fn create(folder: &Folder, name: &str, schema: &SchemaRef) -> Result<Self, SinkError> {
        let path = folder.path_of(name);
        let file = Hashed { file: folder.create(name)?, hasher: Hasher::new(), size_bytes: 0 };
        let stream = StreamWriter::try_new(BufWriter::new(file), schema);
        Ok(Self { stream: stream.map_err(|error| failed(path.clone(), error))?, path })
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.stream.write(rows).map_err(|error| failed(self.path.clone(), error))
    }

    /// Returns when the segment is on the disk, or in the store.
    pub(super) fn complete(self, number: u64) -> Result<Segment, SinkError> {
        let Self { path, stream } = self;
        let buffer = stream.into_inner().map_err(|error| failed(path.clone(), error))?;
        let hashed = buffer.into_inner().map_err(|error| failed(path, error.into_error().into()))?;
        hashed.file.complete()?;
        Ok(Segment { number, size_bytes: hashed.size_bytes, blake3: hashed.hasher.finalize() })
    }
}

/// A file whose bytes are counted and hashed as they are written.
struct Hashed {
    file: Output,
    hasher: Hasher,
    size_bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.file.write(bytes)?;
        self.hasher.update(&bytes[..len]);
        self.size_bytes += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn failed(path: PathBuf, error: ArrowError) -> SinkError {
    match error {
        ArrowError::IoError(_, source) if source.get_ref().is_some_and(|inner| inner.is::<PlaceError>()) => {
            SinkError::Store { message: source.to_string() }
        }
        ArrowError::IoError(_, source) => SinkError::Io { doing: "stage rows in", path, source },
        error => SinkError::Encode { path, message: error.to_string() },
    }
}
