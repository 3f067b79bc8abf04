//! The settings of the Parquet source.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};

use super::columns::{Columns, Wanted};
use super::footer::Footer;
use super::source::ParquetSource;
use crate::SourceError;
use crate::files::{self, Kind, Partitions, Paths, batch_rows_default};
use crate::position::Position;
use crate::time::TimeUnit;

/// Which files of a directory are meant.
const KIND: Kind = Kind { endings: &["parquet"], compressed: false };
/// What the one partition is called where neither `path` nor the pipeline has a name.
const NAMELESS: &str = "parquet";

/// Reads history from Parquet files.
///
/// The offset of a row is its number in its partition, counted from 0 over all files in order and all their row groups. It
/// is a property of the files alone: `start`, `stop` and `columns` do not shift it. Memory is bounded by what the pages of
/// the columns that are read hold, not by the size of a file or row group.
///
/// All files must have the same columns, of the same types, as far as they are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetConfig {
    /// The files: a file, a directory, a pattern such as `data/2024-*.parquet`, or a list of these, relative to the folder
    /// of the pipeline file; or the same as the URL of an object store, such as `s3://bucket/data/2024-*.parquet`. Credentials
    /// come from the environment (`AWS_ACCESS_KEY_ID` and so on), never from the URL.
    ///
    /// Entries are read in the order given. A directory stands for every `*.parquet` file directly in it, a pattern for every
    /// file that matches; both are sorted by name, byte by byte, so `part-10` comes before `part-9`. Names that begin with
    /// `.` or `_` are skipped in directories. A pattern matches a leading `.` only when it has one itself.
    pub path: Paths,

    /// The column with the event time: a timestamp of any unit and zone, a date, or an Int64 with `time_unit`.
    #[serde(default)]
    pub time: Option<String>,

    /// The unit of an Int64 `time` column, which counts from 1970-01-01T00:00:00Z. The column is handed on as a timestamp
    /// of this unit in UTC.
    #[serde(default)]
    pub time_unit: Option<TimeUnit>,

    /// The column with the key: text, a dictionary of text, an integer or a boolean. Without it all rows of a partition
    /// belong together.
    #[serde(default)]
    pub key: Option<String>,

    /// The columns to read; `time` and `key` are read in any case. All when left out. They are handed on in the order of
    /// the first file.
    #[serde(default)]
    pub columns: Option<Vec<String>>,

    /// How files become partitions.
    #[serde(default)]
    pub partitions: Partitions,

    /// The first row to read, inclusive: `{ offset = 1000 }` or `{ time = "2017-01-01T00:00:00Z" }`, with or without the
    /// quotes. The first row there is when left out.
    ///
    /// A time means the first row of the partition, in offset order, whose event time is that or later, and everything after
    /// it. Rows without a time do not count. A time that has no zone is taken as UTC, and so is a column that has none.
    #[serde(default)]
    pub start: Option<Position>,

    /// The row to end before, exclusive, as for `start`. The last row there is when left out.
    ///
    /// A time means that the first row of the partition, in offset order, whose event time is that or later ends it, even
    /// where later rows have earlier times.
    #[serde(default)]
    pub stop: Option<Position>,

    /// Rows of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: usize,
}

impl SourceConfig for ParquetConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        self.check()?;
        let (start, stop) = files::bounds(self.start.as_ref(), self.stop.as_ref(), self.time.is_some())?;
        let files = files::find(self.path.entries(), &pipeline.base_dir, KIND).map_err(|error| at("path", error))?;
        let names = files::partition_names(self.partitions, self.path.entries(), &files, pipeline, NAMELESS)
            .map_err(|error| at("path", error))?;
        let wanted = Wanted { time: self.time, time_unit: self.time_unit, key: self.key, columns: self.columns };
        let mut columns: Option<Columns> = None;
        let mut footers = Vec::with_capacity(files.len());
        for file in files {
            pipeline.claim_read(&file.path);
            let footer = Footer::read(&file).map_err(|error| at("path", error))?;
            match &mut columns {
                None => columns = Some(Columns::choose(&wanted, &footer)?),
                Some(columns) => columns.admit(&footer).map_err(|error| at("path", error))?,
            }
            footers.push(footer.row_groups());
        }
        let columns = columns.ok_or_else(|| ConfigError::new("path", "it names no file"))?;
        Ok(Box::new(ParquetSource::new(columns, names, footers, start, stop, self.batch_rows)))
    }
}

impl ParquetConfig {
    /// Checks what can be checked without looking at a file.
    fn check(&self) -> Result<(), ConfigError> {
        files::check_paths(&self.path)?;
        files::check_batch_rows(self.batch_rows)?;
        if self.time_unit.is_some() && self.time.is_none() {
            return Err(ConfigError::new("time_unit", "there is no `time` column that it could be the unit of")
                .help("name the column: time = \"…\""));
        }
        if let (Some(time), Some(key)) = (&self.time, &self.key)
            && time == key
        {
            return Err(ConfigError::new("key", format!("`{key}` is the `time` column already"))
                .help("leave `key` out where all rows belong together"));
        }
        Ok(())
    }
}

fn at(setting: &str, error: SourceError) -> ConfigError {
    ConfigError::new(setting, error.to_string())
}
