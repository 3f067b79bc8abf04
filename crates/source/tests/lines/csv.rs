//! What rows come out of separated values.

use std::io::Write as _;

use sluicegate_core::Roles;

use crate::support::Folder;

const SCHEMA: &str = "schema = { ts = 'timestamp', meter = 'string', load = 'float64' }\n";
const FILE: &str = "ts,meter,load,note\n2017-01-01T00:00:00Z,a,0.5,x\n2017-01-01T01:00:00Z,b,,y\n";

fn read(bytes: impl AsRef<[u8]>, settings: &str) -> crate::support::Rows {
    let folder = Folder::new();
    folder.write("a.csv", bytes).read("csv", &format!("path = 'a.csv'\n{SCHEMA}{settings}"))
}

#[test]
fn declared_columns_come_in_the_order_of_their_names_with_their_roles() {
    let rows = read(FILE, "time = 'ts'\nkey = 'meter'");
    let schema = rows.records.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["load", "meter", "ts"]);
    assert_eq!(Roles::of(&schema), Roles { time: Some("ts".into()), key: Some("meter".into()) });
    assert_eq!(rows.offsets, [0, 1]);
    assert_eq!(rows.column("load"), ["0.5", ""]);
    assert_eq!(rows.column("ts"), ["2017-01-01T00:00:00", "2017-01-01T01:00:00"]);
}

#[test]
fn a_byte_order_mark_line_ends_of_windows_and_a_missing_last_one_change_nothing() {
    let plain = read(FILE, "");
    let windows = FILE.replace('\n', "\r\n");
    for bytes in [format!("\u{feff}{FILE}"), windows.clone(), windows.trim_end().to_owned(), FILE.trim_end().to_owned()]
    {
        assert_eq!(read(&bytes, ""), plain, "{bytes:?}");
    }
    let spaced = FILE.replace('\n', "\n\n\r\n");
    assert_eq!(read(spaced, ""), plain, "empty lines");
}

#[test]
fn quoted_fields_hold_delimiters_quotes_and_ends_of_lines() {
    let rows = read("meter,\"load\",ts\n\"a,\"\"b\"\"\nc\",\"1\",\n\"\",2,2017-01-01\n", "");
    assert_eq!(rows.offsets, [0, 1]);
    assert_eq!(arrow::array::AsArray::as_string::<i32>(rows.records.column(1)).value(0), "a,\"b\"\nc");
    assert_eq!(rows.records.column(1).null_count(), 0, "an empty text in quotes is there");
    assert_eq!(rows.column("load"), ["1.0", "2.0"]);
}

#[test]
fn delimiters_quotes_nulls_and_headers_are_what_the_settings_say() {
    let rows = read("ts;load;meter\n2017-01-01;-;'a;b'\n", "delimiter = ';'\nquote = \"'\"\nnulls = ['-', '']");
    assert_eq!((rows.column("load"), rows.column("meter")), (vec![String::new()], vec!["a;b".into()]));
    let rows = read("x\t1\t2017-01-01\n\t\t\n", "delimiter = \"\\t\"\nquote = ''\nheader = ['meter', 'load', 'ts']");
    assert_eq!(rows.column("meter"), ["x", ""]);
    let rows = read("ts,load,meter\n2017-01-01,1,\"a\n", "quote = ''");
    assert_eq!(rows.column("meter"), ["\"a"]);
}

#[test]
fn each_file_is_read_by_its_own_header_and_odd_names_are_names() {
    let folder = Folder::new();
    folder
        .write("d/a.csv", "a b,\"x,y\",ü\n1,2,3\n")
        .write("d/b.csv", "")
        .write("d/c.csv", "ü,a b,\"x,y\",new\n6,4,5,0\n");
    folder.write("d/.e.csv", "no").write("d/notes.txt", "no");
    let rows = folder.read("csv", "path = 'd'\nschema = { 'a b' = 'int64', 'x,y' = 'int32', 'ü' = 'float32' }");
    assert_eq!(
        (rows.offsets.as_slice(), rows.column("a b"), rows.column("x,y")),
        (&[0, 1][..], vec!["1".into(), "4".into()], vec!["2".into(), "5".into()])
    );
}

#[test]
fn a_file_without_bytes_or_with_a_header_alone_has_no_rows() {
    for bytes in ["", "\u{feff}", "\n", "ts,meter,load", "ts,meter,load\n"] {
        assert_eq!(read(bytes, "").offsets, [] as [i64; 0], "{bytes:?}");
    }
}

#[test]
fn compressed_files_are_unpacked() {
    let folder = Folder::new();
    // Two members, as programs that append write them.
    let mut packed = Vec::new();
    for part in [&FILE[..30], &FILE[30..]] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(part.as_bytes()).unwrap();
        packed.extend(gzip.finish().unwrap());
    }
    folder.write("d/a.csv.gz", packed).write("d/b.csv.zst", zstd::encode_all(FILE.as_bytes(), 1).unwrap());
    let settings = format!("path = 'd'\n{SCHEMA}");
    let rows = folder.read("csv", &settings);
    assert_eq!(rows.column("meter"), ["a", "b", "a", "b"]);
    let mut source = folder.connect("csv", &format!("{settings}partitions = 'per-file'")).unwrap();
    let names: Vec<String> = source.partitions().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b"]);
    folder.write("d/b.csv.zst", &zstd::encode_all(FILE.repeat(100).as_bytes(), 1).unwrap()[..40]);
    let mut source = folder.connect("csv", &settings).err().map_or_else(|| folder.connect("csv", &settings), Err);
    let error = match &mut source {
        Err(error) => error.clone(),
        Ok(source) => {
            let partition = source.partitions().unwrap().remove(0);
            crate::support::Rows::read(source.as_mut(), &partition, None).unwrap_err().to_string()
        }
    };
    assert!(error.contains("b.csv.zst"), "{error}");
}

#[test]
fn a_record_longer_than_what_is_read_at_once_is_read_whole() {
    let long = "x".repeat(1_000_000);
    let rows = read(format!("ts,meter,load\n2017-01-01,\"{long}\n{long}\",1\n2017-01-01,b,2\n"), "");
    assert_eq!(arrow::array::AsArray::as_string::<i32>(rows.records.column(1)).value(0).len(), 2_000_001);
    assert_eq!(rows.column("load"), ["1.0", "2.0"]);
}
