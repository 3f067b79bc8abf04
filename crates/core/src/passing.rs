//! Errors that may pass.

use std::error::Error;
use std::fmt;

use crate::BoxError;

/// Somebody outside did not answer in time, and may another time; nothing is wrong with the shard.
///
/// A component returns it, alone or as the source of its own error. A shard that commits its position goes back to its last
/// commit then and begins again, so many times as it does where a commit's outcome is unknown; any other shard fails.
#[derive(Debug)]
pub struct Passing(BoxError);

impl Passing {
    /// An error that may pass.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Passing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
