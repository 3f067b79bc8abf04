//! Sinks made from a pipeline file's text, rows to write, and a look at what is in a directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate_core::config::Document;
use sluicegate_core::{
    Batch, BoxError, Metrics, Offset, Offsets, PartitionId, PipelineContext, Registry, ShardContext, Sink, SinkFactory,
};
use sluicegate_sink::ParquetConfig;
use tempfile::TempDir;

/// A pipeline's folder, with `out` for the files.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// Binds `path = 'out'` and these settings.
    pub(crate) fn bind(&self, settings: &str) -> Box<dyn SinkFactory> {
        bind(self.0.path(), &format!("path = 'out'\n{settings}"), &rows(0, 0).schema()).unwrap()
    }

    /// Names of all files, sorted, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.out()) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Names of the files that other programs see.
    pub(crate) fn visible(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| !name.starts_with('.')).collect()
    }

    /// Makes a run with one partition `p` that writes rows `0 .. len` in batches of `batch_rows`.
    pub(crate) fn run(&self, settings: &str, len: usize, batch_rows: usize) {
        let factory = self.bind(settings);
        let mut sink = open(factory.as_ref(), "p").unwrap();
        write(sink.as_mut(), 0, len, batch_rows).unwrap();
        sink.finish().unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> RecordBatch {
        read(&self.out().join(name))
    }

    pub(crate) fn groups(&self, name: &str) -> Vec<i64> {
        let file = File::open(self.out().join(name)).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        builder.metadata().row_groups().iter().map(|group| group.num_rows()).collect()
    }
}

pub(crate) fn bind(base_dir: &Path, settings: &str, schema: &SchemaRef) -> Result<Box<dyn SinkFactory>, String> {
    bind_in(&PipelineContext::new("my pipeline", base_dir), settings, schema)
}

pub(crate) fn bind_in(
    pipeline: &PipelineContext,
    settings: &str,
    schema: &SchemaRef,
) -> Result<Box<dyn SinkFactory>, String> {
    let mut registry = Registry::new();
    registry.sink::<ParquetConfig>("parquet").unwrap();
    let document = Document::parse("p.toml", format!("[sink.s]\n{settings}"), Vec::new()).unwrap();
    let table = document.root().subtables("sink").unwrap().remove(0);
    registry.make_sink("parquet", &table, schema, pipeline).map_err(|error| error.to_string())
}

pub(crate) fn open(factory: &dyn SinkFactory, partition: &str) -> Result<Box<dyn Sink>, BoxError> {
    factory.open(&ShardContext::new(PartitionId::new(partition), "s", Metrics::new()))
}

pub(crate) fn write(sink: &mut dyn Sink, first: usize, len: usize, batch_rows: usize) -> Result<(), BoxError> {
    let mut written = 0;
    while written < len {
        let rows = batch_rows.min(len - written);
        sink.write(&batch(first + written, self::rows(first + written, rows)))?;
        written += rows;
    }
    Ok(())
}

pub(crate) fn batch(first: usize, records: RecordBatch) -> Batch {
    let offsets = Offsets::dense(Offset(first as i64), records.num_rows()).unwrap();
    Batch::new(PartitionId::new("p"), offsets, records).unwrap()
}

/// Rows `first .. first + len` of a log.
pub(crate) fn rows(first: usize, len: usize) -> RecordBatch {
    let all = || first as i64..(first + len) as i64;
    let models: DictionaryArray<Int32Type> = all().map(|row| Some(["forecast", "ar"][row as usize % 2])).collect();
    let times = TimestampMicrosecondArray::from_iter_values(all().map(|row| row * 3_600_000_000)).with_timezone("UTC");
    let mean = Float64Array::from_iter(all().map(|row| (row % 5 != 4).then_some((row as f64).sqrt())));
    table([
        ("offset", Arc::new(Int64Array::from_iter_values(all()))),
        ("time", Arc::new(times)),
        ("model", Arc::new(models)),
        ("mean", Arc::new(mean)),
    ])
}

pub(crate) fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

pub(crate) fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// The numbers in the column `offset` of a file.
pub(crate) fn offsets(rows: &RecordBatch) -> Vec<i64> {
    let column = rows.column_by_name("offset").unwrap();
    column.as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
}
