//! `sluice generate`: sequences sampled forward from the newest checkpoint of a pipeline.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use sluicegate_tests::{Ended, Workplace, events, pipelines, read_file};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

/// A pipeline over `notes.parquet` that learns which note follows which.
const NOTES: &str = r#"
name = "notes"
[checkpoint]
path = "checkpoints"
[source.notes]
type = "parquet"
path = "notes.parquet"
[operator.next]
type = "forecast"
input = "notes"
targets = ["note"]
controls = ["ar"]
mixture = false
classes = { max = 8, order = 3 }
model = { kind = "lstm", hidden = 16, head = "categorical", bptt = { every = 4, window = 8 }, optimizer = { rate = 1e-2 } }
[sink.forecasts]
type = "parquet"
input = "next"
path = "forecasts"
"#;

const CYCLE: [&str; 6] = ["do", "re", "mi", "fa", "mi", "re"];

fn notes() -> Workplace {
    let place = Workplace::new(SLUICE);
    let notes: ArrayRef = Arc::new(StringArray::from_iter_values((0..1500).map(|row| CYCLE[row % 6])));
    place.write_records("notes.parquet", &RecordBatch::try_from_iter([("note", notes)]).unwrap());
    place.write("notes.toml", NOTES);
    done(&place.run(&["run", "notes.toml", "-q"]));
    place
}

fn done(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

fn refused(ended: &Ended, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "`{word}` is not in: {}", ended.stderr);
    }
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn a_learned_cycle_goes_on_and_no_checkpoint_changes() {
    let place = notes();
    let before = files(&place.path("checkpoints"));
    let args = ["generate", "notes.toml", "--length", "24", "--seed", "3", "--temperature", "0.3"];
    let ended = place.run(&args);
    done(&ended);
    let expected: Vec<&str> = (0..24).map(|row| CYCLE[row % 6]).collect();
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(place.run(&args).stdout, ended.stdout);
    assert_eq!(files(&place.path("checkpoints")), before);

    let nothing = place.run(&["generate", "notes.toml", "--length", "0"]);
    done(&nothing);
    assert_eq!(nothing.stdout, "");
}

#[test]
fn checkpoints_of_other_pipelines_are_refused_with_what_differs() {
    let place = notes();
    let generate = |more: &[&str]| place.run(&[&["generate", "notes.toml", "--length", "5"], more].concat());
    refused(&generate(&["--set", "next.model.hidden=8"]), &["`model.hidden` = 16", "8"]);
    refused(&generate(&["--set", "next.classes.order=2"]), &["`classes.order` = 3"]);
    refused(&generate(&["--checkpoint", "nowhere"]), &["nowhere", "no such folder"]);
    refused(&generate(&["--key", "a"]), &["--key a", "(none)"]);
    refused(&generate(&["--partition", "x"]), &["partition `x`", "these have: notes"]);
    refused(&generate(&["--operator", "forecast"]), &["--operator forecast", "next"]);
    refused(&generate(&["--stop-at-end"]), &["no symbol here stands for an end"]);
    refused(&generate(&["--paths", "3"]), &["--paths is of numbers"]);

    place.write("other.toml", &NOTES.replace("name = \"notes\"", "name = \"other\""));
    let other = place.run(&["generate", "other.toml", "--length", "5"]);
    refused(&other, &["no checkpoints of a pipeline called `other`", "there are: notes"]);
    place.write("renamed.toml", &NOTES.replace("operator.next", "operator.then").replace("\"next\"", "\"then\""));
    let renamed = place.run(&["generate", "renamed.toml", "--length", "5"]);
    refused(&renamed, &["made by another pipeline", "operator `then`", "`next` (forecast)"]);
}

/// Messages of a byte each and their ends, again and again.
#[test]
fn symbols_come_out_as_text_and_stop_at_an_end() {
    let place = Workplace::new(SLUICE);
    let message: ArrayRef = Arc::new(StringArray::from_iter_values((0..300).map(|_| "ho-ho")));
    place.write_records("messages.parquet", &RecordBatch::try_from_iter([("text", message)]).unwrap());
    for (unit, expected) in [("byte", "ho-ho\nho-ho\nho"), ("token", "ho-ho\nho-ho\nho-ho\nho-")] {
        let pipeline = SYMBOLS.replace("UNIT", unit);
        place.write("symbols.toml", &pipeline);
        done(&place.run(&["run", "symbols.toml", "-q"]));
        let args = ["generate", "symbols.toml", "--length", "14", "--temperature", "0.2"];
        let ended = place.run(&args);
        done(&ended);
        assert_eq!(ended.stdout, expected);
        let one = place.run(&[&args[..], &["--stop-at-end", "--out", "one.txt"]].concat());
        done(&one);
        assert_eq!((one.stdout.as_str(), fs::read_to_string(place.path("one.txt")).unwrap().as_str()), ("", "ho-ho\n"));
    }
    let other = place.run(&["generate", "symbols.toml", "--length", "5", "--set", "letters.unit=char"]);
    refused(&other, &["state of `letters`", "`unit`"]);
}

