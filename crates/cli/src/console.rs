//! Where the command writes.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write};

use serde_json::{Map, Value, json};
use sluicegate::config::Secrets;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use crate::failure::{Ending, Failure};
use crate::logs::{LogFormat, LogLevel};

/// Standard output and standard error, or whatever stands for them.
pub struct Console<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    live: bool,
    /// Whether it is that of the process, whose logs go to the same place.
    of_process: bool,
    format: LogFormat,
    level: LevelFilter,
    secrets: Secrets,
}

impl<'a> Console<'a> {
    /// Writes results to `out`, and progress and errors to `err`, which is taken for no terminal. Logs of the libraries go
    /// wherever the program sends them.
    pub fn new(out: impl Write + 'a, err: impl Write + 'a) -> Self {
        Self {
            out: Box::new(out),
            err: Box::new(err),
            live: false,
            of_process: false,
            format: LogFormat::Text,
            level: LevelFilter::INFO,
            secrets: Secrets::default(),
        }
    }

    /// The console of this process.
    pub(crate) fn of_process() -> Self {
        Self { live: io::stderr().is_terminal(), of_process: true, ..Self::new(io::stdout(), io::stderr()) }
    }

    /// Whether standard error is a terminal, on which a line may be drawn over again.
    pub(crate) fn is_live(&self) -> bool {
        self.live && self.format == LogFormat::Text
    }

    /// Whether logs go to the same place as messages.
    pub(crate) fn is_of_process(&self) -> bool {
        self.of_process
    }

    /// Whether messages are for machines.
    pub(crate) fn is_json(&self) -> bool {
        self.format == LogFormat::Json
    }

    /// Messages look like this from here on. In JSON they are part of the log, and only those of `level` are written.
    pub(crate) fn speak(&mut self, format: LogFormat, level: LogLevel) {
        self.format = format;
        self.level = level.filter();
    }

    /// No message shows any of these from here on.
    pub(crate) fn keep(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// Writes a result.
    pub(crate) fn out(&mut self, text: Arguments<'_>) -> Result<(), Failure> {
        let written = self.out.write_fmt(text);
        self.written(written)
    }

    /// Writes a result that need not be text.
    #[cfg(feature = "model")]
    pub(crate) fn out_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(bytes);
        self.written(written)
    }

    fn written(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written.and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            // Whoever read our output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::quiet(Ending::Done)),
            Err(error) => Err(Failure::failed(format!("standard output cannot be written to: {error}"))),
        }
    }

    /// Writes a message. Where that fails there is nobody left to tell.
    pub(crate) fn err(&mut self, text: Arguments<'_>) {
        self.say(Level::INFO, &text.to_string(), []);
    }

    /// Writes a message; in JSON with `fields` beside it.
    pub(crate) fn say<const N: usize>(&mut self, level: Level, text: &str, fields: [(&str, Value); N]) {
        let text = self.secrets.redact(text);
        let line = match self.format {
            LogFormat::Text => text.into_owned(),
            LogFormat::Json if level > self.level => return,
            LogFormat::Json => json_line(level, text.trim_end(), fields),
        };
        // In one piece, since logs are written from other threads.
        let _ = self.err.write_all(line.as_bytes()).and_then(|()| self.err.flush());
    }
}

/// A message in the form of a log line.
fn json_line<const N: usize>(level: Level, text: &str, fields: [(&str, Value); N]) -> String {
    let mut time = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let mut all = Map::new();
    all.insert("message".into(), text.into());
    all.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let line = json!({ "timestamp": time, "level": level.as_str(), "fields": all, "target": "sluice" });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_json_is_one_line_of_the_log() {
        let mut err = Vec::new();
        let mut console = Console::new(io::sink(), &mut err);
        console.speak(LogFormat::Json, LogLevel::Info);
        console.say(Level::INFO, "two\nlines\n", [("events", 3.into())]);
        console.say(Level::DEBUG, "not this\n", []);
        drop(console);
        let text = String::from_utf8(err).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"], json!({ "message": "two\nlines", "events": 3 }));
        assert_eq!(line["level"], "INFO");
    }
}
