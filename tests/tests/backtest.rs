//! `sluice backtest`: scores that a live run would have had, or a refusal.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use sluicegate_tests::{Ended, Workplace, events, read_folder, with_column};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

const ROWS: usize = 600;

/// It emits no scores by itself, and has horizons that reach from one fold into the next.
const PIPELINE: &str = r#"
name = "meters"
[source.readings]
type = "parquet"
path = "events.parquet"
time = "ts"
key = "meter"
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
horizons = [1, 3]
mixture = false
columns = ["mean"]
model = { hidden = 8 }
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
"#;

fn place(records: &RecordBatch) -> Workplace {
    let place = Workplace::new(SLUICE);
    place.write_records("events.parquet", records);
    place.write("meters.toml", PIPELINE);
    place
}

fn scores(place: &Workplace) -> RecordBatch {
    let ended = place.run(&["backtest", "meters.toml", "--folds", "3", "--warm-up", "300", "--output", "scores"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!place.path("out").exists(), "a backtest wrote into the pipeline's sink");
    read_folder(&place.path("scores"))
}

fn texts(table: &RecordBatch, column: &str) -> Vec<String> {
    let column = cast(table.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

fn numbers<'a>(table: &'a RecordBatch, column: &str) -> &'a Float64Array {
    table.column_by_name(column).unwrap().as_primitive::<Float64Type>()
}

#[test]
fn a_backtest_scores_what_a_run_forecasts_although_the_pipeline_leaves_the_scores_out() {
    let place = place(&events(ROWS));
    let found = scores(&place);
    assert_eq!(found.num_rows(), 3 * 2 * 3);
    let ran = place.run(&["run", "meters.toml", "--quiet", "--set", "forecast.columns=[\"nll\", \"crps\"]"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let rows = read_folder(&place.path("out"));
    let times = rows.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let (horizons, models) =
        (rows.column_by_name("horizon").unwrap().as_primitive::<Int32Type>(), texts(&rows, "model"));
    let found_models = texts(&found, "model");
    for (row, model) in found_models.iter().enumerate() {
        let bound =
            |name: &str| found.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().value(row);
        let horizon = found.column_by_name("horizon").unwrap().as_primitive::<Int32Type>().value(row);
        let own = |at: &usize| {
            (bound("from")..bound("to")).contains(&times.value(*at))
                && horizons.value(*at) == horizon
                && models[*at] == *model
        };
        let own: Vec<usize> = (0..rows.num_rows()).filter(own).collect();
        // Half of the 600 events are scored, in three folds.
        assert_eq!(own.len(), 100);
        assert_eq!(found.column_by_name("events").unwrap().as_primitive::<UInt64Type>().value(row), 100);
        for loss in ["nll", "crps"] {
            let mean = own.iter().map(|at| numbers(&rows, loss).value(*at)).sum::<f64>() / 100.0;
            assert_eq!(numbers(&found, loss).value(row), mean, "{loss} of row {row}");
        }
    }
}

#[test]
fn what_comes_after_a_fold_changes_nothing_in_it() {
    let calm = events(ROWS);
    let load = calm.column_by_name("load").unwrap().as_primitive::<Float64Type>();
    // From the last fold on everything is different.
    let wild = (0..ROWS).map(|row| if row < 500 { load.value(row) } else { -40.0 * load.value(row) });
    let wild = with_column(&calm, "load", Arc::new(Float64Array::from_iter_values(wild)));
    let (calm, wild) = (scores(&place(&calm)), scores(&place(&wild)));
    let folds = calm.column_by_name("fold").unwrap().as_primitive::<UInt32Type>();
    let before = folds.values().iter().filter(|fold| **fold < 3).count();
    assert_eq!(before, 2 * 2 * 3);
    assert_eq!(calm.slice(0, before), wild.slice(0, before));
    assert_ne!(calm.slice(before, 6), wild.slice(before, 6));
}

#[test]
fn a_backtest_says_who_is_better_and_the_same_again_when_it_is_run_again() {
    let place = place(&events(ROWS));
    let run = || place.run(&["backtest", "meters.toml", "--folds", "2"]);
    let ended = run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for said in ["less CRPS", "in 2 folds", "persistence", "95 % interval", "stationary bootstrap", "seed 0"] {
        assert!(ended.stdout.contains(said), "{}", ended.stdout);
    }
    assert_eq!(ended.stdout, run().stdout);
}

fn refused(place: &Workplace, more: &[&str], code: i32) -> String {
    let args: Vec<&str> = ["backtest", "meters.toml"].iter().chain(more).copied().collect();
    let Ended { code: ended, stdout, stderr } = place.run(&args);
    assert_eq!((ended, stdout.as_str()), (Some(code), ""), "{stderr}");
    stderr
}

#[test]
fn what_makes_backtests_lie_is_refused() {
    let good = place(&events(ROWS));
    let error = refused(&good, &["--folds", "500"], 2);
    assert!(error.contains("holds no event") && error.contains("--folds"), "{error}");
    let error = refused(&good, &["--warm-up", "600"], 2);
    assert!(error.contains("leaves none to score"), "{error}");
    let error = refused(&good, &["--from", "2030-01-01"], 2);
    assert!(error.contains("no event is scored"), "{error}");
    let error = refused(&good, &["--from", "1970-02-01", "--to", "1970-01-01"], 2);
    assert!(error.contains("--from must be before --to"), "{error}");
    let error = refused(&good, &["--set", "forecast.model.hiden=8"], 2);
    assert!(error.contains("did you mean `hidden`?"), "{error}");

    let times = events(ROWS);
    let times = times.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
    let swapped = (0..ROWS).map(|row| times.value(if row == 300 { 100 } else { row }));
    let unsorted = with_column(&events(ROWS), "ts", Arc::new(TimestampMicrosecondArray::from_iter_values(swapped)));
    let error = refused(&place(&unsorted), &[], 1);
    assert!(error.contains("offset 300") && error.contains("key a") && error.contains("sort it by time"), "{error}");

    good.write("meters.toml", &PIPELINE.replace("time = \"ts\"\n", ""));
    let error = refused(&good, &[], 1);
    assert!(error.contains("has no time"), "{error}");

    // Nobody is asked for at this address.
    let live = "type = \"kafka\"\nbootstrap_servers = \"127.0.0.1:1\"\ntopics = \"readings\"\nschema = { meter = \"string\", load = \"float64\", ts = \"timestamp\" }";
    good.write("meters.toml", &PIPELINE.replacen("type = \"parquet\"\npath = \"events.parquet\"", live, 1));
    let error = refused(&good, &[], 2);
    assert!(error.contains("`readings` is a live source") && error.contains("from files"), "{error}");
}
