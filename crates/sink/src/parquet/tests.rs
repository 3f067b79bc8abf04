//! A staged sink in an object store, killed at any step: no row is lost, none is shown twice.
//!
//! The store is one over a temporary folder, without a server; what differs from a local folder is our side of it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use sluicegate_core::{Batch, Offset, Offsets, PartitionId, Sink as _, SnapshotReader, SnapshotWriter};
use sluicegate_place::{Address, Place};

use super::config::Existing;
use super::directory::Directory;
use super::folder::Folder;
use super::sink::{Limits, ParquetSink};
use super::staged::StagedSink;
use super::{mark, names};
use crate::SinkError;

const LIMITS: Limits = Limits { group_rows: 10, file_rows: 25, file_bytes: u64::MAX };

fn rows(first: usize, len: usize) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(first as i64..(first + len) as i64));
    RecordBatch::try_from_iter([("row", column)]).unwrap()
}

fn batch(first: usize, len: usize) -> Batch {
    let offsets = Offsets::dense(Offset(first as i64), len).unwrap();
    Batch::new(PartitionId::new("p"), offsets, rows(first, len)).unwrap()
}

fn schema() -> SchemaRef {
    rows(0, 1).schema()
}

fn properties() -> WriterProperties {
    let marked = Some(vec![mark::entry("tests")]);
    WriterProperties::builder().set_key_value_metadata(marked).set_max_row_group_row_count(Some(10)).build()
}

fn directory(store: &Path, existing: Existing) -> Arc<Directory> {
    let place = Place::at(&Address::Local(store.to_owned())).unwrap();
    Arc::new(Directory::new(Folder::Remote { url: "s3://b/out".into(), place }, existing))
}

fn open(store: &Path) -> StagedSink {
    StagedSink::new(directory(store, Existing::Replace), &PartitionId::new("p"), &schema(), &properties(), LIMITS)
}

fn recover(store: &Path, state: &[u8]) -> StagedSink {
    let mut sink = open(store);
    sink.restore(&SnapshotReader::parse(state).unwrap()).unwrap();
    sink.publish().unwrap();
    sink
}

fn snapshot(sink: &mut StagedSink) -> Vec<u8> {
    let mut to = SnapshotWriter::new();
    sink.snapshot(&mut to).unwrap();
    to.finish().unwrap()
}

fn all_names(store: &Path) -> Vec<String> {
    let names = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What other programs see, file by file.
fn visible(store: &Path) -> Vec<i64> {
    let files = all_names(store).into_iter().filter(|name| !name.starts_with('.'));
    let of = |name: String| {
        let file = std::fs::File::open(store.join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        reader
            .flat_map(|rows| rows.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect::<Vec<_>>()
    };
    files.flat_map(of).collect()
}

/// What the shard does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Write(usize),
    /// A checkpoint is committed; whether its files get their names before the next step.
    Checkpoint {
        published: bool,
    },
    /// The process is killed. With `half_named`, in the midst of publishing: a file has its name, and its staged one still.
    Crash {
        half_named: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..40).prop_map(Step::Write),
        3 => any::<bool>().prop_map(|published| Step::Checkpoint { published }),
        2 => any::<bool>().prop_map(|half_named| Step::Crash { half_named }),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_a_store_crashes_lose_no_row_and_show_none_twice(steps in steps()) {
        let store = tempfile::tempdir().unwrap();
        let store = store.path();
        let mut sink = open(store);
        let mut committed = (snapshot(&mut sink), 0usize);
        let (mut written, mut to_publish) = (0, false);
        for step in steps {
            match step {
                Step::Write(len) => {
                    sink.write(&batch(written, len)).unwrap();
                    written += len;
                }
                Step::Checkpoint { published } => {
                    if to_publish {
                        sink.publish().unwrap();
                    }
                    committed = (snapshot(&mut sink), written);
                    to_publish = !published;
                    if published {
                        sink.publish().unwrap();
                    }
                }
                Step::Crash { half_named } => {
                    drop(sink);
                    let staged = all_names(store).into_iter().find(|name| name.ends_with(".parquet") && name.starts_with(".staged-"));
                    if let (true, true, Some(staged)) = (half_named, to_publish, staged) {
                        let number: u64 = staged.trim_end_matches(".parquet").rsplit('-').next().unwrap().parse().unwrap();
                        if number * 25 + 25 <= committed.1 as u64 {
                            std::fs::copy(store.join(&staged), store.join(names::complete("p", number))).unwrap();
                        }
                    }
                    sink = recover(store, &committed.0);
                    (written, to_publish) = (committed.1, false);
                }
            }
            let seen = visible(store);
            prop_assert_eq!(&seen, &(0..seen.len() as i64).collect::<Vec<i64>>());
            prop_assert!(seen.len() <= committed.1, "{} of {} rows", seen.len(), committed.1);
        }
        if to_publish {
            sink.publish().unwrap();
        }
        sink.write(&batch(written, 3)).unwrap();
        sink.finish().unwrap();
        snapshot(&mut sink);
        sink.publish().unwrap();
        prop_assert_eq!(visible(store), (0..written as i64 + 3).collect::<Vec<i64>>());
        prop_assert!(all_names(store).iter().all(|name| !name.starts_with('.')), "{:?}", all_names(store));
    }
}

#[test]
fn one_that_was_given_up_but_still_runs_cannot_write_into_anothers_segments() {
    let store = tempfile::tempdir().unwrap();
    let store = store.path();
    let mut zombie = open(store);
    let begun = snapshot(&mut zombie);
    zombie.write(&batch(0, 5)).unwrap();
    let mut successor = recover(store, &begun);
    successor.write(&batch(0, 7)).unwrap();
    let committed = snapshot(&mut successor);
    // Its snapshot comes after; no commit of it will.
    zombie.write(&batch(5, 9)).unwrap();
    snapshot(&mut zombie);
    drop((zombie, successor));
    let mut sink = recover(store, &committed);
    sink.finish().unwrap();
    snapshot(&mut sink);
    sink.publish().unwrap();
    assert_eq!(visible(store), (0..7).collect::<Vec<i64>>());
}

#[test]
fn without_checkpoints_files_of_an_earlier_run_are_replaced_and_those_of_others_are_not() {
    let store = tempfile::tempdir().unwrap();
    let store = store.path();
    let run = |len: usize| {
        let directory = directory(store, Existing::Replace);
        let number = directory.first_number("p")?;
        let mut sink = ParquetSink::begin(directory, names::tag("p"), number, &schema(), &properties(), LIMITS)?;
        sink.write(&batch(0, len)).unwrap();
        assert!(all_names(store).len() < 5, "nothing unfinished is seen");
        sink.finish().unwrap();
        Ok::<(), SinkError>(())
    };
    run(60).unwrap();
    assert_eq!((visible(store).len(), all_names(store).len()), (60, 3));
    run(30).unwrap();
    assert_eq!((visible(store), all_names(store).len()), ((0..30).collect(), 2));
    std::fs::write(store.join(names::complete("p", 0)), "somebody else's").unwrap();
    let refused = run(30).unwrap_err().to_string();
    assert!(refused.contains("part-p-00000.parquet") && refused.contains("not written by Sluicegate"), "{refused}");
}
