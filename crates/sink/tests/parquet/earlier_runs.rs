//! What becomes of the files that an earlier run left.

use crate::support::{Folder, offsets, open, write};

/// A run with partitions `p` and `gone`, and things that are not ours.
fn earlier() -> Folder {
    let folder = Folder::new();
    let factory = folder.bind("file_rows_max = 2");
    for partition in ["p", "gone"] {
        let mut sink = open(factory.as_ref(), partition).unwrap();
        write(sink.as_mut(), 100, 4, 4).unwrap();
        sink.finish().unwrap();
    }
    std::fs::write(folder.out().join("notes.parquet"), "mine").unwrap();
    std::fs::write(folder.out().join(".part-p-00007.parquet.1-2-3.tmp"), "of a run that was killed").unwrap();
    folder
}

const EARLIER: [&str; 4] =
    ["part-gone-00000.parquet", "part-gone-00001.parquet", "part-p-00000.parquet", "part-p-00001.parquet"];

fn is_as_it_was(folder: &Folder) -> bool {
    let names = folder.visible();
    names.len() == 5 && EARLIER.iter().all(|name| names.contains(&(*name).to_owned()))
}

#[test]
fn they_stay_readable_until_this_run_has_its_first_file_and_then_go_together() {
    let folder = earlier();
    let factory = folder.bind("file_rows_max = 3");
    let mut q = open(factory.as_ref(), "q").unwrap();
    let mut p = open(factory.as_ref(), "p").unwrap();
    write(q.as_mut(), 0, 2, 2).unwrap();
    write(p.as_mut(), 0, 2, 2).unwrap();
    assert!(is_as_it_was(&folder));
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [100, 101]);
    write(p.as_mut(), 2, 1, 1).unwrap();
    assert_eq!(folder.visible(), ["notes.parquet", "part-p-00000.parquet"]);
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [0, 1, 2]);
    write(q.as_mut(), 2, 2, 2).unwrap();
    q.finish().unwrap();
    p.finish().unwrap();
    let names = ["notes.parquet", "part-p-00000.parquet", "part-q-00000.parquet", "part-q-00001.parquet"];
    assert_eq!(folder.names(), names, "also the file of the run that was killed is gone");
}

#[test]
fn a_run_that_fails_before_its_first_file_leaves_them_as_they_were() {
    let folder = earlier();
    let factory = folder.bind("");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    write(sink.as_mut(), 0, 2, 2).unwrap();
    drop(sink);
    assert!(is_as_it_was(&folder));
    assert_eq!(offsets(&folder.read("part-p-00001.parquet")), [102, 103]);
}

#[test]
fn a_run_without_rows_replaces_them_when_it_ends() {
    let folder = earlier();
    folder.run("", 0, 1);
    assert_eq!(folder.visible(), ["notes.parquet", "part-p-00000.parquet"]);
    assert_eq!(folder.read("part-p-00000.parquet").num_rows(), 0);
}

#[test]
fn a_second_run_gives_the_same_files_as_a_first() {
    let folder = Folder::new();
    for _ in 0..3 {
        folder.run("file_rows_max = 4", 10, 3);
        assert_eq!(folder.names(), ["part-p-00000.parquet", "part-p-00001.parquet", "part-p-00002.parquet"]);
    }
}

#[test]
fn refuse_names_what_is_there_and_begins_where_there_is_nothing() {
    let folder = earlier();
    let factory = folder.bind("existing = 'refuse'");
    for _ in 0..2 {
        let error = open(factory.as_ref(), "p").err().unwrap().to_string();
        assert!(error.contains("4 files") && error.contains("part-gone-00000.parquet"), "{error}");
    }
    assert!(is_as_it_was(&folder));
    let empty = Folder::new();
    empty.run("existing = 'refuse'", 3, 3);
    assert_eq!(empty.names(), ["part-p-00000.parquet"]);
}

#[test]
fn append_goes_on_after_the_last_number_of_each_partition() {
    let folder = earlier();
    let factory = folder.bind("existing = 'append'");
    for partition in ["p", "new"] {
        let mut sink = open(factory.as_ref(), partition).unwrap();
        write(sink.as_mut(), 0, 1, 1).unwrap();
        sink.finish().unwrap();
    }
    let mut expected: Vec<&str> = EARLIER.to_vec();
    expected.extend(["notes.parquet", "part-new-00000.parquet", "part-p-00002.parquet"]);
    expected.sort_unstable();
    assert_eq!(folder.visible(), expected);
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [100, 101]);
    assert_eq!(offsets(&folder.read("part-p-00002.parquet")), [0]);
}

#[test]
fn a_file_that_somebody_else_wrote_meanwhile_is_not_overwritten() {
    let folder = Folder::new();
    let factory = folder.bind("");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    folder.run("", 2, 2);
    write(sink.as_mut(), 50, 5, 5).unwrap();
    let error = sink.finish().unwrap_err().to_string();
    assert!(error.contains("part-p-00000.parquet was written by somebody else"), "{error}");
    drop(sink);
    assert_eq!(folder.names(), ["part-p-00000.parquet"]);
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [0, 1]);
}

#[test]
fn shards_on_threads_of_their_own_replace_an_earlier_run_once() {
    const SHARDS: usize = 8;
    let folder = Folder::new();
    for run in 0..5 {
        let factory = folder.bind("file_rows_max = 10");
        let sinks: Vec<_> =
            (0..SHARDS).map(|shard| open(factory.as_ref(), &format!("s{}", shard + run)).unwrap()).collect();
        std::thread::scope(|threads| {
            for mut sink in sinks {
                threads.spawn(move || {
                    write(sink.as_mut(), 0, 35, 5).unwrap();
                    sink.finish().unwrap();
                });
            }
        });
        assert_eq!(folder.names().len(), 4 * SHARDS, "run {run}");
    }
}
