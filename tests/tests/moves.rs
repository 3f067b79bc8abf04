//! Keys that move to new partitions: refused until they are given their state, which is exact from then on.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, enlarge, produce_by_key};
use sluicegate_tests::site::{PARTITIONS, Site, meter_events, pipeline, stop};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const EVENTS: usize = 9_000;

/// Events that all are JSON.
fn events(from: usize, to: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    meter_events(to).skip(from).filter(|(_, value)| value.starts_with(b"{"))
}

/// A site whose network learns nothing, so that a key's forecasts depend on its own events alone.
fn site(bootstrap: &str, name: &str, topic: &str) -> Site {
    let site = Site::new(SLUICE, bootstrap, name, topic, "");
    let text = pipeline(bootstrap, name, topic, "stop = \"end\"").replace("hidden = 8", "hidden = 8, learn = false");
    site.place.write("live.toml", &text);
    site
}

/// The forecasts of each key, in order, less where the event came from.
fn by_key(bootstrap: &str, site: &Site) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut all: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for (_, value) in committed(bootstrap, &format!("{}.out", site.name), PARTITIONS).into_values().flatten() {
        let mut row: serde_json::Value = serde_json::from_slice(value.as_deref().unwrap()).unwrap();
        for name in ["partition", "offset"] {
            row.as_object_mut().unwrap().remove(name);
        }
        all.entry(row["key"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    // A key's rows come from two partitions, one after the other, but into one.
    all.values_mut().for_each(|rows| rows.sort_by_key(|row| row["time"].to_string()));
    all
}

#[test]
fn a_topic_that_was_enlarged_goes_on_with_the_states_of_its_keys() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("fixed", PARTITIONS), ("enlarged", PARTITIONS)]);
    produce_by_key(bootstrap, "fixed", events(0, EVENTS));
    let reference = site(bootstrap, "fixed-run", "fixed");
    reference.run_to_its_end();

    let half = EVENTS / 2;
    produce_by_key(bootstrap, "enlarged", events(0, half));
    let grown = site(bootstrap, "enlarged-run", "enlarged");
    grown.run_to_its_end();
    enlarge(bootstrap, "enlarged", 2 * PARTITIONS as usize);
    std::thread::sleep(Duration::from_secs(1));
    produce_by_key(bootstrap, "enlarged", events(half, EVENTS));

    let refused = grown.command().output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("sluice checkpoint reshard") && said.contains("new_partitions"), "{said}");

    let resharded = grown.place.run(&["checkpoint", "reshard", "live.toml"]);
    assert_eq!(resharded.code, Some(0), "{}", resharded.stderr);
    for (new, old) in [(3, 0), (4, 1), (5, 2)] {
        let line = format!("enlarged-{new} begins with the state of enlarged-{old} at offset ");
        assert!(resharded.stdout.contains(&line), "{}", resharded.stdout);
    }
    assert_eq!(grown.place.run(&["checkpoint", "reshard", "live.toml"]).stdout, "no partition is new\n");
    grown.run_to_its_end();
    let (got, expected) = (by_key(bootstrap, &grown), by_key(bootstrap, &reference));
    assert_eq!(expected.len(), 50);
    for (key, rows) in &expected {
        assert!(got.get(key) == Some(rows), "the forecasts of {key} differ");
    }
    // What a shard was given is gone once it has begun.
    let seeds = (0..6).filter(|number| {
        grown.place.path(&format!("checkpoints/enlarged-run/enlarged-{number}/seed/manifest.json")).exists()
    });
    assert_eq!(seeds.count(), 0);
}

#[test]
fn keys_of_several_partitions_begin_cold_only_when_asked() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("odd", PARTITIONS)]);
    produce_by_key(bootstrap, "odd", events(0, 600));
    let grown = site(bootstrap, "odd-run", "odd");
    grown.run_to_its_end();
    enlarge(bootstrap, "odd", 4);
    std::thread::sleep(Duration::from_secs(1));
    let refused = grown.place.run(&["checkpoint", "reshard", "live.toml"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("odd-0, odd-1, odd-2") && refused.stderr.contains("--cold"), "{}", refused.stderr);
    let cold = grown.place.run(&["checkpoint", "reshard", "live.toml", "--cold"]);
    assert_eq!(cold.stdout, "odd-3 begins with the state of no event\n", "{}", cold.stderr);
    grown.run_to_its_end();
}

