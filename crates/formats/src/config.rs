//! What a pipeline file says of a format.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

#[cfg(feature = "avro")]
use crate::avro::{AvroConfig, AvroDecoder, AvroEncoder, AvroPlan, AvroSinkConfig};
use crate::ipc::{IpcDecoder, IpcEncoder};
use crate::json::JsonDecoder;
use crate::plain::PlainDecoder;
use crate::{Decoder, Encoder};

/// How payloads become rows: the settings `format`, `schema` and `avro` of a source.
#[derive(Debug, Clone, Default)]
pub struct FormatConfig {
    /// The format.
    pub format: Format,
    /// The columns, for formats that need them named.
    pub schema: Option<BTreeMap<String, FieldType>>,
    /// What else Avro needs.
    #[cfg(feature = "avro")]
    pub avro: Option<AvroConfig>,
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
    /// An Avro record, whose fields become the columns. Numbers, text, booleans, bytes, enumerations (as text), dates, timestamps
    /// (as UTC), and each of them or null; nothing nested. The table `avro` says by which schema.
    #[cfg(feature = "avro")]
    Avro,
    /// An Arrow IPC stream with one row, whose columns are those that `schema` names. Others are left out; one that is missing is a
    /// missing value.
    ArrowIpc,
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
    /// A format with the columns that it needs named, if it does.
    pub fn new(format: Format, schema: Option<BTreeMap<String, FieldType>>) -> Self {
        Self {
            format,
            schema,
            #[cfg(feature = "avro")]
            avro: None,
        }
    }

    /// Checks the settings, and finds what is needed to read a first payload. Files are relative to `base_dir`; `topic` is where
    /// the payloads come from, if that is one.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::path::Path;
    /// use sluicegate_formats::{DecodeError, FieldType, Format, FormatConfig};
    ///
    /// let schema = BTreeMap::from([("load".to_owned(), FieldType::Float64), ("meter".to_owned(), FieldType::String)]);
    /// let config = FormatConfig::new(Format::Json, Some(schema));
    /// let mut decoder = config.prepare(Path::new(""), None)?.decoder();
    /// decoder.push(Some(br#"{"meter": "north", "load": 0.5, "unit": "kW"}"#))?;
    /// let Err(DecodeError::Bad(bad)) = decoder.push(Some(br#"{"meter": "north", "load": "much"}"#)) else { panic!() };
    /// assert_eq!(bad.reason, "wrong-type");
    /// assert_eq!(decoder.take()?.rows.num_rows(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ConfigError`] for `schema` or `avro`, when it is missing, empty, wrong, or not for this format.
    #[cfg_attr(not(feature = "avro"), expect(unused_variables, reason = "only schemas of Avro lie elsewhere"))]
    pub fn prepare(&self, base_dir: &Path, topic: Option<&str>) -> Result<Prepared, ConfigError> {
        #[cfg(feature = "avro")]
        if self.avro.is_some() && self.format != Format::Avro {
            return Err(ConfigError::new("avro", "the records are in another format")
                .help("leave it out, or write format = \"avro\""));
        }
        let kind = match (self.format, &self.schema) {
            (Format::Json, Some(schema)) if !schema.is_empty() => Kind::Json(schema.clone()),
            (Format::ArrowIpc, Some(schema)) if !schema.is_empty() => Kind::ArrowIpc(schema.clone()),
            (Format::Json | Format::ArrowIpc, _) => {
                return Err(ConfigError::new("schema", "the columns of the records are not named")
                    .help("name them with their types: schema = { meter = \"string\", load = \"float64\" }"));
            }
            #[cfg(feature = "avro")]
            (Format::Avro, Some(_)) => {
                return Err(ConfigError::new("schema", "the columns of Avro records are those of their schema")
                    .help("leave it out, and name the schema in `avro`"));
            }
            (_, Some(_)) => {
                return Err(ConfigError::new("schema", "text and bytes have one column, `value`")
                    .help("leave it out, or read them as format = \"json\""));
            }
            (Format::Text, None) => Kind::Text,
            (Format::Bytes, None) => Kind::Bytes,
            #[cfg(feature = "avro")]
            (Format::Avro, None) => {
                let avro = self.avro.clone().unwrap_or_default();
                Kind::Avro(AvroPlan::new(&avro, base_dir, topic).map_err(|error| error.within("avro"))?)
            }
        };
        Ok(Prepared(kind))
    }
}

/// Settings that were checked, from which every reader's decoder is made.
#[derive(Debug, Clone)]
pub struct Prepared(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Json(BTreeMap<String, FieldType>),
    ArrowIpc(BTreeMap<String, FieldType>),
    #[cfg(feature = "avro")]
    Avro(AvroPlan),
    Text,
    Bytes,
}

impl Prepared {
    /// A decoder. Where `schema` names the columns they are in the order of their names, else in that of the schema.
    pub fn decoder(&self) -> Box<dyn Decoder> {
        match &self.0 {
            Kind::Json(schema) => Box::new(JsonDecoder::new(schema)),
            Kind::ArrowIpc(schema) => Box::new(IpcDecoder::new(schema)),
            #[cfg(feature = "avro")]
            Kind::Avro(plan) => Box::new(AvroDecoder::new(plan.clone())),
            Kind::Text => Box::new(PlainDecoder::text()),
            Kind::Bytes => Box::new(PlainDecoder::bytes()),
        }
    }

    /// The columns of the rows.
    pub fn columns(&self) -> SchemaRef {
        match &self.0 {
            #[cfg(feature = "avro")]
            Kind::Avro(plan) => plan.columns(),
            _ => self.decoder().schema(),
        }
    }
}

/// How rows become payloads, in formats that need more than a cell: the settings `format` and `avro` of a sink.
#[derive(Debug, Clone)]
pub enum EncoderConfig {
    /// An Avro record each.
    #[cfg(feature = "avro")]
    Avro(AvroSinkConfig),
    /// An Arrow IPC stream each, with the schema and the row.
    ArrowIpc,
}

impl EncoderConfig {
    /// Checks the settings and the columns without registering anything.
    ///
    /// # Errors
    /// A [`ConfigError`] for `avro`.
    #[cfg_attr(not(feature = "avro"), expect(unused_variables, reason = "only Avro has types of its own"))]
    pub fn check(&self, columns: &Schema, topic: Option<&str>) -> Result<(), ConfigError> {
        match self {
            #[cfg(feature = "avro")]
            Self::Avro(config) => AvroEncoder::check(config, columns, topic).map_err(|error| error.within("avro")),
            Self::ArrowIpc => Ok(()),
        }
    }

    /// An encoder of rows with these columns, for `topic` if they all go to one.
    ///
    /// # Errors
    /// A [`ConfigError`] for `avro`, when a column cannot be written, or its schema not be registered.
    #[cfg_attr(not(feature = "avro"), expect(unused_variables, reason = "only Avro has types of its own"))]
    pub fn encoder(&self, columns: &Schema, topic: Option<&str>) -> Result<Box<dyn Encoder>, ConfigError> {
        match self {
            #[cfg(feature = "avro")]
            Self::Avro(config) => {
                Ok(Box::new(AvroEncoder::new(config, columns, topic).map_err(|error| error.within("avro"))?))
            }
            Self::ArrowIpc => Ok(Box::new(IpcEncoder)),
        }
    }
}
