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
    for kind in ["rnn", "mlp"] {
        let model = format!("next.model={{ kind = \"{kind}\", hidden = 4, head = \"categorical\" }}");
        let says = format!("`{kind}` has no gates");
        assert_says(PIPELINE, &["gates", "--set", &model], wrong, &["`operator.next.model.kind`", &says]);
    }
    assert_says(
        PIPELINE,
        &["gates", "--set", "next.model.backend=libtorch"],
        failed,
        &["set `model.backend` to \"native\""],
    );
}

#[test]
fn wrong_settings_are_told_with_their_place_as_a_check_does() {
    let wrong = ExitCode::from(2);
    let experts = ["cost", "--set", "next.model.kind=experts"];
    assert_says(PIPELINE, &experts, wrong, &["pipeline.toml:12:", "`operator.next.model.hidden`", "is of networks"]);
    let control = PIPELINE.replace("model = { kind = \"gru\", hidden = 4", "model = { kind = \"markov\"");
    let control = control.replace(", bptt = { every = 2, window = 8 }, update_every = 8", "");
    assert_says(&control, &["order"], wrong, &["pipeline.toml:12:", "`operator.next.model.kind`", "is no network"]);
    let kafka = "source.symbols = { type = \"kafka\", bootstrap_servers = \"127.0.0.1:1\", topics = \"a\" }";
    let live = PIPELINE.replace("source.symbols = { type = \"copy\", lag = 4, streams = 4, events = 2000 }", kafka);
    assert_says(&live, &["cost"], wrong, &["`symbols` is a live source"]);
}

#[test]
fn an_order_that_was_not_scored_is_an_error_that_says_why_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let order = |more: &[&str], parts: &[&str]| {
        let args = [&["order", "--seeds", "1", "--out", out.to_str().unwrap()], more].concat();
        assert_says(PIPELINE, &args, ExitCode::FAILURE, parts);
        assert!(!out.exists());
    };
    order(&["--set", "next.scores.from=2000"], &["there are 2000", "`scores.from`", "give more events"]);
    order(&["--events", "2"], &["no event of 2 was scored", "too few events"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_before_anything_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (inside, above) = (file.path().join("a").join("b"), file.path());
    for folder in [inside.as_path(), above] {
        let args = ["cost", "--operator", "none", "--out", folder.to_str().unwrap()];
        assert_says(PIPELINE, &args, ExitCode::FAILURE, &["cannot write into", "give another folder with --out"]);
    }
}

#[test]
fn no_more_steps_of_gates_are_shown_than_were_asked_for() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    assert_says(PIPELINE, &["gates", "--lags", "3", "--out", out], ExitCode::SUCCESS, &["topmost layer of `gru`"]);
    let file = File::open(folder.path().join("gates.parquet")).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 3);
}

#[test]
#[cfg(feature = "symbols")]
fn operators_before_the_forecast_are_run_first() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("text.txt");
    std::fs::write(&file, "to be or not to be ".repeat(40)).unwrap();
    let source = format!("source.books = {{ type = \"text\", path = {:?} }}", file.to_str().unwrap());
    let pipeline = PIPELINE
        .replace("source.symbols = { type = \"copy\", lag = 4, streams = 4, events = 2000 }", &source)
        .replace("targets = [\"copy\"]\nfeatures = { categories = [\"symbol\"] }", "targets = [\"symbol\"]")
        .replace("max = 6", "max = 16")
        + "[operator.symbols]\ntype = \"symbols\"\ninput = \"books\"\ncolumn = \"bytes\"\nunit = \"byte\"\n";
    assert_says(&pipeline, &["cost"], ExitCode::SUCCESS, &["next on 760 events"]);
    assert_says(&pipeline, &["cost", "--events", "300"], ExitCode::SUCCESS, &["next on 300 events"]);
}
