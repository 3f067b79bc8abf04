//! How many records are on their way, and the first that could not arrive.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::{ClientContext, Statistics};
use sluicegate_core::Offset;

use super::ProduceError;

/// Follows the records of one producer. What is told by librdkafka's thread is waited for by others.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    on_their_way: u64,
    arrived: u64,
    failure: Option<ProduceError>,
}

impl Deliveries {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record is about to be handed over.
    pub(super) fn hand_over(&self) {
        self.state().on_their_way += 1;
    }

    /// It was not taken after all.
    pub(super) fn take_back(&self) {
        self.state().on_their_way -= 1;
    }

    /// The first record that could not arrive, if there is one.
    ///
    /// # Errors
    /// That record's.
    pub(super) fn check(&self) -> Result<(), ProduceError> {
        self.state().failure.clone().map_or(Ok(()), Err)
    }

    /// How many are on their way.
    pub(super) fn on_their_way(&self) -> u64 {
        self.state().on_their_way
    }

    /// How many have arrived so far.
    pub(super) fn arrived(&self) -> u64 {
        self.state().arrived
    }

    /// Waits until something changes, at most for `wait`.
    pub(super) fn wait(&self, wait: Duration) {
        let state = self.state();
        if state.on_their_way > 0 {
            let _ = self.changed.wait_timeout(state, wait);
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::info!(facility, "{message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, "{reason}");
    }

    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Deliveries {
    /// The offset of the row.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, offset: usize) {
        let mut state = self.state();
        state.on_their_way = state.on_their_way.saturating_sub(1);
        match result {
            Ok(_) => state.arrived += 1,
            Err((error, message)) => match &mut state.failure {
                Some(ProduceError::Undelivered { more, .. }) => *more += 1,
                Some(_) => {}
                None => {
                    state.failure = Some(ProduceError::Undelivered {
                        topic: message.topic().to_owned(),
                        offset: Offset(offset as i64),
                        size_bytes: message.payload_len() + message.key_len(),
                        code: error.rdkafka_error_code().unwrap_or(rdkafka::error::RDKafkaErrorCode::Unknown),
                        message: plain(error),
                        more: 0,
                    });
                }
            },
        }
        let is_over = state.on_their_way == 0 || result.is_err();
        drop(state);
        // Not for each record: whoever waits would be woken for nothing most of the time.
        if is_over {
            self.changed.notify_all();
        }
    }
}

/// What the broker or librdkafka said, without the wrapper's own words.
pub(crate) fn plain(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        other => match other.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => other.to_string(),
        },
    }
}
