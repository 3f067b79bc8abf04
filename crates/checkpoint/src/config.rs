//! The table `[checkpoint]` of a pipeline file.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

/// Shorter intervals would do nothing but write.
const INTERVAL_MS_MIN: u64 = 10;
/// Kafka aborts a transaction after a minute by default; a commit must come well before.
const COMMIT_INTERVAL_MS_MAX: u64 = 15_000;

/// Where and how often the state of a pipeline is written down.
///
/// With it a run goes on where the one before ended or crashed: nothing is lost, worked on twice, or learned twice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    /// A folder, relative to that of the pipeline file, or the URL of an object store, such as `s3://bucket/checkpoints`.
    /// Credentials come from the environment (`AWS_ACCESS_KEY_ID` and so on), never from the URL. Pipelines of different names
    /// may share it.
    pub path: String,

    /// Time between two checkpoints. After a crash, the work of that time is repeated.
    #[serde(default = "interval_ms_default")]
    pub interval_ms: u64,

    /// Rows of a partition between two checkpoints, where that comes sooner.
    #[serde(default)]
    pub every_events: Option<u64>,

    /// Time between two commits, where outputs are committed apart from checkpoints, as Kafka's are: how late a forecast may
    /// become visible. At most 15,000.
    #[serde(default = "commit_interval_ms_default")]
    pub commit_interval_ms: u64,

    /// How many checkpoints of a partition are kept at least.
    #[serde(default = "retain_default")]
    #[schemars(range(min = 1))]
    pub retain: usize,

    /// Where the state comes from that a partition begins with when nothing was committed for it yet: the newest checkpoint of
    /// another pipeline, one that worked on history, for example. Left out: partitions begin with the state of no event.
    #[serde(default)]
    pub start_from: Option<StartFrom>,

    /// What happens when a source whose partitions divide the keys has gained partitions, so that keys come to other ones than
    /// before: a Kafka topic that was enlarged, for example.
    #[serde(default)]
    pub new_partitions: NewPartitions,
}

/// The checkpoint of another pipeline that partitions begin with.
///
/// Each operator begins with the state of the operator of the same name. What was learned is taken over whole: parameters,
/// moments, statistics. What belongs to a key is taken over as `keys` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFrom {
    /// The name of the other pipeline.
    pub pipeline: String,

    /// Where it keeps its checkpoints, as its own `path` says. Left out: at the same place as this one.
    #[serde(default)]
    pub path: Option<String>,

    /// Which of its partitions. Left out where it has one only.
    #[serde(default)]
    pub partition: Option<String>,

    /// Which keys keep what belongs to them alone.
    #[serde(default)]
    pub keys: StartKeys,
}

/// Which keys keep what belongs to them alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartKeys {
    /// Those whose events come to the partition, where the source knows that; all of them where it does not.
    #[default]
    Own,
    /// All of them.
    All,
    /// None: every key begins cold, with what was learned.
    None,
}

/// What happens when a source has gained partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NewPartitions {
    /// The run stops and says so: `sluice checkpoint reshard` then gives the new partitions the state of those that their keys
    /// come from.
    #[default]
    Refuse,
    /// They begin with the state of no event.
    Cold,
}

fn interval_ms_default() -> u64 {
    10_000
}

fn commit_interval_ms_default() -> u64 {
    500
}

fn retain_default() -> usize {
    3
}

impl CheckpointConfig {
    /// Settings that keep checkpoints at `path`, all else by default.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            interval_ms: interval_ms_default(),
            every_events: None,
            commit_interval_ms: commit_interval_ms_default(),
            retain: retain_default(),
            start_from: None,
            new_partitions: NewPartitions::default(),
        }
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_path("path", &self.path)?;
        if let Some(start) = &self.start_from {
            if start.pipeline.trim().is_empty() {
                return Err(ConfigError::new("start_from.pipeline", "it is empty").help("name the other pipeline"));
            }
            if let Some(path) = &start.path {
                check_path("start_from.path", path)?;
            }
        }
        if self.interval_ms < INTERVAL_MS_MIN {
            return Err(ConfigError::new("interval_ms", format!("{} is too often", self.interval_ms))
                .help(format!("give {INTERVAL_MS_MIN} at least")));
        }
        if !(INTERVAL_MS_MIN..=COMMIT_INTERVAL_MS_MAX).contains(&self.commit_interval_ms) {
            let message = format!("{} is no time between two commits", self.commit_interval_ms);
            return Err(ConfigError::new("commit_interval_ms", message)
                .help(format!("give {INTERVAL_MS_MIN} to {COMMIT_INTERVAL_MS_MAX}")));
        }
        if self.every_events == Some(0) {
            return Err(ConfigError::new("every_events", "no row would come between").help("leave it out"));
        }
        if self.retain == 0 {
            return Err(ConfigError::new("retain", "one checkpoint at least has to be kept"));
        }
        Ok(())
    }
}

fn check_path(setting: &str, path: &str) -> Result<(), ConfigError> {
    if path.trim().is_empty() {
        return Err(ConfigError::new(setting, "it is empty").help("name a folder, or the URL of an object store"));
    }
    let address = sluicegate_place::Address::parse(path, Path::new(""));
    address.map(drop).map_err(|error| ConfigError::new(setting, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_credentials_is_refused_without_repeating_them() {
        let refused = CheckpointConfig::new("s3://user:hunter2@bucket/x").check().unwrap_err().to_string();
        assert!(refused.contains("credentials") && !refused.contains("hunter2"), "{refused}");
        assert_eq!(CheckpointConfig::new("s3://bucket/x").check(), Ok(()));
        assert_eq!(CheckpointConfig::new("../checkpoints").check(), Ok(()));
    }
}
