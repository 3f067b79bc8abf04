//! A producer that blocks when it is full, and that waits without polling in steps.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::delivery::{Deliveries, plain};
use super::{ProduceError, Record};

/// How much may wait to be sent. librdkafka's own bound is a gigabyte, and there is a producer for each partition.
const QUEUE_KIB: &str = "queue.buffering.max.kbytes";
const QUEUE_KIB_MAX: &str = "32768";
/// Between two looks at whether a full queue has room: long against handing one record over, short against filling a queue.
const ROOM_WAIT: Duration = Duration::from_millis(2);
/// Between two pushes of what lingers. What is delivered last ends the wait earlier.
const PUSH_WAIT: Duration = Duration::from_millis(1);

/// Sends records and knows of each whether it arrived.
///
/// Memory is bounded by librdkafka's queue: 32 MiB, unless the property `queue.buffering.max.kbytes` says otherwise, and at most
/// `queue.buffering.max.messages`. When it is full, sending blocks. Every wait ends, since librdkafka gives a record up after `message.timeout.ms`.
pub struct Outbox {
    producer: ThreadedProducer<Deliveries>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("on_their_way", &self.producer.context().on_their_way()).finish()
    }
}

impl Outbox {
    /// A producer with these properties.
    ///
    /// # Errors
    /// [`ProduceError::Create`] when librdkafka refuses them.
    pub fn create(config: &ClientConfig) -> Result<Self, ProduceError> {
        let mut config = config.clone();
        if config.get(QUEUE_KIB).is_none() {
            config.set(QUEUE_KIB, QUEUE_KIB_MAX);
        }
        let producer = config
            .create_with_context(Deliveries::default())
            .map_err(|error| ProduceError::Create { message: error.to_string() })?;
        Ok(Self { producer })
    }

    /// Hands one record over; blocks while the queue is full.
    ///
    /// # Errors
    /// When the record is refused, or an earlier one could not arrive.
    pub fn send(&self, record: &Record<'_>) -> Result<(), ProduceError> {
        let deliveries = self.producer.context();
        loop {
            deliveries.check()?;
            deliveries.hand_over();
            let Err((error, _)) = self.producer.send(librdkafka_record(record)) else { return Ok(()) };
            deliveries.take_back();
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            if code != RDKafkaErrorCode::QueueFull {
                return Err(ProduceError::Refused {
                    topic: record.topic.to_owned(),
                    offset: record.offset,
                    size_bytes: record.size_bytes(),
                    code,
                    message: self.producer.client().fatal_error().map_or_else(|| plain(&error), |(_, text)| text),
                });
            }
            deliveries.wait(ROOM_WAIT);
        }
    }

    /// Returns when everything sent has arrived.
    ///
    /// # Errors
    /// The first record's that could not arrive.
    pub fn flush(&self) -> Result<(), ProduceError> {
        let deliveries = self.producer.context();
        while deliveries.on_their_way() > 0 {
            deliveries.check()?;
            // Ends the lingering of what is queued, and returns at once.
            match self.producer.flush(Duration::ZERO) {
                Ok(()) | Err(KafkaError::Flush(_)) => {}
                Err(error) => tracing::debug!(%error, "flush"),
            }
            deliveries.wait(PUSH_WAIT);
        }
        deliveries.check()
    }

    /// How many records have arrived since it was made.
    pub fn arrived(&self) -> u64 {
        self.producer.context().arrived()
    }

    pub(crate) fn producer(&self) -> &ThreadedProducer<Deliveries> {
        &self.producer
    }
}

fn librdkafka_record<'a>(record: &Record<'a>) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut made = BaseRecord::with_opaque_to(record.topic, record.offset.0 as usize);
    made.partition = record.partition;
    made.key = record.key;
    made.payload = record.payload;
    made.timestamp = record.timestamp_ms;
    if !record.headers.is_empty() {
        let headers =
            record.headers.iter().map(|(key, value)| rdkafka::message::Header { key, value: value.as_deref() });
        made.headers = Some(headers.fold(OwnedHeaders::new_with_capacity(record.headers.len()), OwnedHeaders::insert));
    }
    made
}
