//! `sluice run` over classes: from a text file to Parquet that others read, killed on the way, with scores of classes at the end.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::process::Command;

use arrow::array::{Array as _, AsArray as _};
use sluicegate_tests::{Workplace, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const ROWS: usize = 3000;

const PIPELINE: &str = r#"
name = "lights"
[source.events]
type = "jsonl"
path = "lights.jsonl"
schema = { at = 'int64', light = 'string', crossing = 'string', day = 'string' }
key = "crossing"
[operator.next]
type = "forecast"
input = "events"
targets = ["light"]
controls = ["persistence", "markov", "ar"]
classes = { max = 5, order = 2 }
features = { categories = ["day"] }
columns = ["class", "probability", "probabilities", "observed_class", "forecast_class", "nll_bits", "weight"]
model = { kind = "gru", hidden = 8, head = "categorical" }
[sink.files]
type = "parquet"
input = "next"
path = "out"
[sink.shown]
type = "console"
input = "next"
format = "json"
limit = 2
"#;

/// Lights of three crossings, each in a cycle; green is followed by amber or red, depending on what was before it.
fn lights() -> String {
    let mut text = String::new();
    for row in 0..ROWS {
        let (crossing, step) = (row % 3, row / 3);
        let light = ["red", "green", "amber", "green"][(step + crossing) % 4];
        let day = if row / 100 % 2 == 0 { "work" } else { "rest" };
        writeln!(text, r#"{{"at":{row},"light":"{light}","crossing":"c{crossing}","day":"{day}"}}"#).unwrap();
    }
    text
}

fn place() -> Workplace {
    let place = Workplace::new(SLUICE);
    place.write("lights.jsonl", &lights());
    place.write("lights.toml", PIPELINE);
    place
}

#[test]
fn classes_are_forecast_scored_and_shown_beside_their_controls() {
    let place = place();
    let run = place.run(&["run", "lights.toml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let table = run.stderr.lines().chain(run.stdout.lines());
    let header = table.clone().find(|line| line.contains("Brier")).unwrap();
    assert!(header.contains("bits") && header.contains("right, %"), "{header}");
    for model in ["next", "markov", "ar", "persistence"] {
        assert!(table.clone().any(|line| line.trim_start().starts_with(model)), "no line of {model}");
    }

    let forecasts = read_folder(&place.path("out"));
    assert_eq!(forecasts.num_rows(), ROWS * 4);
    let text = |column: &str, row: usize| {
        let column = forecasts.column_by_name(column).unwrap().as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    // The mixture comes first of four rows of an event. Late in the log it knows what comes, green or not.
    let product: Vec<usize> = (0..ROWS).map(|event| event * 4).collect();
    let right = |row: &usize| text("forecast_class", *row) == text("observed_class", *row);
    let late = &product[ROWS - 300..];
    assert!(late.iter().filter(|row| right(row)).count() >= 298, "it has learned the cycle");
    assert_eq!(text("forecast_class", 0), None);
    let maps = forecasts.column_by_name("probabilities").unwrap().as_map();
    let names = maps
        .value(product[ROWS - 1])
        .column(0)
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_eq!(names, ["red", "green", "amber", "(other)"]);
}

#[test]
fn others_read_the_map_of_probabilities() {
    let place = place();
    assert_eq!(place.run(&["run", "lights.toml", "--quiet"]).code, Some(0));
    let script = "
import sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
last = table.to_pylist()[-4]
p = dict(last['probabilities'])
assert abs(sum(p.values()) - 1) < 1e-5, p
assert max(p, key=p.get) == last['class'], last
assert abs(p[last['class']] - last['probability']) < 1e-6, last
print(sorted(p))
";
    let python = std::env::var_os("SLUICEGATE_PYTHON").unwrap();
    let read = Command::new(python).args(["-c", script]).arg(place.path("out")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "['(other)', 'amber', 'green', 'red']");
}

#[test]
fn a_run_over_classes_goes_on_where_it_was_stopped() {
    let whole = place();
    assert_eq!(whole.run(&["run", "lights.toml", "--quiet"]).code, Some(0));
    let divided = place();
    let checkpoint = PIPELINE.replace("[source.events]", "[checkpoint]\npath = \"checkpoints\"\n[source.events]");
    divided.write("lights.toml", &checkpoint);
    let all = lights();
    let half = all.lines().take(ROWS / 2).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::create_dir(divided.path("log")).unwrap();
    divided.write("lights.toml", &checkpoint.replace("lights.jsonl", "log"));
    divided.write("log/1.jsonl", &half);
    assert_eq!(divided.run(&["run", "lights.toml", "--quiet"]).code, Some(0));
    divided.write("log/2.jsonl", &all[half.len()..]);
    assert_eq!(divided.run(&["run", "lights.toml", "--quiet"]).code, Some(0));
    let (expected, found) = (read_folder(&whole.path("out")), read_folder(&divided.path("out")));
    for column in ["class", "probability", "nll_bits", "weight", "forecast_class"] {
        assert_eq!(expected.column_by_name(column), found.column_by_name(column), "{column}");
    }
}
