//! What a broker consists of: the jars, a formatted data folder to copy, and an archive of loaded classes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Broker, BrokerError};

/// Where set-up puts Kafka.
const VARIABLE: &str = "SLUICEGATE_KAFKA";
/// Any will do: it is a cluster of one.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";

/// A folder with everything that brokers are started from.
#[derive(Debug, Clone)]
pub struct Distribution {
    folder: PathBuf,
}

impl Distribution {
    /// The folder that the variable `SLUICEGATE_KAFKA` names.
    ///
    /// # Errors
    /// [`BrokerError::NotFetched`] when it holds no Kafka.
    pub fn find() -> Result<Self, BrokerError> {
        let folder = PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_default());
        let found = Self::at(&folder);
        if found.template().join("meta.properties").is_file() {
            Ok(found)
        } else {
            Err(BrokerError::NotFetched { folder })
        }
    }

    /// What lies in `folder`: its jars in `libs`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Formats the data folder that brokers begin with, once the jars are there, and makes the archive of loaded classes.
    ///
    /// # Errors
    /// When Java cannot be run, or Kafka's own tool fails.
    pub fn prepare(&self) -> Result<(), BrokerError> {
        let template = self.template();
        if template.exists() {
            fs::remove_dir_all(&template).map_err(BrokerError::io("remove", template.display()))?;
        }
        let settings = self.folder.join("template.properties");
        // Ports and folder are of no account here; a broker gets its own.
        let text = properties(&template, 9092, 9093, false);
        fs::write(&settings, text).map_err(BrokerError::io("write", settings.display()))?;
        let mut format = Command::new("java");
        format.arg("-cp").arg(self.class_path()?).args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        let output = format.arg(&settings).stdin(Stdio::null()).output().map_err(BrokerError::io("run", "java"))?;
        if !output.status.success() {
            return Err(BrokerError::NotUp { log: String::from_utf8_lossy(&output.stderr).into_owned() });
        }
        // The first broker leaves an archive of its classes when it ends by itself; the others start in half the time.
        let folder = tempfile::tempdir().map_err(BrokerError::io("make", "a temporary folder"))?;
        Broker::start_in(self, folder.path(), 0)?.stop()
    }

    pub(crate) fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    /// Where the first broker that ends by itself leaves its loaded classes, for the next ones to start faster.
    pub(crate) fn class_archive(&self) -> PathBuf {
        self.folder.join("kafka.jsa")
    }

    /// All jars, in a fixed order, as an archive of classes needs it.
    pub(crate) fn class_path(&self) -> Result<OsString, BrokerError> {
        let libs = self.folder.join("libs");
        let entries = fs::read_dir(&libs).map_err(|_| BrokerError::NotFetched { folder: self.folder.clone() })?;
        let mut jars: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        jars.retain(|path| path.extension().is_some_and(|extension| extension == "jar"));
        jars.sort();
        std::env::join_paths(jars).map_err(|_| BrokerError::NotFetched { folder: self.folder.clone() })
    }
}

/// The settings of a broker of one node, with few threads and short time-outs.
///
/// `makes_topics`: a topic that is first written to is made, with three partitions.
pub(crate) fn properties(data: &Path, port: u16, controller_port: u16, makes_topics: bool) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={data}\n\
         default.replication.factor=1\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=500\n\
         broker.session.timeout.ms=1000\n\
         broker.heartbeat.interval.ms=250\n\
         transaction.abort.timed.out.transaction.cleanup.interval.ms=500\n\
         auto.create.topics.enable={makes_topics}\n\
         num.partitions=3\n\
         num.network.threads=1\n\
         num.io.threads=2\n\
         background.threads=2\n",
        data = data.display()
    )
}

/// Further settings of a broker that soon forgets what groups have committed: after a minute, since less cannot be said.
pub(crate) const FORGETFUL: &str = "offsets.retention.minutes=1\noffsets.retention.check.interval.ms=1000\n";

/// Further settings of a broker with an address where users have to say who they are. Of a setting that is given twice the last
/// holds.
pub(crate) fn guard(port: u16, open_port: u16, controller_port: u16) -> String {
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{open_port},CONTROLLER://127.0.0.1:{controller_port},GUARDED://127.0.0.1:{port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{open_port},GUARDED://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_app=\"app-secret\" user_guest=\"guest-secret\";\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:app\n"
    )
}
