//! Files to read, and sources made from a pipeline file's text.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sluicegate_core::{Batch, Offset, PartitionId, Source};
use sluicegate_source::ParquetConfig;
use tempfile::TempDir;

use crate::connect::connect;

/// 2017-01-01T00:00:00Z.
pub(crate) const YEAR_2017_US: i64 = 1_483_228_800_000_000;
pub(crate) const HOUR_US: i64 = 3_600_000_000;

/// A folder with files and a pipeline in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes rows as a file with row groups of at most `group_rows`.
    pub(crate) fn write(&self, name: &str, rows: &RecordBatch, group_rows: usize) -> PathBuf {
        self.write_with(name, rows, group_rows, EnabledStatistics::Page)
    }

    pub(crate) fn write_with(
        &self,
        name: &str,
        rows: &RecordBatch,
        group_rows: usize,
        statistics: EnabledStatistics,
    ) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group_rows))
            .set_statistics_enabled(statistics)
            .set_compression(Compression::ZSTD(Default::default()))
            .set_data_page_row_count_limit(16)
            .set_write_batch_size(8)
            .build();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), rows.schema(), Some(properties)).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        path
    }

    /// The source of these settings, or the located error.
    pub(crate) fn connect(&self, settings: &str) -> Result<Box<dyn Source>, String> {
        connect("parquet", self.0.path(), settings, |registry| {
            registry.source::<ParquetConfig>("parquet").unwrap();
        })
    }

    /// The source of these settings, and all rows of its partitions.
    pub(crate) fn read(&self, settings: &str) -> Rows {
        let mut source = self.connect(settings).unwrap();
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
}

impl Rows {
    pub(crate) fn read(
        source: &mut dyn Source,
        partition: &PartitionId,
        from: Option<i64>,
    ) -> Result<Self, sluicegate_core::BoxError> {
        let mut reader = source.open(partition, from.map(Offset))?;
        let mut batches: Vec<Batch> = Vec::new();
        while let Some(batch) = reader.next_batch()? {
            assert!(!batch.is_empty());
            assert_eq!(batch.partition(), partition);
            assert_eq!(batch.records().schema(), source.schema());
            batches.push(batch);
        }
        let progress = reader.progress();
        let rows: usize = batches.iter().map(Batch::len).sum();
        assert_eq!((progress.rows_done, progress.rows_total), (rows as u64, Some(rows as u64)));
        Ok(Self {
            offsets: batches.iter().flat_map(|batch| batch.offsets().iter()).map(|offset| offset.0).collect(),
            records: concat_batches(&source.schema(), batches.iter().map(Batch::records)).unwrap(),
        })
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        Self { offsets: self.offsets[start..start + len].to_vec(), records: self.records.slice(start, len) }
    }
}

/// Rows `first .. first + len` of a log with a time every hour, a key and a value that says which row it is.
pub(crate) fn log(first: usize, len: usize) -> RecordBatch {
    let rows = || first as i64..(first + len) as i64;
    let ts = TimestampMicrosecondArray::from_iter_values(rows().map(|row| YEAR_2017_US + row * HOUR_US));
    let meter = StringArray::from_iter_values(rows().map(|row| format!("meter-{}", row % 3)));
    let load = Float64Array::from_iter(rows().map(|row| (row % 5 != 4).then_some(row as f64 / 8.0)));
    let id = Int64Array::from_iter_values(rows());
    batch([
        ("ts", Arc::new(ts.with_timezone("UTC"))),
        ("meter", Arc::new(meter)),
        ("load", Arc::new(load)),
        ("id", Arc::new(id)),
    ])
}

pub(crate) fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

pub(crate) fn names(source: &mut dyn Source) -> Vec<String> {
    source.partitions().unwrap().iter().map(ToString::to_string).collect()
}
