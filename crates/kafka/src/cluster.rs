//! What a cluster says of itself: its identity, and which topics it has.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use sluicegate_core::ConfigError;

use crate::Connection;
use crate::probe::Probe;

/// How long a cluster is waited for while a pipeline is being checked.
const WAIT: Duration = Duration::from_secs(10);

/// The identity that a cluster gave itself.
///
/// # Errors
/// A [`ConfigError`] for `bootstrap_servers` when it does not answer.
pub fn cluster_id(client: &Connection) -> Result<String, ConfigError> {
    let probe = Probe::new(client)?;
    probe.client().fetch_cluster_id(WAIT).ok_or_else(|| probe.no_answer("no answer within 10 s"))
}

/// How many partitions a topic has.
///
/// # Errors
/// A [`ConfigError`] for `bootstrap_servers` when the cluster does not answer, and for `setting` when it has no such topic or does
/// not let this user see it.
pub fn partitions_of(client: &Connection, topic: &str, setting: &str) -> Result<usize, ConfigError> {
    find_partitions_of(client, topic, setting)?.ok_or_else(|| {
        ConfigError::new(setting, format!("the cluster has no topic `{topic}`"))
            .help("create it first, or name another")
    })
}

/// How many partitions a topic has; `None` where there is no such topic.
///
/// # Errors
/// As [`partitions_of`], but for topics that are not there.
pub fn find_partitions_of(client: &Connection, topic: &str, setting: &str) -> Result<Option<usize>, ConfigError> {
    let probe = Probe::new(client)?;
    let metadata = probe.client().fetch_metadata(Some(topic), WAIT);
    let metadata = metadata.map_err(|error| probe.no_answer(&crate::produce::plain(&error)))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(Some(found.partitions().len())),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(ConfigError::new(
            setting,
            format!("the topic `{topic}` is closed to this user: the broker refuses the authorization"),
        )
        .help("give the user the right to it (its authorization), or log in as another")),
        Some(RDKafkaErrorCode::InvalidTopic) => {
            Err(ConfigError::new(setting, format!("`{topic}` is no name for a topic"))
                .help("use letters, digits, `.`, `_` and `-`, at most 249 of them"))
        }
        Some(code) => Err(ConfigError::new(setting, format!("the topic `{topic}` cannot be used: {code}"))),
    }
}
