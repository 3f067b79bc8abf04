//! The settings of the hybrid source.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PipelineContext, Roles, Source, SourceConfig};

use super::align::Alignment;
use super::cut::Cut;
use super::source::HybridSource;
use crate::Partitions;
use crate::kafka::{KafkaConfig, KafkaStart};
use crate::parquet::ParquetConfig;
use crate::time;

/// Reads history from Parquet files, then the live topic, as one log with neither gap nor overlap.
///
/// Each partition of the topic first reads the rows of the history that belong to it, and then goes on with its records. So its
/// models have learned from history when the first live event comes, and results are those of one run over all of it. The rows
/// have the columns of the live side; those of the history are found by name.
///
/// Everything else is as for the source `kafka`: positions are committed in the group, also those in the history.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HybridConfig {
    /// The settings of a source `parquet`. All its files make one log.
    pub history: ParquetConfig,

    /// The settings of a source `kafka`, whose `start` may not be `"latest"`.
    pub live: KafkaConfig,

    /// Where the history ends and the live records begin.
    pub hand_over: HandOver,
}

/// Where the history ends and the live records begin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, untagged, expecting = "expected { time = … } or { partition = …, offset = … }")]
pub enum HandOver {
    /// At an event time.
    Time {
        /// History has the events before this time, such as `2026-01-01T00:00:00Z`, and the topic those at it or later; what
        /// either has beyond is left out and counted. Each partition reads the rows of the keys that come to it.
        ///
        /// A live record with an earlier time is taken for one that the history has, however late it comes.
        time: String,
    },
    /// At an offset: the history is a copy of the topic.
    Offset {
        /// The column of the history with the number of the partition.
        partition: String,
        /// The column of the history with the record's offset, increasing along a partition. The topic goes on at the offset
        /// after the last.
        offset: String,
    },
}

impl SourceConfig for HybridConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        if self.history.partitions != Partitions::One {
            return Err(ConfigError::new("history.partitions", "the history is one log")
                .help("leave it out: the rows go to the partitions of the topic"));
        }
        if self.live.start == KafkaStart::Latest {
            return Err(ConfigError::new("live.start", "records between the history and the start would be left out")
                .help("leave it out, or name an offset or a time that is not after the end of the history"));
        }
        let history = self.history.connect(pipeline).map_err(|error| error.within("history"))?;
        let live = self.live.connect(pipeline).map_err(|error| error.within("live"))?;
        let (from, to) = (history.schema(), live.schema());
        let alignment = Alignment::of(&from, &to).map_err(|error| error.within("history"))?;
        let roles = Roles::of(&to);
        let cut = match &self.hand_over {
            HandOver::Time { time } => {
                let nanos = time::parse(time).ok_or_else(|| {
                    ConfigError::new("hand_over.time", format!("`{time}` is not a time"))
                        .help("write it as 2026-01-01T00:00:00Z or 2026-01-01")
                })?;
                let micros = i64::try_from(nanos.div_euclid(1000))
                    .map_err(|_| ConfigError::new("hand_over.time", "it is too far away"))?;
                let column = roles.time.ok_or_else(|| {
                    ConfigError::new("hand_over", "it is a time, but the live side names no column with the event time")
                        .help("name one: time = \"…\" in `live`")
                })?;
                Cut::at_time(column, micros, roles.key)
            }
            HandOver::Offset { partition, offset } => Cut::at_offset(&from, partition, offset)?,
        };
        Ok(Box::new(HybridSource::new(history, live, alignment, cut)))
    }
}
