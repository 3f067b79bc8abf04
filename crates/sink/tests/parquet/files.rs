//! Which files there are, when they get their names, and where they end.

use crate::support::{Folder, bind, offsets, open, rows, write};

#[test]
fn rows_come_back_as_they_were_written() {
    for compression in ["compression = 'zstd'\ncompression_level = 3", "compression = 'snappy'", "compression = 'none'"]
    {
        let folder = Folder::new();
        folder.run(compression, 1000, 70);
        assert_eq!(folder.names(), ["part-p-00000.parquet"], "{compression}");
        let read = folder.read("part-p-00000.parquet");
        assert_eq!(read.schema().fields(), rows(0, 0).schema().fields());
        assert_eq!(read.num_rows(), 1000);
        assert_eq!(read.slice(1, 999).column(0), rows(1, 999).column(0));
        assert_eq!(read.column(3), rows(0, 1000).column(3));
    }
}

#[test]
fn binding_touches_nothing_and_opening_makes_the_directory_with_a_hidden_file() {
    let folder = Folder::new();
    let factory = folder.bind("");
    assert!(!folder.out().exists());
    let _sink = open(factory.as_ref(), "p").unwrap();
    assert!(folder.visible().is_empty());
    let names = folder.names();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with(".part-p-00000.parquet.") && names[0].ends_with(".tmp"), "{names:?}");
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let folder = Folder::new();
    let factory = folder.bind("row_group_rows = 4\nfile_rows_max = 10");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    for row in 0..35 {
        assert_eq!(folder.visible().len(), row / 10);
        for name in folder.visible() {
            assert_eq!(folder.read(&name).num_rows(), 10, "{name}");
        }
        write(sink.as_mut(), row, 1, 1).unwrap();
    }
    sink.finish().unwrap();
    assert_eq!(folder.names(), folder.visible());
    assert_eq!(folder.visible().len(), 4);
}

#[test]
fn files_end_at_their_most_rows_however_rows_come_in_batches() {
    for batch_rows in [1, 3, 7, 10, 25, 100] {
        let folder = Folder::new();
        folder.run("row_group_rows = 4\nfile_rows_max = 10", 30, batch_rows);
        let names = ["part-p-00000.parquet", "part-p-00001.parquet", "part-p-00002.parquet"];
        assert_eq!(folder.names(), names, "{batch_rows}");
        for (file, name) in (0i64..).zip(names) {
            assert_eq!(offsets(&folder.read(name)), (10 * file..10 * file + 10).collect::<Vec<_>>());
            assert_eq!(folder.groups(name), [4, 4, 2], "{batch_rows}");
        }
    }
}

#[test]
fn a_file_ends_with_the_row_group_that_reaches_its_most_bytes() {
    let folder = Folder::new();
    folder.run("row_group_rows = 5\nfile_bytes_max = 1", 12, 4);
    assert_eq!(folder.names(), ["part-p-00000.parquet", "part-p-00001.parquet", "part-p-00002.parquet"]);
    assert_eq!([0, 1, 2].map(|file| folder.groups(&format!("part-p-0000{file}.parquet"))), [vec![5], vec![5], vec![2]]);
    let larger = Folder::new();
    larger.run("row_group_rows = 50\nfile_bytes_max = 3000", 1000, 64);
    for name in &larger.names()[..larger.names().len() - 1] {
        let groups = larger.groups(name).len();
        assert!(groups > 1 && groups < 20, "{name}: {groups}");
    }
}

#[test]
fn a_sink_that_is_dropped_leaves_its_complete_files_and_nothing_else() {
    let folder = Folder::new();
    let factory = folder.bind("file_rows_max = 10");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    write(sink.as_mut(), 0, 25, 5).unwrap();
    drop(sink);
    assert_eq!(folder.names(), ["part-p-00000.parquet", "part-p-00001.parquet"]);
}

#[test]
fn a_partition_without_rows_gets_one_file_with_its_columns() {
    let folder = Folder::new();
    folder.run("", 0, 1);
    assert_eq!(folder.names(), ["part-p-00000.parquet"]);
    let read = folder.read("part-p-00000.parquet");
    assert_eq!(read.num_rows(), 0);
    assert_eq!(read.schema().fields(), rows(0, 0).schema().fields());
}

#[test]
fn partitions_write_side_by_side() {
    let folder = Folder::new();
    let factory = folder.bind("file_rows_max = 2");
    let mut a = open(factory.as_ref(), "a/b").unwrap();
    let mut b = open(factory.as_ref(), "a b").unwrap();
    write(a.as_mut(), 0, 3, 1).unwrap();
    write(b.as_mut(), 0, 2, 1).unwrap();
    a.finish().unwrap();
    b.finish().unwrap();
    assert_eq!(folder.names(), ["part-a%20b-00000.parquet", "part-a%2Fb-00000.parquet", "part-a%2Fb-00001.parquet"]);
}

#[test]
fn nothing_is_taken_after_the_end() {
    let folder = Folder::new();
    let factory = folder.bind("");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    sink.finish().unwrap();
    assert!(write(sink.as_mut(), 0, 1, 1).is_err());
    assert!(sink.finish().is_err());
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_when_the_sink_is_opened() {
    let folder = Folder::new();
    std::fs::write(folder.out(), "a file").unwrap();
    let schema = rows(0, 0).schema();
    let error = bind(&folder.out(), "path = 'deeper'", &schema).map(|factory| open(factory.as_ref(), "p").err());
    let error = error.unwrap().unwrap().to_string();
    assert!(error.contains("cannot make the directory") && error.contains("out/deeper"), "{error}");
    assert!(error.contains("a file is where a directory has to be"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_directory_without_the_right_to_write_is_refused_when_the_sink_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    std::fs::create_dir(folder.out()).unwrap();
    std::fs::set_permissions(folder.out(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.out().join("probe"), "").is_ok() {
        return; // This user may write everywhere.
    }
    let error = open(folder.bind("").as_ref(), "p").err().unwrap().to_string();
    assert!(error.contains("cannot write into") && error.contains("give this user the right"), "{error}");
}
