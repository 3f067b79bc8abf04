//! What `path` means.

use crate::support::{Folder, log, names};

fn folder() -> Folder {
    let folder = Folder::new();
    for (name, first) in [
        ("d/b.parquet", 2),
        ("d/a.parquet", 0),
        ("d/_c.parquet", 90),
        ("d/.e.parquet", 90),
        ("d/deeper/f.parquet", 4),
        ("g/a.parquet", 6),
    ] {
        folder.write(name, &log(first, 2), 2);
    }
    std::fs::write(folder.path("d/notes.txt"), "x").unwrap();
    std::fs::create_dir(folder.path("d/z.parquet")).unwrap();
    folder
}

#[test]
fn a_path_is_a_file_a_directory_a_pattern_or_a_list_of_these() {
    let folder = folder();
    let cases: [(&str, &[i64]); 8] = [
        ("'d/a.parquet'", &[0, 1]),
        ("'d'", &[0, 1, 2, 3]),
        ("'d/'", &[0, 1, 2, 3]),
        ("'d/[ab].parquet'", &[0, 1, 2, 3]),
        ("'**/f.parquet'", &[4, 5]),
        ("'*/a.parquet'", &[0, 1, 6, 7]),
        ("['d/b.parquet', 'd/a.parquet']", &[2, 3, 0, 1]),
        ("['g', 'd']", &[6, 7, 0, 1, 2, 3]),
    ];
    for (path, ids) in cases {
        let rows = folder.read(&format!("path = {path}\ncolumns = ['id']"));
        assert_eq!(rows.records.column(0).as_ref(), &arrow::array::Int64Array::from(ids.to_vec()), "{path}");
        assert_eq!(rows.offsets, (0..ids.len() as i64).collect::<Vec<_>>());
    }
}

#[test]
fn an_absolute_path_is_taken_as_it_is() {
    let folder = folder();
    for path in ["d/a.parquet", "d", "d/*.parquet"] {
        let path = folder.path(path);
        assert!(folder.connect(&format!("path = '{}'", path.display())).is_ok(), "{}", path.display());
    }
}

#[test]
fn all_files_are_one_partition_called_after_the_first_entry() {
    let folder = folder();
    let cases = [("'d/a.parquet'", "a"), ("'d'", "d"), ("'d/*.parquet'", "d"), ("['g', 'd']", "g")];
    for (path, name) in cases {
        let mut source = folder.connect(&format!("path = {path}")).unwrap();
        assert_eq!(names(source.as_mut()), [name], "{path}");
    }
    let mut source = folder.connect("path = '*/a.parquet'").unwrap();
    assert_eq!(names(source.as_mut()), ["my pipeline"]);
}

#[test]
fn each_file_is_a_partition_of_its_own_where_asked_for() {
    let folder = folder();
    let mut source = folder.connect("path = ['d', 'g']\npartitions = 'per-file'").unwrap();
    assert_eq!(names(source.as_mut()), ["d/a", "b", "g/a"]);
    for partition in source.partitions().unwrap() {
        let rows = crate::support::Rows::read(source.as_mut(), &partition, None).unwrap();
        assert_eq!(rows.offsets, [0, 1], "{partition}");
    }
}

#[test]
fn a_path_that_leads_to_nothing_is_refused_by_name() {
    let folder = folder();
    std::fs::create_dir(folder.path("empty")).unwrap();
    let cases = [
        ("'d/x.parquet'", "there is no file or directory"),
        ("'d/*.parq'", "no file matches"),
        ("'empty'", "holds no *.parquet file"),
        ("'d/deeper/[a.parquet'", "is not a valid pattern"),
        ("['d', 'd/a.parquet']", "is named twice"),
        ("['d/a.parquet', 'd/../d/a.parquet']", "is named twice"),
        ("'d/a.parquet/x.parquet'", "cannot read"),
        ("'d/notes.txt'", "is not a Parquet file: it begins with other bytes"),
    ];
    for (path, message) in cases {
        let error = folder.connect(&format!("path = {path}")).err().unwrap_or_else(|| panic!("{path} was accepted"));
        assert!(error.starts_with("p.toml:2:1: `source.s.path`: "), "{path}: {error}");
        assert!(error.contains(message), "{path}: {error}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_without_the_right_to_read_it_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path("d/a.parquet");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        return; // This user may read everything.
    }
    let error = folder.connect("path = 'd/a.parquet'").err().unwrap();
    assert!(error.contains("a.parquet") && error.contains("give this user the right to read it"), "{error}");
}
