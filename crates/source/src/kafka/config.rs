//! The settings of the Kafka source.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Source, SourceConfig};
use sluicegate_formats::{AvroConfig, FieldType, Format, FormatConfig};
use sluicegate_kafka::{Connection, GroupSettings, Partitioner, Transactions, cluster_id, is_compacted, partitions_of};

use super::columns::Columns;
use super::position::{KafkaStart, KafkaStop};
use super::source::{KafkaSource, Reading};

const BATCH_ROWS_DEFAULT: usize = 1024;
const BATCH_ROWS_MAX: usize = 1 << 16;
const LINGER_MS_DEFAULT: u64 = 5;
const LINGER_MS_MAX: u64 = 10_000;
const BUFFER_BYTES_MAX_DEFAULT: usize = 16 << 20;
const BUFFER_BYTES_MAX_MIN: usize = 1 << 16;

/// Reads events from Kafka topics, one record each, as a member of a consumer group.
///
/// Each partition of a topic is a partition of the pipeline, called `<topic>-<number>`, with its own models: **partitions are
/// models**. Processes that run the same pipeline share the partitions out among them; when one is handed over, its state is
/// found through the checkpoints, so `[checkpoint]` must name a place that all of them reach. When a topic gains partitions, keys
/// move: the run stops then, and says what to do (`new_partitions` of `[checkpoint]`).
///
/// Positions are committed in the group, in transactions, with a note of the checkpoint that goes with them. Only committed
/// records are read. The group must be this pipeline's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Host and port of one or more brokers, with commas between them.
    pub bootstrap_servers: String,

    /// Further properties of librdkafka, such as `security.protocol`. Those that load code, run commands or belong to the protocol
    /// are refused.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,

    /// The topic, or a list of topics. A name that begins with `^` is a pattern, and stands for all topics that match it.
    pub topics: Topics,

    /// The consumer group. By default `sluicegate.` and the name of the pipeline.
    #[serde(default)]
    pub group: Option<String>,

    /// How a record's value becomes a row.
    #[serde(default)]
    pub format: Format,

    /// The columns that a JSON object or an Arrow stream has, with their types: `{ meter = "string", load = "float64" }`. They are handed on in the
    /// order of their names.
    #[serde(default)]
    pub schema: Option<BTreeMap<String, FieldType>>,

    /// What is needed to read Avro: `avro = { registry = { url = "http://localhost:8081" } }`, or `{ schema_file = "trades.avsc" }`.
    #[serde(default)]
    pub avro: Option<AvroConfig>,

    /// What else of a record becomes a column: of the same name, after those of the value.
    #[serde(default)]
    pub metadata: Vec<Metadata>,

    /// The column with the event time.
    #[serde(default)]
    pub time: Option<String>,

    /// The column with the key: text, an integer or a boolean. Without it all rows of a partition belong together.
    #[serde(default)]
    pub key: Option<String>,

    /// How those who write the topic choose the partition of a key. Needed only where states move between partitions: where
    /// `start_from` of `[checkpoint]` is given, or the topic is enlarged. The text of the column `key` must then be what they
    /// write as a record's key.
    #[serde(default)]
    pub partitioner: Partitioner,

    /// Where a partition is read from that no run has committed a position of.
    #[serde(default)]
    pub start: KafkaStart,

    /// Where reading ends. Left out: never.
    #[serde(default)]
    pub stop: Option<KafkaStop>,

    /// What happens to a record that cannot become a row.
    #[serde(default)]
    pub on_error: OnError,

    /// What happens when records that were still to be read are gone, because the topic keeps them no longer.
    #[serde(default)]
    pub missing_offsets: MissingOffsets,

    /// Rows of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_rows: usize,

    /// How long a row may wait for others to make a batch with, in milliseconds.
    #[serde(default = "linger_ms_default")]
    #[schemars(range(max = 10_000))]
    pub linger_ms: u64,

    /// Memory for records of one partition that wait to be worked on, in bytes. When so much waits, reading pauses.
    #[serde(default = "buffer_bytes_max_default")]
    #[schemars(range(min = 65_536))]
    pub buffer_bytes_max: usize,

    /// How long a transaction may stay open before the broker aborts it, in milliseconds: longer than the longest time between
    /// two commits.
    #[serde(default = "transaction_timeout_ms_default")]
    #[schemars(range(min = 1000))]
    pub transaction_timeout_ms: u64,

    /// How long a broker that is away is waited for before the run fails, in milliseconds.
    #[serde(default = "retry_ms_default")]
    pub retry_ms: u64,
}

fn batch_rows_default() -> usize {
    BATCH_ROWS_DEFAULT
}

fn linger_ms_default() -> u64 {
    LINGER_MS_DEFAULT
}

fn buffer_bytes_max_default() -> usize {
    BUFFER_BYTES_MAX_DEFAULT
}

fn transaction_timeout_ms_default() -> u64 {
    60_000
}

fn retry_ms_default() -> u64 {
    300_000
}

