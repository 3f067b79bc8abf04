//! The settings of the Kafka sink.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_formats::AvroSinkConfig;
use sluicegate_kafka::Partitioner;

/// Writes rows to a Kafka topic, one record each.
///
/// When a broker is slow or away, at most 32 MiB of records wait for each partition of the source (librdkafka's property
/// `queue.buffering.max.kbytes`); then the whole shard waits.
///
/// Dead letters (`input = "dead-letters"`) become the records that they once were: the value and the key are the original bytes,
/// the headers the original ones and, after them, `sluicegate.component`, `sluicegate.partition`, `sluicegate.offset`,
/// `sluicegate.reason` and `sluicegate.message`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Host and port of one or more brokers, with commas between them.
    pub bootstrap_servers: String,

    /// Further properties of librdkafka, such as `security.protocol`.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,

    /// The topic. With `topic_column`: where rows go whose cell there is empty.
    #[serde(default)]
    pub topic: Option<String>,

    /// The column that names each row's topic.
    #[serde(default)]
    pub topic_column: Option<String>,

    /// The column, or a list of columns, that is the record's key. Text and bytes are written as they are, anything else as text;
    /// several columns are written as a JSON array. Records have no key when left out.
    #[serde(default)]
    pub key: Option<Columns>,

    /// Columns that become headers of the same name. They stay in the value too.
    #[serde(default)]
    pub headers: Vec<String>,

    /// The column with the record's timestamp. Left out, or where it is empty or before 1970: the time of sending.
    #[serde(default)]
    pub timestamp: Option<String>,

    /// One column whose text or bytes are the whole value. Left out: all columns, in `format`.
    #[serde(default)]
    pub value: Option<String>,

    /// How a row becomes a value.
    #[serde(default)]
    pub format: ValueFormat,

    /// What is needed to write Avro: `avro = { registry = { url = "http://localhost:8081" } }`.
    #[serde(default)]
    pub avro: Option<AvroSinkConfig>,

    /// What readers see after a failure.
    #[serde(default)]
    pub delivery: Delivery,

    /// How batches of records are compressed.
    #[serde(default)]
    pub compression: Compression,

    /// How the partition of a record follows from its key.
    #[serde(default)]
    pub partitioner: Partitioner,

    /// Longest record, in bytes of key, value and headers. A longer one stops the run. The topic's own bound is
    /// `max.message.bytes`.
    #[serde(default = "message_size_max_bytes")]
    #[schemars(range(min = 1000, max = 1_000_000_000))]
    pub message_size_max_bytes: usize,

    /// How long a transaction may stay open before the broker aborts it, in milliseconds: longer than the longest time between
    /// two commits. Applies where this sink keeps the positions, that is where the source is not Kafka.
    #[serde(default = "transaction_timeout_ms")]
    #[schemars(range(min = 1000))]
    pub transaction_timeout_ms: u64,

    /// How long a broker that is away is waited for, in milliseconds. Applies as `transaction_timeout_ms` does.
    #[serde(default = "retry_ms")]
    pub retry_ms: u64,
}

/// librdkafka's own default; brokers take a little more than 1 MB.
fn message_size_max_bytes() -> usize {
    1_000_000
}

/// librdkafka's own default.
fn transaction_timeout_ms() -> u64 {
    60_000
}

/// Longer than a broker takes to restart.
fn retry_ms() -> u64 {
    300_000
}

/// One column, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// One.
    One(String),
    /// Several, in order.
    Several(Vec<String>),
}

/// How a row becomes a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueFormat {
    /// A JSON object, its members in the order of the columns. Missing values, NaN and infinities are `null`.
    #[default]
    Json,
    /// An Avro record, its fields in the order of the columns. The table `avro` says where its schema is registered. Characters that
    /// Avro does not allow in a name become `_`.
    Avro,
    /// An Arrow IPC stream, with the schema and the row.
    ArrowIpc,
}

/// What readers see after a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Each row once: records become visible with the commit of the position, in one transaction. Readers have to set
    /// `isolation.level` to `read_committed`. Source and sink, where both are Kafka, have to be of one cluster.
    #[default]
    ExactlyOnce,
    /// Each row at least once: records are visible at once, and rows since the last commit come again after a failure.
    AtLeastOnce,
}

/// How batches of records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Zstandard: small.
    Zstd,
    /// LZ4: fast.
    Lz4,
    /// Snappy: fast, and known to old readers.
    Snappy,
    /// Gzip: known to every reader.
    Gzip,
}

impl Compression {
    /// Its name among librdkafka's properties.
    pub(super) fn property(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
            Self::Gzip => "gzip",
        }
    }
}
