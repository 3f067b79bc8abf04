//! What the command line stands for, and the pace.

use std::time::{Duration, Instant};

use clap::Parser as _;

use super::document;
use super::rate::Pace;
use crate::args::{Cli, Command, ProduceArgs};

fn args(line: &str) -> ProduceArgs {
    match Cli::try_parse_from(line.split(' ')).unwrap().command {
        Command::Produce(args) => args,
        other => panic!("not produce: {other:?}"),
    }
}

#[test]
fn the_command_line_becomes_a_pipeline() {
    let line = "sluice produce a.parquet b\"c.parquet --topic 7 --bootstrap localhost:9092 --rate 100 --key meter \
                --format json --property linger.ms=5 --property sasl.password=a=b";
    insta::assert_snapshot!(document::text(&args(line)), @r#"
    name = "produce"

    [source.rows]
    type = "parquet"
    path = ["a.parquet", "b\"c.parquet"]
    batch_rows = 5

    [operator.rate]
    type = "produce-rate"
    input = "rows"
    rows_per_second = 100.0

    [sink.topic]
    type = "kafka"
    input = "rate"
    delivery = "at-least-once"
    bootstrap_servers = "localhost:9092"
    topic = "7"
    key = "meter"
    format = "json"

    [sink.topic.properties]
    "linger.ms" = "5"
    "sasl.password" = "a=b"
    "#);
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for rate in ["0", "-1", "NaN", "inf", "fast"] {
        let line = format!("sluice produce a --topic t --bootstrap b --rate={rate}");
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{rate}");
    }
}

#[test]
fn rows_keep_their_pace_and_make_up_for_what_came_late_but_not_for_idle_time() {
    let begun = Instant::now();
    let at = |ms: u64| begun + Duration::from_millis(ms);
    let mut pace = Pace::new(100.0);
    assert_eq!(pace.wait(10, at(0)), Duration::ZERO);
    assert_eq!(pace.wait(10, at(1)), Duration::from_millis(99));
    // They went 30 ms late; the next go when they would have gone anyway.
    assert_eq!(pace.wait(10, at(130)), Duration::from_millis(70));
    // Nothing came for long.
    assert_eq!(pace.wait(10, at(900)), Duration::ZERO);
    assert_eq!(pace.wait(10, at(900)), Duration::from_millis(100));
}

#[test]
#[cfg(feature = "source")]
fn the_rows_of_a_file_arrive_in_the_topic() {
    use sluicegate::Registry;

    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("a.parquet");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/data/etth1.parquet"), &file).unwrap();
    let mut registry = Registry::new();
    registry.source::<sluicegate::source::ParquetConfig>("parquet").unwrap();
    registry.sink::<crate::tests::Anything>("kafka").unwrap();
    let line = format!("sluice produce {} --topic power --bootstrap b --rate 1e9 --quiet", file.display());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ending = super::produce(&args(&line), registry, &mut crate::Console::new(&mut out, &mut err));
    assert_eq!(ending.unwrap(), crate::failure::Ending::Done);
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("power: 17,420 rows in "), "{out}");
}
