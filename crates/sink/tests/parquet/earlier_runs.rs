//! What becomes of the files that an earlier run left.

use std::fs::{self, File};
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::support::{Folder, offsets, open, rows, write};

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

/// Writes a file as another program does, with entries of its own in the footer.
fn write_foreign(path: &Path, entry: &str, encoder: &str) {
    let rows = rows(900, 3);
    let properties = WriterProperties::builder()
        .set_created_by(encoder.to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(entry.to_owned(), "x".to_owned())]));
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties.build())).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_file_says_in_its_footer_who_wrote_it_and_equal_runs_write_equal_bytes() {
    let (one, other) = (Folder::new(), Folder::new());
    one.run("", 100, 7);
    other.run("", 100, 9);
    let path = one.out().join("part-p-00000.parquet");
    assert_eq!(fs::read(&path).unwrap(), fs::read(other.out().join("part-p-00000.parquet")).unwrap());
    let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let entries = file.metadata().file_metadata().key_value_metadata().unwrap();
    let mark = entries.iter().find(|entry| entry.key == "sluicegate.sink").unwrap();
    assert_eq!(mark.value.as_deref(), Some("my pipeline"));
}

#[test]
fn replace_leaves_what_sluicegate_did_not_write_whatever_it_is_called() {
    let folder = earlier();
    let out = folder.out();
    write_foreign(&out.join("part-x-00000.parquet"), "org.apache.spark.version", "parquet-mr version 1.13.1");
    write_foreign(&out.join("part-x-00001.parquet"), "other", "parquet-rs version 60.1.0");
    write_foreign(&out.join("part-copied-00000.parquet"), "sluicegate.sink", "parquet-cpp-arrow version 21.0.0");
    fs::write(out.join("part-p-00005.parquet"), "no Parquet").unwrap();
    fs::write(out.join("part-p-00006.parquet"), "").unwrap();
    let whole = fs::read(out.join("part-p-00000.parquet")).unwrap();
    fs::write(out.join("part-p-00007.parquet"), &whole[..whole.len() - 1]).unwrap();
    fs::create_dir(out.join("part-p-00008.parquet")).unwrap();
    fs::write(out.join(".part-p-00000.parquet.Xy3kQz.tmp"), "being copied").unwrap();
    folder.run("", 3, 3);
    let left = [
        ".part-p-00000.parquet.Xy3kQz.tmp",
        "notes.parquet",
        "part-copied-00000.parquet",
        "part-p-00000.parquet",
        "part-p-00005.parquet",
        "part-p-00006.parquet",
        "part-p-00007.parquet",
        "part-p-00008.parquet",
        "part-x-00000.parquet",
        "part-x-00001.parquet",
    ];
    assert_eq!(folder.names(), left);
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [0, 1, 2]);
    assert_eq!(offsets(&folder.read("part-x-00000.parquet")), [900, 901, 902]);
}

#[test]
fn a_foreign_file_with_a_name_that_is_needed_ends_the_run_and_stays() {
    let folder = earlier();
    let first = folder.out().join("part-q-00000.parquet");
    write_foreign(&first, "other", "other");
    let factory = folder.bind("file_rows_max = 2");
    let error = open(factory.as_ref(), "q").err().unwrap().to_string();
    assert!(error.contains("part-q-00000.parquet") && error.contains("not written by Sluicegate"), "{error}");
    assert!(error.contains("move it away, or give another `path`"), "{error}");
    fs::rename(&first, folder.out().join("part-q-00001.parquet")).unwrap();
    let mut sink = open(folder.bind("file_rows_max = 2").as_ref(), "q").unwrap();
    let error = write(sink.as_mut(), 0, 4, 4).unwrap_err().to_string();
    assert!(error.contains("part-q-00001.parquet") && error.contains("not written by Sluicegate"), "{error}");
    assert_eq!(folder.names(), ["notes.parquet", "part-q-00000.parquet", "part-q-00001.parquet"]);
    assert_eq!(offsets(&folder.read("part-q-00001.parquet")), [900, 901, 902]);
}

#[test]
fn a_foreign_file_that_comes_during_the_run_leaves_the_earlier_run_as_it_was() {
    let folder = earlier();
    let factory = folder.bind("");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    let path = folder.out().join("part-p-00000.parquet");
    fs::remove_file(&path).unwrap();
    write_foreign(&path, "other", "other");
    write(sink.as_mut(), 0, 2, 2).unwrap();
    let error = sink.finish().unwrap_err().to_string();
    assert!(error.contains("not written by Sluicegate"), "{error}");
    assert!(is_as_it_was(&folder));
    assert_eq!(offsets(&folder.read("part-p-00000.parquet")), [900, 901, 902]);
}

#[test]
fn refuse_and_append_count_foreign_files_too() {
    let folder = Folder::new();
    fs::create_dir(folder.out()).unwrap();
    write_foreign(&folder.out().join("part-p-00003.parquet"), "other", "other");
    let error = open(folder.bind("existing = 'refuse'").as_ref(), "p").err().unwrap().to_string();
    assert!(error.contains("1 files") && error.contains("part-p-00003.parquet"), "{error}");
    folder.run("existing = 'append'", 2, 2);
    assert_eq!(folder.names(), ["part-p-00003.parquet", "part-p-00004.parquet"]);
    assert_eq!(offsets(&folder.read("part-p-00003.parquet")), [900, 901, 902]);
}

#[test]
#[cfg(unix)]
fn a_link_is_neither_removed_nor_overwritten() {
    let folder = earlier();
    let link = folder.out().join("part-q-00000.parquet");
    std::os::unix::fs::symlink("part-p-00000.parquet", &link).unwrap();
    assert!(open(folder.bind("").as_ref(), "q").is_err());
    folder.run("", 1, 1);
    assert!(link.is_symlink());
}
