//! What can go wrong while writing.

use std::io;
use std::path::PathBuf;

use sluicegate_core::Offset;
use sluicegate_place::PlaceError;

/// Why a sink could not be opened, written or finished.
///
/// Each message says what is wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The system refused to write, rename or list.
    #[error("cannot {doing} {path}: {source}{}", remedy(.source))]
    Io {
        /// What was being done, such as `write`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The object store refused to write, copy or list.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The same in the midst of a file.
    #[error("{message}")]
    Store {
        /// What was tried, with the URL, and what the store said.
        message: String,
    },
    /// Rows that the format cannot take.
    #[error("cannot write rows to {path}: {message}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        message: String,
    },
    /// A directory with files that may be those of an earlier run, which are not to be touched.
    #[error(
        "{directory} holds {files} files that are called like those of this sink, the first of them {first}; move them away, give another `path`, or set `existing` to \"replace\" or \"append\""
    )]
    Occupied {
        /// The directory.
        directory: PathBuf,
        /// How many there are.
        files: usize,
        /// The name of the first.
        first: String,
    },
    /// A file of another program with a name that the run needs.
    #[error(
        "{path} has a name that this run needs, but it was not written by Sluicegate (or cannot be read), so it is not replaced; move it away, or give another `path`"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file with rows that no commit has made visible yet is not what was written.
    #[error(
        "{path} is damaged: {message}; it holds rows that are in no visible file yet: bring it back, or start over on purpose with --fresh"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file that somebody else wrote during the run.
    #[error("{path} was written by somebody else during this run; give every sink and every run a `path` of its own")]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Rows with other columns than the sink was bound to.
    #[error("{path} was begun with the columns {expected}, but rows came with {found}")]
    Columns {
        /// The file.
        path: PathBuf,
        /// Names and types it was bound to.
        expected: String,
        /// Names and types of the rows.
        found: String,
    },
    /// Rows after the end, or after an error.
    #[error("rows came for {path} after it was finished or had failed")]
    Ended {
        /// The file or directory.
        path: PathBuf,
    },
    /// A record longer than the settings allow.
    #[error(
        "the row at offset {offset} gives a record of {size_bytes} bytes for topic `{topic}`, and `message_size_max_bytes` allows {size_max_bytes}; raise it, and the topic's `max.message.bytes` if that is smaller, or write fewer columns"
    )]
    TooLarge {
        /// The row's offset.
        offset: Offset,
        /// The topic.
        topic: String,
        /// Length of key, value and headers.
        size_bytes: usize,
        /// The bound.
        size_max_bytes: usize,
    },
    /// A row that goes nowhere.
    #[error(
        "the row at offset {offset} names no topic: its cell of `topic_column` is empty; set `topic` too, for such rows"
    )]
    NoTopic {
        /// The row's offset.
        offset: Offset,
    },
    /// Exactly once, with nowhere to commit.
    #[error(
        "the partition {partition} has no position in Kafka, so it cannot be written exactly once; set `delivery` to \"at-least-once\", or let the pipeline keep `[checkpoint]`s"
    )]
    NoLedger {
        /// The partition.
        partition: String,
    },
    /// Exactly once, with no fixed topic to keep positions at.
    #[error(
        "the positions of a source that is not Kafka are kept at the topic that is written, but `topic_column` alone names none; set `topic` too"
    )]
    NoTopicForPositions,
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Console(#[from] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; give this user the right to write there, or give another `path`",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room, or give a `path` on another disk",
        io::ErrorKind::ReadOnlyFilesystem => "; give a `path` that can be written to",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "; a file is where a directory has to be",
        _ => "",
    }
}
