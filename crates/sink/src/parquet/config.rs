//! The settings of the Parquet sink.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{BoxError, ConfigError, Delivery, PipelineContext, ShardContext, Sink, SinkConfig, SinkFactory};
use sluicegate_place::{Address, PlaceError};

use super::directory::Directory;
use super::folder::Folder;
use super::layout;
use super::mark;
use super::names;
use super::sink::{Limits, ParquetSink};
use super::staged::StagedSink;

/// Rows of a row group, unless the settings say otherwise: some ten MiB of forecasts, which are held in memory until written.
const ROW_GROUP_ROWS_DEFAULT: usize = 131_072;
/// A row group is held in memory as a whole; larger ones gain nothing.
const ROW_GROUP_ROWS_MAX: usize = 1 << 24;
/// Size at which a file is closed, unless the settings say otherwise: 1 GiB.
const FILE_BYTES_MAX_DEFAULT: u64 = 1 << 30;
/// The same at most in an object store: 4 GiB, which leaves room for the last row group.
const FILE_BYTES_MAX_IN_STORE: u64 = 4 << 30;
const ZSTD_LEVEL_DEFAULT: i32 = 1;
const ZSTD_LEVEL_MAX: i32 = 22;

/// Writes rows as Parquet files, `part-<partition>-<number>.parquet`, into one directory.
///
/// A file gets its name only when it is complete and on the disk. Until then it is called `.part-….tmp`, which readers of
/// directories skip. A run that fails removes its unfinished file and leaves its complete ones.
///
/// The files of an earlier run are replaced, unless `existing` says otherwise. A file says in its footer, by an entry
/// `sluicegate.sink` with the name of the pipeline, that this sink wrote it; no other complete file is ever removed.
///
/// In a pipeline with `[checkpoint]`, rows become visible exactly once: a file gets its name when a commit names a checkpoint that
/// holds all of it. Until then it is staged under a hidden name, and so are the rows of the file in the making, so that a run that
/// is killed goes on where it was. There `replace` concerns a partition's own files only, and only when its run begins anew.
///
/// In file names, all characters of a partition's name but ASCII letters, digits, `_`, `.` and `-` are written as `%` and
/// two hexadecimal digits for each byte; a long name is cut and gets a hash. Numbers count from 00000 in each partition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetConfig {
    /// The directory, relative to the folder of the pipeline file. It is made when it is not there. No source of the
    /// pipeline may read files in it, and no other sink may write there.
    ///
    /// Or the URL of a folder in an object store, such as `s3://bucket/forecasts`. Credentials come from the environment
    /// (`AWS_ACCESS_KEY_ID` and so on), never from the URL. There, too, a file is seen when it is complete. The store has to
    /// know writes and copies "if there is none yet" (`If-None-Match: *`), as Amazon S3 does.
    pub path: PathBuf,

    /// What happens to the files that an earlier run left in the directory.
    ///
    /// `replace`, the default, removes every file of the directory that is called `part-<partition>-<number>.parquet` and
    /// that a Parquet sink of Sluicegate wrote, whatever its partition and pipeline, as well as the `.part-….tmp` files of
    /// runs that were killed. Nothing else is removed: where a file of another program has a name that the run needs, the
    /// run fails.
    #[serde(default)]
    pub existing: Existing,

    /// Rows of a row group. That many rows are held in memory, encoded, per partition.
    #[serde(default = "row_group_rows_default")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub row_group_rows: usize,

    /// Rows of a file, at most. No limit when left out.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub file_rows_max: Option<u64>,

    /// Size of a file in bytes at which it is closed, at the end of the row group that reaches it.
    #[serde(default = "file_bytes_max_default")]
    #[schemars(range(min = 1))]
    pub file_bytes_max: u64,

    /// How pages are compressed.
    #[serde(default)]
    pub compression: Compression,

    /// The level of `zstd`, 1 (fast, the default) to 22 (small).
    #[serde(default)]
    #[schemars(range(min = 1, max = 22))]
    pub compression_level: Option<i32>,
}

fn row_group_rows_default() -> usize {
    ROW_GROUP_ROWS_DEFAULT
}

fn file_bytes_max_default() -> u64 {
    FILE_BYTES_MAX_DEFAULT
}

/// What happens to the files of an earlier run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// They are removed, of all partitions at once, when this run has its first file complete, right before that file gets
    /// its name. So a run that fails before leaves them as they were, and files of two runs never stand side by side. Files
    /// that Sluicegate did not write stay, whatever they are called.
    #[default]
    Replace,
    /// The run does not begin where there is any file called `part-<partition>-<number>.parquet`, whoever wrote it.
    Refuse,
    /// They stay, and numbers go on after theirs, and after those of files so called that another program wrote.
    Append,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Zstandard: the smallest.
    #[default]
    Zstd,
    /// Snappy: faster, and somewhat larger.
    Snappy,
    /// Not at all: the fastest to write.
    None,
}

impl ParquetConfig {
    fn codec(&self) -> Result<Codec, ConfigError> {
        match (self.compression, self.compression_level) {
            (Compression::Zstd, level) => {
                let level = level.unwrap_or(ZSTD_LEVEL_DEFAULT);
                let known = (1..=ZSTD_LEVEL_MAX).contains(&level).then(|| ZstdLevel::try_new(level).ok()).flatten();
                known.map(Codec::ZSTD).ok_or_else(|| {
                    ConfigError::new("compression_level", format!("zstd has no level {level}"))
                        .help(format!("give 1 to {ZSTD_LEVEL_MAX}; {ZSTD_LEVEL_DEFAULT} is the default"))
                })
            }
            (_, Some(_)) => Err(ConfigError::new("compression_level", "only `zstd` has levels").help("leave it out")),
            (Compression::Snappy, None) => Ok(Codec::SNAPPY),
            (Compression::None, None) => Ok(Codec::UNCOMPRESSED),
        }
    }
}

