//! Partitions that are shared out between processes, taken away and given back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::Document;
use sluicegate_core::*;
use sluicegate_stream::{CancellationToken, Pipeline, PipelineSpec, RunOptions, RunReport, StreamError};

/// How long a test waits for something that must happen. Only a failing test ever waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the group, the ledger and the sinks of one test know.
#[derive(Default)]
struct World {
    changes: VecDeque<Change>,
    committed: Option<Commit>,
    /// A commit of this position or a later one fails, once.
    loses: Option<i64>,
    /// So many times, nobody answers where a reader is opened.
    away: usize,
    /// Changes for a second source.
    changes_of_second: VecDeque<Change>,
    sources: usize,
    /// Where each reader began.
    opened: Vec<i64>,
    released: usize,
    /// Sinks hold every row for as long as this is set.
    stuck: bool,
}

#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<World>, Condvar)>);

/// One test at a time has the world.
static TURN: Mutex<()> = Mutex::new(());
static WORLD: Mutex<Option<Shared>> = Mutex::new(None);

impl Shared {
    fn here() -> Self {
        WORLD.lock().unwrap().clone().unwrap()
    }

    fn see(&self) -> MutexGuard<'_, World> {
        self.0.1.notify_all();
        self.0.0.lock().unwrap()
    }

    fn tell(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.see());
        self.0.1.notify_all();
    }

    fn wait(&self, what: &str, holds: impl Fn(&World) -> bool) {
        let (seen, _) = self.0.1.wait_timeout_while(self.see(), PATIENCE, |world| !holds(world)).unwrap();
        assert!(holds(&seen), "never happened: {what}");
    }

    fn wait_committed(&self, position: i64) {
        self.wait("a commit", |world| world.committed.as_ref().is_some_and(|commit| commit.position.0 >= position));
    }
}

fn p() -> Vec<PartitionId> {
    vec![PartitionId::new("p")]
}

fn schema() -> SchemaRef {
    Schema::new(vec![Field::new("value", DataType::Int64, false)]).into()
}

/// A log of `rows` rows that goes on for good.
#[derive(Deserialize, JsonSchema)]
struct Log {
    rows: i64,
    /// Says which partitions there are before any is assigned.
    #[serde(default)]
    lists: bool,
}

impl SourceConfig for Log {
    fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl Source for Log {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(if self.lists { p() } else { Vec::new() })
    }

    fn is_live(&self) -> bool {
        true
    }

    fn membership(&mut self, _: &str) -> Result<Option<Box<dyn Membership>>, BoxError> {
        let world = Shared::here();
        let mut place = 0;
        world.tell(|world| {
            place = world.sources;
            world.sources += 1;
        });
        Ok(Some(Box::new(Group(world, place))))
    }

    fn ledger(&mut self, _: &PartitionId) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        Ok(Some(Box::new(Kept(Shared::here()))))
    }

    fn open(&mut self, _: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let first = from.map_or(0, |from| from.0);
        let mut away = false;
        Shared::here().tell(|world| {
            away = world.away > 0;
            world.away = world.away.saturating_sub(1);
        });
        if away {
            return Err(Passing::new("no broker answers").into());
        }
        Shared::here().tell(|world| world.opened.push(first));
        Ok(Box::new(LogReader { first, next: first, rows: self.rows }))
    }
}

struct LogReader {
    first: i64,
    next: i64,
    rows: i64,
}

impl Reader for LogReader {
    fn start(&self) -> Offset {
        Offset(self.first)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        let rows = i64::from(self.next < self.rows);
        if rows == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let values = Int64Array::from_iter_values(self.next..self.next + rows);
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(values)])?;
        let offsets = Offsets::dense(Offset(self.next), rows as usize)?;
        self.next += rows;
        Ok(Some(Batch::new(PartitionId::new("p"), offsets, batch)?))
    }
}

/// Of the first source, or another.
struct Group(Shared, usize);

impl Membership for Group {
    fn next(&mut self, _: Duration) -> Result<Option<Change>, BoxError> {
        let mut world = self.0.see();
        let change = if self.1 == 0 { world.changes.pop_front() } else { world.changes_of_second.pop_front() };
        drop(world);
        if change.is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(change)
    }

    fn released(&mut self, _: &PartitionId) {
        self.0.tell(|world| world.released += 1);
    }

    fn leave(&mut self) {}
}

struct Kept(Shared);

impl Ledger for Kept {
    fn take_over(&mut self) -> Result<Option<Commit>, LedgerError> {
        Ok(self.0.see().committed.clone())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), LedgerError> {
        let mut lost = false;
        self.0.tell(|world| {
            lost = world.loses.take_if(|from| *from <= commit.position.0).is_some();
            if !lost {
                world.committed = Some(commit.clone());
            }
        });
        if lost { Err(LedgerError::Lost("the broker went away".into())) } else { Ok(()) }
    }
}

#[derive(Deserialize, JsonSchema)]
struct Holding {}

