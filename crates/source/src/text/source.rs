//! The partitions that plain files make up.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluicegate_core::{BoxError, ConfigError, Offset, PartitionId, PipelineContext, Reader, Roles, Source};

use super::config::TextConfig;
use super::reader::TextReader;
use crate::SourceError;
use crate::files::{self, InputFile, Kind, UntilFailed};
use crate::position::Bound;

/// Every file of a directory is meant, whatever its name ends in.
const KIND: Kind = Kind { endings: &[], compressed: false };

/// One log: the bytes of files in order.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    pub(super) files: Vec<TextFile>,
}

/// A file, as long as it was when it was found.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) input: InputFile,
    /// What rows call it.
    pub(super) name: String,
    /// The number of its first byte in the partition.
    pub(super) first: i64,
    size_bytes: i64,
}

impl TextFile {
    /// The number of the byte after its last.
    pub(super) fn end(&self) -> i64 {
        self.first.saturating_add(self.size_bytes)
    }
}

/// How partitions are read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) schema: SchemaRef,
    pub(super) piece_bytes_max: usize,
    pub(super) batch_rows: usize,
}

/// Plain files as a source.
pub(super) struct TextSource {
    partitions: Vec<Arc<Partition>>,
    start: i64,
    stop: i64,
    reading: Arc<Reading>,
}

/// The columns: which file, where in it, and what.
fn schema(key: Option<&str>) -> SchemaRef {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = vec![
        Field::new("file", text, false),
        Field::new("position", DataType::Int64, false),
        Field::new("bytes", DataType::Binary, false),
    ];
    Roles { time: None, key: key.map(str::to_owned) }.mark(&Schema::new(fields))
}

/// What rows call a file: its path as the settings lead to it from the folder of the pipeline file, else from the root, or its URL. So
/// the same wherever that folder is.
fn name(file: &InputFile, base_dir: &Path) -> Result<String, SourceError> {
    let path = file.path.strip_prefix(base_dir).unwrap_or(&file.path);
    path.to_str().map(str::to_owned).ok_or_else(|| SourceError::Name { path: file.path.clone() })
}

impl TextSource {
    /// Finds the files.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub(super) fn connect(config: &TextConfig, pipeline: &PipelineContext) -> Result<Self, ConfigError> {
        let at_path = |error: SourceError| ConfigError::new("path", error.to_string());
        let (start, stop) = files::bounds(config.start.as_ref(), config.stop.as_ref(), false)?;
        let entries = config.path.entries();
        let found = files::find(entries, &pipeline.base_dir, KIND).map_err(at_path)?;
        let names = files::partition_names(config.partitions, entries, &found, pipeline, "text").map_err(at_path)?;
        let mut partitions: Vec<Partition> = Vec::new();
        for (partition, input) in names.into_iter().zip(found) {
            pipeline.claim_read(&input.path);
            let size = input.size().map_err(|source| SourceError::Io { path: input.path.clone(), source });
            let size_bytes = i64::try_from(size.map_err(at_path)?).unwrap_or(i64::MAX);
            let name = name(&input, &pipeline.base_dir).map_err(at_path)?;
            match partitions.last_mut().filter(|last| last.id.as_str() == partition) {
                Some(last) => {
                    let first = last.files.last().map_or(0, TextFile::end);
                    last.files.push(TextFile { input, name, first, size_bytes });
                }
                None => {
                    let files = vec![TextFile { input, name, first: 0, size_bytes }];
                    partitions.push(Partition { id: PartitionId::new(partition), files });
                }
            }
        }
        let offset = |bound: Option<Bound>, otherwise| match bound {
            Some(Bound::Offset(offset)) => offset,
            Some(Bound::Time(_)) | None => otherwise,
        };
        Ok(Self {
            partitions: partitions.into_iter().map(Arc::new).collect(),
            start: offset(start, 0),
            stop: offset(stop, i64::MAX),
            reading: Arc::new(Reading {
                schema: schema(config.key.map(|key| key.as_str())),
                piece_bytes_max: config.piece_bytes_max,
                batch_rows: config.batch_rows,
            }),
        })
    }
}

impl Source for TextSource {
    fn schema(&self) -> SchemaRef {
        self.reading.schema.clone()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(self.partitions.iter().map(|partition| partition.id.clone()).collect())
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let found = files::partition_called(partition, &self.partitions, |known| &known.id)?;
        let first = from.map_or(self.start, |Offset(from)| from.max(0));
        let reader = TextReader::new(found, &self.reading, first..self.stop);
        Ok(Box::new(UntilFailed::new(reader, partition)))
    }
}
