//! Who shares a consumer group: processes of one pipeline do, two pipelines do not.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::process::{Child, Stdio};
use std::time::Duration;

use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{create, produce};
use sluicegate_tests::outcome::assert_same;
use sluicegate_tests::running::Running;
use sluicegate_tests::site::{PARTITIONS, Site, bad_among, meter_events, pipeline, signal, stop};
use sluicegate_tests::{Ended, Workplace};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const EVENTS: usize = 6_000;

/// Runs a pipeline file that is to be refused, from a folder of its own.
fn run(text: &str) -> Ended {
    let place = Workplace::new(SLUICE);
    place.write("live.toml", text);
    let child = place.command(&["run", "live.toml", "--quiet"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child: Child = child.expect("the command starts");
    // One that is not refused would run for ever.
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let process = child.id();
        scope.spawn(move || {
            if told.recv_timeout(Duration::from_secs(30)).is_err() {
                let _ = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
            }
        });
        let ended: Ended = child.wait_with_output().expect("an end").into();
        let _ = tell.send(());
        ended
    })
}

fn assert_refused(text: &str, parts: &[&str]) {
    let ended = run(text);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    parts.iter().for_each(|part| assert!(said.contains(part), "no `{part}` in: {said}"));
}

#[test]
fn another_pipeline_of_the_same_name_or_group_is_refused_and_processes_of_one_are_not() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("one", PARTITIONS), ("two", 1)]);
    produce(bootstrap, "one", PARTITIONS, meter_events(EVENTS / 2));
    let site = Site::new(SLUICE, bootstrap, "one-run", "one", "");
    let mut first = site.start();
    site.wait_for_rows(100, Duration::from_secs(60));

    let text = pipeline(bootstrap, "one-run", "one", "");
    let refused = ["uses the consumer group `sluicegate.one-run`", "another `name`", "stop that one first"];
    // Other topics, another network, another place for the forecasts, another sink.
    assert_refused(&text.replace("\"one\"", "\"two\""), &refused);
    assert_refused(&text.replace("hidden = 8", "hidden = 9"), &refused);
    assert_refused(&text.replace("\"one-run.out\"", "\"one\""), &refused);
    assert_refused(&format!("{text}[sink.eyes]\ntype = \"console\"\ninput = \"forecast\"\n"), &refused);
    // Another name, but the same group.
    let other = text
        .replace("name = \"one-run\"", "name = \"another\"")
        .replace("batch_rows", "group = \"sluicegate.one-run\"\nbatch_rows");
    assert_refused(&other, &["the pipeline `one-run`", "`another`"]);

    // A second process of the same pipeline, with settings that may change while others run.
    site.place.write("live.toml", &text.replace("batch_rows = 64", "batch_rows = 32"));
    let mut second = site.start();
    produce(bootstrap, "one", PARTITIONS, meter_events(EVENTS).skip(EVENTS / 2));
    site.wait_until_open(&mut second, 1);
    site.wait_for_rows(EVENTS - bad_among(EVENTS), Duration::from_secs(120));
    stop(&site, &mut second);
    stop(&site, &mut first);

    // Nobody is there any more, so that the name may be used for something else.
    let place = Workplace::new(SLUICE);
    place.write("live.toml", &text.replace("\"one\"", "\"two\"").replace("batch_rows", "stop = \"end\"\nbatch_rows"));
    let ended = place.run(&["run", "live.toml", "--quiet"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let reference = Site::new(SLUICE, bootstrap, "one-reference", "one", "stop = \"end\"");
    reference.run_to_its_end();
    assert_same(&site, &reference, "one", EVENTS);
}

/// Of two that begin at the same moment, neither sees the other when it looks; at least one does when partitions are assigned.
#[test]
fn two_pipelines_of_one_name_that_begin_together_do_not_both_run() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("pair", PARTITIONS)]);
    for round in 0..2 {
        let name = format!("pair-{round}");
        let sites = [Site::new(SLUICE, bootstrap, &name, "pair", ""), {
            let other = Site::new(SLUICE, bootstrap, &format!("{name}-b"), "pair", "");
            other.place.write("live.toml", &pipeline(bootstrap, &name, "pair", "").replace("hidden = 8", "hidden = 9"));
            other
        }];
        let mut running: Vec<Running> = sites.iter().map(Site::start).collect();
        let begun = std::time::Instant::now();
        while running.iter_mut().all(|child| child.try_wait().expect("a process of ours").is_none()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "both run: {}{}", sites[0].log(), sites[1].log());
            std::thread::sleep(Duration::from_millis(50));
        }
        for (site, child) in sites.iter().zip(&mut running) {
            if child.try_wait().expect("a process of ours").is_none() {
                signal(child, "-TERM");
                site.ended(child, Duration::from_secs(60));
            } else {
                assert!(site.log().contains("another pipeline uses the consumer group"), "{}", site.log());
            }
        }
    }
}
