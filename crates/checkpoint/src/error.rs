//! What can go wrong with checkpoints.

use sluicegate_place::PlaceError;

/// Why a checkpoint could not be written, read or found.
///
/// Each message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The place that `[checkpoint]` names, or a file in it, cannot be used.
    #[error("checkpoints cannot be kept or read: {0}")]
    Place(#[source] PlaceError),
    /// A file is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file is not what it was when it was written.
    #[error("{file} is damaged: {message}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A checkpoint of another pipeline or another shard.
    #[error("{file} is of {found}, not of {expected}; give every pipeline a `name` or a checkpoint `path` of its own")]
    Foreign {
        /// The manifest.
        file: String,
        /// What it is of.
        found: String,
        /// What it should be of.
        expected: String,
    },
    /// A checkpoint in a format that this version does not know.
    #[error(
        "{file} has format {found}; this version reads format {known}: use the version that wrote it, or a later one"
    )]
    Version {
        /// The manifest.
        file: String,
        /// The format that it names.
        found: u32,
        /// The format of this version.
        known: u32,
    },
}

impl CheckpointError {
    /// Whether it is about what a file holds, or that it is not there. Else the place could not be asked, and nothing is known of
    /// the file.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Place(_))
    }
}

/// What was read; `None` where it is damaged.
///
/// # Errors
/// When the place could not be asked.
pub(crate) fn unless_damaged<T>(read: Result<T, CheckpointError>) -> Result<Option<T>, CheckpointError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<PlaceError> for CheckpointError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Missing { file } => Self::Missing { file },
            error => Self::Place(error),
        }
    }
}
