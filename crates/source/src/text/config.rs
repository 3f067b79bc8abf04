//! The settings of the source of plain files.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};

use super::source::TextSource;
use crate::files::{self, Partitions, Paths};
use crate::position::Position;

const PIECE_BYTES_MAX_DEFAULT: usize = 4096;
/// A shorter piece could be shorter than a character.
const PIECE_BYTES_MAX_MIN: usize = 4;
/// A piece is held in memory as a whole, and so is what an operator makes of it.
const PIECE_BYTES_MAX_MAX: usize = 1 << 20;
/// A run can be stopped, and shows how far it is, between two batches; and a piece that is taken apart makes thousands of rows.
const BATCH_ROWS_DEFAULT: usize = 1;

/// Reads plain files of any content, in pieces: one row each, with the columns `file` (text), `position` (of the piece's first byte in
/// its file) and `bytes`.
///
/// A piece ends after the last line feed within the bound, else after the last ASCII whitespace, else before the character (UTF-8) that
/// the bound would tear; what is no text is cut at the bound. The pieces of a file, put together, are the file; an empty one has none.
/// Files are read as they are, nothing is unpacked.
///
/// Offsets count bytes, from 0 over all files of a partition in order, and that of a row is the number of its last byte. So a run goes on
/// at the byte where another one stopped, without reading what is before it. Between two runs files may come, and the last one may
/// grow; nobody notices other changes. What is appended to a file while it is read waits for the next run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// The files: a file, a directory, a pattern such as `books/*.txt`, or a list of these, relative to the folder of the pipeline
    /// file; or the same as the URL of an object store, such as `s3://bucket/books/*.txt`, with credentials from the environment
    /// (`AWS_ACCESS_KEY_ID` and so on).
    ///
    /// Entries are read in the order given. A directory stands for every file directly in it; files of a directory or pattern are
    /// sorted by name, byte by byte. Names that begin with `.` or `_` are skipped in directories.
    pub path: Paths,

    /// The longest piece, in bytes.
    #[serde(default = "piece_bytes_max_default")]
    #[schemars(range(min = 4, max = 1_048_576))]
    pub piece_bytes_max: usize,

    /// The column with the key: `"file"`, so that each file is a sequence of its own. Without it all pieces of a partition are one.
    #[serde(default)]
    pub key: Option<TextKey>,

    /// How files become partitions.
    #[serde(default)]
    pub partitions: Partitions,

    /// The first byte to read, inclusive: `{ offset = 1000 }`. The first there is when left out.
    #[serde(default)]
    pub start: Option<Position>,

    /// The byte to end before, exclusive, as for `start`. The end of the last file when left out.
    #[serde(default)]
    pub stop: Option<Position>,

    /// Pieces of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: usize,
}

/// What can be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TextKey {
    /// The file: its path from the folder of the pipeline file, or its URL.
    File,
}

impl TextKey {
    /// The column.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
        }
    }
}

fn piece_bytes_max_default() -> usize {
    PIECE_BYTES_MAX_DEFAULT
}

fn batch_rows_default() -> usize {
    BATCH_ROWS_DEFAULT
}

impl SourceConfig for TextConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        files::check_paths(&self.path)?;
        files::check_batch_rows(self.batch_rows)?;
        if !(PIECE_BYTES_MAX_MIN..=PIECE_BYTES_MAX_MAX).contains(&self.piece_bytes_max) {
            let message = format!("{} is no length for a piece", self.piece_bytes_max);
            return Err(ConfigError::new("piece_bytes_max", message).help(format!(
                "give {PIECE_BYTES_MAX_MIN} to {PIECE_BYTES_MAX_MAX} bytes; {PIECE_BYTES_MAX_DEFAULT} is the default"
            )));
        }
        for (setting, position) in [("start", &self.start), ("stop", &self.stop)] {
            if matches!(position, Some(Position::Time(_))) {
                return Err(ConfigError::new(setting, "it is a time, but plain files tell none")
                    .help("give the number of a byte: { offset = 0 }"));
            }
        }
        Ok(Box::new(TextSource::connect(&self, pipeline)?))
    }
}
