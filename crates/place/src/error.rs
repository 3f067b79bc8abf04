//! What can go wrong with files in a place.

use std::io;

use object_store::client::HttpError;

/// Why a place or a file in it cannot be used.
///
/// Each message names the path or URL, and what to do. None repeats credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A URL with a user, a password or a signature in it.
    #[error("a URL with credentials in it ends up in logs; leave them out: they are taken from the environment")]
    Credentials,
    /// A URL that leads nowhere.
    #[error("{url} is no place for files: {message}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// A place that cannot be used at all.
    #[error("{path} cannot be used: {message}")]
    Unusable {
        /// The folder or URL.
        path: String,
        /// Why not.
        message: String,
    },
    /// A file could not be read, written, listed or removed.
    #[error("cannot {doing} {file}: {source}{}", remedy(.source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file, with the folder or URL that it is in.
        file: String,
        /// What the system or the store said.
        #[source]
        source: Box<object_store::Error>,
    },
    /// A file is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file, with the folder or URL that it is in.
        file: String,
    },
    /// A file is another one than when it was looked at first.
    #[error("{file} was changed by somebody while it was read; start again")]
    Changed {
        /// The file, with the folder or URL that it is in.
        file: String,
    },
}

impl PlaceError {
    /// Whether a store was asked and nothing was heard of it, so that nobody knows what it did.
    pub(crate) fn is_unanswered(&self) -> bool {
        let mut error: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(at) = error {
            if at.is::<HttpError>() {
                return true;
            }
            error = at.source();
        }
        false
    }

    pub(crate) fn io(doing: &'static str, file: String, source: object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::Missing { file },
            object_store::Error::Precondition { .. } => Self::Changed { file },
            source => Self::Io { doing, file, source: Box::new(source) },
        }
    }
}

impl From<PlaceError> for io::Error {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Missing { .. } => Self::new(io::ErrorKind::NotFound, error),
            error => Self::other(error),
        }
    }
}

fn remedy(error: &object_store::Error) -> &'static str {
    use object_store::Error as Store;
    if matches!(error, Store::Unauthenticated { .. } | Store::PermissionDenied { .. }) {
        return "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to those of a user who may do that";
    }
    let told = error.to_string();
    if told.contains("169.254.169.254") {
        // It was looked for the credentials of a machine that has none.
        return "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    }
    if told.contains("error sending request") {
        return "; is the store running, and AWS_ENDPOINT_URL its address?";
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "; make room, or name a place on another disk"
                }
                io::ErrorKind::PermissionDenied => "; give this user the right to do that",
                _ => "",
            };
        }
        source = error.source();
    }
    ""
}
