//! Why a task stopped.

use std::fmt;
use std::io;
use std::path::Path;

/// One paragraph for the person at the terminal: what happened, where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What every task returns.
pub(crate) type Done<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(paragraph: impl Into<String>) -> Self {
        Self(paragraph.into())
    }

    /// Makes the failure of an operating-system call on `path`; `attempt` completes "cannot …".
    pub(crate) fn io(attempt: &str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self(format!("cannot {attempt} {}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
