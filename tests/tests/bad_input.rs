//! Wrong pipelines and broken files: one paragraph that says what is wrong, where, and what to do; a non-zero exit; and earlier
//! output left as it was.

use std::fs;
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use sluicegate_tests::{Ended, Workplace, events, read_folder, with_column, with_value_of};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

const PIPELINE: &str = r#"name = "meters"
[source.readings]
type = "parquet"
path = "events.parquet"
time = "ts"
[operator.forecast]
type = "forecast"
input = "readings"
targets = ["load"]
mixture = false
model = { hidden = 4, bptt = { every = 1, window = 4 } }
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
"#;

fn place(pipeline: &str) -> Workplace {
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", 2000);
    place.write("meters.toml", pipeline);
    place
}

/// An error is one paragraph for people: no panic, no debug output.
fn assert_reads_well(ended: &Ended, what: &str) {
    assert!(ended.stderr.starts_with("error: "), "{what}: {}", ended.stderr);
    for ugly in ["panicked", "Error {", "Some(", "RUST_BACKTRACE", "unwrap"] {
        assert!(!ended.stderr.contains(ugly), "{what}: {}", ended.stderr);
    }
    assert!(!ended.stderr.trim_end().contains("\n\n"), "{what}: more than one paragraph: {}", ended.stderr);
}

#[test]
fn a_wrong_pipeline_is_refused_with_its_line_and_what_to_do() {
    /// What is replaced, by what, and what the message must hold.
    type Case = (&'static str, &'static str, &'static [&'static str]);
    const CASES: &[Case] = &[
        ("hidden = 4", "hiden = 4", &["meters.toml:11:11", "hiden", "did you mean `hidden`?"]),
        (
            "[source.readings]\ntype = \"parquet\"",
            "[source.readings]\ntype = \"parket\"",
            &["meters.toml:3", "parket", "did you mean `parquet`?"],
        ),
        ("input = \"readings\"", "input = \"reading\"", &["meters.toml:8", "did you mean `readings`?"]),
        ("input = \"readings\"", "input = \"forecast\"", &["meters.toml:8", "forecast"]),
        ("[sink.files]", "[sink.forecast]", &["meters.toml", "forecast"]),
        ("path = \"out\"\n", "path = \"out\"\n[sink.files]\n", &["meters.toml:16"]),
        (
            "targets = [\"load\"]",
            "targets = [\"lode\"]",
            &["meters.toml:9", "there is no column `lode`", "did you mean `load`?"],
        ),
        ("targets = [\"load\"]", "targets = [\"note\"]", &["meters.toml:9", "`note` has type Utf8", "number"]),
        ("time = \"ts\"", "time = \"tz\"", &["meters.toml:5", "tz", "`ts`"]),
        ("time = \"ts\"", "time = \"note\"", &["meters.toml:5", "note"]),
        ("path = \"events.parquet\"", "path = \"event.parquet\"", &["meters.toml:4", "event.parquet"]),
        ("path = \"events.parquet\"", "path = \"*.parket\"", &["meters.toml:4", "*.parket"]),
        ("path = \"events.parquet\"", "path = \"meters.toml\"", &["meters.toml:4", "not a Parquet file"]),
        ("window = 4", "window = 0", &["meters.toml:11", "bptt.window"]),
        ("every = 1, window = 4", "every = 8, window = 4", &["meters.toml:11", "multiple of bptt.every", "window = 8"]),
        ("every = 1, window = 4", "every = 0, window = 4", &["meters.toml:11", "bptt.every"]),
        ("hidden = 4,", "hidden = 4, lags = 3,", &["meters.toml:11", "model.lags", "set kind = \"mlp\""]),
        ("hidden = 4,", "kind = \"full-history\",", &["meters.toml:11", "bptt.window", "history_max"]),
        ("hidden = 4", "hidden = \"many\"", &["meters.toml:11", "string"]),
        ("hidden = 4", "kind = \"lstn\"", &["meters.toml:11", "lstn", "lstm"]),
        ("name = \"meters\"", "nam = \"meters\"", &["meters.toml", "name"]),
        ("name = \"meters\"", "name = ", &["meters.toml:1"]),
        ("path = \"out\"", "path = \"${SURELY_NOT_SET}\"", &["meters.toml:15", "SURELY_NOT_SET", "not set"]),
    ];
    for (from, to, expected) in CASES {
        assert!(PIPELINE.contains(from), "{from}");
        let place = place(&PIPELINE.replacen(from, to, 1));
        for command in ["check", "run"] {
            let ended = place.run(&[command, "meters.toml"]);
            assert_eq!(ended.code, Some(2), "{command} with {to}: {}", ended.stderr);
            assert_reads_well(&ended, to);
            for part in *expected {
                assert!(ended.stderr.contains(part), "{command} with {to}: `{part}` is not in {}", ended.stderr);
            }
        }
        assert!(!place.path("out").exists(), "{to}: something was written");
    }
}

