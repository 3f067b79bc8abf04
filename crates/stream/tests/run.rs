//! Whole pipelines, from a file's text to what is in the sinks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::num::NonZeroUsize;
use std::sync::Arc;

use proptest::prelude::*;
use sluicegate_core::{ComponentKind, Metrics};
use sluicegate_stream::{RunOptions, RunReport, StreamError};

mod common;
use common::{Probe, bind, probe, sums};

/// Source → inline operator → two sinks, and source → worker operator → one sink.
const TREE: &str = r#"
name = "tree"
[source.in]
type = "count"
PROBE
partitions = 2
batches = [3, 1, 4, 1, 5]
[operator.sum]
type = "sum"
input = "in"
PROBE
[operator.heavy]
type = "sum"
input = "in"
PROBE
worker = true
[sink.raw]
type = "keep"
input = "in"
PROBE
[sink.a]
type = "keep"
input = "sum"
PROBE
[sink.b]
type = "keep"
input = "heavy"
PROBE
"#;

fn options(probe: &Probe) -> RunOptions {
    RunOptions::default().cancel(probe.cancel.clone()).worker_threads(NonZeroUsize::new(2).unwrap())
}

/// Runs a pipeline; `settings` are lines that go under the table of the same line.
fn run(text: &str, settings: &[(&str, &str)]) -> (Result<RunReport, StreamError>, Arc<Probe>) {
    let (probe, name) = probe();
    let mut text = text.to_owned();
    for (table, line) in settings {
        assert!(text.contains(table));
        text = text.replace(table, &format!("{table}\n{line}"));
    }
    let pipeline = bind(&text, &name).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let result = runtime.block_on(pipeline.run(options(&probe)));
    (result, probe)
}

/// The error's own words and those of its causes.
fn chain(error: &StreamError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn rows(n: usize) -> Vec<i64> {
    (0..n as i64).collect()
}

#[test]
fn every_sink_of_every_partition_gets_everything_in_order() {
    let (report, probe) = run(TREE, &[]);
    let report = report.unwrap();
    for partition in ["p0", "p1"] {
        assert_eq!(probe.rows("raw", partition), rows(14));
        assert_eq!(probe.rows("a", partition), sums(14));
        assert_eq!(probe.rows("b", partition), sums(14));
        assert!(["raw", "a", "b"].iter().all(|sink| probe.finished(sink, partition)));
    }
    assert!(!report.interrupted);
    assert_eq!(report.total("in"), (0, 28));
    assert_eq!(report.total("heavy"), (28, 28));
    assert_eq!(report.total("raw"), (28, 0));
    assert_eq!(report.rows.len(), 12);
    assert_eq!(report.rows[0].kind, ComponentKind::Source);
    assert_eq!(probe.see(|state| state.built), 4, "one instance per operator and partition");
    probe.wait_until("all instances are gone", |state| state.alive == 0);
}

#[test]
fn numbers_are_published_by_component_and_partition() {
    let (probe, name) = probe();
    let metrics = Metrics::new();
    let pipeline = bind(TREE, &name).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pipeline.run(options(&probe).metrics(metrics.clone()))).unwrap();
    let samples = metrics.samples();
    let value = |family: &str, label: (&str, &str)| {
        let of = samples.iter().filter(|s| s.name == family && s.label(label.0) == Some(label.1));
        of.filter(|s| s.label("partition") == Some("p1")).map(|s| s.value).sum::<f64>()
    };
    assert_eq!(value("source_rows", ("source", "in")), 14.0);
    assert_eq!(value("source_rows_total", ("source", "in")), 14.0);
    assert_eq!(value("operator_rows_in", ("operator", "sum")), 14.0);
    assert_eq!(value("operator_rows_out", ("operator", "sum")), 14.0);
    assert_eq!(value("sink_rows", ("sink", "b")), 14.0);
    for component in ["in", "sum", "heavy", "raw", "a", "b"] {
        assert!(value("component_busy_ns", ("component", component)) > 0.0, "{component}");
    }
}

