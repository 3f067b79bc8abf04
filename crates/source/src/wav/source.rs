//! The partitions that recordings make up.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{BoxError, Offset, PartitionId, Reader, Source};

use super::frame::Grid;
use super::header::Header;
use super::reader::WavReader;
use super::shape::Shape;
use crate::files::{self, InputFile, UntilFailed};
use crate::position::Bound;

/// A file of sound, and where it stands in its partition.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) file: InputFile,
    pub(super) header: Header,
    /// What it is called in rows.
    pub(super) label: String,
    /// The key that its name holds; empty where there is no column of keys.
    pub(super) key: String,
    /// How many samples of its partition come before it.
    pub(super) first_sample: i64,
    /// The offset of its first row.
    pub(super) first_row: i64,
    pub(super) rows: i64,
}

/// One log: recordings in order.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    pub(super) recordings: Vec<Recording>,
}

impl Partition {
    pub(super) fn new(id: PartitionId) -> Self {
        Self { id, recordings: Vec::new() }
    }

    /// Adds a file after all others.
    pub(super) fn push(&mut self, file: InputFile, header: Header, label: String, key: String, grid: Grid) {
        let (first_sample, first_row) = (self.samples(), self.end());
        let rows = grid.rows(header.samples);
        self.recordings.push(Recording { file, header, label, key, first_sample, first_row, rows });
    }

    fn samples(&self) -> i64 {
        self.recordings.last().map_or(0, |last| last.first_sample.saturating_add(last.header.samples))
    }

    /// The offset after the last row.
    pub(super) fn end(&self) -> i64 {
        self.recordings.last().map_or(0, |last| last.first_row.saturating_add(last.rows))
    }

    /// The offset of a bound, at most the offset after the last row. Nothing is read for it.
    fn resolve(&self, bound: Bound, shape: &Shape) -> i64 {
        let end = self.end();
        let nanos = match bound {
            Bound::Offset(offset) => return offset.clamp(0, end),
            Bound::Time(nanos) => nanos,
        };
        let Some(sample) = shape.clock.first_at(nanos) else { return end };
        for recording in &self.recordings {
            let row = shape.grid.first_with_last((sample - recording.first_sample).max(0));
            if row < recording.rows {
                return recording.first_row + row;
            }
        }
        end
    }
}

/// WAV files as a source.
pub(super) struct WavSource {
    pub(super) shape: Arc<Shape>,
    pub(super) partitions: Vec<Arc<Partition>>,
    /// The channel that is read, from 0.
    pub(super) channel: u16,
    pub(super) start: Option<Bound>,
    pub(super) stop: Option<Bound>,
    pub(super) batch_rows: usize,
}

impl Source for WavSource {
    fn schema(&self) -> SchemaRef {
        self.shape.schema.clone()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(self.partitions.iter().map(|partition| partition.id.clone()).collect())
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let found = files::partition_called(partition, &self.partitions, |known| &known.id)?;
        let resolve = |bound: Bound| found.resolve(bound, &self.shape);
        let first = match (from, self.start) {
            (Some(Offset(from)), _) => from.max(0),
            (None, start) => start.map_or(0, resolve),
        };
        let stop = self.stop.map_or(found.end(), resolve);
        let reader = WavReader::new(found, &self.shape, self.channel, first..stop, self.batch_rows);
        Ok(Box::new(UntilFailed::new(reader, partition)))
    }
}
