//! What a cluster says of itself: its identity, and which topics it has.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use sluicegate_core::ConfigError;

use crate::Connection;
use crate::client::unmade;
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

/// Whether brokers remove records of a topic that have a later one of the same key. `false`, with a word in the log, where they do
/// not say: a user may read a topic without being let see its settings.
pub fn is_compacted(client: &Connection, topic: &str) -> bool {
    match cleanup_policy(client, topic) {
        Ok(policy) => policy.split(',').any(|part| part.trim() == "compact"),
        Err(why) => {
            tracing::info!(topic, "cannot see whether the topic is compacted: {why}");
            false
        }
    }
}

fn cleanup_policy(client: &Connection, topic: &str) -> Result<String, String> {
    let admin: AdminClient<DefaultClientContext> = client.client_config().create().map_err(|error| unmade(&error))?;
    let options = AdminOptions::new().request_timeout(Some(WAIT));
    let asked = [ResourceSpecifier::Topic(topic)];
    let found = futures::executor::block_on(admin.describe_configs(&asked, &options));
    let found = found.map_err(|error| error.to_string())?.pop().ok_or("no answer")?;
    let found = found.map_err(|code| code.to_string())?;
    let policy = found.get("cleanup.policy").and_then(|entry| entry.value.clone());
    policy.ok_or_else(|| "it has no `cleanup.policy`".to_owned())
}
