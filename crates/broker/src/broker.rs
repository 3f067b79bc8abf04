//! One broker.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::distribution::{FORGETFUL, guard, properties};
use crate::process::Process;
use crate::{BrokerError, Distribution};

/// A broker is up within seconds; on a machine that is busy with builds it takes longer.
const UP_WITHIN: Duration = Duration::from_secs(120);
/// Somebody may take a port between our finding it free and the broker's binding it.
const TRIES: usize = 5;
/// What the log says when the broker serves.
const UP: &str = "Kafka Server started";

/// A Kafka broker. Dropped, it is killed and its data removed.
pub struct Broker {
    bootstrap: String,
    own: Option<Own>,
}

struct Own {
    distribution: Distribution,
    folder: Folder,
    ports: (u16, u16),
    /// Where users have to say who they are.
    guarded: Option<u16>,
    /// Further settings.
    more: &'static str,
    process: Option<Process>,
}

enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Broker {
    /// Starts a broker with no data on a free port, and returns when it serves. Where `KAFKA_BOOTSTRAP` is set, it stands for
    /// that broker.
    ///
    /// # Errors
    /// [`BrokerError`] says what is missing, or shows the end of the log.
    pub fn start() -> Result<Self, BrokerError> {
        if let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") {
            return Ok(Self { bootstrap, own: None });
        }
        Self::start_own(None, false, "")
    }

    /// Starts a broker as [`Broker::start`] does, with a second address, [`Broker::guarded`], where users name themselves by SASL PLAIN.
    /// The user `app`, password `app-secret`, may do everything, `guest`, password `guest-secret`, nothing; at the first address
    /// everybody may do everything. `KAFKA_BOOTSTRAP` is not looked at.
    ///
    /// # Errors
    /// As for [`Broker::start`].
    pub fn start_guarded() -> Result<Self, BrokerError> {
        Self::start_own(None, true, "")
    }

    /// Starts a broker as [`Broker::start`] does, whose cluster has an identity of its own: 22 letters and digits. All others are
    /// copies of one cluster, and share its identity. `KAFKA_BOOTSTRAP` is not looked at.
    ///
    /// # Errors
    /// As for [`Broker::start`].
    pub fn start_as(cluster_id: &str) -> Result<Self, BrokerError> {
        Self::start_own(Some(cluster_id), false, "")
    }

    /// Starts a broker as [`Broker::start`] does, which forgets what a group has committed a minute after its last member has left.
    /// `KAFKA_BOOTSTRAP` is not looked at.
    ///
    /// # Errors
    /// As for [`Broker::start`].
    pub fn start_forgetful() -> Result<Self, BrokerError> {
        Self::start_own(None, false, FORGETFUL)
    }

    fn start_own(cluster_id: Option<&str>, guarded: bool, more: &'static str) -> Result<Self, BrokerError> {
        let distribution = Distribution::find()?;
        let mut tries = 0;
        loop {
            let folder = tempfile::tempdir().map_err(BrokerError::io("make", "a temporary folder"))?;
            if let Some(id) = cluster_id {
                let data = folder.path().join("data");
                copy(&distribution.template(), &data)?;
                rename_cluster(&data.join("meta.properties"), id)?;
            }
            let ports = (free_port()?, free_port()?);
            let guarded = if guarded { Some(free_port()?) } else { None };
            match Self::in_folder(&distribution, Folder::Temporary(folder), ports, guarded, more) {
                Err(BrokerError::NotUp { .. }) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    /// Starts a broker whose data stays in `folder`, and which makes topics of three partitions when they are first written to, on the given port or, where that is taken or 0, a free one.
    ///
    /// # Errors
    /// As for [`Broker::start`].
    pub fn start_in(distribution: &Distribution, folder: &Path, port: u16) -> Result<Self, BrokerError> {
        let free = port != 0 && TcpListener::bind(("127.0.0.1", port)).is_ok();
        let port = if free { port } else { free_port()? };
        Self::in_folder(distribution, Folder::Kept(folder.to_owned()), (port, free_port()?), None, "")
    }

    fn in_folder(
        distribution: &Distribution,
        folder: Folder,
        ports: (u16, u16),
        guarded: Option<u16>,
        more: &'static str,
    ) -> Result<Self, BrokerError> {
        let data = folder.path().join("data");
        if !data.exists() {
            copy(&distribution.template(), &data)?;
        }
        let bootstrap = format!("127.0.0.1:{}", ports.0);
        let mut own = Own { distribution: distribution.clone(), folder, ports, guarded, more, process: None };
        own.up()?;
        Ok(Self { bootstrap, own: Some(own) })
    }

    /// Host and port, for `bootstrap_servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Host and port where users have to say who they are, of a broker that [`Broker::start_guarded`] started.
    pub fn guarded(&self) -> Option<String> {
        self.own.as_ref()?.guarded.map(|port| format!("127.0.0.1:{port}"))
    }

    /// Kills the broker (SIGKILL). Its data stays as it is.
    ///
    /// # Errors
    /// [`BrokerError::NotOurs`].
    pub fn kill(&mut self) -> Result<(), BrokerError> {
        if let Some(process) = self.own("kill")?.process.take() {
            process.kill();
        }
        Ok(())
    }

    /// Lets the broker answer nobody until [`Broker::resume`], as an overloaded one does.
    ///
    /// # Errors
    /// [`BrokerError::NotOurs`].
    pub fn pause(&mut self) -> Result<(), BrokerError> {
        if let Some(process) = &self.own("pause")?.process {
            process.signal("-STOP");
        }
        Ok(())
    }

    /// Lets it answer again.
    ///
    /// # Errors
    /// [`BrokerError::NotOurs`].
    pub fn resume(&mut self) -> Result<(), BrokerError> {
        if let Some(process) = &self.own("resume")?.process {
            process.signal("-CONT");
        }
        Ok(())
    }

    /// Stops the broker, as its operator would.
    ///
    /// # Errors
    /// [`BrokerError::NotOurs`].
    pub fn stop(&mut self) -> Result<(), BrokerError> {
        if let Some(process) = self.own("stop")?.process.take() {
            process.stop();
        }
        Ok(())
    }

    /// Starts the broker again after [`Broker::kill`] or [`Broker::stop`]: on the same port, with the same data.
    ///
    /// # Errors
    /// [`BrokerError`] shows the end of the log.
    pub fn restart(&mut self) -> Result<(), BrokerError> {
        self.own("restart")?.up()
    }

    fn own(&mut self, doing: &'static str) -> Result<&mut Own, BrokerError> {
        let bootstrap = self.bootstrap.clone();
        self.own.as_mut().ok_or(BrokerError::NotOurs { bootstrap, doing })
    }
}

impl Own {
    fn up(&mut self) -> Result<(), BrokerError> {
        let folder = self.folder.path();
        let (settings, log) = (folder.join("server.properties"), folder.join("broker.log"));
        let makes_topics = matches!(self.folder, Folder::Kept(_));
        let mut text = properties(&folder.join("data"), self.ports.0, self.ports.1, makes_topics);
        if let Some(port) = self.guarded {
            text.push_str(&guard(port, self.ports.0, self.ports.1));
        }
        text.push_str(self.more);
        fs::write(&settings, text).map_err(BrokerError::io("write", settings.display()))?;
        fs::write(&log, "").map_err(BrokerError::io("write", log.display()))?;
        let archive = self.distribution.class_archive();
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-Xss512k", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        if archive.is_file() {
            java.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        } else {
            java.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
        }
        java.arg("-cp").arg(self.distribution.class_path()?).arg("kafka.Kafka").arg(&settings);
        let process = Process::start(&java, &log)?;
        let begun = Instant::now();
        while begun.elapsed() < UP_WITHIN && process.runs() {
            if process.log().contains(UP) && TcpStream::connect(("127.0.0.1", self.ports.0)).is_ok() {
                self.process = Some(process);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(BrokerError::NotUp { log: process.end_of_log() })
    }
}

/// Puts another identity into what a formatted data folder says of itself.
fn rename_cluster(file: &Path, id: &str) -> Result<(), BrokerError> {
    let text = fs::read_to_string(file).map_err(BrokerError::io("read", file.display()))?;
    let rename =
        |line: &str| if line.starts_with("cluster.id=") { format!("cluster.id={id}") } else { line.to_owned() };
    let renamed: Vec<String> = text.lines().map(rename).collect();
    fs::write(file, renamed.join("\n")).map_err(BrokerError::io("write", file.display()))
}

pub(crate) fn free_port() -> Result<u16, BrokerError> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(BrokerError::io("find", "a free port"))
}

fn copy(from: &Path, to: &Path) -> Result<(), BrokerError> {
    fs::create_dir_all(to).map_err(BrokerError::io("make", to.display()))?;
    for entry in fs::read_dir(from).map_err(BrokerError::io("read", from.display()))? {
        let entry = entry.map_err(BrokerError::io("read", from.display()))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(BrokerError::io("copy", entry.path().display()))?;
        }
    }
    Ok(())
}
