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
        }
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.path.trim().is_empty() {
            return Err(ConfigError::new("path", "it is empty").help("name a folder, or the URL of an object store"));
        }
        sluicegate_place::Address::parse(&self.path, Path::new(""))
            .map_err(|error| ConfigError::new("path", error.to_string()))?;
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
