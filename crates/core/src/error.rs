//! Errors that cross the boundary between a component and whoever runs it.

use std::fmt;

/// Any component's own error. The graph adds which component it came from.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A setting, or a combination of settings, that cannot work.
///
/// Made by a component while it is bound; [`crate::config::Table::locate`] turns it into a
/// [`crate::config::LocatedError`] that names the file, line and column of the setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the setting within the component's table, such as `model.bptt.window`; empty for the table as a whole.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ConfigError {
    /// The setting at `key` is wrong because of `message`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error as seen from one table further out: `window` becomes `bptt.window`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.key = if self.key.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.key) };
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)?;
        } else {
            write!(f, "`{}`: {}", self.key, self.message)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
