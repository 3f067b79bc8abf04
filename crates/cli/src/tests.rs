//! Whole command lines, with components in memory.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate::*;
use tempfile::TempDir;

use crate::failure::Ending;
use crate::{Console, end};

/// Counts upwards from 0, on several clocks.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
struct Ticks {
    /// Rows per partition.
    rows: i64,
    /// How many clocks there are.
    #[serde(default = "one")]
    clocks: usize,
}

fn one() -> usize {
    1
}

impl SourceConfig for Ticks {
    fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        if self.rows < 0 {
            return Err(ConfigError::new("rows", "must not be below 0").help("use 0 for none"));
        }
        Ok(Box::new(self))
    }
}

impl Source for Ticks {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("tick", DataType::Int64, false)]))
    }
    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok((0..self.clocks).map(|clock| PartitionId::new(format!("clock-{clock}"))).collect())
    }
    fn open(&mut self, partition: &PartitionId, _: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        Ok(Box::new(Ticking { partition: partition.clone(), left: Some(self.rows), schema: self.schema() }))
    }
}

struct Ticking {
    partition: PartitionId,
    left: Option<i64>,
    schema: SchemaRef,
}

impl Reader for Ticking {
    fn start(&self) -> Offset {
        Offset(0)
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        let Some(rows) = self.left.take().filter(|rows| *rows > 0) else { return Ok(None) };
        let ticks = Int64Array::from_iter_values(0..rows);
        let records = RecordBatch::try_new(self.schema.clone(), vec![Arc::new(ticks)])?;
        Ok(Some(Batch::new(self.partition.clone(), Offsets::dense(Offset(0), records.num_rows())?, records)?))
    }
}

/// Passes rows on and publishes scores as a forecast operator does.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
struct Guess {
    /// Goes wrong in this way.
    #[serde(default)]
    fault: Option<Fault>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Fault {
    Fail,
    Panic,
}

impl OperatorConfig for Guess {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}

impl OperatorFactory for Guess {
    fn output_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("guess", DataType::Float64, true)]))
    }
    fn placement(&self) -> Placement {
        Placement::Worker
    }
    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        Ok(Box::new(Guessing { fault: self.fault, shard: shard.clone() }))
    }
}

struct Guessing {
    fault: Option<Fault>,
    shard: ShardContext,
}

impl Operator for Guessing {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        match self.fault {
            Some(Fault::Fail) => return Err("the guess is off\n  help: guess again".into()),
            Some(Fault::Panic) => panic!("no idea"),
            None => {}
        }
        let labels = [("operator", self.shard.component.as_str()), ("partition", self.shard.partition.as_str())];
        self.shard.metrics.counter("forecast_updates", &labels).add(batch.len() as u64);
        self.shard.metrics.gauge("forecast_keys_known", &labels).set(1.0);
        for (model, value) in [(self.shard.component.as_str(), 0.25), ("persistence", 0.5)] {
            for sample in crate::testing::score("guess", "", model, "tick", 1, "all", batch.len() as f64, value) {
                let mut labels: Vec<(&str, &str)> =
                    sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                labels.retain(|(name, _)| *name != "partition");
                labels.push(("partition", self.shard.partition.as_str()));
                self.shard.metrics.gauge("forecast_score", &labels).set(sample.value);
            }
        }
        out.emit(batch);
        Ok(())
    }
    fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> {
        Ok(())
    }
    fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Takes rows and forgets them.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the path is only shown")]
struct Drain {
    /// Where they would go.
    path: Option<String>,
}

/// Takes rows and forgets them, whatever the settings say.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Anything {}

impl SinkConfig for Anything {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        Ok(Box::new(Drain { path: None }))
    }
}

