//! The Kafka sink against a real broker.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but does not know their helpers")]

#[path = "../../../kafka/tests/support/mod.rs"]
mod support;

mod delivery;
mod letters;
mod records;
mod refusals;

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    Batch, Commit, ConfigError, Ledger, Metrics, Offset, Offsets, PartitionId, PipelineContext, ShardContext, Sink,
    SinkConfig, SinkFactory,
};
use sluicegate_sink::KafkaConfig;

/// Rows with a text, a number and a time each.
fn rows(names: &[&str]) -> RecordBatch {
    let count = names.len() as i64;
    let times = TimestampMicrosecondArray::from_iter_values((1..=count).map(|row| row * 1_000_000));
    RecordBatch::try_from_iter([
        ("name", Arc::new(StringArray::from(names.to_vec())) as _),
        ("number", Arc::new(Int64Array::from_iter_values(0..count)) as _),
        ("time", Arc::new(times.with_timezone("UTC")) as _),
    ])
    .unwrap()
}

fn batch(first: i64, records: RecordBatch) -> Batch {
    let offsets = Offsets::dense(Offset(first), records.num_rows()).unwrap();
    Batch::new(PartitionId::new("history"), offsets, records).unwrap()
}

fn shard(component: &str) -> ShardContext {
    ShardContext::new(PartitionId::new("history"), component, Metrics::default()).keeps_checkpoints(true)
}

fn context() -> PipelineContext {
    PipelineContext::new(support::name("pipeline"), ".")
}

fn bind(settings: &str, input: &SchemaRef, context: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
    let settings = format!("bootstrap_servers = '{}'\n{settings}", support::bootstrap());
    toml::from_str::<KafkaConfig>(&settings).unwrap().bind(input, context)
}

/// One shard of a pipeline with one sink.
struct Run {
    ledger: Box<dyn Ledger>,
    sink: Box<dyn Sink>,
    found: Option<Commit>,
}

impl Run {
    fn start(settings: &str, input: &SchemaRef, context: &PipelineContext) -> Self {
        let factory = bind(settings, input, context).unwrap();
        let mut ledger = factory.ledger(&shard("out")).unwrap().unwrap();
        let sink = factory.open(&shard("out")).unwrap();
        let found = ledger.take_over().unwrap();
        Self { ledger, sink, found }
    }

    fn commit(&mut self, position: i64) {
        self.sink.flush().unwrap();
        self.ledger.commit(&at(position)).unwrap();
    }
}

fn at(position: i64) -> Commit {
    Commit { position: Offset(position), checkpoint: None, ended: false }
}
