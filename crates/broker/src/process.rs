//! A broker's process, which never outlives ours.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::BrokerError;

/// Starts the program, tells its process id, waits until whoever started this is gone or closes the pipe, and kills it.
const WATCH: &str = r#""$@" </dev/null >>"$BROKER_LOG" 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait"#;
/// Lines of the log that an error shows.
const LOG_LINES_SHOWN: usize = 20;

pub(crate) struct Process {
    watch: Child,
    id: u32,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose output goes to `log`.
    pub(crate) fn start(command: &Command, log: &Path) -> Result<Self, BrokerError> {
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "sh"]).arg(command.get_program()).args(command.get_args()).env("BROKER_LOG", log);
        let mut watch = watch
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(BrokerError::io("start", "sh"))?;
        let mut line = String::new();
        if let Some(stdout) = watch.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(BrokerError::io("read from", "sh"))?;
        }
        let log = log.to_owned();
        match line.trim().parse() {
            Ok(id) => Ok(Self { watch, id, log }),
            Err(_) => Err(BrokerError::NotUp { log: "it could not be started".to_owned() }),
        }
    }

    /// Whether it still runs.
    pub(crate) fn runs(&self) -> bool {
        Path::new(&format!("/proc/{}", self.id)).exists()
    }

    /// Sends it a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        // One that is gone hears nothing.
        let _ = Command::new("kill").args([name, &self.id.to_string()]).stderr(Stdio::null()).status();
    }

    /// Kills it at once, and returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to end, and returns when it has.
    pub(crate) fn stop(self) {
        let asked = Command::new("kill").arg(self.id.to_string()).stderr(Stdio::null()).status();
        while asked.is_ok() && self.runs() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn end(&mut self) {
        // The end of the pipe is what the watching shell waits for.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
