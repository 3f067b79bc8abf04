//! `sluice run` over files with `[checkpoint]`: a run that is killed, stopped or finished is gone on with, not begun again.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Stdio};
use std::time::Duration;

use sluicegate_tests::{Workplace, events, kill_until_over, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

const PIPELINE: &str = r#"
name = "meters"
[checkpoint]
path = "checkpoints"
interval_ms = 20
[source.readings]
type = "parquet"
path = "data"
time = "ts"
key = "meter"
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
model = { hidden = 8, update_every = 3, backend = "libtorch" }
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
file_rows_max = 5000
row_group_rows = 1000
"#;

const ROWS: usize = 12_000;

fn place(pipeline: &str) -> Workplace {
    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    place.write_events("data/part-0.parquet", ROWS);
    place.write("meters.toml", pipeline);
    place
}

fn hidden(place: &Workplace) -> Vec<String> {
    let names = std::fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with('.')).collect()
}

#[test]
fn killed_again_and_again_it_shows_every_row_once() {
    let plain = place(PIPELINE);
    assert_eq!(plain.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let expected = read_folder(&plain.path("out"));

    let killed = place(PIPELINE);
    let waits_ms = (0..60).map(|round| 120 + round * 97 % 400);
    let kills = kill_until_over(|| killed.start_silently(&["run", "meters.toml", "--quiet"]), waits_ms);
    assert!(kills >= 3, "only {kills} kills hit a running process");
    let last = killed.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert!(read_folder(&killed.path("out")) == expected, "killed {kills} times, the output differs");
    assert_eq!(hidden(&killed), Vec::<String>::new());
}

#[test]
fn interrupted_it_goes_on_and_finished_it_waits_for_more() {
    let plain = place(PIPELINE);
    plain.write_events("data/part-0.parquet", ROWS);
    let more = events(ROWS + 500).slice(ROWS, 500);
    let stopped = place(PIPELINE);
    let run = stopped.command(&["run", "meters.toml", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
    // Rows are staged, so it is at work and hears signals.
    let staged =
        |place: &Workplace| place.path("out").is_dir() && hidden(place).iter().any(|name| name.ends_with(".arrow"));
    while !staged(&stopped) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    let interrupted = run.wait_with_output().unwrap();
    assert_eq!(interrupted.status.code(), Some(130));
    assert_eq!(stopped.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    // All is done, so there is nothing to do.
    let again = stopped.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(read_folder(&stopped.path("out")).num_rows(), ROWS * 3);
    // Files that come later are gone on with.
    for place in [&plain, &stopped] {
        place.write_records("data/part-1.parquet", &more);
    }
    let more = stopped.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(more.code, Some(0), "{}", more.stderr);
    assert_eq!(plain.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    assert!(read_folder(&stopped.path("out")) == read_folder(&plain.path("out")), "the output differs");
}

#[test]
fn what_changes_the_state_is_refused_and_fresh_begins_anew() {
    let place = place(PIPELINE);
    assert_eq!(place.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let changed = place.run(&["run", "meters.toml", "--quiet", "--set", "forecast.model.hidden=16"]);
    assert_eq!(changed.code, Some(1));
    assert!(changed.stderr.contains("hidden"), "{}", changed.stderr);
    let anew = place.run(&["run", "meters.toml", "--quiet", "--set", "forecast.model.hidden=16", "--fresh", "meters"]);
    assert_eq!(anew.code, Some(0), "{}", anew.stderr);
    assert_eq!(read_folder(&place.path("out")).num_rows(), ROWS * 3);
}

#[test]
fn a_damaged_checkpoint_is_named_and_never_loaded() {
    let place = place(PIPELINE);
    assert_eq!(place.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let mut damaged = 0;
    for entry in walk(&place.path("checkpoints")) {
        if entry.extension().is_some_and(|extension| extension == "state") {
            let mut bytes = std::fs::read(&entry).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&entry, bytes).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    let run = place.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains(".state is damaged") && run.stderr.contains("--fresh"), "{}", run.stderr);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
