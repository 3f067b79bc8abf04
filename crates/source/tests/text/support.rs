//! Files to read, and sources made from a pipeline file's text.

use std::path::PathBuf;

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use sluicegate_core::{BoxError, Offset, PartitionId, Source};
use sluicegate_source::TextConfig;
use tempfile::TempDir;

use crate::connect::connect;

/// A folder with files and a pipeline in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// The source of these settings, or the located error.
    pub(crate) fn connect(&self, settings: &str) -> Result<Box<dyn Source>, String> {
        connect("text", self.0.path(), settings, |registry| {
            registry.source::<TextConfig>("text").unwrap();
        })
    }

    /// All that its one partition gives.
    pub(crate) fn read(&self, settings: &str) -> Vec<Row> {
        let mut source = self.connect(settings).unwrap();
        let partitions = source.partitions().unwrap();
        assert_eq!(partitions.len(), 1, "{partitions:?}");
        read(source.as_mut(), &partitions[0], None).unwrap()
    }
}

/// A piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) offset: i64,
    pub(crate) file: String,
    pub(crate) position: i64,
    pub(crate) bytes: Vec<u8>,
}

/// All rows from an offset on.
pub(crate) fn read(source: &mut dyn Source, partition: &PartitionId, from: Option<i64>) -> Result<Vec<Row>, BoxError> {
    let mut reader = source.open(partition, from.map(Offset))?;
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        let records = batch.records();
        assert_eq!(records.schema(), source.schema());
        let files = cast(records.column(0), &DataType::Utf8).unwrap();
        for row in 0..batch.len() {
            rows.push(Row {
                offset: batch.offsets().get(row).unwrap().0,
                file: files.as_string::<i32>().value(row).to_owned(),
                position: records.column(1).as_primitive::<Int64Type>().value(row),
                bytes: records.column(2).as_binary::<i32>().value(row).to_vec(),
            });
        }
        assert_eq!(records.column(2).null_count(), 0);
    }
    assert_eq!(reader.progress().rows_done, rows.len() as u64);
    Ok(rows)
}

/// The bytes of some rows, put together.
pub(crate) fn joined(rows: &[Row]) -> Vec<u8> {
    rows.iter().flat_map(|row| row.bytes.clone()).collect()
}
