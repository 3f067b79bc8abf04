//! The settings of the console sink.

use std::num::NonZeroU64;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::nearest;
use sluicegate_core::{BoxError, ConfigError, PipelineContext, ShardContext, Sink, SinkConfig, SinkFactory};

use super::sink::{Choice, ConsoleSink};

/// Shows rows on standard output.
///
/// When whoever reads them goes away (`… | head`), the rest is not shown and the pipeline goes on to its end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// How rows look.
    #[serde(default)]
    pub format: Format,

    /// The columns to show, in this order. All when left out.
    #[serde(default)]
    pub columns: Option<Vec<String>>,

    /// Show every so many rows of a partition only, beginning with the first. All when left out.
    #[serde(default)]
    pub every: Option<NonZeroU64>,

    /// Show at most this many rows of a partition. No limit when left out.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// How rows look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Aligned columns for people. The header comes again every 40 rows; a missing value is `-`; numbers are shown to six
    /// digits; a text longer than 32 characters is cut.
    #[default]
    Table,
    /// One JSON object per row and line, for programs. Missing values, NaN and infinities are `null`; a timestamp that has a
    /// zone is given in UTC as RFC 3339 has it, and one that has none without; binary data is in hexadecimal digits;
    /// decimals are strings, so that no digit is lost.
    Json,
}

impl SinkConfig for ConsoleConfig {
    fn bind(self, input: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        let names = || input.fields().iter().map(|field| field.name().as_str());
        let mut columns = Vec::new();
        for name in self.columns.iter().flatten() {
            columns.push(input.index_of(name).map_err(|_| {
                ConfigError::new("columns", format!("the input has no column `{name}`")).help(
                    match nearest(name, names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
                    },
                )
            })?);
        }
        match &self.columns {
            Some(_) if columns.is_empty() => {
                return Err(ConfigError::new("columns", "the list is empty").help("leave it out to show all columns"));
            }
            Some(_) => {}
            None => columns = (0..input.fields().len()).collect(),
        }
        let choice = Choice { columns, every: self.every.map_or(1, NonZeroU64::get), limit: self.limit };
        Ok(Box::new(ConsoleFactory { format: self.format, choice }))
    }
}

/// One console sink of a pipeline. All its shards write to the same standard output, whole rows at a time.
struct ConsoleFactory {
    format: Format,
    choice: Choice,
}

impl SinkFactory for ConsoleFactory {
    fn open(&self, _: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        Ok(Box::new(ConsoleSink::new(self.format, self.choice.clone(), std::io::stdout())))
    }
}
