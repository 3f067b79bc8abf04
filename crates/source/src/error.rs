//! What can go wrong while reading.

use std::io;
use std::path::PathBuf;

use sluicegate_place::PlaceError;

/// Why a source could not be connected, opened or read.
///
/// Each message says what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A path that is named in the settings does not exist.
    #[error("there is no file or directory {path}; relative paths start at the folder of the pipeline file")]
    NotFound {
        /// The path, as looked for.
        path: PathBuf,
    },
    /// A pattern that matches no file.
    #[error("no file matches {pattern}; `*` stands for any part of a name and `**` for any folders")]
    NoMatch {
        /// The pattern, as looked for.
        pattern: String,
    },
    /// A pattern that is none.
    #[error(
        "{pattern} is not a valid pattern: {message}; put `[` and `]` around a special character to take it literally"
    )]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A directory without files of the kind that is read.
    #[error(
        "the directory {path} holds no {wanted} file; names that begin with `.` or `_` are skipped, and folders in it are not searched"
    )]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// How names of such files end.
        wanted: String,
    },
    /// One file that two entries lead to.
    #[error("the file {path} is named twice by `path`; its rows would be read twice, so name it once")]
    NamedTwice {
        /// The file.
        path: PathBuf,
    },
    /// A file whose name cannot be the name of a partition.
    #[error("the name of {path} is not valid Unicode, so no partition can be called by it; rename the file")]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The system refused to read.
    #[error("cannot read {path}: {source}{}", remedy(.source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of another format.
    #[error("{path} is not a Parquet file: it {found}; give a file that begins with the four bytes PAR1")]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// What it is instead, as the end of "it …".
        found: String,
    },
    /// A Parquet file without its end.
    #[error(
        "{path} is cut short: it begins as a Parquet file but its {size_bytes} bytes do not end as one; wait for its writer, or copy it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How long it is.
        size_bytes: u64,
    },
    /// A Parquet file whose footer cannot be understood.
    #[error("the footer of {path} is damaged: {message}; copy or write the file again")]
    DamagedFooter {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        message: String,
    },
    /// A Parquet file some rows of which cannot be decoded.
    #[error(
        "{path} is damaged at or soon after its row {row} (offset {offset}): {message}; copy or write the file again, or end before it with `stop = {{ offset = {offset} }}`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first row that could not be read, counted from 0 within the file.
        row: i64,
        /// The offset of that row in its partition.
        offset: i64,
        /// What the decoder said.
        message: String,
    },
    /// A file that is another one than when the source was connected.
    #[error("{path} has changed since the run began: {message}; start again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is different.
        message: String,
    },
    /// A column that is not there.
    #[error("{path} has no column `{column}`; {hint}")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        column: String,
        /// The nearest name, or all there are.
        hint: String,
    },
    /// Two columns of one name.
    #[error("{path} has two columns called `{column}`; rename one, or leave both out with `columns`")]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// Their name.
        column: String,
    },
    /// A column of a type that its role does not allow.
    #[error("column `{column}` of {path} has the type {found}, but it has to be {expected}")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it may be, and what to do.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Two files that do not belong together.
    #[error(
        "column `{column}` is {expected} in {first} but {found} in {second}; read the files by two sources, or leave the column out with `columns`"
    )]
    Mismatch {
        /// The first file, which sets the columns.
        first: PathBuf,
        /// The file that differs.
        second: PathBuf,
        /// The column.
        column: String,
        /// Its type in the first file, or that it is missing there.
        expected: String,
        /// Its type in the other file, or that it is missing there.
        found: String,
    },
    /// An object store that cannot be used, or a URL that leads nowhere.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A header that names a column twice.
    #[error("the header of {path} names `{column}` twice; rename one, or leave it out of `schema`")]
    DuplicateHeader {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A header, or the beginning of a file, that cannot be understood.
    #[error("the beginning of {path} cannot be read: {message}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A record of a text file that is no row, where that is to stop the run.
    #[error("{path}, line {line} (offset {offset}): {message}; mend the file, or set `on_error = \"dead-letter\"`")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line that the record begins at, counted from 1.
        line: u64,
        /// The offset of the record in its partition.
        offset: i64,
        /// What is wrong with it.
        message: String,
    },
    /// A record that does not end.
    #[error("{path}, line {line}: a record of more than {bytes_max} bytes begins here; {hint}")]
    LongRecord {
        /// The file.
        path: PathBuf,
        /// The line that it begins at, counted from 1.
        line: u64,
        /// The longest that is read.
        bytes_max: usize,
        /// What may be the reason.
        hint: &'static str,
    },
    /// A file of sound that cannot be read.
    #[error(
        "{path} cannot be read as a WAV file: {message}; give PCM of 8, 16, 24 or 32 bits or floats, such as `ffmpeg -i IN -c:a pcm_s16le OUT.wav` writes"
    )]
    NotWav {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as a sentence about "it".
        message: String,
    },
    /// A file of sound at another rate than the others.
    #[error(
        "{first} is at {expected} Hz but {second} at {found} Hz; read them by two sources, or bring them to one rate, such as by `ffmpeg -i IN -ar {expected} OUT.wav`"
    )]
    OtherRate {
        /// The first file, which sets the rate.
        first: PathBuf,
        /// Its rate.
        expected: u32,
        /// The file that differs.
        second: PathBuf,
        /// Its rate.
        found: u32,
    },
    /// A file whose name holds no key.
    #[error(
        "no part of the name of {path} matches `{pattern}`, so its rows have no key; rename it, or leave it out of `path`"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The pattern.
        pattern: String,
    },
    /// A partition that the source does not have.
    #[error("there is no partition `{partition}`; there is {known}")]
    UnknownPartition {
        /// The partition asked for.
        partition: String,
        /// Those there are.
        known: String,
    },
    /// A topic cannot be read.
    #[error("Kafka: `{topic}` cannot be read: {message}")]
    Kafka {
        /// The topic or partition.
        topic: String,
        /// What is wrong.
        message: String,
    },
    /// A broker is away, or did not answer in time.
    #[error("Kafka: `{partition}` cannot be read yet")]
    Unanswered {
        /// The partition.
        partition: String,
        /// What was said.
        source: sluicegate_core::Passing,
    },
    /// Records that were still to be read are gone.
    #[error(
        "partition `{partition}` has to be read from offset {wanted} on, but its topic keeps only records from offset {low} on; bring them back, or set `missing_offsets = \"skip\"` to go on without them"
    )]
    MissingOffsets {
        /// The partition.
        partition: String,
        /// Where reading has to begin.
        wanted: i64,
        /// The first offset that is there.
        low: i64,
    },
    /// A topic that a pattern names is compacted.
    #[error(
        "the topic of partition `{partition}` is compacted, so records that a crash makes it read again may be gone by then; leave it out of the pattern, or set `missing_offsets = \"skip\"`"
    )]
    Compacted {
        /// The partition.
        partition: String,
    },
    /// A position past the end of a partition.
    #[error(
        "partition `{partition}` has to be read from offset {wanted} on, but ends at offset {high}; was the topic deleted and made again? Start over on purpose with --fresh, or with another `group`"
    )]
    BeyondEnd {
        /// The partition.
        partition: String,
        /// Where reading has to begin.
        wanted: i64,
        /// The offset after the last record.
        high: i64,
    },
    /// A record that cannot become a row, where that is to stop the run.
    #[error(
        "the record at offset {offset} of partition `{partition}` cannot become a row: {message}; mend its producer, or set `on_error = \"dead-letter\"`"
    )]
    BadRecord {
        /// The partition.
        partition: String,
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        message: String,
    },
    /// A record that may be a row, but cannot be read for want of something else.
    #[error("the record at offset {offset} of partition `{partition}` cannot be read now; a new run goes on there")]
    Unreadable {
        /// The partition.
        partition: String,
        /// The record's offset.
        offset: i64,
        /// What is wanting.
        source: sluicegate_core::BoxError,
    },
    /// The reader was asked for more after it had failed.
    #[error("reading {partition} ended at an earlier error; open the partition again")]
    Ended {
        /// The partition.
        partition: String,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; give this user the right to read it",
        _ => "",
    }
}
