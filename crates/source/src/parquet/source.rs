//! The partitions that files make up.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{BoxError, Offset, PartitionId, Reader, Source};

use super::bounds;
use super::columns::Columns;
use super::footer::RowGroups;
use super::reader::ParquetReader;
use crate::files::{self, UntilFailed};
use crate::position::Bound;

/// One log: files in order.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    pub(super) files: Vec<RowGroups>,
}

impl Partition {
    /// Every file with the offset of its first row.
    pub(super) fn files(&self) -> impl Iterator<Item = (i64, &RowGroups)> + '_ {
        let mut first = 0i64;
        self.files.iter().map(move |file| {
            let at = first;
            first = first.saturating_add(file.rows());
            (at, file)
        })
    }

    /// The offset after the last row.
    pub(super) fn end(&self) -> i64 {
        self.files.iter().fold(0, |rows, file| rows.saturating_add(file.rows()))
    }
}

/// Parquet files as a source.
pub(super) struct ParquetSource {
    columns: Arc<Columns>,
    schema: SchemaRef,
    partitions: Vec<Arc<Partition>>,
    start: Option<Bound>,
    stop: Option<Bound>,
    batch_rows: usize,
}

impl ParquetSource {
    pub(super) fn new(
        columns: Columns,
        names: Vec<String>,
        files: Vec<RowGroups>,
        start: Option<Bound>,
        stop: Option<Bound>,
        batch_rows: usize,
    ) -> Self {
        let mut partitions: Vec<Partition> = Vec::new();
        for (name, file) in names.into_iter().zip(files) {
            match partitions.last_mut().filter(|last| last.id.as_str() == name) {
                Some(last) => last.files.push(file),
                None => partitions.push(Partition { id: PartitionId::new(name), files: vec![file] }),
            }
        }
        let schema = columns.schema();
        let partitions = partitions.into_iter().map(Arc::new).collect();
        Self { columns: Arc::new(columns), schema, partitions, start, stop, batch_rows }
    }
}

impl Source for ParquetSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(self.partitions.iter().map(|partition| partition.id.clone()).collect())
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let found = files::partition_called(partition, &self.partitions, |known| &known.id)?;
        let first = match (from, self.start) {
            (Some(Offset(from)), _) => from.max(0),
            (None, Some(start)) => bounds::resolve(start, found, &self.columns)?,
            (None, None) => 0,
        };
        let stop = match self.stop {
            Some(stop) => bounds::resolve(stop, found, &self.columns)?,
            None => found.end(),
        };
        let reader = ParquetReader::new(found, &self.columns, &self.schema, first..stop, self.batch_rows);
        Ok(Box::new(UntilFailed::new(reader, partition)))
    }
}
