//! The settings against the columns that come in and the cluster that there is.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::datatypes::{DataType, SchemaRef};
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, PipelineContext, Rejected, SinkConfig, SinkFactory};
use sluicegate_formats::EncoderConfig;
use sluicegate_kafka::{Connection, ProducerSettings, Transactions, partitions_of};

use super::config::{Columns, Delivery, KafkaConfig, ValueFormat};
use super::factory::KafkaFactory;
use super::layout::Layout;

impl SinkConfig for KafkaConfig {
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        let layout = self.layout(input)?;
        let encoder = self.encoder(input)?;
        let client = Connection::new(self.bootstrap_servers.clone(), self.properties.clone())?;
        if let Some(topic) = &self.topic {
            partitions_of(&client, topic, "topic")?;
        }
        let transactions = pipeline.shared::<Transactions>();
        let producer = ProducerSettings {
            client: client.clone(),
            properties: BTreeMap::from([
                ("compression.type".to_owned(), self.compression.property().to_owned()),
                ("partitioner".to_owned(), self.partitioner.property().to_owned()),
            ]),
            message_size_max_bytes: self.message_size_max_bytes,
        };
        if self.delivery == Delivery::ExactlyOnce {
            transactions.note_cluster(&client)?;
            transactions.require(&producer)?;
        }
        Ok(Box::new(KafkaFactory {
            pipeline: pipeline.name.clone(),
            layout,
            encoder,
            columns: input.clone(),
            delivery: self.delivery,
            producer,
            transaction_timeout: Duration::from_millis(self.transaction_timeout_ms),
            retry: Duration::from_millis(self.retry_ms),
            transactions,
        }))
    }
}

impl KafkaConfig {
    /// How rows become values, where that takes more than a cell or JSON.
    fn encoder(&self, input: &SchemaRef) -> Result<Option<EncoderConfig>, ConfigError> {
        if self.avro.is_some() && self.format != ValueFormat::Avro {
            return Err(ConfigError::new("avro", "the rows are written in another format")
                .help("leave it out, or write format = \"avro\""));
        }
        let encoder = match self.format {
            ValueFormat::Json => return Ok(None),
            ValueFormat::ArrowIpc => EncoderConfig::ArrowIpc,
            ValueFormat::Avro => EncoderConfig::Avro(self.avro.clone().unwrap_or_default()),
        };
        if self.value.is_some() {
            return Err(ConfigError::new("value", "one column is the whole value, so no format applies")
                .help("leave `value` or `format` out"));
        }
        encoder.check(input, self.topic.as_deref())?;
        Ok(Some(encoder))
    }

    fn layout(&self, input: &SchemaRef) -> Result<Layout, ConfigError> {
        if self.topic.is_none() && self.topic_column.is_none() {
            return Err(ConfigError::new("topic", "no topic is given").help("set `topic`, or `topic_column`"));
        }
        let one =
            |setting: &str, name: &Option<String>| name.as_ref().map(|name| place(input, setting, name)).transpose();
        let keys: &[String] = match &self.key {
            None => &[],
            Some(Columns::One(name)) => std::slice::from_ref(name),
            Some(Columns::Several(names)) if names.is_empty() => {
                return Err(ConfigError::new("key", "the list is empty").help("leave it out for records without a key"));
            }
            Some(Columns::Several(names)) => names,
        };
        let mut layout = Layout {
            topic: self.topic.clone(),
            topic_column: one("topic_column", &self.topic_column)?,
            key: keys.iter().map(|name| place(input, "key", name)).collect::<Result<_, _>>()?,
            headers: self
                .headers
                .iter()
                .map(|name| Ok((place(input, "headers", name)?, name.clone())))
                .collect::<Result<_, ConfigError>>()?,
            header_list: None,
            timestamp: one("timestamp", &self.timestamp)?,
            value: one("value", &self.value)?,
        };
        if let Some(column) = layout.timestamp {
            let found = input.field(column).data_type();
            if !matches!(found, DataType::Timestamp(_, _)) {
                return Err(ConfigError::new("timestamp", format!("the column holds {found}, not times")));
            }
        }
        // `Fields` compares names, types and whether values may be missing, not metadata that operators may have added.
        if input.fields() == Rejected::schema().fields() && self.value.is_none() {
            letters(&mut layout, input);
        }
        Ok(layout)
    }
}

/// What is not set, for dead letters: the record as it once was, with what is known about it in headers.
fn letters(layout: &mut Layout, input: &SchemaRef) {
    let column = |name: &str| input.index_of(name).ok();
    layout.value = column("payload");
    if layout.key.is_empty() {
        layout.key.extend(column("key"));
    }
    if layout.headers.is_empty() {
        layout.header_list = column("headers");
        for name in ["component", "partition", "offset", "reason", "message"] {
            layout.headers.extend(column(name).map(|place| (place, format!("sluicegate.{name}"))));
        }
    }
    layout.timestamp = layout.timestamp.or_else(|| column("time"));
}

fn place(input: &SchemaRef, setting: &str, name: &str) -> Result<usize, ConfigError> {
    let names = || input.fields().iter().map(|field| field.name().as_str());
    input.index_of(name).map_err(|_| {
        ConfigError::new(setting, format!("the input has no column `{name}`")).help(match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
        })
    })
}
