//! The end of a partition while the checkpoint before is still being committed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::Document;
use sluicegate_core::*;
use sluicegate_stream::{Pipeline, PipelineSpec, RunOptions};

/// How long a test waits for something that must happen. Only a failing test ever waits that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a commit takes during which nothing may happen.
const SLOW_COMMIT: Duration = Duration::from_millis(300);

/// What was done, in order, and how many commits have begun.
static DONE: Mutex<(Vec<&str>, usize)> = Mutex::new((Vec::new(), 0));
static CHANGED: Condvar = Condvar::new();

fn see() -> MutexGuard<'static, (Vec<&'static str>, usize)> {
    CHANGED.notify_all();
    DONE.lock().unwrap()
}

/// Waits until this holds; whether it does.
fn wait(within: Duration, holds: impl Fn(&(Vec<&str>, usize)) -> bool) -> bool {
    let (seen, _) = CHANGED.wait_timeout_while(DONE.lock().unwrap(), within, |seen| !holds(seen)).unwrap();
    holds(&seen)
}

/// The second commit, which follows the only row, goes on only once the sink is through with the end, if it gets there.
fn slow_down(place: failpoint::Place<'_>) {
    if place.name != "file_commit.before" {
        return;
    }
    let commits = {
        let mut seen = see();
        seen.1 += 1;
        seen.1
    };
    CHANGED.notify_all();
    if commits == 2 && wait(SLOW_COMMIT, |(done, _)| done.contains(&"finish") && done.last() == Some(&"flush")) {
        // The sink is; whoever coordinates it hears of that in a moment.
        std::thread::sleep(SLOW_COMMIT);
    }
}

fn schema() -> SchemaRef {
    Schema::new(vec![Field::new("value", DataType::Int64, false)]).into()
}

/// One row, and then the end as soon as its commit has begun.
#[derive(Deserialize, JsonSchema)]
struct One {}

impl SourceConfig for One {
    fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl Source for One {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(vec![PartitionId::new("p")])
    }

    fn open(&mut self, partition: &PartitionId, _: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        Ok(Box::new(OneRow(partition.clone(), false)))
    }
}

struct OneRow(PartitionId, bool);

impl Reader for OneRow {
    fn start(&self) -> Offset {
        Offset(0)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        if std::mem::replace(&mut self.1, true) {
            assert!(wait(PATIENCE, |(_, commits)| *commits >= 2), "the row was never committed");
            return Ok(None);
        }
        let row = RecordBatch::try_new(schema(), vec![std::sync::Arc::new(Int64Array::from(vec![7]))])?;
        Ok(Some(Batch::new(self.0.clone(), Offsets::dense(Offset(0), 1)?, row)?))
    }
}

/// Says what it is asked to do.
#[derive(Deserialize, JsonSchema, Clone)]
struct Telling {
    staged: bool,
}

impl SinkConfig for Telling {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl SinkFactory for Telling {
    fn open(&self, _: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        Ok(Box::new(self.clone()))
    }

    fn delivery(&self) -> Delivery {
        if self.staged { Delivery::Staged } else { Delivery::AsWritten }
    }
}

impl Telling {
    fn tell(&self, what: &'static str) -> Result<(), BoxError> {
        see().0.push(what);
        CHANGED.notify_all();
        Ok(())
    }
}

impl Sink for Telling {
    fn write(&mut self, _: &Batch) -> Result<(), BoxError> {
        self.tell("write")
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        self.tell("flush")
    }

    fn snapshot(&mut self, _: &mut SnapshotWriter) -> Result<(), BoxError> {
        self.tell("snapshot")
    }

    fn publish(&mut self) -> Result<(), BoxError> {
        self.tell("publish")
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        self.tell("finish")
    }
}

/// What the sink was asked to do in a whole run, less the flushes.
fn run(staged: bool) -> Vec<&'static str> {
    *see() = (Vec::new(), 0);
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "name = 'p'\n[checkpoint]\npath = '{}'\ninterval_ms = 60000\nevery_events = 1\n[source.in]\ntype = 'one'\n[sink.out]\ntype = 'telling'\ninput = 'in'\nstaged = {staged}\n",
        folder.path().display()
    );
    let mut registry = Registry::new();
    registry.source::<One>("one").unwrap();
    registry.sink::<Telling>("telling").unwrap();
    let document = Document::parse("p.toml", text, Vec::new()).unwrap();
    let pipeline = Pipeline::bind(&PipelineSpec::parse(&document).unwrap(), &registry).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let report = runtime.block_on(pipeline.run(RunOptions::default())).unwrap();
    assert!(!report.interrupted);
    see().0.iter().copied().filter(|done| *done != "flush").collect()
}

#[test]
fn the_end_waits_for_the_checkpoint_before_and_what_was_staged_last_is_published() {
    failpoint::arm(slow_down);
    assert_eq!(run(false), ["write", "finish"]);
    // What a snapshot holds is made visible before the next one is asked for, and after its own commit.
    let expected = ["snapshot", "publish", "write", "snapshot", "publish", "finish", "snapshot", "publish"];
    assert_eq!(run(true), expected);
}
