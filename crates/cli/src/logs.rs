//! Structured logs: what the libraries tell while they work, on standard error.

use std::io::{self, Write};

use clap::ValueEnum;
use indicatif::ProgressBar;
use sluicegate::config::Secrets;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// Log targets of our own crates begin with this.
const OURS: &str = "sluice";

/// How messages on standard error look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For machines: one JSON object a line, and nothing else
    Json,
}

/// What is logged: this and whatever is more serious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// People watch the progress and want to know what is wrong; machines want the whole story.
    pub(crate) fn default_of(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Warn,
            LogFormat::Json => Self::Info,
        }
    }

    pub(crate) fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// What a subscriber of the logs must know.
#[derive(Clone)]
pub(crate) struct Logs {
    pub(crate) format: LogFormat,
    pub(crate) level: LogLevel,
    pub(crate) secrets: Secrets,
    /// What is drawn on the same terminal, to be taken away while a line is written.
    pub(crate) bar: Option<ProgressBar>,
}

impl Logs {
    /// Sends the logs of this process to standard error from here on. The first call of a process wins.
    pub(crate) fn install(self) {
        let dispatch = self.subscriber(io::stderr);
        // Somebody else's program may have a subscriber of its own, which then gets ours too.
        let _ = tracing::dispatcher::set_global_default(dispatch);
    }

    /// Ours as asked for; from other libraries, which may tell of requests and headers, warnings at most.
    fn filter(&self) -> Targets {
        let level = self.level.filter();
        Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(OURS, level)
    }

    fn subscriber<W: Write + 'static>(self, open: fn() -> W) -> tracing::Dispatch {
        let filter = self.filter();
        let lines = tracing_subscriber::fmt::layer();
        let format = self.format;
        let writer = Redacting { secrets: self.secrets, bar: self.bar, open };
        let registry = tracing_subscriber::registry().with(filter);
        match format {
            LogFormat::Text => registry.with(lines.with_ansi(false).with_writer(writer)).into(),
            LogFormat::Json => registry.with(lines.json().with_span_list(false).with_writer(writer)).into(),
        }
    }
}

/// Writes lines without the secrets in them.
struct Redacting<W> {
    secrets: Secrets,
    bar: Option<ProgressBar>,
    open: fn() -> W,
}

impl<'a, W: Write + 'static> MakeWriter<'a> for Redacting<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Line<'a, W> {
        Line { secrets: &self.secrets, bar: self.bar.as_ref(), to: (self.open)() }
    }
}

/// One line, which comes in one piece.
struct Line<'a, W> {
    secrets: &'a Secrets,
    bar: Option<&'a ProgressBar>,
    to: W,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = self.secrets.redact(&text);
        let to = &mut self.to;
        let mut write = || to.write_all(text.as_bytes());
        match self.bar {
            Some(bar) => bar.suspend(write)?,
            None => write()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use sluicegate::config::Document;
    use std::cell::RefCell;

    thread_local! {
        static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Tests run in threads of their own, and so each has its own log.
    struct Here;

    impl Write for Here {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, log: impl FnOnce()) -> String {
        let text = "source.a.password = \"${PASSWORD}\"";
        let document = Document::parse_with_env("p.toml", text, Vec::new(), |_| Some("hunter\"2".into())).unwrap();
        let logs = Logs { format, level, secrets: document.secrets(), bar: None };
        tracing::dispatcher::with_default(&logs.subscriber(|| Here), log);
        String::from_utf8(WRITTEN.take()).unwrap()
    }

    #[test]
    fn a_log_in_json_is_one_object_a_line_with_its_fields() {
        let text = logged(LogFormat::Json, LogLevel::Info, || {
            tracing::info!(target: "sluice", partition = "trades-0", position = 42, "checkpoint written");
            tracing::debug!(target: "sluice", "not this");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["message"], "checkpoint written");
        assert_eq!((&line["fields"]["partition"], &line["fields"]["position"]), (&"trades-0".into(), &42.into()));
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_secret_never_reaches_the_log_in_either_format() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, LogLevel::Info, || {
                tracing::warn!(target: "sluicegate_kafka", password = "hunter\"2", "refused: hunter\"2");
                tracing::warn!(target: "sluicegate_kafka", settings = ?["hunter\"2"], "refused");
            });
            assert!(!text.contains("hunter"), "{text}");
            assert_eq!(text.matches("${PASSWORD}").count(), 3, "{text}");
        }
    }

    #[test]
    fn other_libraries_are_heard_only_when_something_is_wrong() {
        let text = logged(LogFormat::Text, LogLevel::Trace, || {
            tracing::trace!(target: "sluicegate_stream", "ours");
            tracing::info!(target: "hyper", "theirs");
            tracing::warn!(target: "hyper", "their worry");
        });
        assert!(text.contains("ours") && text.contains("their worry") && !text.contains("theirs"), "{text}");
    }
}
