//! The rows of one partition, in order.

use std::io::{BufReader, Error, ErrorKind, Read};
use std::ops::Range;
use std::sync::Arc;

use sluicegate_core::{Batch, BoxError, Offset, Offsets, Progress, Reader};

use super::encoding::Encoding;
use super::frame::{Frame, Grid};
use super::header::Header;
use super::shape::{Said, Shape};
use super::source::{Partition, Recording};
use crate::SourceError;

/// Bytes of sound that are decoded at once, however many channels there are beside the one that is read.
const PIECE_BYTES: usize = 64 << 10;

/// Reads the offsets of a range. One file is open at a time, and of it one batch or frame is held. Reading begins at the first
/// row that is wanted; nothing before it is looked at.
pub(super) struct WavReader {
    partition: Arc<Partition>,
    shape: Arc<Shape>,
    /// From 0.
    channel: u16,
    batch_rows: usize,
    first: i64,
    next: i64,
    stop: i64,
    open: Option<OpenFile>,
}

struct OpenFile {
    /// The place of the file in the partition.
    place: usize,
    /// The offset after the last row that is read of it.
    stop: i64,
    samples: Samples,
    /// The frame that was read last.
    frame: Vec<f64>,
}

impl WavReader {
    /// A reader of the offsets in `range`, as far as there are rows.
    pub(super) fn new(
        partition: &Arc<Partition>,
        shape: &Arc<Shape>,
        channel: u16,
        range: Range<i64>,
        batch_rows: usize,
    ) -> Self {
        let stop = range.end.min(partition.end());
        let first = range.start.min(stop);
        Self {
            partition: Arc::clone(partition),
            shape: Arc::clone(shape),
            channel,
            batch_rows,
            first,
            next: first,
            stop,
            open: None,
        }
    }

    fn read(&mut self) -> Result<Option<Batch>, BoxError> {
        if self.next >= self.stop {
            self.open = None;
            return Ok(None);
        }
        let mut open = match self.open.take() {
            Some(open) if self.next < open.stop => open,
            _ => self.open_file()?,
        };
        let recording = &self.partition.recordings[open.place];
        let rows = (open.stop - self.next).min(self.batch_rows as i64) as usize;
        let said = open.read(rows, self.shape.grid).map_err(|error| failed(recording, error))?;
        let records = self.shape.rows(recording, self.next - recording.first_row, said)?;
        let offsets = Offsets::dense(Offset(self.next), rows)?;
        self.next += rows as i64;
        self.open = Some(open);
        Ok(Some(Batch::new(self.partition.id.clone(), offsets, records)?))
    }

    /// Opens the file that holds the next row, at that row.
    fn open_file(&self) -> Result<OpenFile, SourceError> {
        let holds = |recording: &Recording| self.next < recording.first_row + recording.rows;
        let Some(place) = self.partition.recordings.iter().position(holds) else {
            return Err(SourceError::Ended { partition: self.partition.id.to_string() });
        };
        let recording = &self.partition.recordings[place];
        let header = Header::read(&recording.file)?;
        if header != recording.header {
            let message = "its header is another one".to_owned();
            return Err(SourceError::Changed { path: recording.file.path.clone(), message });
        }
        let first = (self.next - recording.first_row) * self.shape.grid.hop;
        let samples = Samples::open(recording, self.channel, first).map_err(|error| failed(recording, error))?;
        let stop = self.stop.min(recording.first_row + recording.rows);
        Ok(OpenFile { place, stop, samples, frame: Vec::new() })
    }
}

/// What an error is while a recording is read whose header was as before.
fn failed(recording: &Recording, source: Error) -> SourceError {
    let path = recording.file.path.clone();
    match source.kind() {
        ErrorKind::UnexpectedEof => SourceError::Changed { path, message: "it is shorter".to_owned() },
        _ => SourceError::Io { path, source },
    }
}

impl OpenFile {
    /// What is said of the next rows.
    fn read(&mut self, rows: usize, grid: Grid) -> Result<Said, Error> {
        if grid == Grid::SAMPLES {
            let mut values = Vec::with_capacity(rows);
            self.samples.read(rows, |value| values.push(value))?;
            return Ok(Said::Samples(values));
        }
        let (length, hop) = (grid.length as usize, grid.hop as usize);
        let mut frames = Vec::with_capacity(rows);
        for _ in 0..rows {
            if !self.frame.is_empty() {
                // What the frame before has of this one stays; what lies between the two is passed over.
                self.samples.read(hop.saturating_sub(length), drop)?;
                self.frame.drain(..hop.min(length));
            }
            let frame = &mut self.frame;
            self.samples.read(length - frame.len(), |value| frame.push(value))?;
            frames.push(Frame::of(frame));
        }
        Ok(Said::Frames(frames))
    }
}

/// One channel of a file, from some sample on.
struct Samples {
    bytes: BufReader<Box<dyn Read + Send>>,
    encoding: Encoding,
    /// Bytes of one sample of all channels.
    stride: usize,
    /// Where the channel's own are among them.
    at: usize,
    piece: Vec<u8>,
}

impl Samples {
    fn open(of: &Recording, channel: u16, first: i64) -> Result<Self, Error> {
        let Header { encoding, first_byte, .. } = of.header;
        let stride = of.header.frame_bytes();
        let bytes = of.file.open()?.into_read(first_byte + first as u64 * stride as u64)?;
        let at = usize::from(channel) * encoding.width();
        Ok(Self { bytes: BufReader::with_capacity(PIECE_BYTES, bytes), encoding, stride, at, piece: Vec::new() })
    }

    /// The next `count` samples, in order.
    fn read(&mut self, mut count: usize, mut each: impl FnMut(f64)) -> Result<(), Error> {
        while count > 0 {
            let now = count.min((PIECE_BYTES / self.stride).max(1));
            self.piece.resize(now * self.stride, 0);
            self.bytes.read_exact(&mut self.piece)?;
            let width = self.encoding.width();
            for sample in self.piece.chunks_exact(self.stride) {
                each(self.encoding.value(&sample[self.at..self.at + width]));
            }
            count -= now;
        }
        Ok(())
    }
}

impl Reader for WavReader {
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
