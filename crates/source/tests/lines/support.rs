//! Files to read, and sources made from a pipeline file's text.

use std::path::PathBuf;

use arrow::array::{Array as _, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::array_value_to_string;
use sluicegate_core::{Batch, BoxError, Offset, PartitionId, Rejected, Source};
use sluicegate_source::{CsvConfig, JsonlConfig};
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

    /// The source of this type and settings, or the located error.
    pub(crate) fn connect(&self, of: &str, settings: &str) -> Result<Box<dyn Source>, String> {
        connect(of, self.0.path(), settings, |registry| {
            registry.source::<CsvConfig>("csv").unwrap();
            registry.source::<JsonlConfig>("jsonl").unwrap();
        })
    }

    /// All that its one partition gives.
    pub(crate) fn read(&self, of: &str, settings: &str) -> Rows {
        let mut source = self.connect(of, settings).unwrap();
        let partitions = source.partitions().unwrap();
        assert_eq!(partitions.len(), 1, "{partitions:?}");
        Rows::read(source.as_mut(), &partitions[0], None).unwrap()
    }
}

/// What a reader gave, put together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) offsets: Vec<i64>,
    pub(crate) records: RecordBatch,
    pub(crate) rejected: Vec<Rejected>,
}

impl Rows {
    pub(crate) fn read(source: &mut dyn Source, partition: &PartitionId, from: Option<i64>) -> Result<Self, BoxError> {
        let (rows, error) = Self::until_error(source, partition, from)?;
        error.map_or(Ok(rows), Err)
    }

    /// What came before an error, and that.
    pub(crate) fn until_error(
        source: &mut dyn Source,
        partition: &PartitionId,
        from: Option<i64>,
    ) -> Result<(Self, Option<BoxError>), BoxError> {
        let mut reader = source.open(partition, from.map(Offset))?;
        let (mut batches, mut rejected): (Vec<Batch>, Vec<Rejected>) = (Vec::new(), Vec::new());
        let error = loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    assert_eq!(batch.records().schema(), source.schema());
                    let letters = reader.take_rejected();
                    assert!(!batch.is_empty() || !letters.is_empty());
                    batches.push(batch);
                    rejected.extend(letters);
                }
                Ok(None) => break None,
                Err(error) => {
                    assert!(reader.next_batch().is_err(), "no later call succeeds");
                    break Some(error);
                }
            }
        };
        assert!(reader.take_rejected().is_empty());
        let offsets = batches.iter().flat_map(|batch| batch.offsets().iter()).map(|offset| offset.0).collect();
        let records = concat_batches(&source.schema(), batches.iter().map(Batch::records)).unwrap();
        Ok((Self { offsets, records, rejected }, error))
    }

    /// The values of a column, as text.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let mut column = self.records.column_by_name(name).unwrap().clone();
        if matches!(column.data_type(), DataType::Timestamp(_, _)) {
            column = cast(&column, &DataType::Timestamp(TimeUnit::Second, None)).unwrap();
        }
        (0..column.len()).map(|row| array_value_to_string(&column, row).unwrap()).collect()
    }
}
