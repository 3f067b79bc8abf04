//! How the command ends, and what it says when it ends badly.

use std::error::Error;

use sluicegate::{ConfigError, StreamError};
use tracing::Level;

use crate::console::Console;

/// The exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done = 0,
    Failed = 1,
    Wrong = 2,
    Interrupted = 130,
    Terminated = 143,
}

/// Why the command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    ending: Ending,
    /// What happened, and `help:` lines that say what to do; `None` where there is nothing to say.
    message: Option<String>,
}

impl Failure {
    /// The arguments or the pipeline are wrong.
    pub(crate) fn wrong(error: &dyn Error) -> Self {
        Self { ending: Ending::Wrong, message: Some(flatten(error)) }
    }

    /// `--set TEXT` is wrong.
    pub(crate) fn wrong_setting(text: &str, error: &ConfigError) -> Self {
        let help = error.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        Self { ending: Ending::Wrong, message: Some(format!("--set {text}: {}{help}", error.message)) }
    }

    /// An argument is wrong.
    pub(crate) fn wrong_argument(message: String) -> Self {
        Self { ending: Ending::Wrong, message: Some(message) }
    }

    /// A pipeline failed while it ran.
    pub(crate) fn of_run(error: &StreamError) -> Self {
        let mut message = flatten(error);
        if matches!(error, StreamError::Panicked { .. }) {
            message.push_str("\n  help: report it, with what is printed when RUST_BACKTRACE=1 is set");
        }
        Self::failed(message)
    }

    /// Something failed while running.
    pub(crate) fn failed(message: String) -> Self {
        Self { ending: Ending::Failed, message: Some(message) }
    }

    /// Something failed while running.
    pub(crate) fn failed_by(error: &dyn Error) -> Self {
        Self::failed(flatten(error))
    }

    /// Nothing to say.
    pub(crate) fn quiet(ending: Ending) -> Self {
        Self { ending, message: None }
    }

    /// What it says.
    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Writes the message and gives the exit code.
    pub(crate) fn report(self, console: &mut Console<'_>) -> Ending {
        match self.message {
            Some(message) if console.is_json() => console.say(Level::ERROR, &message, []),
            Some(message) => console.say(Level::ERROR, &format!("error: {message}\n"), []),
            None => {}
        }
        self.ending
    }
}

/// An error and its causes as one paragraph: each said once, what to do about it at the end.
pub(crate) fn flatten(error: &dyn Error) -> String {
    let (mut message, mut helps) = split_help(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let (text, more) = split_help(&error.to_string());
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        helps.extend(more);
        cause = error.source();
    }
    helps.dedup();
    helps.iter().fold(message, |message, help| format!("{message}\n  help: {help}"))
}

fn split_help(text: &str) -> (String, Vec<String>) {
    let mut parts = text.split("\n  help: ").map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as &dyn Error)
        }
    }

    #[test]
    fn causes_are_said_once_and_help_comes_last() {
        let file = Layer("a.parquet: permission denied", None);
        let again = Layer("permission denied", None);
        let middle = Layer("the file cannot be read\n  help: chmod it", Some(Box::new(file)));
        let error = Layer("source `a` failed", Some(Box::new(middle)));
        assert_eq!(
            flatten(&error),
            "source `a` failed: the file cannot be read: a.parquet: permission denied\n  help: chmod it"
        );
        let error = Layer("a: permission denied", Some(Box::new(again)));
        assert_eq!(flatten(&error), "a: permission denied");
    }
}