#[test]
fn a_cycle_is_refused_by_the_names_on_it() {
    let cycle = PIPELINE.replace("input = \"readings\"", "input = \"second\"")
        + "[operator.second]\ntype = \"forecast\"\ninput = \"forecast\"\ntargets = [\"load\"]\n";
    let ended = place(&cycle).run(&["check", "meters.toml"]);
    assert_eq!(ended.code, Some(2));
    assert_reads_well(&ended, "cycle");
    assert!(ended.stderr.contains("forecast") && ended.stderr.contains("second"), "{}", ended.stderr);
}

#[test]
fn an_operator_called_like_one_of_its_controls_is_refused() {
    // Both would be `ar` in the column `model`.
    let named = PIPELINE.replace("[operator.forecast]", "[operator.ar]").replace("\"forecast\"\npath", "\"ar\"\npath");
    let place = place(&named);
    for command in ["check", "run"] {
        let ended = place.run(&[command, "meters.toml"]);
        assert_eq!(ended.code, Some(2), "{command}: {}", ended.stderr);
        assert_reads_well(&ended, command);
        for part in ["meters.toml:6", "operator is called `ar`", "a model beside it", "help: "] {
            assert!(ended.stderr.contains(part), "{command}: `{part}` is not in {}", ended.stderr);
        }
    }
    assert!(!place.path("out").exists(), "something was written");
    // Without that control nothing is in its way.
    let ended = place.run(&["check", "meters.toml", "--set", "ar.controls=[\"persistence\"]"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn wrong_arguments_are_refused() {
    let place = place(PIPELINE);
    for args in [
        &["run"][..],
        &["run", "nowhere.toml"],
        &["walk", "meters.toml"],
        &["run", "meters.toml", "--set", "hidden"],
        &["run", "meters.toml", "--set", "model.hidden=0"],
        &["run", "meters.toml", "--threads", "0"],
    ] {
        let ended = place.run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_file_that_breaks_off_fails_the_run_and_leaves_earlier_output_readable() {
    let place = place(PIPELINE);
    assert_eq!(place.run(&["run", "meters.toml", "--quiet"]).code, Some(0));
    let before = read_folder(&place.path("out"));
    let whole = fs::read(place.path("events.parquet")).unwrap();

    // Pages in the middle of the file, headers and all; the footer and the first rows are whole.
    let mut corrupt = whole.clone();
    let (from, to) = (corrupt.len() / 3, corrupt.len() * 2 / 3);
    corrupt[from..to].fill(0xA5);
    for (what, bytes, code) in [
        ("a truncated file", whole[..whole.len() * 2 / 3].to_vec(), 2),
        ("a corrupt page", corrupt, 1),
        ("an empty file", vec![], 2),
    ] {
        fs::write(place.path("events.parquet"), bytes).unwrap();
        let ended = place.run(&["run", "meters.toml", "--quiet"]);
        assert_eq!(ended.code, Some(code), "{what}: {}", ended.stderr);
        assert_reads_well(&ended, what);
        assert!(ended.stderr.contains("events.parquet"), "{what}: {}", ended.stderr);
        assert_eq!(read_folder(&place.path("out")), before, "{what} changed the earlier output");
    }
}

#[test]
fn an_output_directory_that_cannot_be_written_to_fails_before_any_work() {
    let place = place(&PIPELINE.replace("path = \"out\"", "path = \"events.parquet/out\""));
    let ended = place.run(&["run", "meters.toml", "--quiet"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_reads_well(&ended, "output");
    assert!(ended.stderr.contains("events.parquet/out") || ended.stderr.contains("events.parquet"), "{}", ended.stderr);
}

#[test]
fn a_value_that_the_settings_say_to_stop_at_is_named_with_its_offset() {
    let good = events(2000);
    let nan = {
        let mut load = good.column_by_name("load").unwrap().as_primitive::<Float64Type>().values().to_vec();
        load[1202] = f64::NAN;
        Arc::new(Float64Array::from(load))
    };
    // Of two meters in turn, `b` has the odd rows; at row 1,001 it is given the time of its row 3.
    for (setting, column, offset, records, reason) in [
        ("time", "ts", 1001, with_value_of(&good, "ts", 1001, Some(3)), "lies before an earlier event of the same key"),
        ("target", "load", 1202, with_column(&good, "load", nan), "is not a finite number"),
        ("input", "count", 403, with_value_of(&good, "count", 403, None), "is null"),
    ] {
        let place = place(PIPELINE);
        place.write_records("events.parquet", &records);
        let settings = ["--set", "readings.key=meter", "--set", "forecast.features.inputs=[\"count\"]"];
        let run = [&["run", "meters.toml", "--quiet"][..], &settings].concat();

        let stop = format!("forecast.bad_values.{setting}=fail");
        let ended = place.run(&[&run[..], &["--set", &stop]].concat());
        assert_eq!(ended.code, Some(1), "{setting}: {}", ended.stderr);
        assert_reads_well(&ended, setting);
        let expected = format!("offset {offset}: column `{column}` {reason}, and `bad_values.{setting}` is \"fail\"");
        assert!(ended.stderr.contains(&expected), "{setting}: `{expected}` is not in {}", ended.stderr);

        // By default it is taken as missing, and the run goes on to the last event.
        let ended = place.run(&run);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{setting}");
        assert_eq!(read_folder(&place.path("out")).num_rows(), 2000 * 3, "{setting}");
    }
}
