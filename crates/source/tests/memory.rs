//! Reading takes memory for pages and batches, not for row groups or files.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use sluicegate_core::config::Document;
use sluicegate_core::{PipelineContext, SourceConfig};
use sluicegate_source::ParquetConfig;

const BATCHES: usize = 250;
const BATCH_ROWS: usize = 16_384;

/// The most memory that this process has held so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_row_group_far_larger_than_a_batch_is_never_held_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..BATCH_ROWS).map(|row| row as i64 % 7)));
    let rows = RecordBatch::try_from_iter([("a", column.clone()), ("b", column.clone()), ("c", column)]).unwrap();
    let one_group = WriterProperties::builder().set_max_row_group_row_count(None).build();
    let file = File::create(dir.path().join("a.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(one_group)).unwrap();
    (0..BATCHES).for_each(|_| writer.write(&rows).unwrap());
    assert_eq!(writer.close().unwrap().num_row_groups(), 1);

    let settings = Document::parse("p.toml", "path = 'a.parquet'", Vec::new()).unwrap();
    let config: ParquetConfig = settings.root().read().unwrap();
    let mut source = config.connect(&PipelineContext::new("p", dir.path())).unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let mut reader = source.open(&partition, None).unwrap();
    let before_kib = peak_kib();
    let mut read = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        read += batch.len();
    }
    let taken_kib = peak_kib() - before_kib;
    let decoded_kib = (BATCHES * BATCH_ROWS * 3 * size_of::<i64>() / 1024) as u64;
    assert_eq!(read, BATCHES * BATCH_ROWS);
    assert!(taken_kib * 8 < decoded_kib, "{taken_kib} KiB taken for a row group of {decoded_kib} KiB");
}
