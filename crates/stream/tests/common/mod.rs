//! Components in memory, and a probe through which a test sees and steers them.

#![allow(dead_code, reason = "every test file uses a part of this")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::Document;
use sluicegate_core::*;
use sluicegate_stream::{CancellationToken, Pipeline, PipelineError, PipelineSpec};

/// How long a test waits for something that must happen. Only a failing test ever waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the components of one test did.
#[derive(Default)]
pub(crate) struct Probe {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) cancel: CancellationToken,
}

#[derive(Default)]
pub(crate) struct State {
    /// Batches that readers gave.
    pub(crate) batches_read: u64,
    /// Batches that sinks are through with.
    pub(crate) batches_written: u64,
    /// Rows by sink and partition.
    pub(crate) rows: BTreeMap<(String, String), Vec<i64>>,
    /// Sinks that were finished.
    pub(crate) finished: Vec<(String, String)>,
    /// Instances of any component that exist.
    pub(crate) alive: i64,
    /// Instances of operators that were ever built.
    pub(crate) built: u64,
}

static PROBES: LazyLock<Mutex<BTreeMap<String, Arc<Probe>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A probe, and the name that settings know it by.
pub(crate) fn probe() -> (Arc<Probe>, String) {
    let name = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let probe = Arc::new(Probe::default());
    PROBES.lock().unwrap().insert(name.clone(), Arc::clone(&probe));
    (probe, name)
}

fn find(name: &str) -> Arc<Probe> {
    Arc::clone(&PROBES.lock().unwrap()[name])
}

impl Probe {
    pub(crate) fn see<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let result = look(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        result
    }

    /// Blocks until `done` holds.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let (_state, timeout) = self.changed.wait_timeout_while(state, PATIENCE, |state| !done(state)).unwrap();
        assert!(!timeout.timed_out(), "never happened: {what}");
    }

    pub(crate) fn rows(&self, sink: &str, partition: &str) -> Vec<i64> {
        self.see(|state| state.rows.get(&(sink.to_owned(), partition.to_owned())).cloned().unwrap_or_default())
    }

    pub(crate) fn finished(&self, sink: &str, partition: &str) -> bool {
        self.see(|state| state.finished.contains(&(sink.to_owned(), partition.to_owned())))
    }
}

/// Counts the instance that holds it as alive.
struct Alive(Arc<Probe>);

impl Alive {
    fn new(probe: &Arc<Probe>) -> Self {
        probe.see(|state| state.alive += 1);
        Self(Arc::clone(probe))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.see(|state| state.alive -= 1);
    }
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("value", DataType::Int64, false)]))
}

pub(crate) fn batch(partition: &PartitionId, first: i64, values: Vec<i64>) -> Batch {
    let offsets = Offsets::dense(Offset(first), values.len()).unwrap();
    let records = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(values))]).unwrap();
    Batch::new(partition.clone(), offsets, records).unwrap()
}

pub(crate) fn values(batch: &Batch) -> Vec<i64> {
    batch.records().column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Goes wrong when the count reaches what the settings say, on the partition that they say.
#[derive(Deserialize, JsonSchema, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Faults {
    fail_at: Option<i64>,
    panic_at: Option<i64>,
    partition: Option<String>,
}

impl Faults {
    fn check(&self, at: i64, partition: &PartitionId) -> Result<(), BoxError> {
        if self.partition.as_deref().is_some_and(|only| only != partition.as_str()) {
            return Ok(());
        }
        assert_ne!(self.panic_at, Some(at), "broke at {at}");
        if self.fail_at == Some(at) { Err(format!("failed at {at}").into()) } else { Ok(()) }
    }
}

/// Counts upwards from 0 on every partition, in batches of the given sizes.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountConfig {
    probe: String,
    partitions: usize,
    batches: Vec<usize>,
    /// An error when a reader is this many batches ahead of the sinks.
    ahead_max: Option<u64>,
    /// Cancels the run when the reader is asked for the batch of this number.
    cancel_at: Option<i64>,
    /// Blocks for good at the end, as a live source does.
    #[serde(default)]
    live: bool,
    #[serde(default)]
    unlistable: bool,
    #[serde(default)]
    open: Faults,
    #[serde(default)]
    faults: Faults,
}

impl SourceConfig for CountConfig {
    fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        Ok(Box::new(Count(self)))
    }
}

struct Count(CountConfig);

impl Source for Count {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        if self.0.unlistable {
            return Err("no list".into());
        }
        Ok((0..self.0.partitions).map(|index| PartitionId::new(format!("p{index}"))).collect())
    }

    fn open(&mut self, partition: &PartitionId, _: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        self.0.open.check(0, partition)?;
        let alive = Alive::new(&find(&self.0.probe));
        Ok(Box::new(Counting { config: self.0.clone(), partition: partition.clone(), batch: 0, row: 0, alive }))
    }
}

struct Counting {
    config: CountConfig,
    partition: PartitionId,
    batch: usize,
    row: i64,
    alive: Alive,
}

impl Reader for Counting {
    fn start(&self) -> Offset {
        Offset(0)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        self.config.faults.check(self.batch as i64, &self.partition)?;
        if self.config.cancel_at == Some(self.batch as i64) {
            self.alive.0.cancel.cancel();
        }
        let Some(size) = self.config.batches.get(self.batch).copied() else {
            if self.config.live {
                loop {
                    std::thread::park();
                }
            }
            return Ok(None);
        };
        self.batch += 1;
        let values: Vec<i64> = (self.row..self.row + size as i64).collect();
        let batch = batch(&self.partition, self.row, values);
        self.row += size as i64;
        let ahead = self.alive.0.see(|state| {
            state.batches_read += 1;
            state.batches_read.saturating_sub(state.batches_written)
        });
        match self.config.ahead_max {
            Some(max) if ahead > max => Err(format!("{ahead} batches ahead").into()),
            _ => Ok(Some(batch)),
        }
    }

