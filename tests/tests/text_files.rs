//! `sluice run` over CSV and JSON Lines: the same forecasts as over Parquet, also when it is killed, and no record vanishes.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use sluicegate_tests::{Workplace, events, kill_until_over, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const ROWS: usize = 9000;

fn pipeline(source: &str) -> String {
    format!(
        r#"
name = "meters"
[checkpoint]
path = "checkpoints"
interval_ms = 20
[source.readings]
{source}
time = "ts"
key = "meter"
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
model = {{ hidden = 8, update_every = 3, backend = "libtorch" }}
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
file_rows_max = 5000
row_group_rows = 1000
"#
    )
}

const TEXT: &str = "schema = { ts = 'timestamp-us', meter = 'string', load = 'float64' }";

/// Each event as a line, by `line` of its time, key and value.
fn lines(records: &RecordBatch, line: impl Fn(&mut String, i64, &str, f64)) -> String {
    let ts = records.column(0).as_primitive::<TimestampMicrosecondType>();
    let (meter, load) = (records.column(1).as_string::<i32>(), records.column(2).as_primitive::<Float64Type>());
    let mut text = String::new();
    (0..records.num_rows()).for_each(|row| line(&mut text, ts.value(row), meter.value(row), load.value(row)));
    text
}

fn csv(records: &RecordBatch) -> String {
    let rows = lines(records, |text, ts, meter, load| writeln!(text, "{load},\"{meter}\",{ts}").unwrap());
    format!("load,meter,ts\n{rows}")
}

fn jsonl(records: &RecordBatch) -> String {
    lines(records, |text, ts, meter, load| {
        writeln!(text, "{{\"ts\": {ts}, \"meter\": \"{meter}\", \"load\": {load}}}").unwrap();
    })
}

fn place(source: &str) -> Workplace {
    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    place.write("meters.toml", &pipeline(source));
    place
}

#[test]
fn forecasts_over_text_are_those_over_parquet() {
    let all = events(ROWS);
    let parquet = place("type = 'parquet'\npath = 'data'\ncolumns = ['load']");
    parquet.write_records("data/part.parquet", &all);
    assert_eq!(parquet.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let expected = read_folder(&parquet.path("out"));
    type Written = fn(&RecordBatch) -> String;
    for (of, written) in [("csv", csv as Written), ("jsonl", jsonl)] {
        let text = place(&format!("type = '{of}'\npath = 'data'\n{TEXT}"));
        for (part, first) in [(0, 0), (1, 4000)] {
            let rows = all.slice(first, if part == 0 { 4000 } else { ROWS - 4000 });
            text.write(&format!("data/part-{part}.{of}"), &written(&rows));
        }
        let run = text.run(&["run", "meters.toml", "--quiet"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let seen = read_folder(&text.path("out"));
        assert_eq!(seen.schema(), expected.schema());
        assert!(seen == expected, "{of}: the forecasts differ");
    }
}

#[test]
fn killed_again_and_again_every_record_is_a_forecast_or_a_dead_letter_once() {
    let dead = "\n[sink.rejects]\ntype = \"parquet\"\ninput = \"dead-letters\"\npath = \"rejects\"\n";
    let source = format!("type = 'csv'\npath = 'data'\n{TEXT}\non_error = 'dead-letter'\nbatch_rows = 100");
    // Every hundredth record is none.
    let mut text = String::new();
    for (row, line) in csv(&events(ROWS)).lines().enumerate() {
        let line = if row > 0 && row % 100 == 0 { "a lot,\"x\",0" } else { line };
        writeln!(text, "{line}").unwrap();
    }
    let new = || {
        let place = place(&source);
        place.write("meters.toml", &(pipeline(&source) + dead));
        place.write("data/part.csv", &text);
        place
    };
    let plain = new();
    assert_eq!(plain.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let killed = new();
    let waits_ms = (0..60).map(|round| 120 + round * 97 % 400);
    let kills = kill_until_over(|| killed.start_silently(&["run", "meters.toml", "--quiet"]), waits_ms);
    assert!(kills >= 3, "only {kills} kills hit a running process");
    let last = killed.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    for folder in ["out", "rejects"] {
        assert!(read_folder(&killed.path(folder)) == read_folder(&plain.path(folder)), "{folder} differs");
    }
    let letters = read_folder(&killed.path("rejects"));
    let offsets = letters.column_by_name("offset").unwrap().as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(offsets, (1..=90).map(|hundred| hundred * 100 - 1).collect::<Vec<i64>>());
    assert_eq!(letters.column_by_name("payload").unwrap().as_binary::<i32>().value(0), b"a lot,\"x\",0");
}

#[test]
fn a_run_stops_at_a_bad_line_and_goes_on_there_once_it_is_mended() {
    let whole = jsonl(&events(ROWS));
    let source = format!("type = 'jsonl'\npath = 'data'\n{TEXT}");
    let (plain, stopped) = (place(&source), place(&source));
    plain.write("data/part.jsonl", &whole);
    assert_eq!(plain.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    // Its writer was in the midst of the last line.
    stopped.write("data/part.jsonl", &whole[..whole.len() - 10]);
    let run = stopped.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains(&format!("part.jsonl, line {ROWS} (offset {})", ROWS - 1)), "{}", run.stderr);
    stopped.write("data/part.jsonl", &whole);
    let run = stopped.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(read_folder(&stopped.path("out")) == read_folder(&plain.path("out")), "the output differs");
}
