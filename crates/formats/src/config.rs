//! What a pipeline file says of a format.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, TimeUnit};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

use crate::Decoder;
use crate::json::JsonDecoder;
use crate::plain::PlainDecoder;

/// How payloads become rows: the settings `format` and `schema` of a source.
#[derive(Debug, Clone, Default)]
pub struct FormatConfig {
    /// The format.
    pub format: Format,
    /// The columns, for formats that need them named.
    pub schema: Option<BTreeMap<String, FieldType>>,
}

/// A format of payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A JSON object, whose members become the columns that `schema` names. Other members are left out; one that is missing or
    /// null is a missing value.
    #[default]
    Json,
    /// UTF-8 text: one column, `value`.
    Text,
    /// Any bytes: one column, `value`.
    Bytes,
}

/// The type of a column, and of the member that it is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Int64,
    /// A whole number of 32 bits.
    Int32,
    /// A number of double precision.
    Float64,
    /// A number of single precision.
    Float32,
    /// `true` or `false`.
    Boolean,
    /// A time as text, such as `2017-01-01T00:00:00Z`; without a zone it is taken as UTC.
    Timestamp,
    /// A time in whole seconds since 1970-01-01T00:00:00Z.
    TimestampS,
    /// A time in whole milliseconds since 1970-01-01T00:00:00Z.
    TimestampMs,
    /// A time in whole microseconds since 1970-01-01T00:00:00Z.
    TimestampUs,
}

impl FieldType {
    /// The Arrow type of the column. All times become timestamps in microseconds, UTC.
    pub fn data_type(self) -> DataType {
        match self {
            Self::String => DataType::Utf8,
            Self::Int64 => DataType::Int64,
            Self::Int32 => DataType::Int32,
            Self::Float64 => DataType::Float64,
            Self::Float32 => DataType::Float32,
            Self::Boolean => DataType::Boolean,
            Self::Timestamp | Self::TimestampS | Self::TimestampMs | Self::TimestampUs => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
        }
    }
}

impl FormatConfig {
    /// A decoder of this format. Its columns are in the order of their names.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use sluicegate_formats::{FieldType, Format, FormatConfig};
    ///
    /// let schema = BTreeMap::from([("load".to_owned(), FieldType::Float64), ("meter".to_owned(), FieldType::String)]);
    /// let mut decoder = FormatConfig { format: Format::Json, schema: Some(schema) }.decoder()?;
    /// decoder.push(Some(br#"{"meter": "north", "load": 0.5, "unit": "kW"}"#))?;
    /// let bad = decoder.push(Some(br#"{"meter": "north", "load": "much"}"#)).unwrap_err();
    /// assert_eq!(bad.reason, "wrong-type");
    /// assert_eq!(decoder.take()?.num_rows(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ConfigError`] for `schema`, when it is missing, empty, or not for this format.
    pub fn decoder(&self) -> Result<Box<dyn Decoder>, ConfigError> {
        match (self.format, &self.schema) {
            (Format::Json, Some(schema)) if !schema.is_empty() => Ok(Box::new(JsonDecoder::new(schema))),
            (Format::Json, _) => Err(ConfigError::new("schema", "the columns of the JSON objects are not named")
                .help("name them with their types: schema = { meter = \"string\", load = \"float64\" }")),
            (_, Some(_)) => Err(ConfigError::new("schema", "text and bytes have one column, `value`")
                .help("leave it out, or read them as format = \"json\"")),
            (Format::Text, None) => Ok(Box::new(PlainDecoder::text())),
            (Format::Bytes, None) => Ok(Box::new(PlainDecoder::bytes())),
        }
    }
}
