//! `sluice diagnose` as a user calls it, on made-up events.
#![cfg(all(feature = "source", feature = "sink", feature = "model"))]
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but does not know their helpers")]

use std::fs::File;
use std::process::ExitCode;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate_cli::Console;
use tempfile::TempDir;

const PIPELINE: &str = r#"
name = "copies"
source.symbols = { type = "copy", lag = 4, streams = 4, events = 2000 }
sink.out = { type = "console", input = "next" }

[operator.next]
type = "forecast"
input = "symbols"
targets = ["copy"]
features = { categories = ["symbol"] }
classes = { max = 6 }
model = { kind = "gru", hidden = 4, head = "categorical", bptt = { every = 2, window = 8 }, update_every = 8 }
"#;

/// The exit code and what was printed.
fn sluice(pipeline: &str, args: &[&str]) -> (ExitCode, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, pipeline).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = ["sluice", "diagnose", args[0], file.to_str().unwrap()].into_iter().chain(args[1..].iter().copied());
    let code = sluicegate_cli::run(words.map(Into::into), |_| Ok(()), &mut Console::new(&mut out, &mut err));
    (code, String::from_utf8(out).unwrap() + &String::from_utf8(err).unwrap())
}

fn assert_says(pipeline: &str, args: &[&str], code: ExitCode, parts: &[&str]) {
    let (found, text) = sluice(pipeline, args);
    assert_eq!(found, code, "{text}");
    parts.iter().for_each(|part| assert!(text.contains(part), "no {part:?} in:\n{text}"));
}

#[test]
fn every_diagnosis_prints_a_table_and_writes_a_picture_and_all_figures() {
    for (name, columns, rows, parts) in [
        (
            "gradients",
            &["lag", "rnn", "gru", "lstm"][..],
            20,
            &["next on 2,000 events of partition copy", "│  1.0000"][..],
        ),
        ("truncation", &["window", "rnn", "gru", "lstm"], 10, &["gru: a window of ", " for 0.1"]),
        ("gates", &["step", "r", "z", "n"], 20, &["topmost layer of `gru`"]),
        ("cost", &["model", "parameters"], 3, &["lstm", "µs per event"]),
        ("order", &["seed", "as they are", "shuffled"], 2, &["lost without the order: ", "standard error over seeds"]),
    ] {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out");
        let parts: Vec<&str> = parts.iter().map(|part| part.trim_start_matches("│  ")).collect();
        let args = [name, "--lags", "20", "--seeds", "2", "--out", out.to_str().unwrap()];
        assert_says(PIPELINE, &args, ExitCode::SUCCESS, &parts);
        let svg = std::fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        let file = File::open(out.join(format!("{name}.parquet"))).unwrap();
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let records = reader.next().unwrap().unwrap();
        let schema = records.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!((&names[..columns.len()], records.num_rows()), (columns, rows), "{name}");
        let last = records.column(columns.len() - 1).as_primitive::<Float64Type>();
        assert!(last.iter().flatten().any(|value| value.is_finite()), "{name}");
    }
}

#[test]
fn what_cannot_be_diagnosed_is_told_with_what_to_do() {
    let wrong = ExitCode::from(2);
    let no_forecast = "name = \"a\"\nsource.s = { type = \"copy\", lag = 4, events = 9 }\nsink.o = { type = \"console\", input = \"s\" }\n";
    assert_says(no_forecast, &["cost"], wrong, &["pipeline a has no operator of type \"forecast\""]);
    assert_says(PIPELINE, &["cost", "--operator", "other"], wrong, &["there is no operator `other`", "there is next"]);
    assert_says(PIPELINE, &["cost", "--partition", "other"], wrong, &["no such partition", "there are `copy`"]);
    assert_says(PIPELINE, &["gradients", "--lags", "0"], wrong, &["from 1 to 10000"]);
    let failed = ExitCode::FAILURE;
    assert_says(PIPELINE, &["gradients", "--events", "40"], failed, &["too few events", "give more events"]);
    assert_says(PIPELINE, &["gates", "--set", "next.model.kind=rnn"], failed, &["`rnn` has no gates"]);
    assert_says(
        PIPELINE,
        &["gates", "--set", "next.model.backend=libtorch"],
        failed,
        &["set `model.backend` to \"native\""],
    );
}
