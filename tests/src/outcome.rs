//! What a disturbed run wrote and learned, held against an undisturbed one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::kafka::{Seen, committed};
use crate::site::{PARTITIONS, Site, bad_among};

/// Holds what a disturbed run over the first `count` events of `topic` wrote and learned against an undisturbed one.
pub fn assert_same(disturbed: &Site, reference: &Site, topic: &str, count: usize) {
    let rows = |site: &Site| in_order(committed(site.bootstrap(), &format!("{}.out", site.name), PARTITIONS));
    let (got, expected) = (rows(disturbed), rows(reference));
    assert_eq!(expected.len(), count - bad_among(count));
    let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
    assert_eq!((differs, got.len()), (None, expected.len()), "{}", disturbed.log());
    let letters = |site: &Site| {
        let rejects = format!("{}.rejects", site.name);
        let mut letters = committed(site.bootstrap(), &rejects, 1).remove(&0).unwrap_or_default();
        letters.sort();
        letters
    };
    assert_eq!(letters(disturbed).len(), bad_among(count));
    assert_eq!(letters(disturbed), letters(reference));
    for (partition, (got, expected)) in disturbed.states(topic).iter().zip(reference.states(topic)).enumerate() {
        assert!(*got == expected, "what partition {partition} learned differs; {}", disturbed.log());
    }
}

/// The rows of a topic by the partition and offset of the events that they are of. Rows of one such partition must come in its
/// order; those of several may come between each other as they like.
pub fn in_order(topic: BTreeMap<i32, Vec<Seen>>) -> Vec<((String, i64), Seen)> {
    let mut all = Vec::new();
    for records in topic.into_values() {
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for record in records {
            let row: serde_json::Value =
                serde_json::from_slice(record.1.as_deref().unwrap_or_default()).expect("a row of JSON");
            let partition = row["partition"].as_str().expect("the partition").to_owned();
            let offset = row["offset"].as_i64().expect("the offset");
            let before = last.insert(partition.clone(), offset);
            assert!(before.is_none_or(|before| before < offset), "{partition}: {offset} after {before:?}");
            all.push(((partition, offset), record));
        }
    }
    all.sort();
    all
}

/// Every trace of the commit protocol that processes left in a folder is one that the protocol allows. Returns how many events
/// there are.
pub fn assert_traces_hold(folder: &Path) -> usize {
    let mut events = 0;
    for file in std::fs::read_dir(folder).expect("a folder of traces") {
        let path = file.expect("a trace").path();
        let lines = std::io::BufReader::new(std::fs::File::open(&path).expect("a trace"));
        events += sluicegate_checkpoint::trace::replay(lines).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }
    events
}
