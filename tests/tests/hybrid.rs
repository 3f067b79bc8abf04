//! History from files and then the live topic: one log, with neither gap nor overlap, also when it is killed on the way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampSecondArray};
use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, delete_before, produce_by_key};
use sluicegate_tests::outcome::in_order;
use sluicegate_tests::site::{Dice, PARTITIONS, Site, kill, meter_events, pipeline};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
/// Events in all, and those before the time at which the topic takes over; both end with a full hour of the fifty meters.
const EVENTS: usize = 9_000;
const HISTORY: usize = 6_000;

type Event = (String, Vec<u8>);

fn bootstrap() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap()
}

fn good_events() -> Vec<Event> {
    meter_events(EVENTS).filter(|(_, value)| value.starts_with(b"{")).collect()
}

/// How many of the events are before the hand-over.
fn before(events: &[Event]) -> usize {
    let hour = HISTORY / 50;
    events.iter().filter(|event| row(event)["ts"].as_i64().unwrap() < hour as i64 * 3600).count()
}

fn row((_, value): &Event) -> serde_json::Value {
    serde_json::from_slice(value).unwrap()
}

/// Events as the rows of a file, with partition and offset where they are known.
fn table(events: &[Event], places: Option<&[(i64, i64)]>) -> RecordBatch {
    let rows: Vec<serde_json::Value> = events.iter().map(row).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("meter", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row["meter"].as_str().unwrap())))),
        ("load", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row["load"].as_f64().unwrap())))),
        ("ts", Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row["ts"].as_i64().unwrap())))),
    ];
    if let Some(places) = places {
        columns.push(("partition", Arc::new(Int64Array::from_iter_values(places.iter().map(|place| place.0)))));
        columns.push(("offset", Arc::new(Int64Array::from_iter_values(places.iter().map(|place| place.1)))));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A site whose source is `topic` after the file `history.parquet`.
fn hybrid(name: &str, topic: &str, hand_over: &str, history: &RecordBatch) -> Site {
    let site = Site::new(SLUICE, bootstrap(), name, topic, "");
    let hybrid = format!(
        "type = \"hybrid\"\nhand_over = {hand_over}\nhistory = {{ path = \"history.parquet\", batch_rows = 100 }}\n[source.events.live]"
    );
    let text = pipeline(bootstrap(), name, topic, "stop = \"end\"").replacen("type = \"kafka\"", &hybrid, 1);
    site.place.write("live.toml", &text);
    site.place.write_records("history.parquet", history);
    site
}

/// What was written, by the partition that it is of: every row less its offset.
fn written(site: &Site) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut all: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for ((partition, _), (_, value)) in in_order(committed(bootstrap(), &format!("{}.out", site.name), PARTITIONS)) {
        let mut row: serde_json::Value = serde_json::from_slice(value.as_deref().unwrap()).unwrap();
        for name in ["partition", "offset"] {
            row.as_object_mut().unwrap().remove(name);
        }
        let (_, number) = partition.rsplit_once('-').unwrap();
        all.entry(number.to_owned()).or_default().push(row);
    }
    all
}

/// One run over one topic with all of it.
fn whole(name: &str, events: &[Event]) -> Site {
    create(bootstrap(), &[(name, PARTITIONS)]);
    produce_by_key(bootstrap(), name, events.iter().cloned());
    let site = Site::new(SLUICE, bootstrap(), &format!("{name}-reference"), name, "stop = \"end\"");
    site.run_to_its_end();
    site
}

/// Kills a site some times, then lets it come to its end.
fn kill_and_finish(site: &Site, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..4 {
        let mut child = site.start();
        site.wait_until_at_work(&mut child, 1);
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        kill(&mut child);
    }
    site.run_to_its_end();
}

fn assert_same(found: &Site, topic: &str, expected: &Site, whole: &str, rows: usize) {
    let (got, wanted) = (written(found), written(expected));
    assert_eq!(wanted.values().map(Vec::len).sum::<usize>(), rows);
    for (partition, rows) in &wanted {
        let differs = got.get(partition).and_then(|got| got.iter().zip(rows).position(|(a, b)| a != b));
        let count = got.get(partition).map(Vec::len);
        assert_eq!((differs, count), (None, Some(rows.len())), "partition {partition}: {}", found.log());
    }
    for (got, wanted) in found.states(topic).iter().zip(expected.states(whole)) {
        assert!(got["forecast"] == wanted["forecast"], "what was learned differs");
    }
}

#[test]
fn history_up_to_a_time_and_the_topic_from_it_on_are_one_log() {
    let events = good_events();
    let reference = whole("by-time-whole", &events);
    let cut = before(&events);
    create(bootstrap(), &[("by-time", PARTITIONS)]);
    // Either side has some of the other's, which is left out.
    produce_by_key(bootstrap(), "by-time", events[cut - 150..].iter().cloned());
    let hand_over = format!("{{ time = \"1970-01-{:02}T{:02}:00:00Z\" }}", 1 + HISTORY / 50 / 24, HISTORY / 50 % 24);
    let site = hybrid("by-time-hybrid", "by-time", &hand_over, &table(&events[..cut + 200], None));
    kill_and_finish(&site, 3);
    assert_same(&site, "by-time", &reference, "by-time-whole", events.len());
}

#[test]
fn a_copy_of_the_topic_goes_on_with_the_topic_itself() {
    let events = good_events();
    let reference = whole("by-offset-whole", &events);
    // The partitions and offsets that the records have in the topic.
    create(bootstrap(), &[("by-offset", PARTITIONS)]);
    produce_by_key(bootstrap(), "by-offset", events.iter().cloned());
    let mut places = BTreeMap::new();
    for (partition, records) in committed(bootstrap(), "by-offset", PARTITIONS) {
        for (offset, record) in records.into_iter().enumerate() {
            places.insert(record.1.unwrap(), (i64::from(partition), offset as i64));
        }
    }
    let cut = before(&events);
    let of_history: Vec<(i64, i64)> = events[..cut].iter().map(|(_, value)| places[value]).collect();
    // The topic keeps only some of what the copy has.
    for partition in 0..PARTITIONS {
        let ends = of_history.iter().filter(|place| place.0 == i64::from(partition)).map(|place| place.1 + 1);
        delete_before(bootstrap(), "by-offset", partition, ends.max().unwrap() - 40);
    }
    let hand_over = "{ partition = \"partition\", offset = \"offset\" }";
    let site = hybrid("by-offset-hybrid", "by-offset", hand_over, &table(&events[..cut], Some(&of_history)));
    kill_and_finish(&site, 5);
    assert_same(&site, "by-offset", &reference, "by-offset-whole", events.len());
}

#[test]
fn what_cannot_be_one_log_is_refused_before_anything_is_read() {
    create(bootstrap(), &[("refused", PARTITIONS)]);
    let events = good_events();
    let site = hybrid(
        "refused-hybrid",
        "refused",
        "{ partition = \"part\", offset = \"offset\" }",
        &table(&events[..10], None),
    );
    let ended = site.place.run(&["check", "live.toml"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("`source.events.hand_over.partition`: the history has no column `part`"),
        "{}",
        ended.stderr
    );
    let latest = site.place.run(&["check", "live.toml", "--set", "events.live.start=latest"]);
    assert!(latest.stderr.contains("would be left out"), "{}", latest.stderr);
    let misnamed = site.place.run(&["check", "live.toml", "--set", "events.history.columns=[\"load\", \"ts\"]"]);
    assert!(misnamed.stderr.contains("it has no column `meter`"), "{}", misnamed.stderr);
}