/// One topic or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a topic or a list of topics")]
pub enum Topics {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Topics {
    fn entries(&self) -> &[String] {
        match self {
            Self::One(topic) => std::slice::from_ref(topic),
            Self::Many(topics) => topics,
        }
    }
}

/// Something of a record besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metadata {
    /// The key as text; missing where it is no UTF-8.
    Key,
    /// The timestamp, in UTC.
    Timestamp,
    /// The headers: a list of `name` and `value`, in order.
    Headers,
    /// The offset.
    Offset,
    /// The topic.
    Topic,
    /// The number of the partition.
    Partition,
}

/// What happens to a record that cannot become a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It goes to the sink with `input = "dead-letters"`; where there is none, the run stops at it.
    #[default]
    DeadLetter,
    /// The run stops at it. After it is mended, or `on_error` changed, a new run goes on there.
    Fail,
}

/// What happens when records that were still to be read are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingOffsets {
    /// The run stops and says which offsets. A compacted topic is refused, since nobody can tell what it has lost.
    #[default]
    Fail,
    /// Reading goes on at the first record that is still there, and a warning says which offsets are missing. Of a compacted topic
    /// what is left is read; after a crash, that may be less than was learned from before.
    Skip,
}

impl SourceConfig for KafkaConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        self.check()?;
        let connection = Connection::new(self.bootstrap_servers.clone(), self.properties.clone())?;
        let format = FormatConfig { format: self.format, schema: self.schema.clone(), avro: self.avro.clone() };
        let topic = match self.topics.entries() {
            [topic] if !topic.starts_with('^') => Some(topic.as_str()),
            _ => None,
        };
        let format = format.prepare(&pipeline.base_dir, topic)?;
        let columns = Columns::choose(format, &self.metadata, self.time.as_deref(), self.key.as_deref())?;
        let mut partitions = Vec::new();
        for topic in self.topics.entries() {
            if topic.starts_with('^') {
                // Which topics there will be is for the group to say; that a broker answers can be said now.
                cluster_id(&connection)?;
                continue;
            }
            let count = partitions_of(&connection, topic, "topics")?;
            if self.missing_offsets == MissingOffsets::Fail && is_compacted(&connection, topic) {
                let message = format!(
                    "the topic `{topic}` is compacted, so records that a crash makes it read again may be gone by then"
                );
                return Err(ConfigError::new("topics", message)
                    .help("read a topic with cleanup.policy=delete, or set `missing_offsets = \"skip\"`"));
            }
            partitions.extend((0..count).map(|number| (topic.clone(), number as i32)));
        }
        let transactions = pipeline.shared::<Transactions>();
        transactions.note_cluster(&connection)?;
        let group = self.group.unwrap_or_else(|| format!("sluicegate.{}", pipeline.name));
        Ok(Box::new(KafkaSource::new(
            GroupSettings {
                connection,
                group,
                topics: self.topics.entries().to_vec(),
                buffer_bytes_max: self.buffer_bytes_max,
                tells_end: self.stop.is_some(),
            },
            Reading {
                component: pipeline.component.clone(),
                columns,
                start: self.start,
                stop: self.stop,
                fail_on_error: self.on_error == OnError::Fail,
                skip_missing: self.missing_offsets == MissingOffsets::Skip,
                batch_rows: self.batch_rows,
                linger: Duration::from_millis(self.linger_ms),
            },
            pipeline.name.clone(),
            (partitions, self.partitioner),
            transactions,
            (Duration::from_millis(self.transaction_timeout_ms), Duration::from_millis(self.retry_ms)),
        )))
    }
}

impl KafkaConfig {
    /// Checks what can be checked without a broker.
    fn check(&self) -> Result<(), ConfigError> {
        if self.topics.entries().is_empty() || self.topics.entries().iter().any(|topic| topic.trim().is_empty()) {
            return Err(ConfigError::new("topics", "it names no topic").help("name one, or a list of them"));
        }
        if self.group.as_deref().is_some_and(str::is_empty) {
            return Err(ConfigError::new("group", "it is empty").help("leave it out for one of this pipeline's own"));
        }
        if self.batch_rows == 0 || self.batch_rows > BATCH_ROWS_MAX {
            let message = format!("{} is no number of rows for a batch", self.batch_rows);
            return Err(ConfigError::new("batch_rows", message).help(format!("give 1 to {BATCH_ROWS_MAX}")));
        }
        if self.linger_ms > LINGER_MS_MAX {
            let message = format!("{} is too long", self.linger_ms);
            return Err(ConfigError::new("linger_ms", message).help(format!("give {LINGER_MS_MAX} at most")));
        }
        if self.buffer_bytes_max < BUFFER_BYTES_MAX_MIN {
            let message = format!("{} is too little", self.buffer_bytes_max);
            return Err(
                ConfigError::new("buffer_bytes_max", message).help(format!("give {BUFFER_BYTES_MAX_MIN} at least"))
            );
        }
        self.start.check()?;
        self.stop.as_ref().map_or(Ok(()), KafkaStop::check)
    }
}
