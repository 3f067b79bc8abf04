//! What a cluster says of itself: its identity, and which topics it has.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};
use sluicegate_core::ConfigError;

use crate::Connection;

/// How long a cluster is waited for while a pipeline is being checked.
const WAIT: Duration = Duration::from_secs(10);

/// The identity that a cluster gave itself.
///
/// # Errors
/// A [`ConfigError`] for `bootstrap_servers` when it does not answer.
pub fn cluster_id(client: &Connection) -> Result<String, ConfigError> {
    probe(client)?.client().fetch_cluster_id(WAIT).ok_or_else(|| no_answer(client, "no answer within 10 s"))
}

/// How many partitions a topic has.
///
/// # Errors
/// A [`ConfigError`] for `bootstrap_servers` when the cluster does not answer, and for `setting` when it has no such topic or does
/// not let this user see it.
pub fn partitions_of(client: &Connection, topic: &str, setting: &str) -> Result<usize, ConfigError> {
    let metadata = probe(client)?
        .client()
        .fetch_metadata(Some(topic), WAIT)
        .map_err(|error| no_answer(client, &crate::produce::plain(&error)))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Err(unknown(topic, setting));
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(found.partitions().len()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Err(unknown(topic, setting))
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            Err(ConfigError::new(setting, format!("this user may not use the topic `{topic}`"))
                .help("let the user write to it, or log in as another"))
        }
        Some(RDKafkaErrorCode::InvalidTopic) => {
            Err(ConfigError::new(setting, format!("`{topic}` is no name for a topic"))
                .help("use letters, digits, `.`, `_` and `-`, at most 249 of them"))
        }
        Some(code) => Err(ConfigError::new(setting, format!("the topic `{topic}` cannot be used: {code}"))),
    }
}

fn unknown(topic: &str, setting: &str) -> ConfigError {
    ConfigError::new(setting, format!("the cluster has no topic `{topic}`")).help("create it first, or name another")
}

fn probe(client: &Connection) -> Result<BaseProducer, ConfigError> {
    let mut config = client.client_config();
    config.set("allow.auto.create.topics", "false");
    config.create().map_err(|error| ConfigError::new("", format!("cannot make a Kafka client: {error}")))
}

fn no_answer(client: &Connection, why: &str) -> ConfigError {
    ConfigError::new("bootstrap_servers", format!("no Kafka broker answers at {}: {why}", client.bootstrap_servers))
        .help("is it up, can it be reached from here, and are the user and password right?")
}