impl SinkConfig for Holding {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl SinkFactory for Holding {
    fn open(&self, _: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        Ok(Box::new(Self {}))
    }
}

impl Sink for Holding {
    fn write(&mut self, _: &Batch) -> Result<(), BoxError> {
        Shared::here().wait("the sink goes on", |world| !world.stuck);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

const ONE: &str = "[source.in]\ntype = 'log'\nrows = 5\nlists = true\n[sink.out]\ntype = 'holding'\ninput = 'in'\n";

/// Runs the pipeline in a world, and `script` beside it; where its readers began.
fn run(world: World, options: RunOptions, script: impl FnOnce(&Shared)) -> Vec<i64> {
    let (result, opened) = run_pipeline(ONE, world, options, script);
    result.unwrap();
    opened
}

fn run_pipeline(
    text: &str,
    world: World,
    options: RunOptions,
    script: impl FnOnce(&Shared),
) -> (Result<RunReport, StreamError>, Vec<i64>) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let shared = Shared::default();
    *shared.see() = world;
    *WORLD.lock().unwrap() = Some(shared.clone());
    let mut registry = Registry::new();
    registry.source::<Log>("log").unwrap();
    registry.sink::<Holding>("holding").unwrap();
    let document = Document::parse("p.toml", format!("name = 'p'\n{text}"), Vec::new()).unwrap();
    let pipeline = Pipeline::bind(&PipelineSpec::parse(&document).unwrap(), &registry).unwrap();
    let cancel = CancellationToken::new();
    let options = options.cancel(cancel.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let running = runtime.spawn(pipeline.run(options));
    script(&shared);
    cancel.cancel();
    let result = runtime.block_on(running).unwrap();
    let opened = shared.see().opened.clone();
    (result, opened)
}

fn committed(position: i64) -> Option<Commit> {
    Some(Commit { position: Offset(position), checkpoint: None, ended: false })
}

#[test]
fn a_partition_that_comes_back_goes_on_also_in_a_run_that_was_to_begin_anew() {
    let world = World { changes: [Change::Assigned(p())].into(), committed: committed(3), ..World::default() };
    let opened = run(world, RunOptions::default().begin_anew(true), |shared| {
        shared.wait("reading", |world| world.opened.len() == 1);
        shared.wait_committed(5);
        shared.tell(|world| world.changes.push_back(Change::Revoked(p())));
        shared.wait("the release", |world| world.released == 1);
        shared.tell(|world| world.changes.push_back(Change::Assigned(p())));
        shared.wait("reading again", |world| world.opened.len() == 2);
    });
    assert_eq!(opened, [0, 5]);
}

#[test]
fn a_run_that_was_to_begin_anew_does_so_until_something_is_committed() {
    let (changes, loses) = ([Change::Assigned(p())].into(), Some(0));
    let world = World { changes, committed: committed(3), loses, ..World::default() };
    let opened = run(world, RunOptions::default().begin_anew(true), |shared| {
        shared.wait("reading again", |world| world.opened.len() == 2);
        shared.wait_committed(5);
    });
    assert_eq!(opened, [0, 0]);
}

#[test]
fn a_partition_that_comes_back_before_its_shard_has_ended_is_begun_again_then() {
    let world = World { changes: [Change::Assigned(p())].into(), stuck: true, ..World::default() };
    let opened = run(world, RunOptions::default(), |shared| {
        shared.wait("reading", |world| world.opened.len() == 1);
        // Whoever revoked did not wait for ever.
        shared.tell(|world| world.changes.extend([Change::Revoked(p()), Change::Assigned(p())]));
        shared.wait("both are known", |world| world.changes.is_empty());
        std::thread::sleep(Duration::from_millis(200));
        shared.tell(|world| world.stuck = false);
        shared.wait("reading again", |world| world.opened.len() == 2);
        shared.wait_committed(5);
        assert_eq!(shared.see().released, 0, "the partition is this process's");
    });
    assert_eq!(opened.len(), 2);
}

#[test]
fn a_shard_begins_again_where_nobody_answered_when_it_was_opened() {
    let changes = [Change::Assigned(p())].into();
    let opened = run(World { changes, away: 2, ..World::default() }, RunOptions::default(), |shared| {
        shared.wait_committed(5);
    });
    assert_eq!(opened, [0]);
}

#[test]
fn a_partition_that_two_sources_get_is_refused_by_name() {
    let second = ONE.replace(".in]", ".again]").replace("'in'", "'again'").replace(".out]", ".other]");
    let text = format!("{ONE}{second}").replace("lists = true\n", "");
    let world = World { changes: [Change::Assigned(p())].into(), ..World::default() };
    let (result, opened) = run_pipeline(&text, world, RunOptions::default(), |shared| {
        shared.wait_committed(5);
        // Also one that the first has given up again: what it committed is there.
        shared.tell(|world| world.changes.push_back(Change::Revoked(p())));
        shared.wait("the release", |world| world.released == 1);
        shared.tell(|world| world.changes_of_second.push_back(Change::Assigned(p())));
        shared.wait("the second hears of it", |world| world.changes_of_second.is_empty());
        // And is refused: else it would be opened.
        std::thread::sleep(Duration::from_millis(200));
    });
    let error = result.unwrap_err().to_string();
    assert!(error.contains("partition `p`") && error.contains("`in`") && error.contains("`again`"), "{error}");
    assert_eq!(opened, [0]);
}