const SYMBOLS: &str = r#"
name = "UNIT"
[checkpoint]
path = "checkpoints"
[source.messages]
type = "parquet"
path = "messages.parquet"
[operator.letters]
type = "symbols"
input = "messages"
column = "text"
unit = "UNIT"
end = true
[operator.next]
type = "forecast"
input = "letters"
targets = ["symbol"]
controls = []
classes = { max = 257, order = 4 }
model = { kind = "ar", head = "categorical" }
[sink.forecasts]
type = "parquet"
input = "next"
path = "UNIT"
"#;

#[test]
fn sound_becomes_a_file_of_its_own_rate() {
    let place = Workplace::new(SLUICE);
    let recording = fs::read(pipelines().join("data/sound/0_jackson_0.wav")).unwrap();
    fs::write(place.path("spoken.wav"), &recording).unwrap();
    place.write("sound.toml", SOUND);
    done(&place.run(&["run", "sound.toml", "-q"]));
    let args = ["generate", "sound.toml", "--length", "800", "--out"];
    refused(&place.run(&[&args[..], &["a.wav", "--paths", "3"]].concat()), &["one path"]);
    done(&place.run(&[&args[..], &["a.wav"]].concat()));
    let written = fs::read(place.path("a.wav")).unwrap();
    assert_eq!(written.len(), 44 + 1600, "a header and 800 samples of 16 bits");
    assert_eq!(written[..4], recording[..4]);
    assert_eq!(written[20..36], recording[20..36], "format, channels, rate and bits");
    // What was written can be read and generated from as sound.
    fs::rename(place.path("a.wav"), place.path("spoken.wav")).unwrap();
    done(&place.run(&["check", "sound.toml"]));
}

const SOUND: &str = r#"
name = "sound"
[checkpoint]
path = "checkpoints"
[source.speech]
type = "wav"
path = "spoken.wav"
[operator.forecast]
type = "forecast"
input = "speech"
targets = ["value"]
controls = []
model = { kind = "ar" }
ar = { lags = [1, 2, 3, 4] }
[sink.forecasts]
type = "parquet"
input = "forecast"
path = "forecasts"
"#;

const LOAD: &str = r#"
name = "load"
[checkpoint]
path = "checkpoints"
[source.meters]
type = "parquet"
path = "load.parquet"
time = "ts"
key = "meter"
[operator.forecast]
type = "forecast"
input = "meters"
targets = ["load", "count"]
controls = ["ar"]
model = { kind = "gru", hidden = 8 }
[sink.forecasts]
type = "parquet"
input = "forecast"
path = "forecasts"
"#;

fn numbers(table: &RecordBatch, name: &str) -> Vec<f64> {
    table.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

#[test]
fn numbers_become_a_fan_of_paths() {
    let place = Workplace::new(SLUICE);
    place.write_records("load.parquet", &events(1200));
    place.write("load.toml", LOAD);
    done(&place.run(&["run", "load.toml", "-q"]));
    let generate =
        |more: &[&str]| place.run(&[&["generate", "load.toml", "--length", "12", "--seed", "7"], more].concat());

    refused(&generate(&[]), &["2 keys", "--key: a, b"]);
    refused(&generate(&["--key", "b", "--out", "fan.csv"]), &["fan.csv", ".parquet"]);
    refused(&generate(&["--key", "b", "--out", "fan.wav"]), &["fan.wav", "type wav"]);
    refused(&generate(&["--key", "b", "--keep-paths"]), &["--out FILE.parquet"]);

    let out = |name: &str| ["--key", "b", "--paths", "40", "--keep-paths", "--out", name].map(str::to_owned);
    for name in ["fan.parquet", "again.parquet"] {
        let args = out(name);
        done(&generate(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    assert_eq!(fs::read(place.path("fan.parquet")).unwrap(), fs::read(place.path("again.parquet")).unwrap());
    let fan = read_file(&place.path("fan.parquet"));
    assert_eq!(fan.num_rows(), 24, "two targets at twelve steps");
    let levels = ["q025", "q100", "q250", "q500", "q750", "q900", "q975"].map(|name| numbers(&fan, name));
    for row in 0..24 {
        assert!(levels.windows(2).all(|pair| pair[0][row] <= pair[1][row]), "row {row}");
        let paths = fan.column_by_name("paths").unwrap().as_list::<i32>().value(row);
        let paths = paths.as_primitive::<Float64Type>();
        assert_eq!(paths.len(), 40);
        let mean = paths.values().iter().sum::<f64>() / 40.0;
        assert!((mean - numbers(&fan, "mean")[row]).abs() < 1e-9);
    }
    // The load lies between 7 and 13.6, and one step ahead little is open.
    assert!((5.0..16.0).contains(&levels[3][0]), "{}", levels[3][0]);
    let width = |row: usize| levels[6][row] - levels[0][row];
    assert!(width(0) > 0.0 && width(0) < 10.0, "{}", width(0));

    let shown = generate(&["--key", "b", "--paths", "5"]);
    done(&shown);
    // 1,200 events of two meters are 600 hours.
    assert!(shown.stdout.contains("1970-01-26T00:00:00"), "{}", shown.stdout);
}
