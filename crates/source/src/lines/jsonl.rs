//! The settings of the JSON Lines source.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};
use sluicegate_formats::FieldType;

use super::shape::{Shape, Syntax};
use super::source::{Common, OnBadRecord};
use crate::files::{Kind, Partitions, Paths, batch_rows_default};
use crate::position::Position;

/// Which files of a directory are meant.
const KIND: Kind = Kind { endings: &["jsonl", "ndjson"], compressed: true };

/// Reads history from text files with a JSON object on each line (JSON Lines, NDJSON).
///
/// The offset of a row is the number of its line in its partition, counted from 0 over all files in order; empty lines do not
/// count, lines that are no rows do. What stands after the last line feed of a file is a line, too. Files are UTF-8, with or
/// without a byte order mark, with line ends of either kind; those called `*.gz` and `*.zst` are unpacked. A run that goes on at
/// an offset reads the files from their beginning, but decodes nothing before it. Lines of more than 16 MiB are refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonlConfig {
    /// The files: a file, a directory, a pattern such as `data/2024-*.jsonl`, or a list of these, relative to the folder of the
    /// pipeline file; or the same as the URL of an object store, such as `s3://bucket/data/2024-*.jsonl`, with credentials from
    /// the environment (`AWS_ACCESS_KEY_ID` and so on).
    ///
    /// Entries are read in the order given. A directory stands for every `*.jsonl` and `*.ndjson` file directly in it, also
    /// compressed ones; files of a directory or pattern are sorted by name, byte by byte. Names that begin with `.` or `_` are
    /// skipped in directories.
    pub path: Paths,

    /// The columns to read, with their types: `{ meter = "string", load = "float64" }`. They are the members of each object of
    /// these names, handed on in the order of their names; other members are left out, and one that is not there is a missing
    /// value. Nothing is guessed.
    pub schema: BTreeMap<String, FieldType>,

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

    /// What happens to a line that is no row.
    #[serde(default)]
    pub on_error: OnBadRecord,

    /// Rows of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: usize,
}

impl SourceConfig for JsonlConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        let shape = Shape::new(Syntax::Jsonl, self.schema, self.time.as_deref(), self.key.as_deref())?;
        Common {
            path: self.path,
            kind: KIND,
            nameless: "jsonl",
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
