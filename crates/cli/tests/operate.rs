//! The command as a service: signals, exit codes, health, logs, secrets. Runs the real one on bundled data.
#![cfg(all(unix, feature = "source", feature = "sink"))]
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but does not know their helpers")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use tempfile::TempDir;

const SECRET: &str = "swordfish-\"1";

/// A pipeline that prints more rows than a pipe holds, so that it waits for whoever reads them.
fn pipeline(source: &str, sink: &str) -> String {
    format!(
        "name = \"copy\"\n[source.rows]\ntype = \"parquet\"\n{source}\n[sink.out]\ntype = \"console\"\ninput = \"rows\"\n{sink}\n"
    )
}

fn data() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/data/etth1.parquet");
    format!("path = \"{}\"", file.display())
}

fn command(folder: &TempDir, text: &str, args: &[&str]) -> Command {
    let file = folder.path().join("copy.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("run").arg(file).args(args).env("SECRET", SECRET).env_remove("SLUICE_LISTEN");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run that has printed its first row and waits for a reader of the others.
struct Waiting {
    child: Child,
    rows: BufReader<ChildStdout>,
    messages: BufReader<ChildStderr>,
    _folder: TempDir,
}

impl Waiting {
    fn start(args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut child = command(&folder, &pipeline(&data(), ""), args).spawn().unwrap();
        let mut rows = BufReader::new(child.stdout.take().unwrap());
        let messages = BufReader::new(child.stderr.take().unwrap());
        rows.read_line(&mut String::new()).unwrap();
        Self { child, rows, messages, _folder: folder }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Reads messages up to one with `text` in it, and gives that.
    fn message(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.messages.read_line(&mut line).unwrap() > 0, "no message says {text}");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads what is printed until the end; gives the exit code and the messages.
    fn end(mut self) -> (Option<i32>, String) {
        self.rows.read_to_end(&mut Vec::new()).unwrap();
        let mut messages = String::new();
        self.messages.read_to_string(&mut messages).unwrap();
        (self.child.wait().unwrap().code(), messages)
    }
}

#[test]
fn a_clean_stop_is_0_after_sigterm_and_130_after_ctrl_c() {
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let mut waiting = Waiting::start(&["--quiet"]);
        waiting.signal(signal);
        waiting.message("stopping: finishing what was read");
        let (ended, messages) = waiting.end();
        assert_eq!(ended, Some(code), "{messages}");
        assert!(messages.ends_with("what was read until then is complete\n"), "{messages}");
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut waiting = Waiting::start(&["--quiet"]);
        waiting.signal(signal);
        waiting.message("stopping: finishing what was read");
        waiting.signal(signal);
        // Nobody reads the rows, so it cannot have ended by itself.
        assert_eq!(waiting.child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_stop_that_takes_too_long_ends_with_1_and_says_so() {
    let mut waiting = Waiting::start(&["--quiet", "--stop-within", "0.05"]);
    waiting.signal("TERM");
    let message = waiting.message("error: ");
    assert_eq!(message, "error: not through with stopping after 0.05 s, so stopped at once\n");
    assert_eq!(waiting.child.wait().unwrap().code(), Some(1));
}

#[test]
fn health_and_metrics_are_served_while_it_runs() {
    let mut waiting = Waiting::start(&["--listen", "0"]);
    let message = waiting.message("health and metrics at http://");
    let address = message.trim_end().rsplit("http://").next().unwrap().to_owned();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let health = get("/healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.contains("\"pipeline\":\"copy\""), "{health}");
    let metrics = get("/metrics");
    assert!(
        metrics.contains("# TYPE sluicegate_source_rows_total counter\nsluicegate_source_rows_total{"),
        "{metrics}"
    );
    let (ended, messages) = waiting.end();
    assert_eq!(ended, Some(0), "{messages}");
}

#[test]
fn in_json_nothing_else_is_written_to_standard_error() {
    let folder = TempDir::new().unwrap();
    let done = command(&folder, &pipeline(&data(), ""), &["--log-format", "json"]).output().unwrap();
    let messages = String::from_utf8(done.stderr).unwrap();
    let lines: Vec<serde_json::Value> = messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |text: &str| lines.iter().any(|line| line["fields"]["message"] == text);
    assert!(said("pipeline starts") && said("pipeline stops"), "{messages}");
    assert_eq!(lines[0]["fields"]["pipeline"], "copy");
}

#[test]
fn a_secret_shows_in_no_error_and_no_log() {
    // As a setting that is refused, as part of a path that is not there, and in settings that work.
    let wrong = pipeline(&data(), "format = \"${SECRET}\"");
    let missing = pipeline("path = \"${SECRET}/nowhere.parquet\"", "");
    let missing_pattern = pipeline("path = \"a/${SECRET}/*.parquet\"", "");
    for (text, refused) in [(wrong, true), (missing, true), (missing_pattern, true), (pipeline(&data(), ""), false)] {
        for args in [&["--log-level", "trace"][..], &["--log-format", "json", "--log-level", "trace"]] {
            let folder = TempDir::new().unwrap();
            let done = command(&folder, &text, args).output().unwrap();
            let messages = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(if refused { 2 } else { 0 }), "{messages}");
            assert!(!messages.contains("swordfish"), "{messages}");
            assert_eq!(messages.contains("${SECRET}"), refused, "{messages}");
        }
    }
}
