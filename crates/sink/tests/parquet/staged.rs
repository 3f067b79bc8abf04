//! A sink of a shard that keeps checkpoints: crashes at any step lose no row and show none twice.

use proptest::prelude::*;
use sluicegate_core::{
    Delivery, Metrics, PartitionId, ShardContext, Sink, SinkFactory, SnapshotReader, SnapshotWriter,
};

use crate::support::{Folder, batch, offsets, rows};

fn open(factory: &dyn SinkFactory, partition: &str) -> Box<dyn Sink> {
    let shard = ShardContext::new(PartitionId::new(partition), "s", Metrics::new()).keeps_checkpoints(true);
    factory.open(&shard).unwrap()
}

fn snapshot(sink: &mut dyn Sink) -> Vec<u8> {
    sink.flush().unwrap();
    let mut to = SnapshotWriter::new();
    sink.snapshot(&mut to).unwrap();
    to.finish().unwrap()
}

/// What other programs see, file by file.
fn visible(folder: &Folder) -> Vec<i64> {
    folder.visible().iter().flat_map(|name| offsets(&folder.read(name))).collect()
}

/// What the shard does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Write(usize),
    /// A checkpoint is written; whether it is committed, and whether that is followed by its publication.
    Checkpoint {
        committed: bool,
        published: bool,
    },
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..40).prop_map(Step::Write),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(committed, published)| Step::Checkpoint { committed, published }),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn crashes_lose_no_row_and_show_none_twice(steps in steps(), earlier in any::<bool>()) {
        let folder = Folder::new();
        if earlier {
            folder.run("", 7, 7);
        }
        let settings = "file_rows_max = 25\nrow_group_rows = 10";
        let mut sink = open(folder.bind(settings).as_ref(), "p");
        // The state before the first row is committed before anything is written, as the protocol has it.
        let mut committed = (snapshot(sink.as_mut()), 0usize);
        let mut written = 0;
        let mut to_publish = false;
        for step in steps {
            match step {
                Step::Write(len) => {
                    sink.write(&batch(written, rows(written, len))).unwrap();
                    written += len;
                }
                Step::Checkpoint { committed: is_committed, published } => {
                    // One checkpoint is dealt with before the next comes.
                    if to_publish {
                        sink.publish().unwrap();
                    }
                    let state = snapshot(sink.as_mut());
                    to_publish = false;
                    if is_committed {
                        committed = (state, written);
                        to_publish = true;
                    }
                    if is_committed && published {
                        sink.publish().unwrap();
                        sink.publish().unwrap();
                        to_publish = false;
                    }
                    if !is_committed {
                        // It counts as a crash: nothing goes on after a commit that failed.
                        drop(sink);
                        sink = recover(&folder, settings, &committed.0);
                        written = committed.1;
                    }
                }
                Step::Crash => {
                    drop(sink);
                    sink = recover(&folder, settings, &committed.0);
                    (written, to_publish) = (committed.1, false);
                }
            }
            let seen = visible(&folder);
            let own: Vec<i64> = (0..seen.len() as i64).collect();
            let untouched = earlier && seen == (0..7).collect::<Vec<i64>>();
            prop_assert!(untouched || seen == own && seen.len() <= committed.1, "{seen:?} of {} rows", committed.1);
        }
        if to_publish {
            sink.publish().unwrap();
        }
        sink.write(&batch(written, rows(written, 3))).unwrap();
        sink.finish().unwrap();
        snapshot(sink.as_mut());
        sink.publish().unwrap();
        drop(sink);
        prop_assert_eq!(visible(&folder), (0..written as i64 + 3).collect::<Vec<i64>>());
        prop_assert_eq!(folder.names(), folder.visible());
    }
}

fn recover(folder: &Folder, settings: &str, state: &[u8]) -> Box<dyn Sink> {
    let mut sink = open(folder.bind(settings).as_ref(), "p");
    sink.restore(&SnapshotReader::parse(state).unwrap()).unwrap();
    sink.publish().unwrap();
    sink
}

#[test]
fn files_roll_by_size_however_often_checkpoints_come() {
    let folder = Folder::new();
    let factory = folder.bind("file_rows_max = 25");
    assert_eq!(factory.delivery(), Delivery::Staged);
    let mut sink = open(factory.as_ref(), "p");
    for first in 0..60 {
        sink.write(&batch(first, rows(first, 1))).unwrap();
        snapshot(sink.as_mut());
        sink.publish().unwrap();
    }
    let sizes: Vec<usize> = folder.visible().iter().map(|name| folder.read(name).num_rows()).collect();
    assert_eq!(sizes, [25, 25]);
}

#[test]
fn partitions_do_not_touch_what_others_staged() {
    let folder = Folder::new();
    let factory = folder.bind("");
    let mut first = open(factory.as_ref(), "p");
    first.write(&batch(0, rows(0, 5))).unwrap();
    let state = snapshot(first.as_mut());
    drop(first);
    // One whose name begins alike, and which begins anew.
    let mut second = open(folder.bind("").as_ref(), "p-0000000000");
    second.write(&batch(0, rows(0, 5))).unwrap();
    snapshot(second.as_mut());
    let mut first = recover(&folder, "", &state);
    first.finish().unwrap();
    snapshot(first.as_mut());
    first.publish().unwrap();
    assert_eq!(visible(&folder), [0, 1, 2, 3, 4]);
}

#[test]
fn a_run_that_begins_anew_replaces_files_with_its_first_and_keeps_those_of_others() {
    let folder = Folder::new();
    folder.run("file_rows_max = 3", 9, 9);
    let mut sink = open(folder.bind("file_rows_max = 4").as_ref(), "p");
    sink.write(&batch(0, rows(0, 6))).unwrap();
    let state = snapshot(sink.as_mut());
    assert_eq!(visible(&folder).len(), 9, "nothing goes before something comes");
    drop(sink);
    let mut sink = recover(&folder, "file_rows_max = 4", &state);
    assert_eq!(visible(&folder), [0, 1, 2, 3]);
    sink.finish().unwrap();
    snapshot(sink.as_mut());
    sink.publish().unwrap();
    assert_eq!(visible(&folder), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_segment_that_is_not_what_was_written_is_refused_by_name() {
    let folder = Folder::new();
    let mut sink = open(folder.bind("").as_ref(), "p");
    for first in [0, 5, 10] {
        sink.write(&batch(first, rows(first, 5))).unwrap();
    }
    let state = snapshot(sink.as_mut());
    drop(sink);
    let names = folder.names();
    let name = names.iter().find(|name| name.ends_with(".arrow")).unwrap();
    let path = folder.out().join(name);
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let mut sink = open(folder.bind("").as_ref(), "p");
        let error = sink.restore(&SnapshotReader::parse(&state).unwrap()).unwrap_err().to_string();
        assert!(error.contains(name.as_str()) && error.contains("is damaged"), "{what}: {error}");
    };
    // Messages begin at multiples of eight bytes, and a stream that is cut between two of them reads as complete.
    for len in (0..whole.len()).step_by(8) {
        refused(&whole[..len], &format!("the first {len} bytes"));
    }
    for place in (0..whole.len()).step_by(61) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        refused(&flipped, &format!("byte {place} flipped"));
    }
    std::fs::write(&path, &whole).unwrap();
    let mut sink = recover(&folder, "", &state);
    sink.finish().unwrap();
    snapshot(sink.as_mut());
    sink.publish().unwrap();
    assert_eq!(visible(&folder), (0..15).collect::<Vec<i64>>());
}
