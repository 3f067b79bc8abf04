//! `sluice run` with an object store: what it reads, writes and keeps there is what it would on a disk.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Child, Stdio};
use std::time::Duration;

use arrow::array::RecordBatch;
use sluicegate_tests::s3::{SECRET, Store};
use sluicegate_tests::{Ended, Workplace, kill_until_over, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const ROWS: usize = 16_000;
/// Of a file; an event has three, one for each model.
const FILE_ROWS: usize = 5000;

/// A pipeline that reads, writes and keeps its checkpoints below `place`.
fn pipeline(place: &str) -> String {
    format!(
        r#"
name = "meters"
[checkpoint]
path = "{place}/checkpoints"
interval_ms = 100
[source.readings]
type = "parquet"
path = "{place}/data/*.parquet"
time = "ts"
key = "meter"
batch_rows = 500
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
model = {{ hidden = 8, update_every = 3, backend = "libtorch" }}
[sink.files]
type = "parquet"
input = "forecast"
path = "{place}/out"
file_rows_max = {FILE_ROWS}
row_group_rows = 1000
"#
    )
}

fn workplace() -> Workplace {
    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    place.write_events("data/part-0.parquet", ROWS);
    place.write("local.toml", &pipeline("."));
    place.write("store.toml", &pipeline("s3://meters/deep"));
    place
}

/// What the run writes on a disk.
fn expected(place: &Workplace) -> RecordBatch {
    let run = place.run(&["run", "local.toml", "--quiet"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    read_folder(&place.path("out"))
}

fn start(place: &Workplace, store: &Store) -> Child {
    let mut run = place.command(&["run", "store.toml", "--quiet", "--log-level", "debug"]);
    store.known_to(&mut run).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(run: Child) -> Ended {
    let ended: Ended = run.wait_with_output().unwrap().into();
    assert!(!ended.stderr.contains(SECRET) && !ended.stdout.contains(SECRET), "{}", ended.stderr);
    ended
}

/// What others see of a folder in the store.
fn seen(place: &Workplace, store: &Store, folder: &str, name: &str) -> RecordBatch {
    let target = place.path(name);
    let rows: usize = store.ask(&["get", folder, target.to_str().unwrap()]).trim().parse().unwrap();
    let seen = read_folder(&target);
    assert_eq!(seen.num_rows(), rows);
    seen
}

#[test]
fn the_store_of_these_tests_keeps_what_was_written_first() {
    let store = Store::start(&["meters"]);
    assert_eq!(store.ask(&["create", "meters", "x"]), "written\nPreconditionFailed\none\n");
}

#[test]
fn killed_again_and_again_the_store_shows_what_a_disk_would() {
    let place = workplace();
    let expected = expected(&place);
    let store = Store::start(&["meters"]);
    store.ask(&["put", place.path("data/part-0.parquet").to_str().unwrap(), "meters/deep/data/part-0.parquet"]);
    // The first ones come while it starts, later ones in the midst of its work, which goes on from commit to commit.
    let waits_ms = (0..60).map(|round| 200 + round * 70);
    let kills = kill_until_over(|| start(&place, &store), waits_ms);
    assert!(kills >= 3, "only {kills} kills hit a running process");
    let last = finish(start(&place, &store));
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert!(seen(&place, &store, "meters/deep/out", "seen") == expected, "killed {kills} times, the output differs");
    let names = store.ask(&["names", "meters/deep"]);
    assert!(names.contains("/manifest.json") && !names.contains("/.staged"), "{names}");
    // All is done, so there is nothing to do.
    assert_eq!(finish(start(&place, &store)).code, Some(0));
    assert_eq!(store.ask(&["names", "meters/deep/out"]).lines().count(), (3 * ROWS).div_ceil(FILE_ROWS));
}

#[test]
fn a_second_process_takes_over_and_the_first_one_stops() {
    let place = workplace();
    let expected = expected(&place);
    let store = Store::start(&["meters"]);
    store.ask(&["put", place.path("data/part-0.parquet").to_str().unwrap(), "meters/deep/data/part-0.parquet"]);
    let first = start(&place, &store);
    while !store.ask(&["names", "meters/deep/checkpoints"]).contains("/commits/") {
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = finish(start(&place, &store));
    let first = finish(first);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    assert!(first.stderr.contains("taken this partition over"), "{}", first.stderr);
    assert!(seen(&place, &store, "meters/deep/out", "seen") == expected, "the output differs");
}

#[test]
fn text_files_are_read_from_a_store_and_files_of_an_earlier_run_replaced() {
    let place = Workplace::new(SLUICE);
    let store = Store::start(&["meters"]);
    for (name, first) in [("a", 0), ("b", 1000)] {
        let lines: String = (first..first + 1000).map(|row| format!("{row},\"meter {}\"\n", row % 3)).collect();
        place.write("x.csv", &format!("load,meter\n{lines}"));
        store.ask(&["put", place.path("x.csv").to_str().unwrap(), &format!("meters/in/{name}.csv")]);
    }
    let pipeline = r#"
name = "copy"
[source.readings]
type = "csv"
path = "s3://meters/in"
schema = { load = "int64", meter = "string" }
[sink.files]
type = "parquet"
input = "readings"
path = "s3://meters/copied"
file_rows_max = 900
"#;
    place.write("store.toml", pipeline);
    for run in ["first", "second"] {
        let ended = finish(start(&place, &store));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let names = store.ask(&["names", "meters/copied"]);
        let expected: String = (0..3).map(|number| format!("meters/copied/part-in-0000{number}.parquet\n")).collect();
        assert_eq!(names, expected);
        let rows = seen(&place, &store, "meters/copied", run);
        let load = rows.column_by_name("load").unwrap();
        assert_eq!(load.as_ref(), &arrow::array::Int64Array::from_iter_values(0..2000));
    }
    // What another program called alike stays.
    store.ask(&["put", place.path("x.csv").to_str().unwrap(), "meters/copied/part-in-00000.parquet"]);
    let refused = finish(start(&place, &store));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("s3://meters/copied/part-in-00000.parquet"), "{}", refused.stderr);
    assert!(refused.stderr.contains("not written by Sluicegate"), "{}", refused.stderr);
}

#[test]
fn what_is_not_there_is_named_with_its_url() {
    let place = Workplace::new(SLUICE);
    let store = Store::start(&["meters"]);
    place.write("x.csv", "load\n1\n");
    store.ask(&["put", place.path("x.csv").to_str().unwrap(), "meters/in/x.parquet"]);
    let cases = [
        ("s3://meters/nowhere/x.parquet", 2, "s3://meters/nowhere/x.parquet"),
        ("s3://meters/in/*.csv", 2, "no file matches s3://meters/in/*.csv"),
        ("s3://meters/in/x.parquet", 2, "s3://meters/in/x.parquet is not a Parquet file"),
        ("s3://nobody/in/*.parquet", 2, "s3://nobody/in"),
        ("s3://user:hunter2@meters/in", 2, "credentials"),
    ];
    for (path, code, message) in cases {
        let text = format!(
            "name = 'p'\n[source.s]\ntype = 'parquet'\npath = '{path}'\n[sink.c]\ntype = 'console'\ninput = 's'\n"
        );
        place.write("store.toml", &text);
        let ended = finish(start(&place, &store));
        assert_eq!(ended.code, Some(code), "{path}: {}", ended.stderr);
        assert!(ended.stderr.contains(message) && !ended.stderr.contains("hunter2"), "{path}: {}", ended.stderr);
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_told_with_what_to_set() {
    let place = workplace();
    let run = |variables: &[(&str, &str)]| {
        let mut check = place.command(&["check", "store.toml"]);
        let variables = [("AWS_ACCESS_KEY_ID", "tester"), ("AWS_SECRET_ACCESS_KEY", SECRET)].iter().chain(variables);
        check.env_remove("AWS_ALLOW_HTTP").envs(variables.copied());
        finish(check.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let nobody = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let plain = run(&[nobody]);
    assert_eq!(plain.code, Some(2));
    assert!(
        plain.stderr.contains("AWS_ALLOW_HTTP=true") && plain.stderr.contains("s3://meters/deep/data"),
        "{}",
        plain.stderr
    );
    let away = run(&[nobody, ("AWS_ALLOW_HTTP", "true")]);
    assert_eq!(away.code, Some(2));
    assert!(
        away.stderr.contains("is the store running") && away.stderr.contains("s3://meters/deep/data"),
        "{}",
        away.stderr
    );
}
