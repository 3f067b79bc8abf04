//! Where reading begins and ends.

use crate::support::{create_topic, name};
use crate::{Joined, abort, counts, fill, fill_at, offsets, rows};

fn read(start_and_stop: &str, topic: &str) -> Vec<i64> {
    let mut joined = Joined::new(&format!("topics = '{topic}'\n{start_and_stop}")).assigned(1);
    joined.all(&format!("{topic}-0"))
}

#[test]
fn reading_begins_and_ends_where_the_settings_say() {
    let topic = name("bounds");
    create_topic(&topic, 1);
    fill(&topic, 0, 10);
    let cases: [(&str, Vec<i64>); 6] = [
        ("stop = 'end'", (0..10).collect()),
        ("start = 'latest'\nstop = 'end'", vec![]),
        ("start = { offset = 4 }\nstop = { offset = 7 }", vec![4, 5, 6]),
        ("start = { time = '1970-01-01T00:00:03Z' }\nstop = { time = '1970-01-01T00:00:05Z' }", vec![2, 3]),
        ("start = { time = '1970-01-01T00:00:02.5Z' }\nstop = { offset = 4 }", vec![2, 3]),
        ("start = { time = '2040-01-01' }\nstop = 'end'", vec![]),
    ];
    for (settings, expected) in cases {
        assert_eq!(read(settings, &topic), expected, "{settings}");
    }
}

#[test]
fn clocks_that_jump_back_change_neither_order_nor_count() {
    let topic = name("clocks");
    create_topic(&topic, 1);
    fill_at(&topic, 0, [20_000, 40_000, 1, 30_000, 60_000]);
    assert_eq!(read("stop = 'end'", &topic), [0, 1, 2, 3, 4]);
    // The first record that is late enough, and all after it.
    assert_eq!(read("start = { time = '1970-01-01T00:00:25Z' }\nstop = 'end'", &topic), [1, 2, 3, 4]);
    assert_eq!(read("stop = { time = '1970-01-01T00:00:35Z' }", &topic), [0]);
}

#[test]
fn aborted_records_are_not_seen_and_do_not_keep_a_stop_waiting() {
    let topic = name("aborted");
    create_topic(&topic, 1);
    fill(&topic, 0, 3);
    abort(&topic, 0, 4);
    // Offsets 3 to 6 are aborted, 7 is the mark of it.
    for stop in ["stop = 'end'", "stop = { offset = 5 }", "stop = { offset = 8 }"] {
        assert_eq!(read(stop, &topic), [0, 1, 2], "{stop}");
    }
    assert_eq!(read("start = { offset = 4 }\nstop = 'end'", &topic), [0i64; 0]);
}

#[test]
fn of_several_topics_each_is_read_to_its_own_end() {
    let (short, long) = (name("several-short"), name("several-long"));
    for topic in [&short, &long] {
        create_topic(topic, 1);
    }
    fill(&short, 0, 2);
    fill(&long, 0, 20_000);
    abort(&long, 0, 1);
    // A small buffer: the end of the short topic is told long before that of the long one.
    let settings = format!("topics = ['{short}', '{long}']\nstop = 'end'\nbuffer_bytes_max = 65536\nbatch_rows = 100");
    let mut joined = Joined::new(&settings).assigned(2);
    let partitions = [format!("{long}-0"), format!("{short}-0")];
    let found = counts(&mut joined, &partitions);
    assert_eq!(found.into_values().collect::<Vec<_>>(), [20_000, 2]);
}

#[test]
fn a_pattern_takes_topics_and_partitions_that_come_later() {
    let stem = name("pattern");
    let (first, second) = (format!("{stem}-a"), format!("{stem}-b"));
    create_topic(&first, 1);
    let mut joined = Joined::new(&format!("topics = '^{stem}-.*'")).assigned(1);
    create_topic(&second, 2);
    fill(&second, 1, 3);
    joined.wait_for(3);
    let names: Vec<String> = joined.assigned.iter().map(ToString::to_string).collect();
    assert_eq!(names, [format!("{first}-0"), format!("{second}-0"), format!("{second}-1")]);
    let mut reader = joined.open(&format!("{second}-1"), None).unwrap();
    assert_eq!(offsets(&rows(&mut *reader, 3)), [0, 1, 2]);
}
