//! One record that is to be written.

use rdkafka::message::OwnedHeaders;
use sluicegate_core::Offset;

/// One record that is to be written.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; chosen from the key by the producer's partitioner when `None`.
    pub partition: Option<i32>,
    /// The key's bytes; `None` for a record without a key.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: Option<OwnedHeaders>,
    /// Milliseconds since 1970-01-01T00:00:00Z; the time of sending when `None`.
    pub timestamp_ms: Option<i64>,
    /// The offset of the row that it was made of, in the partition that was read. Named when it cannot arrive.
    pub offset: Offset,
}
