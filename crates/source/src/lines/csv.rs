//! The settings of the CSV source.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};
use sluicegate_formats::{Dialect, FieldType};

use super::shape::{Shape, Syntax};
use super::source::{Common, OnBadRecord};
use crate::files::{Kind, Partitions, Paths, batch_rows_default};
use crate::position::Position;

/// Which files of a directory are meant.
const KIND: Kind = Kind { endings: &["csv", "tsv"], compressed: true };

/// Reads history from text files of separated values (CSV, RFC 4180).
///
/// The offset of a row is the number of its record in its partition, counted from 0 over all files in order; headers and empty
/// lines do not count, records that are no rows do. What stands after the last line feed of a file is a record, too. Each file has
/// a header of its own, and columns are found by their names, so their order may differ; a file without a single byte has no
/// rows. Files are UTF-8, with or without a byte order mark, with line ends of either kind; those called `*.gz` and `*.zst` are
/// unpacked. A run that goes on at an offset reads the files from their beginning, but decodes nothing before it. Records of more
/// than 16 MiB are refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvConfig {
    /// The files: a file, a directory, a pattern such as `data/2024-*.csv`, or a list of these, relative to the folder of the
    /// pipeline file; or the same as the URL of an object store, such as `s3://bucket/data/2024-*.csv`, with credentials from the
    /// environment (`AWS_ACCESS_KEY_ID` and so on).
    ///
    /// Entries are read in the order given. A directory stands for every `*.csv` and `*.tsv` file directly in it, also compressed
    /// ones; files of a directory or pattern are sorted by name, byte by byte. Names that begin with `.` or `_` are skipped in
    /// directories.
    pub path: Paths,

    /// The columns to read, with their types: `{ meter = "string", load = "float64" }`. They are handed on in the order of their
    /// names; other columns are left out. Types are not guessed.
    pub schema: BTreeMap<String, FieldType>,

    /// `true`, the default: the first record of each file names its columns. Where files have no header, a list of all their
    /// columns in order.
    #[serde(default)]
    pub header: Header,

    /// The character between two fields: `,` by default; `"\t"` for a tab.
    #[serde(default = "delimiter_default")]
    pub delimiter: String,

    /// The character around fields that hold delimiters, line ends or, written twice, itself: `"` by default. With `""` quotes mean
    /// nothing.
    #[serde(default = "quote_default")]
    pub quote: String,

    /// Fields that are missing values, where they have no quotes around them. By default the empty field alone.
    #[serde(default = "nulls_default")]
    pub nulls: Vec<String>,

    /// The column with the event time, one of the timestamps in `schema`.
    #[serde(default)]
    pub time: Option<String>,

    /// The column with the key: text, a whole number or a boolean. Without it all rows of a partition belong together.
    #[serde(default)]
    pub key: Option<String>,

    /// How files become partitions.
    #[serde(default)]
    pub partitions: Partitions,

    /// The first row to read, inclusive: `{ offset = 1000 }` or `{ time = "2017-01-01T00:00:00Z" }`. The first row there is when
    /// left out. A time means the first row, in offset order, whose event time is that or later; to find it, event times are
    /// read beforehand.
    #[serde(default)]
    pub start: Option<Position>,

    /// The row to end before, exclusive, as for `start`. The last row there is when left out.
    #[serde(default)]
    pub stop: Option<Position>,

    /// What happens to a record that is no row: one with too few or too many fields, or with one that is not of its type.
    #[serde(default)]
    pub on_error: OnBadRecord,

    /// Rows of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: usize,
}

/// Where the names of columns are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, or a list of all columns in order")]
pub enum Header {
    /// In the first record of each file.
    InFile(bool),
    /// Here.
    Names(Vec<String>),
}

impl Default for Header {
    fn default() -> Self {
        Self::InFile(true)
    }
}

fn delimiter_default() -> String {
    ",".to_owned()
}

fn quote_default() -> String {
    "\"".to_owned()
}

fn nulls_default() -> Vec<String> {
    vec![String::new()]
}

impl CsvConfig {
    fn dialect(&self) -> Result<Dialect, ConfigError> {
        let byte = |setting: &str, text: &str| match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
            _ => Err(ConfigError::new(setting, format!("{text:?} is not one ASCII character"))
                .help("write one, such as \";\" or \"\\t\"")),
        };
        let delimiter = byte("delimiter", &self.delimiter)?;
        let quote = if self.quote.is_empty() { None } else { Some(byte("quote", &self.quote)?) };
        if quote == Some(delimiter) {
            return Err(ConfigError::new("quote", "it is the delimiter, too").help("give them different characters"));
        }
        Ok(Dialect { delimiter, quote })
    }

    fn names(&self) -> Result<Option<Vec<String>>, ConfigError> {
        match &self.header {
            Header::InFile(true) => Ok(None),
            Header::InFile(false) => Err(ConfigError::new("header", "nothing says which columns there are")
                .help("name all of them, in order: header = [\"ts\", \"load\"]")),
            Header::Names(names) => {
                let known = |name: &&String| names.contains(name);
                match self.schema.keys().find(|name| !known(name)) {
                    Some(missing) => {
                        Err(ConfigError::new("header", format!("it lacks `{missing}`, which `schema` declares"))
                            .help("name all columns of the files, in order"))
                    }
                    None => Ok(Some(names.clone())),
                }
            }
        }
    }
}

impl SourceConfig for CsvConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        let syntax = Syntax::Csv { dialect: self.dialect()?, names: self.names()?, nulls: self.nulls };
        let shape = Shape::new(syntax, self.schema, self.time.as_deref(), self.key.as_deref())?;
        Common {
            path: self.path,
            kind: KIND,
            nameless: "csv",
            shape,
            partitions: self.partitions,
            start: self.start,
            stop: self.stop,
            on_error: self.on_error,
            batch_rows: self.batch_rows,
        }
        .connect(pipeline)
    }
}
