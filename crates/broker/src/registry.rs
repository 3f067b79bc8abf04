//! A schema registry.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::BrokerError;
use crate::broker::free_port;
use crate::process::Process;

/// Where set-up puts the registry.
const VARIABLE: &str = "SLUICEGATE_REGISTRY";
const UP_WITHIN: Duration = Duration::from_secs(120);
/// Somebody may take a port between our finding it free and the registry's binding it.
const TRIES: usize = 5;

/// An Apicurio Registry, which keeps schemas in memory and has Confluent's HTTP interface too. Dropped, it is killed.
pub struct SchemaRegistry {
    url: String,
    process: Process,
    _folder: TempDir,
}

impl SchemaRegistry {
    /// Starts a registry without schemas on a free port of 127.0.0.1, and returns when it serves.
    ///
    /// # Errors
    /// [`BrokerError`] says what is missing, or shows the end of the log.
    pub fn start() -> Result<Self, BrokerError> {
        let folder = PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_default());
        let jar = std::fs::read_dir(&folder).ok().and_then(|entries| {
            let mut jars = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            jars.find(|path| path.to_string_lossy().ends_with("-runner.jar"))
        });
        let Some(jar) = jar else { return Err(BrokerError::NoRegistry { folder }) };
        let mut tries = 0;
        loop {
            match Self::with(&jar, free_port()?) {
                Err(BrokerError::NotUp { .. }) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    fn with(jar: &std::path::Path, port: u16) -> Result<Self, BrokerError> {
        let folder = tempfile::tempdir().map_err(BrokerError::io("make", "a temporary folder"))?;
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("-Dquarkus.http.host=127.0.0.1").arg(format!("-Dquarkus.http.port={port}")).arg("-jar").arg(jar);
        let process = Process::start(&java, &folder.path().join("registry.log"))?;
        let begun = Instant::now();
        while begun.elapsed() < UP_WITHIN && process.runs() {
            if process.log().contains("Listening on") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                let url = format!("http://127.0.0.1:{port}/apis/ccompat/v7");
                return Ok(Self { url, process, _folder: folder });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(BrokerError::NotUp { log: process.end_of_log() })
    }

    /// The address of Confluent's interface.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets it answer nobody until [`SchemaRegistry::resume`].
    pub fn pause(&self) {
        self.process.signal("-STOP");
    }

    /// Lets it answer again.
    pub fn resume(&self) {
        self.process.signal("-CONT");
    }
}
