//! One record that is to be written.

use sluicegate_core::Offset;

/// A header: its name and its bytes.
pub type Header = (String, Option<Vec<u8>>);

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
    pub headers: &'a [Header],
    /// Milliseconds since 1970-01-01T00:00:00Z; the time of sending when `None`.
    pub timestamp_ms: Option<i64>,
    /// The offset of the row that it was made of, in the partition that was read. Named when it cannot arrive.
    pub offset: Offset,
}

impl Record<'_> {
    /// Length of key, value and headers together, in bytes.
    pub fn size_bytes(&self) -> usize {
        let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + bytes(value.as_deref()));
        bytes(self.key) + bytes(self.payload) + headers.sum::<usize>()
    }
}
