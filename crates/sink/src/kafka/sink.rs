//! Sending, waiting, and what failures mean.

use sluicegate_core::{Batch, BoxError, Offset, Sink};
use sluicegate_formats::{Encoded, Encoder};
use sluicegate_kafka::{Outbox, ProduceError, Record, ShardProducer};

use super::cell;
use super::layout::Layout;
use super::value::json;
use crate::SinkError;

/// What the records of a sink go through.
pub(super) enum Way {
    /// The shard's transactional producer, which its ledger commits.
    Shared(ShardProducer),
    /// A producer of its own.
    Own(Outbox),
}

impl Way {
    fn send(&mut self, record: &Record<'_>) -> Result<(), BoxError> {
        match self {
            Self::Shared(producer) => producer.send(record).map_err(|error| meaning(producer, error)),
            Self::Own(outbox) => Ok(outbox.send(record)?),
        }
    }

    fn flush(&self) -> Result<(), BoxError> {
        match self {
            Self::Shared(producer) => producer.flush().map_err(|error| meaning(producer, error)),
            Self::Own(outbox) => Ok(outbox.flush()?),
        }
    }
}

/// A [`LedgerError`](sluicegate_core::LedgerError), so that whoever runs the shard can tell what passes from what stays.
fn meaning(producer: &ShardProducer, error: ProduceError) -> BoxError {
    producer.meaning(error).into()
}

/// Writes the rows of one shard as records.
pub(super) struct KafkaSink {
    layout: Layout,
    encoder: Option<Box<dyn Encoder>>,
    way: Way,
    size_max_bytes: usize,
}

impl KafkaSink {
    pub(super) fn new(layout: Layout, encoder: Option<Box<dyn Encoder>>, way: Way, size_max_bytes: usize) -> Self {
        Self { layout, encoder, way, size_max_bytes }
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError> {
        let rows = batch.records();
        let values = match (&mut self.encoder, self.layout.value) {
            (Some(encoder), _) => encoder.encode(rows)?,
            (None, Some(_)) => Encoded::default(),
            (None, None) => json(rows)?,
        };
        let timestamps = self.layout.timestamps_of(rows)?;
        for (row, timestamp_ms) in timestamps.into_iter().enumerate() {
            let offset = batch.offsets().get(row).unwrap_or(Offset(0));
            let topic = self.layout.topic_of(rows, row).ok_or(SinkError::NoTopic { offset })?;
            let key = self.layout.key_of(rows, row);
            let headers = self.layout.headers_of(rows, row);
            let raw = self.layout.value.and_then(|column| cell::bytes(rows.column(column), row));
            let record = Record {
                topic: &topic,
                partition: None,
                key: key.as_deref(),
                payload: raw.as_deref().or_else(|| values.get(row)),
                headers: &headers,
                timestamp_ms,
                offset,
            };
            let size_bytes = record.size_bytes();
            if size_bytes > self.size_max_bytes {
                return Err(
                    SinkError::TooLarge { offset, topic, size_bytes, size_max_bytes: self.size_max_bytes }.into()
                );
            }
            self.way.send(&record)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        self.way.flush()
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        self.way.flush()
    }
}