    fn progress(&self) -> Progress {
        Progress::new(self.row as u64, Some(self.config.batches.iter().sum::<usize>() as u64))
    }
}

/// Emits the running sum, one row late: the last row comes out when the partition ends.
#[derive(Deserialize, JsonSchema, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct SumConfig {
    probe: String,
    #[serde(default)]
    worker: bool,
    #[serde(default)]
    build: Faults,
    #[serde(default)]
    faults: Faults,
    #[serde(default)]
    finish: Faults,
}

impl OperatorConfig for SumConfig {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl OperatorFactory for SumConfig {
    fn output_schema(&self) -> SchemaRef {
        schema()
    }

    fn placement(&self) -> Placement {
        if self.worker { Placement::Worker } else { Placement::Inline }
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        self.build.check(0, &shard.partition)?;
        let probe = find(&self.probe);
        probe.see(|state| state.built += 1);
        let alive = Some(Alive::new(&probe));
        Ok(Box::new(Sum { config: self.clone(), sum: 0, held: None, alive, thread: None }))
    }
}

#[derive(Default)]
pub(crate) struct Sum {
    config: SumConfig,
    sum: i64,
    held: Option<Batch>,
    alive: Option<Alive>,
    thread: Option<std::thread::ThreadId>,
}

impl Operator for Sum {
    fn process(&mut self, input: Batch, out: &mut Output) -> Result<(), BoxError> {
        if self.config.worker {
            let here = std::thread::current();
            assert!(here.name().is_some_and(|name| name.starts_with("worker-")), "not on a worker");
            assert_eq!(*self.thread.get_or_insert(here.id()), here.id(), "moved to another worker");
        }
        for (value, offset) in values(&input).into_iter().zip(input.offsets().iter()) {
            self.config.faults.check(value, input.partition())?;
            self.sum += value;
            if let Some(held) = self.held.replace(batch(input.partition(), offset.0, vec![self.sum])) {
                out.emit(held);
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Output) -> Result<(), BoxError> {
        if let Some(held) = self.held.take() {
            self.config.finish.check(0, held.partition())?;
            out.emit(held);
        }
        Ok(())
    }

    fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> {
        Ok(())
    }

    fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// What [`Sum`] makes of the first `rows` whole numbers.
pub(crate) fn sums(rows: usize) -> Vec<i64> {
    (0..rows as i64)
        .scan(0, |sum, value| {
            *sum += value;
            Some(*sum)
        })
        .collect()
}

/// Keeps what it is given.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepConfig {
    probe: String,
    /// Writes a batch only when the readers are this many batches ahead, or have given all of `total`.
    wait_ahead: Option<u64>,
    #[serde(default)]
    total: u64,
    /// Never gets done with its first batch until the run is cancelled.
    #[serde(default)]
    stuck: bool,
    /// Cancels the run when it is given the row of this number.
    cancel_at: Option<i64>,
    #[serde(default)]
    open: Faults,
    #[serde(default)]
    faults: Faults,
    #[serde(default)]
    finish: Faults,
}

impl SinkConfig for KeepConfig {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl SinkFactory for KeepConfig {
    fn open(&self, shard: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        self.open.check(0, &shard.partition)?;
        let alive = Alive::new(&find(&self.probe));
        let key = (shard.component.clone(), shard.partition.to_string());
        Ok(Box::new(Keep { config: self.clone(), key, partition: shard.partition.clone(), alive, row: 0 }))
    }
}

struct Keep {
    config: KeepConfig,
    key: (String, String),
    partition: PartitionId,
    alive: Alive,
    row: i64,
}

impl Sink for Keep {
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError> {
        let probe = &self.alive.0;
        if let Some(ahead) = self.config.wait_ahead {
            probe.wait_until("the source runs ahead as far as it may", |state| {
                state.batches_read >= (state.batches_written + ahead).min(self.config.total)
            });
        }
        if self.config.stuck {
            probe.see(|state| state.batches_written += 1);
            probe.wait_until("the run is cancelled", |_| probe.cancel.is_cancelled());
        }
        for value in values(batch) {
            self.config.faults.check(self.row, &self.partition)?;
            if self.config.cancel_at == Some(self.row) {
                probe.cancel.cancel();
            }
            self.row += 1;
            probe.see(|state| state.rows.entry(self.key.clone()).or_default().push(value));
        }
        probe.see(|state| state.batches_written += 1);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        self.config.finish.check(0, &self.partition)?;
        self.alive.0.see(|state| state.finished.push(self.key.clone()));
        Ok(())
    }
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.source::<CountConfig>("count").unwrap();
    registry.operator::<SumConfig>("sum").unwrap();
    registry.sink::<KeepConfig>("keep").unwrap();
    registry
}

/// Binds a pipeline file in which `PROBE` stands for the name of the test's probe.
pub(crate) fn bind(text: &str, probe: &str) -> Result<Pipeline, PipelineError> {
    let text = text.replace("PROBE", &format!("probe = \"{probe}\""));
    let document = Document::parse("p.toml", text, Vec::new())?;
    Pipeline::bind(&PipelineSpec::parse(&document)?, &registry())
}
