//! A client that lives for a question or two, and remembers why brokers would not have it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use sluicegate_core::ConfigError;

use crate::Connection;
use crate::client::unmade;

/// Long enough to hear everything that waits.
const HEAR: Duration = Duration::from_millis(100);

/// What brokers said when they refused to talk.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Option<String>>);

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {}
}

/// Asks things of a cluster.
pub(crate) struct Probe {
    client: BaseProducer<Heard>,
    bootstrap: String,
}

impl Probe {
    /// Connects, sooner or later.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(crate) fn new(connection: &Connection) -> Result<Self, ConfigError> {
        let mut config = connection.client_config();
        config.set("allow.auto.create.topics", "false");
        let client = BaseProducer::from_config_and_context(&config, Heard::default())
            .map_err(|error| ConfigError::new("properties", unmade(&error)))?;
        Ok(Self { client, bootstrap: connection.bootstrap_servers.clone() })
    }

    /// Its client.
    pub(crate) fn client(&self) -> &rdkafka::client::Client<Heard> {
        self.client.client()
    }

    /// Why there was no answer: because the login was refused, where it was, or else as `otherwise` says.
    pub(crate) fn no_answer(&self, otherwise: &str) -> ConfigError {
        // What brokers said waits to be heard, one after the other.
        self.client.poll(HEAR);
        let heard = self.client.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match heard {
            Some(reason) => {
                let message = format!("the Kafka broker at {} refuses the login: {reason}", self.bootstrap);
                ConfigError::new("properties", message)
                    .help("are `sasl.mechanism`, user and password those that the broker knows?")
            }
            None => ConfigError::new(
                "bootstrap_servers",
                format!("no Kafka broker answers at {}: {otherwise}", self.bootstrap),
            )
            .help("is it up, can it be reached from here, and does it expect `security.protocol`?"),
        }
    }
}
