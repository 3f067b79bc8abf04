//! What a wrong setting looks like to whoever wrote it.

use std::fmt;
use std::path::PathBuf;

/// An error in a pipeline file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedError {
    /// The file; `--set` with what followed it where the setting came from the command line; empty where the text is of no file.
    pub file: PathBuf,
    /// Line, from 1, and column in characters, from 1; `None` where the setting came from the command line or the text is of no file.
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
        let mut parts = Vec::new();
        match self.place {
            Some((line, column)) => parts.push(format!("{}:{line}:{column}", self.file.display())),
            None if self.file.as_os_str().is_empty() => {}
            None => parts.push(self.file.display().to_string()),
        }
        if !self.key.is_empty() {
            parts.push(format!("`{}`", self.key));
        }
        parts.push(self.message.clone());
        f.write_str(&parts.join(": "))?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LocatedError {}
