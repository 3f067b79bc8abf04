//! How `start` and `stop` are written, and which offsets they mean.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;
use sluicegate_kafka::{CallError, Group, PartitionEnds};

use crate::time;

/// Where a partition is read from that no run has committed a position of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "expected \"earliest\", \"latest\", { offset = … } or { time = … }")]
pub enum KafkaStart {
    /// The first record that is still there.
    #[default]
    Earliest,
    /// The first record that comes after the start.
    Latest,
    /// The record of this offset, in every partition.
    Offset(u64),
    /// The first record whose timestamp is this or later, such as `2026-01-01T00:00:00Z`.
    Time(String),
}

/// Where the reading of each partition ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "expected \"end\", { offset = … } or { time = … }")]
pub enum KafkaStop {
    /// Before the first record that comes after the start of the run.
    End,
    /// Before the record of this offset, in every partition.
    Offset(u64),
    /// Before the first record whose timestamp is this or later.
    Time(String),
}

impl KafkaStart {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Time(text) => millis(text, "start.time").map(drop),
            Self::Earliest | Self::Latest | Self::Offset(_) => Ok(()),
        }
    }

    pub(super) fn offset(
        &self,
        group: &Group,
        topic: &str,
        number: i32,
        ends: PartitionEnds,
    ) -> Result<i64, CallError> {
        match self {
            Self::Earliest => Ok(ends.low),
            Self::Latest => Ok(ends.high),
            Self::Offset(offset) => Ok(i64::try_from(*offset).unwrap_or(i64::MAX)),
            Self::Time(text) => group.offset_at(topic, number, known_millis(text)),
        }
    }
}

impl KafkaStop {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Time(text) => millis(text, "stop.time").map(drop),
            Self::End | Self::Offset(_) => Ok(()),
        }
    }

    pub(super) fn offset(
        &self,
        group: &Group,
        topic: &str,
        number: i32,
        ends: PartitionEnds,
    ) -> Result<i64, CallError> {
        match self {
            Self::End => Ok(ends.high),
            Self::Offset(offset) => Ok(i64::try_from(*offset).unwrap_or(i64::MAX)),
            Self::Time(text) => group.offset_at(topic, number, known_millis(text)),
        }
    }
}

fn millis(text: &str, setting: &str) -> Result<i64, ConfigError> {
    let nanos = time::parse(text).ok_or_else(|| {
        ConfigError::new(setting, format!("`{text}` is not a time"))
            .help("write it as 2017-01-01T00:00:00Z or 2017-01-01")
    })?;
    i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| ConfigError::new(setting, "it is too far away"))
}

/// Of a text that was checked.
fn known_millis(text: &str) -> i64 {
    millis(text, "").unwrap_or(0)
}
