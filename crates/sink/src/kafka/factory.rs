//! One sink for each shard, and the ledger where the source has none.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{BoxError, Delivery as CoreDelivery, Ledger, ShardContext, Sink, SinkFactory};
use sluicegate_formats::EncoderConfig;
use sluicegate_kafka::{LedgerSpec, Outbox, ProducerSettings, Transactions};

use super::config::Delivery;
use super::layout::Layout;
use super::sink::{KafkaSink, Way};
use crate::SinkError;

/// One Kafka sink of a pipeline.
pub(super) struct KafkaFactory {
    pub(super) pipeline: String,
    pub(super) layout: Layout,
    pub(super) encoder: Option<EncoderConfig>,
    pub(super) columns: SchemaRef,
    pub(super) delivery: Delivery,
    pub(super) producer: ProducerSettings,
    pub(super) transaction_timeout: Duration,
    pub(super) retry: Duration,
    pub(super) transactions: Arc<Transactions>,
}

impl KafkaFactory {
    /// A producer of the sink's own, which keeps order and writes nothing twice as long as it lives.
    fn outbox(&self) -> Result<Outbox, BoxError> {
        let mut config = self.producer.client.client_config();
        for (name, value) in &self.producer.properties {
            config.set(name, value);
        }
        config.set("message.max.bytes", self.producer.message_size_max_bytes.to_string());
        config.set("enable.idempotence", "true");
        config.set("message.timeout.ms", self.retry.as_millis().to_string());
        Ok(Outbox::create(&config)?)
    }
}

impl SinkFactory for KafkaFactory {
    fn open(&self, shard: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        let way = match self.delivery {
            Delivery::AtLeastOnce => Way::Own(self.outbox()?),
            Delivery::ExactlyOnce => {
                let producer = self.transactions.producer(&shard.partition);
                Way::Shared(producer.ok_or_else(|| SinkError::NoLedger { partition: shard.partition.to_string() })?)
            }
        };
        let topic = self.layout.topic.as_deref();
        let encoder = self.encoder.as_ref().map(|encoder| encoder.encoder(&self.columns, topic)).transpose()?;
        Ok(Box::new(KafkaSink::new(self.layout.clone(), encoder, way, self.producer.message_size_max_bytes)))
    }

    fn identity(&self) -> Option<String> {
        let column = self.layout.topic_column.map(|column| self.columns.field(column).name());
        Some(format!("topic {:?}, by column {column:?}", self.layout.topic))
    }

    fn delivery(&self) -> CoreDelivery {
        match self.delivery {
            Delivery::ExactlyOnce => CoreDelivery::Transactional,
            Delivery::AtLeastOnce => CoreDelivery::AsWritten,
        }
    }

    /// The position as an offset of a group of its own, in partition 0 of the topic that is written.
    fn ledger(&self, shard: &ShardContext) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        if self.delivery == Delivery::AtLeastOnce {
            return Ok(None);
        }
        let topic = self.layout.topic.as_ref().ok_or(SinkError::NoTopicForPositions)?;
        let name = format!("sluicegate.{}.{}", self.pipeline, shard.partition);
        let client = self.producer.client.clone();
        let mut spec = LedgerSpec::new(client, name.clone(), topic, 0, shard.partition.clone(), name);
        spec.transaction_timeout = self.transaction_timeout;
        spec.retry = self.retry;
        Ok(Some(self.transactions.ledger(spec)))
    }
}
