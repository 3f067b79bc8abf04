//! What can go wrong with checkpoints.

/// Why a checkpoint could not be written, read or found.
///
/// Each message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The place that `[checkpoint]` names cannot be used at all.
    #[error("no checkpoints can be kept at {path}: {message}")]
    Place {
        /// The folder or URL.
        path: String,
        /// Why not.
        message: String,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {file}: {source}{}", remedy(.source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: object_store::Error,
    },
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

fn remedy(error: &object_store::Error) -> &'static str {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "; make room, or keep checkpoints on another disk"
                }
                std::io::ErrorKind::PermissionDenied => "; give this user the right to write there",
                _ => "",
            };
        }
        source = error.source();
    }
    ""
}
