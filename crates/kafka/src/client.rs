//! How a client connects.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Host and port of some brokers.
    pub bootstrap_servers: String,
    /// librdkafka properties.
    pub properties: BTreeMap<String, String>,
}

impl Connection {
    /// The properties of a client.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}
