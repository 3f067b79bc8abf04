//! Rows to payloads.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_avro::schema::{AvroSchema, FingerprintStrategy};
use arrow_avro::writer::format::{AvroBinaryFormat, AvroSoeFormat};
use arrow_avro::writer::{Encoder as RowEncoder, WriterBuilder};
use sluicegate_core::{BoxError, ConfigError};

use super::config::{AvroSinkConfig, Framing};
use super::registry::{Registry, RegistryError};
use crate::{Encoded, Encoder};

/// Writes each row as one datum.
pub(crate) struct AvroEncoder {
    columns: SchemaRef,
    rows: RowEncoder,
}

impl AvroEncoder {
    /// Makes the schema of the columns, and registers it. `topic` gives the subject its name.
    ///
    /// # Errors
    /// When a column has no type in Avro, or the registry refuses the schema.
    pub(crate) fn new(config: &AvroSinkConfig, columns: &Schema, topic: Option<&str>) -> Result<Self, ConfigError> {
        let (columns, schema) = schema_of(config, columns)?;
        let writer = WriterBuilder::new(columns);
        let rows = match config.framing {
            Framing::None => writer.build_encoder::<AvroBinaryFormat>(),
            Framing::Confluent => {
                let (registry, subject) = destination(config, topic)?;
                let id = registry.register(&subject, &schema).map_err(|error| not_registered(&subject, &error))?;
                writer.with_fingerprint_strategy(FingerprintStrategy::Id(id)).build_encoder::<AvroSoeFormat>()
            }
        };
        let rows = rows.map_err(|error| no_avro(&error))?;
        Ok(Self { columns: rows.schema(), rows })
    }

    /// Checks what can be checked without registering anything.
    ///
    /// # Errors
    /// As [`AvroEncoder::new`].
    pub(crate) fn check(config: &AvroSinkConfig, columns: &Schema, topic: Option<&str>) -> Result<(), ConfigError> {
        if config.framing == Framing::Confluent {
            destination(config, topic)?;
        }
        let (columns, _) = schema_of(config, columns)?;
        let built = WriterBuilder::new(columns).build_encoder::<AvroBinaryFormat>();
        built.map(drop).map_err(|error| no_avro(&error))
    }
}

/// The columns as they are written, and their schema.
fn schema_of(config: &AvroSinkConfig, columns: &Schema) -> Result<(Schema, String), ConfigError> {
    let (namespace, name) = match config.name.rsplit_once('.') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, config.name.as_str()),
    };
    if name.is_empty() {
        return Err(ConfigError::new("name", "the record has no name"));
    }
    let mut metadata = HashMap::from([("avro.name".to_owned(), name.to_owned())]);
    metadata.extend(namespace.map(|namespace| ("avro.namespace".to_owned(), namespace.to_owned())));
    let fields = columns
        .fields()
        .iter()
        .map(|field| Field::new(avro_name(field.name()), plain(field.data_type()), field.is_nullable()));
    let columns = Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata);
    let schema = AvroSchema::try_from(&columns).map_err(|error| no_avro(&error))?;
    Ok((columns, schema.json_string))
}

fn no_avro(error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new("", format!("the columns cannot be written as Avro: {error}"))
        .help("leave the column out, or write JSON")
}

/// The registry, and the subject in it.
fn destination(config: &AvroSinkConfig, topic: Option<&str>) -> Result<(Registry, String), ConfigError> {
    let Some(registry) = &config.registry else {
        return Err(ConfigError::new("registry", "no registry is named that could give the schema a number")
            .help("name one: registry = { url = \"http://localhost:8081\" }, or set framing = \"none\""));
    };
    let subject = match (&config.subject, topic) {
        (Some(subject), _) => subject.clone(),
        (None, Some(topic)) => format!("{topic}-value"),
        (None, None) => return Err(ConfigError::new("subject", "topics that rows name have no subject in common")),
    };
    Ok((Registry::new(registry)?, subject))
}

fn not_registered(subject: &str, error: &RegistryError) -> ConfigError {
    let refused = ConfigError::new("registry", format!("the schema cannot be registered as `{subject}`: {error}"));
    match error {
        RegistryError::Refused { .. } => {
            refused.help("name another `subject`, or change what the registry holds to be compatible")
        }
        RegistryError::Away { .. } => refused,
    }
}

/// What a column is written as. Avro has no unsigned numbers and no dictionaries.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        other => other.clone(),
    }
}

/// A column's name as Avro allows it: letters, digits and underscores, no digit first.
fn avro_name(name: &str) -> String {
    let mut safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if safe.is_empty() || safe.starts_with(|c: char| c.is_ascii_digit()) {
        safe.insert(0, '_');
    }
    safe
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, rows: &RecordBatch) -> Result<Encoded, BoxError> {
        let columns = rows.columns().iter().zip(self.columns.fields()).map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                cast(column, field.data_type())
            }
        });
        let rows = RecordBatch::try_new(self.columns.clone(), columns.collect::<Result<_, _>>()?)?;
        self.rows.encode(&rows)?;
        let encoded = self.rows.flush();
        let ends = encoded.offsets().iter().skip(1).copied().collect();
        Ok(Encoded::new(encoded.bytes().to_vec(), ends))
    }
}
