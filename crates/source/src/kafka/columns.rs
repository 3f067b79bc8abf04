//! The columns of a row: those of the format, and those of the record.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, Rejected, Roles};
use sluicegate_formats::{Decoder, Prepared};
use sluicegate_kafka::RawRecord;

use super::config::Metadata;

/// The columns of every batch.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    format: Prepared,
    metadata: Vec<Metadata>,
    schema: SchemaRef,
}

impl Metadata {
    fn field(self) -> Field {
        let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        match self {
            Self::Key => Field::new("key", DataType::Utf8, true),
            Self::Timestamp => Field::new("timestamp", time(), true),
            Self::Headers => {
                // As dead letters have them.
                let of_letters = Rejected::schema();
                let headers = of_letters.field_with_name("headers").map(|field| field.data_type().clone());
                Field::new("headers", headers.unwrap_or(DataType::Null), true)
            }
            Self::Offset => Field::new("offset", DataType::Int64, false),
            Self::Topic => Field::new("topic", DataType::Utf8, false),
            Self::Partition => Field::new("partition", DataType::Int32, false),
        }
    }

    fn column(self, topic: &str, number: i32, records: &[&RawRecord]) -> ArrayRef {
        match self {
            Self::Key => {
                let texts = records.iter().map(|record| std::str::from_utf8(record.key.as_deref()?).ok());
                Arc::new(texts.collect::<StringArray>())
            }
            Self::Timestamp => {
                let micros = |record: &&RawRecord| record.timestamp_ms.and_then(|millis| millis.checked_mul(1000));
                Arc::new(TimestampMicrosecondArray::from_iter(records.iter().map(micros)).with_timezone("UTC"))
            }
            Self::Headers => Rejected::header_column(records.iter().map(|record| record.headers.as_slice())),
            Self::Offset => Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.offset))),
            Self::Topic => Arc::new(StringArray::from_iter_values(records.iter().map(|_| topic))),
            Self::Partition => Arc::new(Int32Array::from_iter_values(records.iter().map(|_| number))),
        }
    }
}

impl Columns {
    /// Puts the columns together and gives two of them their roles.
    pub(super) fn choose(
        format: Prepared,
        metadata: &[Metadata],
        time: Option<&str>,
        key: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let mut fields: Vec<Field> = format.columns().fields().iter().map(|field| field.as_ref().clone()).collect();
        for one in metadata {
            let field = one.field();
            if fields.iter().any(|other| other.name() == field.name()) {
                let message = format!("there are two columns called `{}`", field.name());
                return Err(ConfigError::new("metadata", message).help("leave one of them out"));
            }
            fields.push(field);
        }
        let schema = Schema::new(fields);
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let find = |setting: &str, name: &str| {
            schema.field_with_name(name).map_err(|_| {
                let error = ConfigError::new(setting, format!("there is no column `{name}`"));
                match nearest(name, names()) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help("name one of `schema` or `metadata`"),
                }
            })
        };
        if let Some(time) = time
            && !matches!(find("time", time)?.data_type(), DataType::Timestamp(_, _))
        {
            return Err(ConfigError::new("time", format!("column `{time}` holds no times"))
                .help("give it the type \"timestamp\" or \"timestamp-ms\" in `schema`"));
        }
        if let Some(key) = key {
            let found = find("key", key)?.data_type();
            let usable = matches!(found, DataType::Utf8 | DataType::Int64 | DataType::Int32 | DataType::Boolean);
            if !usable {
                let message = format!("column `{key}` holds {found}, which cannot be a key");
                return Err(ConfigError::new("key", message).help("name a column of text, whole numbers or booleans"));
            }
        }
        let roles = Roles { time: time.map(str::to_owned), key: key.map(str::to_owned) };
        Ok(Self { format, metadata: metadata.to_vec(), schema: roles.mark(&schema) })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub(super) fn decoder(&self) -> Box<dyn Decoder> {
        self.format.decoder()
    }

    /// The rows that a decoder took, with what else is wanted of their records.
    pub(super) fn rows(
        &self,
        topic: &str,
        number: i32,
        decoded: &RecordBatch,
        records: &[&RawRecord],
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns = decoded.columns().to_vec();
        columns.extend(self.metadata.iter().map(|one| one.column(topic, number, records)));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}
