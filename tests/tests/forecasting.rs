//! `sluice run`, from a pipeline file to files that others read.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use sluicegate_score::{StudentT, TShape};
use sluicegate_tests::{Workplace, events, pipelines, read_folder, with_column};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

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
mixture = false
interval = "1h"
features = { calendar = ["hour"] }
model = { hidden = 8 }
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
"#;

fn meters(rows: usize) -> Workplace {
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", rows);
    place.write("meters.toml", PIPELINE);
    place
}

fn numbers(table: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    table.column_by_name(column).unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn texts(table: &RecordBatch, column: &str) -> Vec<String> {
    let column =
        arrow::compute::cast(table.column_by_name(column).unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_bundled_power_pipeline_forecasts_every_hour_better_than_its_controls() {
    let place = Workplace::new(SLUICE);
    let pipeline = pipelines().join("power.toml");
    let out = place.path("out");
    let sink = format!("sink.forecasts.path={}", out.display());
    let ended = place.run(&["run", pipeline.to_str().unwrap(), "--quiet", "--set", &sink]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let table = read_folder(&out);
    assert_eq!(table.num_rows(), 17_420 * 7 * 3);

    // The order within an event is target, horizon, model; the model's name is the operator's.
    assert_eq!(texts(&table.slice(0, 4), "model"), ["forecast", "persistence", "ar", "forecast"]);
    assert_eq!(texts(&table.slice(0, 7), "target")[..6], ["HUFL", "HUFL", "HUFL", "HULL", "HULL", "HULL"]);
    let offsets = table.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
    assert_eq!((offsets.value(20), offsets.value(21), offsets.value(table.num_rows() - 1)), (0, 1, 17_419));

    // Scores by hand from the columns: hours 3,600 to 14,400, all targets.
    let (models, nll) = (texts(&table, "model"), numbers(&table, "nll"));
    let mean_nll = |model: &str| {
        let scored =
            (0..table.num_rows()).filter(|row| (3600..14_400).contains(&offsets.value(*row)) && models[*row] == model);
        let scores: Vec<f64> = scored.map(|row| nll[row].unwrap()).collect();
        assert_eq!(scores.len(), 10_800 * 7);
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    let (network, ar, persistence) = (mean_nll("forecast"), mean_nll("ar"), mean_nll("persistence"));
    assert!(network < ar - 0.1 && ar < persistence - 0.1, "{network}, {ar}, {persistence}");
    for name in ["forecast", "ar", "persistence", "scored events", "still learning"] {
        assert!(ended.stdout.contains(name), "{}", ended.stdout);
    }
}

#[test]
fn a_forecast_row_says_what_comes_next_and_what_became_of_the_last_one() {
    let place = meters(400);
    let ended = place.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let table = read_folder(&place.path("out"));
    assert_eq!(table.num_rows(), 400 * 3);
    assert_eq!(texts(&table, "key")[..4], ["a", "a", "a", "b"]);
    let (means, forecasts) = (numbers(&table, "mean"), numbers(&table, "forecast"));
    let (observed, nll, q025, q500, q975) = (
        numbers(&table, "observed"),
        numbers(&table, "nll"),
        numbers(&table, "q025"),
        numbers(&table, "q500"),
        numbers(&table, "q975"),
    );
    // Two keys in turn, three models: the key's last event is six rows up.
    for row in 6..table.num_rows() {
        assert_eq!(forecasts[row], means[row - 6], "row {row}");
        assert_eq!(nll[row].is_some(), forecasts[row].is_some());
        assert!(observed[row].is_some());
    }
    // Nothing can be said before a difference is known; from then on there is a distribution.
    assert!(means[..6].iter().all(Option::is_none) && means[6..].iter().all(Option::is_some));
    for row in 6..table.num_rows() {
        assert!(q025[row] < q500[row] && q500[row] < q975[row]);
    }
    let horizons = table.column_by_name("horizon").unwrap().as_primitive::<Int32Type>();
    assert!(horizons.iter().all(|horizon| horizon == Some(1)));
}

#[test]
fn at_every_horizon_a_row_scores_the_forecast_that_its_key_got_so_many_events_ago() {
    // Three keys, whose events come in no regular order.
    let meter = |row: usize| ["a", "b", "c"][(row * row + row / 5) % 7 % 3];
    let meters = Arc::new(StringArray::from_iter_values((0..300).map(meter)));
    let place = Workplace::new(SLUICE);
    place.write_records("events.parquet", &with_column(&events(300), "meter", meters));
    place.write("meters.toml", PIPELINE);
    let several = ["--set", "forecast.horizons=[1, 3, 4]", "--set", "forecast.targets=[\"load\", \"count\"]"];
    let ended = place.run(&[&["run", "meters.toml", "--quiet"][..], &several].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let table = read_folder(&place.path("out"));
    assert_eq!(table.num_rows(), 300 * 2 * 3 * 3);

    let [keys, targets, models, families] = ["key", "target", "model", "family"].map(|name| texts(&table, name));
    let [means, scales, shapes] = ["mean", "scale", "shape"].map(|name| numbers(&table, name));
    let [observed, forecasts, nll, pit] = ["observed", "forecast", "nll", "pit"].map(|name| numbers(&table, name));
    let horizons = table.column_by_name("horizon").unwrap().as_primitive::<Int32Type>();
    // Rows of one series, one for each event of its key.
    let mut series = BTreeMap::<_, Vec<usize>>::new();
    for row in 0..table.num_rows() {
        series.entry((&keys[row], &targets[row], &models[row], horizons.value(row))).or_default().push(row);
    }
    assert_eq!(series.len(), 3 * 2 * 3 * 3);
    for ((key, target, model, horizon), rows) in series {
        let what = format!("{model} of {target} of {key}, {horizon} ahead");
        let mut scored = 0;
        for (event, row) in rows.iter().copied().enumerate() {
            let then = event.checked_sub(horizon as usize).map(|then| rows[then]);
            assert_eq!(forecasts[row], then.and_then(|then| means[then]), "{what}: event {event}");
            let Some(then) = then.filter(|then| means[*then].is_some()) else {
                assert_eq!((nll[row], pit[row]), (None, None), "{what}: event {event}");
                continue;
            };
            assert_eq!(families[then], "student-t", "{what}");
            let shape = TShape::new(shapes[then].unwrap());
            let issued = StudentT::new(means[then].unwrap(), scales[then].unwrap(), shape).unwrap();
            let score = issued.score(observed[row].unwrap());
            for (written, again) in [(nll[row], score.nll), (pit[row], score.pit)] {
                let difference = (written.unwrap() - again).abs();
                assert!(difference <= 1e-9, "{what}: event {event}: {written:?} is not {again}");
            }
            scored += 1;
        }
        // All but the first events, for which nothing could be said, and those that were `horizon` ahead of them.
        assert!(scored > rows.len() - 10 && scored > 40, "{what}: {scored} of {}", rows.len());
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_whatever_the_size_of_batches() {
    let place = meters(900);
    let mut files = Vec::new();
    for rows in ["8192", "1", "37"] {
        let batch_rows = format!("readings.batch_rows={rows}");
        let ended =
            place.run(&["run", "meters.toml", "--quiet", "--set", &batch_rows, "--set", "sink.files.path=again"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        files.push(fs::read(fs::read_dir(place.path("again")).unwrap().next().unwrap().unwrap().path()).unwrap());
    }
    assert!(
        files.windows(2).all(|pair| pair[0] == pair[1]),
        "files of {:?} bytes",
        files.iter().map(Vec::len).collect::<Vec<_>>()
    );
}

#[test]
fn one_partition_per_file_means_one_instance_each() {
    let place = meters(300);
    fs::create_dir(place.path("days")).unwrap();
    for day in ["monday", "tuesday"] {
        place.write_events(&format!("days/{day}.parquet"), 300);
    }
    let settings = ["--set", "readings.path=days", "--set", "readings.partitions=per-file"];
    let ended = place.run(&[&["run", "meters.toml", "--quiet"][..], &settings].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("forecast: 2 instances, "), "{}", ended.stdout);
    let table = read_folder(&place.path("out"));
    let partitions = texts(&table, "partition");
    assert_eq!((partitions[0].as_str(), partitions[partitions.len() - 1].as_str()), ("monday", "tuesday"));
    // Equal logs, learned apart, forecast alike.
    let half = table.num_rows() / 2;
    assert_eq!(numbers(&table, "mean")[..half], numbers(&table, "mean")[half..]);
}

#[test]
fn a_target_that_never_varies_has_events_but_no_standardised_scores() {
    let place = meters(400);
    let flat = Arc::new(Float64Array::from(vec![7.0; 400]));
    place.write_records("events.parquet", &with_column(&events(400), "load", flat));
    let ended = place.run(&["run", "meters.toml", "--quiet", "--set", "forecast.scores.standardise_rows=100"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = ended.stdout.lines().find(|line| line.starts_with(" forecast ")).expect(&ended.stdout);
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells, [&["forecast", "396"][..], &["–"; 8]].concat(), "{}", ended.stdout);
}

#[test]
fn events_can_feed_several_sinks() {
    let place = meters(50);
    place.write("meters.toml", &format!("{PIPELINE}\n[sink.raw]\ntype = \"parquet\"\ninput = \"readings\"\npath = \"raw\"\n[sink.lines]\ntype = \"console\"\ninput = \"forecast\"\nformat = \"json\"\nlimit = 3\n"));
    let ended = place.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(read_folder(&place.path("raw")).num_rows(), 50);
    assert_eq!(read_folder(&place.path("out")).num_rows(), 150);
    // Standard output holds the lines and nothing else; the report goes to standard error.
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.stdout);
    assert!(ended.stderr.contains("meters: 50 events in"), "{}", ended.stderr);
    assert!(lines[0].contains(r#""model":"forecast""#), "{}", lines[0]);
}

#[test]
fn files_are_read_by_pyarrow_pandas_and_duckdb() {
    let python = std::env::var_os("SLUICEGATE_PYTHON").expect("SLUICEGATE_PYTHON is set by .cargo/config.toml");
    let place = meters(400);
    let rolled = ["--set", "files.file_rows_max=500"];
    let ended = place.run(&[&["run", "meters.toml", "--quiet"][..], &rolled].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    place.write(
        "read.py",
        r#"
import duckdb, pandas, pyarrow.dataset, pyarrow.parquet, pathlib
files = sorted(pathlib.Path("out").glob("part-*.parquet"))
assert [pyarrow.parquet.ParquetFile(f).metadata.num_rows for f in files] == [500, 500, 200], files
table = pyarrow.dataset.dataset("out").to_table()
assert table.num_rows == 1200 and str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
frame = pandas.read_parquet("out")
assert frame.key.astype(str).value_counts().to_dict() == {"a": 600, "b": 600}
assert set(frame.model.astype(str)) == {"forecast", "persistence", "ar"}
scored = frame[frame.nll.notna()]
assert len(scored) == 3 * (400 - 4) and ((scored.pit >= 0) & (scored.pit <= 1)).all()
rows = duckdb.sql("select model, count(nll), avg(crps) from 'out/*.parquet' group by model order by model").fetchall()
assert [row[:2] for row in rows] == [("ar", 396), ("forecast", 396), ("persistence", 396)], rows
assert all(row[2] > 0 for row in rows)
print("read by all three")
"#,
    );
    let output = Command::new(&python)
        .arg("read.py")
        .current_dir(place.path(""))
        .output()
        .expect("run `cargo xtask test` once: it makes this Python");
    let read = String::from_utf8_lossy(&output.stdout);
    assert!(read.contains("read by all three"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_interrupt_ends_cleanly_with_complete_files() {
    let place = meters(200_000);
    let mut child = place
        .command(&["run", "meters.toml", "--set", "files.file_rows_max=2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Wait for the first complete file, then interrupt as a terminal would.
    while !fs::read_dir(place.path("out"))
        .is_ok_and(|mut files| files.any(|file| file.unwrap().file_name().to_string_lossy().starts_with("part-")))
    {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(130), "{stderr}");
    let left: Vec<String> = fs::read_dir(place.path("out"))
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(left.iter().all(|name| name.starts_with("part-") && name.ends_with(".parquet")), "{left:?}");
    let table = read_folder(&place.path("out"));
    let offsets = table.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
    // A prefix: whole events, none left out.
    assert!(table.num_rows() >= 2000 && table.num_rows() < 600_000);
    assert!((0..table.num_rows()).all(|row| offsets.value(row) == row as i64 / 3));
}
