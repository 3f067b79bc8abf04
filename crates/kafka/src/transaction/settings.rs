//! What all transactional producers of a pipeline have in common.

use std::collections::BTreeMap;

use sluicegate_core::ConfigError;

use crate::Connection;

/// What the sinks of a pipeline ask of the producer that they share in each shard.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    /// How the producer connects.
    pub client: Connection,
    /// librdkafka properties of the producer, such as `compression.type`.
    pub properties: BTreeMap<String, String>,
    /// Longest record, in bytes.
    pub message_size_max_bytes: usize,
}

impl ProducerSettings {
    /// Takes in what another sink asks for.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the property which cannot be had both ways.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), ConfigError> {
        let different = other.properties.iter().find(|(name, value)| self.properties.get(*name) != Some(value));
        let missing = self.properties.iter().find(|(name, _)| !other.properties.contains_key(*name));
        if let Some((name, value)) = different.or(missing) {
            let message = format!(
                "another exactly-once Kafka sink of this pipeline has `{name}` = {}, this one has {}, and both write through one producer",
                self.properties.get(name).map_or("its default", String::as_str),
                if different.is_some() { value } else { "its default" },
            );
            return Err(
                ConfigError::new("", message).help("give both the same, or set `delivery` to \"at-least-once\"")
            );
        }
        self.message_size_max_bytes = self.message_size_max_bytes.max(other.message_size_max_bytes);
        Ok(())
    }
}
