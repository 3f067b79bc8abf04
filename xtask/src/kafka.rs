//! Apache Kafka for the tests, and for first steps: its jars by Maven, pinned by hash, and a broker that stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use sluicegate_broker::{Broker, Distribution};

use crate::failure::{Done, Failure};
use crate::tools::{self, Tool};
use crate::workspace::{self, Workspace};

const VERSION: &str = "4.3.1";
/// `SHA-256  name` of each jar, as `sha256sum` prints them.
const PINS: &str = include_str!("kafka.sha256");
/// Written last: without it the folder counts as half made.
const STAMP: &str = "sluicegate-stamp";
/// Where clients look for a broker by default.
const PORT: u16 = 9092;

/// Makes `.sluicegate/kafka` hold the pinned jars and what brokers begin with.
///
/// `.cargo/config.toml` names the folder to the tests as `SLUICEGATE_KAFKA`.
pub(crate) fn set_up(workspace: &Workspace) -> Done {
    let folder = workspace.fetched("kafka");
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made| made == PINS) {
        println!("Kafka for the tests: {}", folder.display());
        return Ok(());
    }
    tools::require(&[Tool::Java, Tool::Maven])?;
    println!("Fetching Apache Kafka {VERSION} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::io("remove", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::io("make", &folder))?;
    fetch(&folder)?;
    verify(&folder.join("libs"))?;
    let prepared = Distribution::at(&folder).prepare();
    prepared.map_err(|error| Failure::new(format!("Kafka's data folder cannot be formatted: {error}")))?;
    fs::write(&stamp, PINS).map_err(Failure::io("write", &stamp))
}

fn fetch(folder: &Path) -> Done {
    let pom = folder.join("pom.xml");
    let dependency = |group: &str, name: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        )
    };
    let text = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>sluicegate</groupId><artifactId>kafka</artifactId>\
         <version>1</version><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.slf4j", "slf4j-simple", "1.7.36"),
    );
    fs::write(&pom, text).map_err(Failure::io("write", &pom))?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", folder.join("libs").display())).current_dir(folder);
    workspace::succeed(&mut maven)
}

fn verify(libs: &Path) -> Done {
    let mut pinned: BTreeMap<&str, &str> =
        PINS.lines().filter_map(|line| line.split_once("  ")).map(|(hash, name)| (name, hash)).collect();
    for entry in fs::read_dir(libs).map_err(Failure::io("read", libs))? {
        let path = entry.map_err(Failure::io("read", libs))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = fs::read(&path).map_err(Failure::io("read", &path))?;
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        match pinned.remove(name.as_str()) {
            Some(pin) if pin == hash => {}
            Some(pin) => {
                return Err(Failure::new(format!("{} has the SHA-256 {hash}, not {pin}", path.display())));
            }
            None => return Err(Failure::new(format!("{} is not pinned in xtask/src/kafka.sha256", path.display()))),
        }
    }
    match pinned.keys().next() {
        None => Ok(()),
        Some(name) => Err(Failure::new(format!("Maven did not bring {name}"))),
    }
}

/// What `cargo xtask kafka` does with the broker that stays.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub(crate) enum KafkaTask {
    /// Start a broker; its topics stay until the data folder is deleted
    Start,
    /// Stop it
    Stop,
    /// Say whether it runs, and where
    Status,
    /// Be the broker: what `start` runs behind its back
    #[command(hide = true)]
    Serve,
}

pub(crate) fn run(workspace: &Workspace, task: KafkaTask) -> Done {
    let state = State { folder: workspace.fetched("kafka-data") };
    match task {
        KafkaTask::Start => {
            set_up(workspace)?;
            state.start()
        }
        KafkaTask::Stop => state.stop(),
        KafkaTask::Status => {
            match state.running() {
                Some((_, bootstrap)) => println!("a broker runs at {bootstrap}"),
                None => println!("no broker runs; `cargo xtask kafka start` starts one"),
            }
            Ok(())
        }
        KafkaTask::Serve => state.serve(workspace),
    }
}

/// The broker that stays: its folder holds the data, and a file with its process and address while it runs.
struct State {
    folder: PathBuf,
}

impl State {
    fn file(&self) -> PathBuf {
        self.folder.join("running")
    }

    fn running(&self) -> Option<(u32, String)> {
        let text = fs::read_to_string(self.file()).ok()?;
        let (process, bootstrap) = text.trim().split_once(' ')?;
        let process = process.parse().ok()?;
        Path::new(&format!("/proc/{process}")).exists().then(|| (process, bootstrap.to_owned()))
    }

    fn start(&self) -> Done {
        if self.running().is_none() {
            fs::create_dir_all(&self.folder).map_err(Failure::io("make", &self.folder))?;
            let _ = fs::remove_file(self.file());
            let this = std::env::current_exe().map_err(Failure::io("find", Path::new("this program")))?;
            // A process group of its own, so that Ctrl-C in this terminal is not for it.
            use std::os::unix::process::CommandExt as _;
            let mut serve = Command::new(this);
            serve.args(["kafka", "serve"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut serve = serve.process_group(0).spawn().map_err(Failure::io("start", Path::new("the broker")))?;
            while self.running().is_none() {
                if serve.try_wait().ok().flatten().is_some() {
                    let log = self.folder.join("broker.log");
                    return Err(Failure::new(format!("the broker did not come up; see {}", log.display())));
                }
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        }
        let Some((_, bootstrap)) = self.running() else { return Err(Failure::new("the broker ended at once")) };
        println!("a broker runs at {bootstrap}; to look into it with kcat:\n");
        println!("    kcat -b {bootstrap} -L");
        println!("    kcat -b {bootstrap} -t TOPIC -C -X isolation.level=read_committed");
        println!("\n`cargo xtask kafka stop` stops it.");
        Ok(())
    }

    fn stop(&self) -> Done {
        let Some((process, _)) = self.running() else {
            println!("no broker runs");
            return Ok(());
        };
        workspace::succeed(Command::new("kill").arg(process.to_string()))?;
        while Path::new(&format!("/proc/{process}")).exists() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let _ = fs::remove_file(self.file());
        println!("stopped; its data stays in {}", self.folder.display());
        Ok(())
    }

    fn serve(&self, workspace: &Workspace) -> Done {
        let distribution = Distribution::at(workspace.fetched("kafka"));
        let broker = Broker::start_in(&distribution, &self.folder, PORT)
            .map_err(|error| Failure::new(format!("the broker cannot be started: {error}")))?;
        let text = format!("{} {}\n", std::process::id(), broker.bootstrap());
        fs::write(self.file(), text).map_err(Failure::io("write", &self.file()))?;
        // Killed with this process, by the shell that watches it.
        loop {
            std::thread::park();
        }
    }
}