/// A live partition goes back to a checkpoint: its events since then are worked on again, and lead to the same state.
#[test]
fn a_partition_of_a_topic_goes_back_to_a_checkpoint() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("back", PARTITIONS)]);
    produce_by_key(bootstrap, "back", events(0, EVENTS));
    let site = Site::new(SLUICE, bootstrap, "back-run", "back", "stop = \"end\"");
    site.run_to_its_end();
    let (states, rows) = (site.states("back"), site.rows_so_far());
    let listed = site.place.run(&["checkpoint", "list", "live.toml", "--partition", "back-1"]);
    let first = listed.stdout.lines().find(|line| line.contains("back-1")).unwrap_or_else(|| panic!("{listed:?}"));
    let name = first.split_whitespace().nth(1).unwrap();
    let rewound = site.place.run(&["checkpoint", "rewind", "live.toml", "back-1", name]);
    assert_eq!(rewound.code, Some(0), "{}", rewound.stderr);
    site.run_to_its_end();
    assert!(site.rows_so_far() > rows, "its rows come once more");
    assert!(site.states("back") == states, "what was learned differs");
}

/// The partitions of topics that a pattern names begin in any order, and none is taken for one that the topic has gained.
#[test]
fn topics_that_a_pattern_names_are_read_together() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("many-a", 2), ("many-b", PARTITIONS), ("other", 1)]);
    for topic in ["many-a", "many-b", "other"] {
        produce_by_key(bootstrap, topic, events(0, 600));
    }
    let site = Site::new(SLUICE, bootstrap, "sum-run", "^many-.*", "");
    let mut child = site.start();
    site.wait_for_rows(2 * events(0, 600).count(), Duration::from_secs(60));
    stop(&site, &mut child);
    let mut again = site.start();
    site.wait_until_open(&mut again, 2 + PARTITIONS as usize);
    stop(&site, &mut again);
    assert_eq!(site.rows_so_far(), 2 * events(0, 600).count());
}

/// A topic that a pattern names is watched for growth as one that is named is, whether it grows while nothing runs or meanwhile.
#[test]
fn a_topic_of_a_pattern_that_was_enlarged_is_refused_until_its_keys_have_their_states() {
    let broker = Broker::start().unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = broker.bootstrap();
    create(bootstrap, &[("grow-a", PARTITIONS), ("grow-b", 2)]);
    produce_by_key(bootstrap, "grow-a", events(0, 600));
    produce_by_key(bootstrap, "grow-b", events(0, 600));
    let site = Site::new(SLUICE, bootstrap, "grown-run", "^grow-.*", "");
    let often = "\"topic.metadata.refresh.interval.ms\" = \"500\", \"heartbeat";
    let text = pipeline(bootstrap, "grown-run", "^grow-.*", "").replace("\"heartbeat", often);
    site.place.write("live.toml", &text);
    let mut child = site.start();
    site.wait_for_rows(2 * events(0, 600).count(), Duration::from_secs(60));
    enlarge(bootstrap, "grow-b", 4);
    assert_eq!(site.ended(&mut child, Duration::from_secs(60)), Some(1), "{}", site.log());
    for _ in 0..2 {
        let before = site.log().len();
        let mut child = site.start();
        assert_eq!(site.ended(&mut child, Duration::from_secs(60)), Some(1), "{}", site.log());
        let said = site.log()[before..].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("partition `grow-b-") && said.contains("sluice checkpoint reshard"), "{said}");
    }
    let resharded = site.place.run(&["checkpoint", "reshard", "live.toml"]);
    assert_eq!(resharded.code, Some(0), "{}", resharded.stderr);
    for (new, old) in [(2, 0), (3, 1)] {
        let line = format!("grow-b-{new} begins with the state of grow-b-{old} at offset ");
        assert!(resharded.stdout.contains(&line), "{}", resharded.stdout);
    }
    assert_eq!(site.place.run(&["checkpoint", "reshard", "live.toml"]).stdout, "no partition is new\n");
    produce_by_key(bootstrap, "grow-b", events(600, 900));
    let mut child = site.start();
    site.wait_for_rows(2 * events(0, 600).count() + events(600, 900).count(), Duration::from_secs(60));
    stop(&site, &mut child);
}