/// One source, one operator, one sink.
const LINE: &str = r#"
name = "line"
[source.in]
type = "count"
PROBE
partitions = 1
batches = [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
[operator.sum]
type = "sum"
input = "in"
PROBE
[sink.out]
type = "keep"
input = "in"
PROBE
[sink.sums]
type = "keep"
input = "sum"
PROBE
"#;

#[test]
fn a_slow_sink_bounds_how_far_its_source_runs_ahead() {
    /// Batches a source can be ahead: one in the sink's hands, two in its queue, one that waits for a place there, two in the
    /// reader's queue and one in the reader's hands.
    const AHEAD: u64 = 1 + 2 + 1 + 2 + 1;
    let line = "name = \"line\"\nsource.in = { type = \"count\", PROBE, partitions = 1, ahead_max = 7, \
                batches = [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3] }\n\
                sink.out = { type = \"keep\", input = \"in\", PROBE, wait_ahead = 7, total = 20 }\n";
    assert!(line.matches(&AHEAD.to_string()).count() == 2);
    let (report, probe) = run(line, &[]);
    assert_eq!(report.unwrap().total("out"), (60, 0));
    assert_eq!(probe.rows("out", "p0"), rows(60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cancelled_run_leaves_finished_sinks_with_a_prefix(at in 0_i64..70, in_sink in any::<bool>()) {
        let line = format!("cancel_at = {}", if in_sink { at } else { at / 3 });
        let place = if in_sink { "[sink.sums]" } else { "[source.in]" };
        let (report, probe) = run(LINE, &[(place, &line)]);
        let report = report.unwrap();
        let (out, summed) = (probe.rows("out", "p0"), probe.rows("sums", "p0"));
        prop_assert_eq!(&out, &rows(out.len()));
        prop_assert_eq!(&summed, &sums(out.len()));
        prop_assert!(out.len().is_multiple_of(3), "a batch is taken whole or not at all");
        prop_assert!(probe.finished("out", "p0") && probe.finished("sums", "p0"));
        prop_assert_eq!(report.total("in"), (0, out.len() as u64));
        prop_assert!(report.interrupted || out.len() == 60);
        if in_sink && at < 40 {
            prop_assert!(report.interrupted);
        }
    }
}

#[test]
fn a_large_batch_does_not_hold_up_a_cancelled_run() {
    let batches = "batches = [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]";
    let large = LINE.replace(batches, "batches = [100000]");
    let (report, probe) = run(&large, &[("[sink.out]", "cancel_at = 10")]);
    assert!(report.unwrap().interrupted);
    let out = probe.rows("out", "p0");
    assert!(out.len() >= 1024 && out.len() < 20_000 && out.len().is_multiple_of(1024), "{}", out.len());
    assert_eq!(out, rows(out.len()));
    let (report, probe) = run(&large, &[]);
    assert_eq!(report.unwrap().total("in"), (0, 100_000));
    assert_eq!(probe.rows("sums", "p0"), sums(100_000));
}

#[test]
fn a_source_that_waits_for_events_does_not_hold_up_a_cancelled_run() {
    let (report, probe) = run(LINE, &[("[source.in]", "live = true"), ("[sink.out]", "cancel_at = 59")]);
    assert!(report.unwrap().interrupted);
    assert!(probe.finished("out", "p0"));
    assert_eq!(probe.rows("out", "p0"), rows(60));
}

#[test]
fn a_run_that_is_cancelled_beforehand_reads_nothing() {
    let (probe, name) = probe();
    probe.cancel.cancel();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(bind(LINE, &name).unwrap().run(options(&probe))).unwrap();
    assert!(report.interrupted && report.rows.is_empty());
}

#[test]
fn an_error_anywhere_is_reported_as_itself_and_finishes_no_sink_of_its_shard() {
    let cases = [
        (
            "[source.in]",
            "open = { fail_at = 0, partition = 'p1' }",
            "source `in` on partition `p1` failed: failed at 0",
        ),
        (
            "[source.in]",
            "faults = { fail_at = 3, partition = 'p1' }",
            "source `in` on partition `p1` failed: failed at 3",
        ),
        ("[source.in]", "faults = { panic_at = 2, partition = 'p0' }", "source `in` on partition `p0` panicked: "),
        (
            "[operator.sum]",
            "build = { fail_at = 0, partition = 'p0' }",
            "operator `sum` on partition `p0` failed: failed at 0",
        ),
        ("[operator.sum]", "build = { panic_at = 0, partition = 'p0' }", "operator `sum` on partition `p0` panicked: "),
        (
            "[operator.sum]",
            "faults = { fail_at = 7, partition = 'p0' }",
            "operator `sum` on partition `p0` failed: failed at 7",
        ),
        (
            "[operator.sum]",
            "finish = { fail_at = 0, partition = 'p1' }",
            "operator `sum` on partition `p1` failed: failed at 0",
        ),
        (
            "[operator.heavy]",
            "build = { fail_at = 0, partition = 'p1' }",
            "operator `heavy` on partition `p1` failed: failed at 0",
        ),
        (
            "[operator.heavy]",
            "faults = { panic_at = 7, partition = 'p1' }",
            "operator `heavy` on partition `p1` panicked: ",
        ),
        (
            "[operator.heavy]",
            "finish = { fail_at = 0, partition = 'p1' }",
            "operator `heavy` on partition `p1` failed: failed at 0",
        ),
        ("[sink.raw]", "open = { fail_at = 0, partition = 'p0' }", "sink `raw` on partition `p0` failed: failed at 0"),
        ("[sink.a]", "faults = { fail_at = 0, partition = 'p1' }", "sink `a` on partition `p1` failed: failed at 0"),
        ("[sink.a]", "faults = { fail_at = 13, partition = 'p1' }", "sink `a` on partition `p1` failed: failed at 13"),
        ("[sink.b]", "faults = { panic_at = 5, partition = 'p1' }", "sink `b` on partition `p1` panicked: "),
    ];
    for (table, line, message) in cases {
        let (result, probe) = run(TREE, &[(table, line)]);
        let error = chain(&result.expect_err(line));
        assert!(error.starts_with(message), "{line}: {error}");
        let partition = if message.contains("`p0`") { "p0" } else { "p1" };
        assert!(["raw", "a", "b"].iter().all(|sink| !probe.finished(sink, partition)), "{line}");
        probe.wait_until("all instances are gone", |state| state.alive == 0);
    }
}

#[test]
fn a_sink_that_cannot_be_finished_is_reported() {
    let (result, _) = run(TREE, &[("[sink.b]", "finish = { fail_at = 0, partition = 'p1' }")]);
    assert_eq!(chain(&result.unwrap_err()), "sink `b` on partition `p1` failed: failed at 0");
}

#[test]
fn the_instances_of_a_failed_run_are_gone_from_the_sinks_before_it_returns() {
    // Half-written files are removed when a sink is dropped; a process that ends right after the run must not leave them.
    for _ in 0..20 {
        let (result, probe) = run(LINE, &[("[operator.sum]", "faults = { fail_at = 30 }")]);
        assert!(result.is_err());
        assert!(!probe.finished("out", "p0") && !probe.finished("sums", "p0"));
        assert!(probe.see(|state| state.alive) <= 1, "nothing but the reader may still be about to go");
    }
}

#[test]
fn a_failed_shard_starts_no_other() {
    let many = LINE.replace("partitions = 1", "partitions = 50");
    let (result, probe) = run(&many, &[("[operator.sum]", "build = { fail_at = 0 }")]);
    assert!(chain(&result.unwrap_err()).contains("operator `sum` on partition `p"));
    assert!(probe.see(|state| state.finished.is_empty()));
}

#[test]
fn many_partitions_share_few_workers() {
    let many = TREE.replace("partitions = 2", "partitions = 23");
    let (report, probe) = run(&many, &[]);
    let report = report.unwrap();
    assert_eq!(report.total("heavy"), (23 * 14, 23 * 14));
    let order: Vec<_> = report.rows.iter().filter(|r| r.component == "in").map(|r| r.partition.to_string()).collect();
    assert_eq!(order, (0..23).map(|n| format!("p{n}")).collect::<Vec<_>>());
    assert!((0..23).all(|n| probe.rows("b", &format!("p{n}")) == sums(14)));
}

#[test]
fn dropping_a_run_stops_its_threads_and_finishes_nothing() {
    for current_thread in [true, false] {
        let (probe, name) = probe();
        let pipeline = bind(&LINE.replace("[sink.out]", "[sink.out]\nstuck = true"), &name).unwrap();
        let runtime = if current_thread {
            tokio::runtime::Builder::new_current_thread().build()
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()
        }
        .unwrap();
        runtime.block_on(async {
            // The token only frees the stuck sink: the run itself does not know it.
            let mut run = Box::pin(pipeline.run(options(&Probe::default())));
            while probe.see(|state| state.batches_written) == 0 {
                assert!(futures::poll!(&mut run).is_pending());
                tokio::task::yield_now().await;
            }
            drop(run);
            probe.cancel.cancel();
            while probe.see(|state| state.alive) > 0 {
                tokio::task::yield_now().await;
            }
        });
        assert!(!probe.finished("out", "p0") && !probe.finished("sums", "p0"));
    }
}