impl ParquetConfig {
    /// Where the files go.
    fn folder(&self, pipeline: &PipelineContext) -> Result<Folder, ConfigError> {
        let at_path = |error: PlaceError| ConfigError::new("path", error.to_string());
        let address = match self.path.to_str() {
            Some(path) => Address::parse(path, &pipeline.base_dir).map_err(at_path)?,
            None => Address::Local(pipeline.base_dir.join(&self.path)),
        };
        match &address {
            Address::Local(directory) if directory.is_file() => {
                let message = format!("{} is a file", directory.display());
                return Err(ConfigError::new("path", message).help("name a directory for the files"));
            }
            Address::S3 { .. } if self.file_bytes_max > FILE_BYTES_MAX_IN_STORE => {
                let message = "a store gives a file another name only where it is not larger than 5 GiB";
                return Err(
                    ConfigError::new("file_bytes_max", message).help(format!("give {FILE_BYTES_MAX_IN_STORE} at most"))
                );
            }
            _ => {}
        }
        Folder::at(address).map_err(at_path)
    }
}

impl SinkConfig for ParquetConfig {
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        if self.path.as_os_str().is_empty() {
            return Err(ConfigError::new("path", "it is empty").help("name a directory for the files"));
        }
        if self.row_group_rows == 0 || self.row_group_rows > ROW_GROUP_ROWS_MAX {
            let message = format!("{} is no number of rows for a row group", self.row_group_rows);
            return Err(ConfigError::new("row_group_rows", message)
                .help(format!("give 1 to {ROW_GROUP_ROWS_MAX}; {ROW_GROUP_ROWS_DEFAULT} is the default")));
        }
        if self.file_rows_max == Some(0) {
            return Err(ConfigError::new("file_rows_max", "no row would fit").help("leave it out for no limit"));
        }
        if self.file_bytes_max == 0 {
            return Err(ConfigError::new("file_bytes_max", "no row would fit")
                .help(format!("{FILE_BYTES_MAX_DEFAULT} is the default")));
        }
        let folder = self.folder(pipeline)?;
        pipeline.claim_written(folder.path())?;
        let codec = self.codec()?;
        check_columns(input)?;
        let cannot = |error: ParquetError| ConfigError::new("", error.to_string());
        let properties =
            layout::properties(input, codec, self.row_group_rows, mark::entry(&pipeline.name)).map_err(cannot)?;
        ArrowWriter::try_new(io::sink(), input.clone(), Some(properties.clone())).map_err(cannot)?;
        Ok(Box::new(ParquetFactory {
            path: self.path,
            directory: Arc::new(Directory::new(folder, self.existing)),
            schema: input.clone(),
            properties,
            limits: Limits {
                group_rows: self.row_group_rows,
                file_rows: self.file_rows_max.unwrap_or(u64::MAX),
                file_bytes: self.file_bytes_max,
            },
        }))
    }
}

/// Tries every column alone, so that the one that cannot be written is named.
fn check_columns(input: &SchemaRef) -> Result<(), ConfigError> {
    if input.fields().is_empty() {
        return Err(ConfigError::new("", "its input has no columns, so there is nothing to write"));
    }
    for field in input.fields() {
        if let Err(error) = try_column(field) {
            let message =
                format!("column `{}` of type {} has no place in Parquet: {error}", field.name(), field.data_type());
            return Err(ConfigError::new("", message).help("leave the column out of the input, or convert it"));
        }
    }
    Ok(())
}

/// Writes one null of the column's type to nowhere: for some types only that shows that they cannot be written.
fn try_column(field: &Field) -> Result<(), ParquetError> {
    let alone = Arc::new(Schema::new(vec![field.clone().with_nullable(true)]));
    let mut writer = ArrowWriter::try_new(io::sink(), alone.clone(), None)?;
    let null = RecordBatch::try_new(alone, vec![new_null_array(field.data_type(), 1)])?;
    writer.write(&null)
}

/// One Parquet sink of a pipeline. All its shards write into one directory.
struct ParquetFactory {
    /// As the pipeline file has it.
    path: PathBuf,
    directory: Arc<Directory>,
    schema: SchemaRef,
    properties: WriterProperties,
    limits: Limits,
}

impl SinkFactory for ParquetFactory {
    fn delivery(&self) -> Delivery {
        Delivery::Staged
    }

    /// The path as it is written, since machines may have the same folder in different places.
    fn identity(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }

    fn open(&self, shard: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        if shard.keeps_checkpoints {
            let (directory, partition) = (Arc::clone(&self.directory), &shard.partition);
            return Ok(Box::new(StagedSink::new(directory, partition, &self.schema, &self.properties, self.limits)));
        }
        let tag = names::tag(shard.partition.as_str());
        let number = self.directory.first_number(&tag)?;
        let directory = Arc::clone(&self.directory);
        let sink = ParquetSink::begin(directory, tag, number, &self.schema, &self.properties, self.limits)?;
        Ok(Box::new(sink))
    }
}
