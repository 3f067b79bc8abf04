//! What a wrong setting looks like to whoever wrote it.

use std::fmt;
use std::path::PathBuf;

/// An error in a pipeline file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedError {
    /// The file; `--set` with what followed it where the setting came from the command line.
    pub file: PathBuf,
    /// Line, from 1, and column in characters, from 1; `None` where the setting came from the command line.
    pub place: Option<(usize, usize)>,
    /// Path of the setting in the file, such as `operator.forecast.model.hidden`; may be empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LocatedError {}
