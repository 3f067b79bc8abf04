//! How a client connects, and which properties it may be given.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use sluicegate_core::ConfigError;

/// How a client connects: the settings `bootstrap_servers` and `properties` of a source or sink.
///
/// Properties may hold passwords, so they are never shown.
#[derive(Clone, Default)]
pub struct Connection {
    /// Host and port of some brokers.
    pub bootstrap_servers: String,
    /// librdkafka properties.
    pub properties: BTreeMap<String, String>,
}

/// Properties that are not passed through, and why. A name that ends in `*` stands for all that begin so.
const REFUSED: &[(&str, &str)] = &[
    ("plugin.library.paths", "it loads code"),
    ("ssl.engine.location", "it loads code"),
    ("ssl.engine.id", "it loads code"),
    ("ssl.providers", "it loads code"),
    ("sasl.kerberos.kinit.cmd", "it runs a command"),
    ("bootstrap.servers", "the setting `bootstrap_servers` is there for it"),
    ("metadata.broker.list", "the setting `bootstrap_servers` is there for it"),
    ("group.id", "the setting `group` of the source is there for it"),
    ("group.instance.id", "the source shares partitions out by itself"),
    ("group.protocol", "the source shares partitions out by itself"),
    ("partition.assignment.strategy", "the source shares partitions out by itself"),
    ("enable.auto.commit", "positions are committed together with outputs"),
    ("auto.commit.interval.ms", "positions are committed together with outputs"),
    ("enable.auto.offset.store", "positions are committed together with outputs"),
    ("auto.offset.reset", "the settings `start` and `missing_offsets` of the source are there for it"),
    ("isolation.level", "what was not committed is never read"),
    ("enable.partition.eof", "the source decides about it"),
    ("allow.auto.create.topics", "a topic that is misspelt would be made"),
    ("transactional.id", "it decides who may commit"),
    ("transaction.timeout.ms", "the setting `transaction_timeout_ms` is there for it"),
    ("enable.idempotence", "records would be written twice without it"),
    ("delivery.report.only.error", "what has arrived would never be known to have"),
    ("enable.gapless.guarantee", "it is for tests of librdkafka"),
    ("test.*", "it is for tests of librdkafka"),
    ("compression.*", "the setting `compression` of the sink is there for it"),
    ("partitioner", "the setting `partitioner` of the sink is there for it"),
    ("message.max.bytes", "the setting `message_size_max_bytes` of the sink is there for it"),
    ("acks", "records could be lost with another value"),
    ("request.required.acks", "records could be lost with another value"),
];

impl Connection {
    /// Brokers and properties.
    ///
    /// # Errors
    /// A [`ConfigError`] for `bootstrap_servers` when it is empty, and for `properties` when one of them is not passed through.
    pub fn new(
        bootstrap_servers: impl Into<String>,
        properties: BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let bootstrap_servers = bootstrap_servers.into();
        if bootstrap_servers.trim().is_empty() {
            return Err(ConfigError::new("bootstrap_servers", "it is empty").help("name a broker: \"localhost:9092\""));
        }
        for name in properties.keys() {
            let refused = |(pattern, _): &&(&str, &str)| match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == pattern,
            };
            if let Some((_, why)) = REFUSED.iter().find(refused) {
                let message = format!("`{name}` is not passed through to librdkafka: {why}");
                return Err(ConfigError::new("properties", message).help("leave it out"));
            }
        }
        Ok(Self { bootstrap_servers, properties })
    }

    /// The properties of a client.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// A property as a number, where the user has set it.
    pub(crate) fn number(&self, property: &str) -> Option<u64> {
        self.properties.get(property)?.parse().ok()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.properties.keys().collect();
        f.debug_struct("Connection")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("properties", &names)
            .finish()
    }
}

/// Why librdkafka makes no client. Of a property its name is told and never its value, which may be a password.
pub(crate) fn unmade(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
            format!("librdkafka knows no property `{name}`")
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            format!("librdkafka does not take this value of the property `{name}`")
        }
        error => format!("cannot make a Kafka client: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn with(name: &str) -> Result<Connection, ConfigError> {
        Connection::new("localhost:9092", BTreeMap::from([(name.to_owned(), "hunter2".to_owned())]))
    }

    #[test]
    fn what_loads_code_or_belongs_to_the_protocol_is_refused_by_name() {
        for (name, why) in REFUSED {
            let name = name.replace('*', "anything");
            let refused = with(&name).unwrap_err().to_string();
            assert!(refused.contains(&name) && refused.contains(why), "{refused}");
        }
        assert!(Connection::new(" ", BTreeMap::new()).is_err());
    }

    #[test]
    fn passwords_are_passed_on_and_never_shown() {
        let connection = with("sasl.password").unwrap();
        assert_eq!(connection.client_config().get("sasl.password"), Some("hunter2"));
        assert!(!format!("{connection:?}").contains("hunter2"));
    }

    #[test]
    fn a_property_that_is_misspelt_or_has_no_such_value_is_named_without_its_value() {
        for name in ["sasl.passwort", "security.protocol"] {
            let made = with(name).unwrap().client_config().create::<BaseConsumer>();
            let said = unmade(&made.err().unwrap());
            assert!(said.contains(&format!("`{name}`")) && !said.contains("hunter2"), "{said}");
        }
    }
}
