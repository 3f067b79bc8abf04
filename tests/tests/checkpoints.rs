//! `sluice checkpoint`, and pipelines that begin with what another learned.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use arrow::compute::concat_batches;
use sluicegate_tests::{Ended, Workplace, events, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

const PIPELINE: &str = r#"
name = "meters"
[checkpoint]
path = "checkpoints"
interval_ms = 3600000
every_events = 1000
retain = 10
[source.readings]
type = "parquet"
path = "data"
time = "ts"
key = "meter"
batch_rows = 500
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
model = { hidden = 8, update_every = 3 }
[sink.shown]
type = "console"
input = "forecast"
format = "json"
"#;

const ROWS: usize = 6000;

fn place() -> Workplace {
    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    place.write_events("data/part-0.parquet", ROWS);
    place.write("meters.toml", PIPELINE);
    place
}

fn done(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// Names and positions of the checkpoints, oldest first.
fn listed(place: &Workplace) -> Vec<(String, usize)> {
    let text = done(place.run(&["checkpoint", "list", "meters.toml"]));
    let rows = text.lines().filter(|line| line.trim_start().starts_with("data"));
    rows.map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        (words[1].to_owned(), words[2].replace(',', "").parse().unwrap())
    })
    .collect()
}

/// What the newest checkpoint holds, in full.
fn shown(place: &Workplace) -> String {
    let text = done(place.run(&["checkpoint", "show", "meters.toml", "data"]));
    text.lines().skip(3).collect::<Vec<_>>().join("\n")
}

#[test]
fn checkpoints_are_listed_shown_and_verified_without_the_data() {
    let place = place();
    assert!(done(place.run(&["checkpoint", "list", "meters.toml"])).contains("no checkpoints yet"));
    done(place.run(&["run", "meters.toml", "--quiet"]));
    std::fs::remove_dir_all(place.path("data")).unwrap();
    let all = listed(&place);
    assert_eq!(all.last().map(|(_, position)| *position), Some(ROWS));
    assert!(all.len() > 3, "{all:?}");
    let text = done(place.run(&["checkpoint", "show", "meters.toml", "data", &all[1].0]));
    assert!(text.contains(&format!("position    {}", all[1].1)) && text.contains("parameters"), "{text}");
    assert!(done(place.run(&["checkpoint", "verify", "meters.toml"])).ends_with("0 damaged\n"));

    let file = place.path(&format!("checkpoints/meters/data/{}/forecast.state", all[0].0));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let verified = place.run(&["checkpoint", "verify", "meters.toml"]);
    assert_eq!(verified.code, Some(1));
    let line = verified.stdout.lines().find(|line| line.contains(&format!("data {}", all[0].0))).unwrap();
    assert!(line.contains("forecast.state is damaged"), "{line}");

    let unknown = place.run(&["checkpoint", "show", "meters.toml", "dada"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("these have: data"), "{}", unknown.stderr);
}

#[test]
fn after_a_rewind_the_rows_since_come_again_and_lead_to_the_same_state() {
    let place = place();
    let first = done(place.run(&["run", "meters.toml", "--quiet"]));
    let state = shown(&place);
    assert_eq!(done(place.run(&["run", "meters.toml", "--quiet"])), "", "all is done");
    let all = listed(&place);
    let (name, position) = &all[all.len() - 3];
    let said = done(place.run(&["checkpoint", "rewind", "meters.toml", "data", name]));
    assert!(said.contains(&format!("goes on at offset {position}")), "{said}");
    assert_eq!(listed(&place).last().map(|(name, _)| name), Some(name), "newer ones are gone");
    let again = done(place.run(&["run", "meters.toml", "--quiet"]));
    assert!(first.ends_with(&again) && again.lines().count() >= ROWS - position, "{}", again.lines().count());
    assert_eq!(shown(&place), state);

    let none = place.run(&["checkpoint", "rewind", "meters.toml", "data", "0000000099-a-b"]);
    assert_eq!(none.code, Some(1));
    for part in ["no checkpoint `0000000099-a-b`", "0000000099-a-b/manifest.json is missing", "checkpoint list"] {
        assert!(none.stderr.contains(part), "no `{part}` in: {}", none.stderr);
    }
}

#[test]
fn rows_that_are_visible_are_not_taken_back_by_a_rewind() {
    let place = place();
    let files = PIPELINE.replace("\"console\"", "\"parquet\"").replace("format = \"json\"", "path = \"out\"");
    place.write("meters.toml", &files);
    done(place.run(&["run", "meters.toml", "--quiet"]));
    let all = listed(&place);
    let refused = place.run(&["checkpoint", "rewind", "meters.toml", "data", &all[0].0]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("sink `shown`") && refused.stderr.contains("--fresh"), "{}", refused.stderr);
    assert_eq!(listed(&place), all);
}

/// A pipeline that begins with what another learned from the events before its own gives what one run over all would have.
#[test]
fn a_pipeline_starts_from_the_checkpoint_of_another() {
    let files = PIPELINE.replace("\"console\"", "\"parquet\"").replace("format = \"json\"", "path = \"out\"");
    let whole = place();
    whole.write("meters.toml", &files);
    done(whole.run(&["run", "meters.toml", "--quiet"]));
    let expected = read_folder(&whole.path("out"));

    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::create_dir(place.path("live")).unwrap();
    let all = events(ROWS);
    place.write_records("data/part-0.parquet", &all.slice(0, 4000));
    place.write_records("live/part-0.parquet", &all.slice(4000, ROWS - 4000));
    place.write("meters.toml", &files.replace("\"out\"", "\"out/history\""));
    done(place.run(&["run", "meters.toml", "--quiet"]));
    let live = files
        .replace("name = \"meters\"", "name = \"live\"")
        .replace("path = \"data\"", "path = \"live\"")
        .replace("\"out\"", "\"out/live\"")
        .replace("retain = 10", "start_from = { pipeline = \"meters\" }");
    place.write("live.toml", &live);
    done(place.run(&["run", "live.toml", "--quiet"]));
    let halves = [read_folder(&place.path("out/history")), read_folder(&place.path("out/live"))];
    assert!(halves.iter().all(|half| half.num_rows() > 0));
    let both = concat_batches(&expected.schema(), &halves).unwrap();
    assert_eq!(both.num_rows(), expected.num_rows());
    for (column, field) in expected.schema().fields().iter().enumerate() {
        // A row is called after the partition that it was read from.
        let is_name = ["partition", "offset"].contains(&field.name().as_str());
        assert!(is_name || both.column(column) == expected.column(column), "column {} differs", field.name());
    }

    // It is for the beginning alone.
    std::fs::remove_dir_all(place.path("checkpoints/meters")).unwrap();
    done(place.run(&["run", "live.toml", "--quiet"]));
    let anew = place.run(&["run", "live.toml", "--quiet", "--fresh", "live"]);
    assert_eq!(anew.code, Some(1));
    assert!(anew.stderr.contains("pipeline `meters` has no checkpoints there"), "{}", anew.stderr);
}
