//! Records that are no rows: none vanishes, and each is told with its file and line.

use crate::support::{Folder, Rows};

const SETTINGS: &str = "path = 'd'\nschema = { n = 'int64', s = 'string' }\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("d/a.csv", "n,s\n0,a\n\n\"1\",\"two\nlines\"\nmany,c\n3,d\n4\n")
        .write("d/b.csv", "s,n\nx,5\n\"y\",6z\nz,7\n8,\"to");
    folder
}

#[test]
fn by_default_the_run_stops_at_the_first_after_all_rows_before_it() {
    let folder = folder();
    for batch_rows in [1, 2, 100] {
        let mut source = folder.connect("csv", &format!("{SETTINGS}batch_rows = {batch_rows}")).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        let (rows, error) = Rows::until_error(source.as_mut(), &partition, None).unwrap();
        assert_eq!((rows.offsets, rows.rejected.len()), (vec![0, 1], 0));
        let error = error.unwrap().to_string();
        assert!(error.contains("d/a.csv, line 6 (offset 2): `n` has to be a whole number"), "{error}");
        assert!(error.contains("on_error = \"dead-letter\""), "{error}");
        // After the record is mended, reading goes on there.
        let (rows, error) = Rows::until_error(source.as_mut(), &partition, Some(3)).unwrap();
        assert_eq!((rows.offsets, error.unwrap().to_string().contains("line 8 (offset 4)")), (vec![3], true));
    }
}

#[test]
fn as_dead_letters_they_keep_their_offsets_and_bytes_however_batches_are_cut() {
    let folder = folder();
    for batch_rows in [1, 2, 3, 100] {
        let settings = format!("{SETTINGS}on_error = 'dead-letter'\nbatch_rows = {batch_rows}");
        let rows = folder.read("csv", &settings);
        assert_eq!(rows.offsets, [0, 1, 3, 5, 7]);
        let letters: Vec<(i64, &str, &[u8])> = rows
            .rejected
            .iter()
            .map(|letter| (letter.offset.0, letter.reason, letter.payload.as_deref().unwrap()))
            .collect();
        assert_eq!(
            letters,
            [
                (2, "wrong-type", &b"many,c"[..]),
                (4, "undecodable", b"4"),
                (6, "wrong-type", b"\"y\",6z"),
                (8, "undecodable", b"8,\"to")
            ]
        );
        let last = rows.rejected.last().unwrap();
        assert!(last.message.contains("b.csv, line 5: ") && last.message.contains("not closed"), "{}", last.message);
        assert_eq!((last.component.as_str(), last.partition.as_str()), ("s", "d"));
    }
}

#[test]
fn a_torn_last_line_is_told_and_read_once_it_is_whole() {
    let folder = Folder::new();
    folder.write("d/a.jsonl", "{\"n\": 0}\n{\"n\": 1, \"s\": \"to");
    let mut source = folder.connect("jsonl", SETTINGS).unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let (rows, error) = Rows::until_error(source.as_mut(), &partition, None).unwrap();
    assert_eq!(rows.offsets, [0]);
    assert!(error.unwrap().to_string().contains("d/a.jsonl, line 2 (offset 1): it is no JSON object"));
    folder.write("d/a.jsonl", "{\"n\": 0}\n{\"n\": 1, \"s\": \"told\"}\n{\"n\": 2}\n");
    assert_eq!(Rows::read(source.as_mut(), &partition, Some(1)).unwrap().offsets, [1, 2]);
}

#[test]
fn a_record_without_an_end_is_refused_before_it_takes_all_memory() {
    let folder = Folder::new();
    folder.write("d/a.csv", format!("n,s\n1,a\n2,\"{}", "x\n".repeat(20 << 20)));
    let settings = format!("{SETTINGS}on_error = 'dead-letter'");
    let mut source = folder.connect("csv", &settings).unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let (rows, error) = Rows::until_error(source.as_mut(), &partition, None).unwrap();
    assert_eq!(rows.offsets, [0]);
    let error = error.unwrap().to_string();
    assert!(error.contains("d/a.csv, line 3: ") && error.contains("is a quote not closed"), "{error}");
}

#[test]
fn a_file_in_another_encoding_is_refused_by_name() {
    let folder = Folder::new();
    folder.write("d/a.csv", b"\xff\xfen\0,\0s\0");
    let error = folder.connect("csv", SETTINGS).err().unwrap();
    assert!(error.contains("a.csv") && error.contains("UTF-16"), "{error}");
}