impl SinkConfig for Drain {
    fn bind(self, _: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn SinkFactory>, ConfigError> {
        Ok(Box::new(self))
    }
}
impl SinkFactory for Drain {
    fn open(&self, _: &ShardContext) -> Result<Box<dyn Sink>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}
impl Sink for Drain {
    fn write(&mut self, _: &Batch) -> Result<(), BoxError> {
        Ok(())
    }
    fn finish(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

pub(crate) const CLOCK: &str = r#"name = "clock"

[source.ticks]
type = "ticks"
rows = 100
clocks = 2

[operator.guess]
type = "guess"
input = "ticks"

[sink.out]
type = "drain"
input = "guess"
path = "../nowhere"
"#;

pub(crate) fn register(registry: &mut Registry) -> Result<(), RegistryError> {
    registry.source::<Ticks>("ticks")?;
    registry.operator::<Guess>("guess")?;
    registry.sink::<Drain>("drain")
}

/// What a command line did.
struct Done {
    ending: Ending,
    out: String,
    err: String,
}

/// Runs `sluice ARGS`, where FILE stands for a file with the text of the pipeline.
fn sluice(pipeline: &str, args: &str) -> Done {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("clock.toml");
    std::fs::write(&file, pipeline).unwrap();
    let args = std::iter::once("sluice").chain(args.split(' ')).map(|arg| match arg {
        "FILE" => file.clone().into_os_string(),
        other => other.into(),
    });
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ending = end(args, register, &mut Console::new(&mut out, &mut err));
    let tidy = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap().replace(&file.display().to_string(), "FILE");
        text.replace(&PathBuf::from(folder.path()).display().to_string(), "DIR")
    };
    Done { ending, out: tidy(out), err: tidy(err) }
}

#[test]
fn a_run_prints_scores_and_where_the_output_went() {
    let done = sluice(CLOCK, "run FILE --quiet --threads 2");
    assert_eq!((done.ending, done.err.as_str()), (Ending::Done, ""));
    // The first line holds the time it took.
    let (first, rest) = done.out.split_once('\n').unwrap();
    assert!(first.starts_with("clock: 200 events in "), "{first}");
    insta::assert_snapshot!(rest, @r"

    guess · all events · in the target's own unit
    ───────────────────────────────────────────────────────────────────────────────────
     model         events     NLL    CRPS     MAE     MSE    RMSE   50 %   80 %   95 %
    ═══════════════════════════════════════════════════════════════════════════════════
     guess            200   0.250   0.250   0.250   0.062   0.250   50.0   50.0   50.0
     persistence      200   0.500   0.500   0.500   0.250   0.500   50.0   50.0   50.0
    ───────────────────────────────────────────────────────────────────────────────────

    guess: 2 instances, 200 updates, 2 keys known
    out: 200 rows in DIR/../nowhere
    ");
}

#[test]
fn a_value_may_be_set_on_the_command_line() {
    let done = sluice(CLOCK, "run FILE --quiet --set ticks.rows=7 --set source.ticks.clocks=1");
    assert!(done.out.starts_with("clock: 7 events in "), "{}", done.out);
    let done = sluice(CLOCK, "run FILE --set rows");
    assert_eq!(done.ending, Ending::Wrong);
    insta::assert_snapshot!(done.err, @r"
    error: --set rows: there is no `=` in it
      help: write it as path=value, such as model.hidden=64
    ");
}

#[test]
fn an_operator_that_fails_is_named_with_its_cause() {
    let done = sluice(CLOCK, "run FILE --quiet --set guess.fault=fail --set ticks.clocks=1");
    assert_eq!((done.ending, done.out.as_str()), (Ending::Failed, ""));
    insta::assert_snapshot!(done.err, @r"
    error: operator `guess` on partition `clock-0` failed: the guess is off
      help: guess again
    ");
    let done = sluice(CLOCK, "run FILE --quiet --set guess.fault=panic --set ticks.clocks=1");
    assert_eq!(done.ending, Ending::Failed);
    insta::assert_snapshot!(done.err, @r"
    error: operator `guess` on partition `clock-0` panicked: no idea; this is a mistake in the component's code
      help: report it, with what is printed when RUST_BACKTRACE=1 is set
    ");
}

#[test]
fn a_wrong_setting_is_shown_with_its_place() {
    let done = sluice(&CLOCK.replace("rows = 100", "rows = -1"), "run FILE");
    assert_eq!((done.ending, done.out.as_str()), (Ending::Wrong, ""));
    insta::assert_snapshot!(done.err, @r"
    error: FILE:5:1: `source.ticks.rows`: must not be below 0
      help: use 0 for none
    ");
    let done = sluice(&CLOCK.replace("clocks", "cloks"), "check FILE");
    assert_eq!(done.ending, Ending::Wrong);
    insta::assert_snapshot!(done.err, @r"
    error: FILE:6:1: `source.ticks`: unknown field `cloks`, expected `rows` or `clocks`
      help: did you mean `clocks`?
    ");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let done = sluice(CLOCK, "check nowhere.toml");
    assert_eq!(done.ending, Ending::Wrong);
    let expected = "error: nowhere.toml: the pipeline file cannot be read: No such file or directory (os error 2)\n";
    assert_eq!(done.err, expected);
}

#[test]
fn check_prints_the_graph() {
    let done = sluice(CLOCK, "check FILE");
    assert_eq!((done.ending, done.err.as_str()), (Ending::Done, ""));
    insta::assert_snapshot!(done.out, @r"
    clock: 1 source, 1 operator, 1 sink; nothing is wrong with it

    source ticks (type ticks)
      partitions  clock-0, clock-1
      columns     tick: Int64

    operator guess (type guess) ← ticks
      instances   2: one per partition; none sees the events of another
      columns     guess: Float64

    sink out (type drain) ← guess
    ");
}

#[test]
fn components_are_listed_with_their_settings() {
    let done = sluice(CLOCK, "components");
    assert_eq!(done.ending, Ending::Done);
    // Built-in ones depend on what is switched on.
    let own = done.out.split("\n\n").filter(|component| component.contains("ticks") || component.contains("guess"));
    insta::assert_snapshot!(own.collect::<Vec<_>>().join("\n\n"), @r#"
    source ticks: Counts upwards from 0, on several clocks.
    ───────────────────────────────────────────────────────────
     setting   type      default    what it is
    ═══════════════════════════════════════════════════════════
     rows      integer   required   Rows per partition.
     clocks    integer   1          How many clocks there are.
    ───────────────────────────────────────────────────────────

    operator guess: Passes rows on and publishes scores as a forecast operator does.
    ─────────────────────────────────────────────────────────────────
     setting   type                default   what it is
    ═════════════════════════════════════════════════════════════════
     fault     "fail" or "panic"             Goes wrong in this way.
    ─────────────────────────────────────────────────────────────────
    "#);
    let done = sluice(CLOCK, "components --json");
    let schemas: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(schemas["source"]["ticks"]["properties"]["rows"]["type"], "integer");
}

#[test]
fn help_names_the_exit_codes_and_wrong_arguments_are_refused() {
    let done = sluice(CLOCK, "--help");
    assert_eq!((done.ending, done.err.as_str()), (Ending::Done, ""));
    assert!(done.out.contains("130  interrupted"), "{}", done.out);
    assert!(done.out.contains("143  stopped at once by a second SIGTERM"), "{}", done.out);
    let done = sluice(CLOCK, "walk FILE");
    assert_eq!((done.ending, done.out.as_str()), (Ending::Wrong, ""));
    assert!(done.err.contains("unrecognized subcommand 'walk'"), "{}", done.err);
}

#[test]
fn starting_over_must_name_the_pipeline() {
    let done = sluice(CLOCK, "run FILE --quiet --fresh watch");
    assert_eq!((done.ending, done.out.as_str()), (Ending::Wrong, ""));
    insta::assert_snapshot!(done.err, @r"
    error: --fresh watch: the pipeline is called `clock`
      help: to forget what `clock` has done and learned, write --fresh clock
    ");
    assert_eq!(sluice(CLOCK, "run FILE --quiet --fresh clock").ending, Ending::Done);
}

#[test]
fn in_json_every_message_is_an_object_on_a_line() {
    let done = sluice(CLOCK, "run FILE --log-format json --listen 0 --set guess.fault=fail");
    assert_eq!(done.ending, Ending::Failed);
    let lines: Vec<serde_json::Value> = done.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = |line: &serde_json::Value| line["fields"]["message"].as_str().unwrap().to_owned();
    assert!(message(&lines[0]).starts_with("health and metrics at http://127.0.0.1:"), "{}", done.err);
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR");
    assert!(message(last).contains("the guess is off\n  help: guess again"), "{}", done.err);
}

#[test]
fn an_address_that_strangers_can_reach_is_refused_before_anything_runs() {
    let done = sluice(CLOCK, "run FILE --listen 0.0.0.0:0");
    assert_eq!((done.ending, done.out.as_str()), (Ending::Wrong, ""));
    assert!(done.err.contains("--listen-anywhere"), "{}", done.err);
}
