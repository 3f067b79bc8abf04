//! The settings of the Parquet source.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};

use super::bounds::Bound;
use super::columns::{Columns, Wanted};
use super::files;
use super::footer::Footer;
use super::position::Position;
use super::source::{self, ParquetSource};
use crate::SourceError;
use crate::time::{self, TimeUnit};

/// Rows of one batch, unless the settings say otherwise: enough to spread the cost of a batch, few enough to stay in cache.
const BATCH_ROWS_DEFAULT: usize = 8192;
/// A batch is held in memory as a whole; more rows than this gain nothing.
const BATCH_ROWS_MAX: usize = 1 << 20;

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
    /// of the pipeline file.
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

fn batch_rows_default() -> usize {
    BATCH_ROWS_DEFAULT
}

/// One path or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
pub enum Paths {
    /// A file, directory or pattern.
    One(String),
    /// Several, in the order in which they are read.
    Many(Vec<String>),
}

impl Paths {
    /// The entries, in order.
    pub fn entries(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// How files become partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Partitions {
    /// All files are one partition. It is called after the first entry of `path`: a file without its last extension, a
    /// directory, or the folder before the first special character of a pattern; where that gives no name, the pipeline.
    #[default]
    One,
    /// Each file is a partition, called after the file without its last extension. Files of the same name get as many of
    /// their folders in front as tell them apart, such as `2023/prices` and `2024/prices`.
    PerFile,
}

impl SourceConfig for ParquetConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        self.check()?;
        let start = self.bound("start", self.start.as_ref())?;
        let stop = self.bound("stop", self.stop.as_ref())?;
        if let (Some(start), Some(stop)) = (start, stop)
            && !start.may_precede(stop)
        {
            return Err(ConfigError::new("stop", "it is not after `start`, so there would be nothing to read")
                .help("`start` is the first row read, `stop` the first one not read"));
        }

        let files = files::find(self.path.entries(), &pipeline.base_dir).map_err(|error| at("path", error))?;
        let names = source::partition_names(self.partitions, self.path.entries(), &files, pipeline)
            .map_err(|error| at("path", error))?;
        let wanted = Wanted { time: self.time, time_unit: self.time_unit, key: self.key, columns: self.columns };
        let mut columns: Option<Columns> = None;
        let mut footers = Vec::with_capacity(files.len());
        for file in files {
            pipeline.claim_read(&file);
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
        if self.path.entries().is_empty() {
            return Err(ConfigError::new("path", "the list is empty").help("name a file, a directory or a pattern"));
        }
        if self.path.entries().iter().any(|path| path.trim().is_empty()) {
            return Err(ConfigError::new("path", "it is empty").help("name a file, a directory or a pattern"));
        }
        if self.batch_rows == 0 || self.batch_rows > BATCH_ROWS_MAX {
            return Err(ConfigError::new(
                "batch_rows",
                format!("{} is no number of rows for a batch", self.batch_rows),
            )
            .help(format!("give 1 to {BATCH_ROWS_MAX}; {BATCH_ROWS_DEFAULT} is the default")));
        }
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

    fn bound(&self, setting: &str, position: Option<&Position>) -> Result<Option<Bound>, ConfigError> {
        match position {
            None => Ok(None),
            Some(Position::Offset(offset)) => i64::try_from(*offset)
                .map(|offset| Some(Bound::Offset(offset)))
                .map_err(|_| ConfigError::new(format!("{setting}.offset"), format!("{offset} is past every offset"))),
            Some(Position::Time(_)) if self.time.is_none() => {
                Err(ConfigError::new(setting, "it is a time, but no column with the event time is named")
                    .help("name one: time = \"…\"; or give an offset: { offset = 0 }"))
            }
            Some(Position::Time(text)) => match time::parse(text) {
                Some(nanos) => Ok(Some(Bound::Time(nanos))),
                None => Err(ConfigError::new(format!("{setting}.time"), format!("`{text}` is not a time"))
                    .help("write it as 2017-01-01T00:00:00Z or 2017-01-01")),
            },
        }
    }
}

fn at(setting: &str, error: SourceError) -> ConfigError {
    ConfigError::new(setting, error.to_string())
}
