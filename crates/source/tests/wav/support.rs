//! Sound to read, and sources made from a pipeline file's text.

use std::path::PathBuf;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use hound::{SampleFormat, WavSpec, WavWriter};
use sluicegate_core::{Batch, BoxError, Offset, PartitionId, Source};
use sluicegate_source::WavConfig;
use tempfile::TempDir;

use crate::connect::connect;

/// A folder with files and a pipeline in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// Writes one channel of 16 bits at 8 kHz.
    pub(crate) fn write_sound(&self, name: &str, samples: impl IntoIterator<Item = i16>) -> &Self {
        self.write_with(name, spec(1, 8000, 16), |writer| {
            samples.into_iter().for_each(|sample| writer.write_sample(sample).unwrap());
        })
    }

    /// Writes what `fill` says with hound.
    pub(crate) fn write_with(
        &self,
        name: &str,
        spec: WavSpec,
        fill: impl FnOnce(&mut WavWriter<std::io::BufWriter<std::fs::File>>),
    ) -> &Self {
        let mut writer = WavWriter::create(self.path(name), spec).unwrap();
        fill(&mut writer);
        writer.finalize().unwrap();
        self
    }

    /// The source of these settings, or the located error.
    pub(crate) fn connect(&self, settings: &str) -> Result<Box<dyn Source>, String> {
        connect("wav", self.0.path(), settings, |registry| {
            registry.source::<WavConfig>("wav").unwrap();
        })
    }

    /// All that its one partition gives.
    pub(crate) fn read(&self, settings: &str) -> Rows {
        let mut source = self.connect(settings).unwrap();
        let partitions = source.partitions().unwrap();
        assert_eq!(partitions.len(), 1, "{partitions:?}");
        Rows::read(source.as_mut(), &partitions[0], None).unwrap()
    }
}

/// PCM of so many channels, Hz and bits.
pub(crate) fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample, sample_format: SampleFormat::Int }
}

/// A file with a chunk `fmt ` and a chunk `data`, as they are given, and other chunks before them.
pub(crate) fn by_hand(others: &[(&[u8; 4], &[u8])], format: &[u8], data: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    let all = others.iter().copied().chain([(b"fmt ", format), (b"data", data)]);
    for (tag, content) in all {
        chunks.extend(tag);
        chunks.extend((content.len() as u32).to_le_bytes());
        chunks.extend(content);
        chunks.extend(vec![0; content.len() % 2]);
    }
    let mut file = b"RIFF".to_vec();
    file.extend((4 + chunks.len() as u32).to_le_bytes());
    file.extend(b"WAVE");
    file.extend(chunks);
    file
}

/// The first 16 bytes of a chunk `fmt `.
pub(crate) fn format(tag: u16, channels: u16, rate: u32, block_bytes: u16, bits: u16) -> Vec<u8> {
    let mut format = Vec::new();
    for number in [tag, channels] {
        format.extend(number.to_le_bytes());
    }
    format.extend(rate.to_le_bytes());
    format.extend(rate.saturating_mul(u32::from(block_bytes)).to_le_bytes());
    for number in [block_bytes, bits] {
        format.extend(number.to_le_bytes());
    }
    format
}

/// What a reader gave, put together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) offsets: Vec<i64>,
    pub(crate) records: RecordBatch,
}

impl Rows {
    pub(crate) fn read(source: &mut dyn Source, partition: &PartitionId, from: Option<i64>) -> Result<Self, BoxError> {
        let mut reader = source.open(partition, from.map(Offset))?;
        let mut batches: Vec<Batch> = Vec::new();
        loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    assert!(!batch.is_empty());
                    assert_eq!(batch.records().schema(), source.schema());
                    batches.push(batch);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(reader.next_batch().is_err(), "no later call succeeds");
                    return Err(error);
                }
            }
        }
        let progress = reader.progress();
        let rows: usize = batches.iter().map(Batch::len).sum();
        assert_eq!((progress.rows_done, progress.rows_total), (rows as u64, Some(rows as u64)));
        let offsets = batches.iter().flat_map(|batch| batch.offsets().iter()).map(|offset| offset.0).collect();
        let records = concat_batches(&source.schema(), batches.iter().map(Batch::records)).unwrap();
        Ok(Self { offsets, records })
    }

    pub(crate) fn text(&self, name: &str) -> Vec<String> {
        let column = self.records.column_by_name(name).unwrap();
        (0..column.len()).map(|row| array_value_to_string(column, row).unwrap()).collect()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        self.records.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
    }

    pub(crate) fn whole(&self, name: &str) -> Vec<i64> {
        self.records.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    pub(crate) fn times(&self) -> Vec<i64> {
        self.records.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>().values().to_vec()
    }
}
