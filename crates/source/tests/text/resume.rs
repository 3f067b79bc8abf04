//! Reading on gives the rest of what reading everything gives, byte for byte.

use proptest::prelude::*;

use crate::support::{Folder, joined, read};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_on_after_any_piece_gives_the_rest_however_batches_are_cut(
        files in prop::collection::vec("[a-c ä中\n]{0,60}", 1..5),
        max in 4usize..24,
        batch_rows in 1usize..9,
        resumed_batch_rows in 1usize..9,
    ) {
        let folder = Folder::new();
        files.iter().enumerate().for_each(|(file, text)| { folder.write(&format!("d/{file}"), text); });
        let settings = |rows| format!("path = 'd'\npiece_bytes_max = {max}\nbatch_rows = {rows}");
        let whole = folder.read(&settings(batch_rows));
        prop_assert_eq!(joined(&whole), files.concat().into_bytes());
        let mut source = folder.connect(&settings(resumed_batch_rows)).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        prop_assert_eq!(&read(source.as_mut(), &partition, None).unwrap(), &whole);
        for (place, row) in whole.iter().enumerate() {
            let rest = read(source.as_mut(), &partition, Some(row.offset + 1)).unwrap();
            prop_assert_eq!(rest, &whole[place + 1..]);
        }
        // Within a piece, the rest of it comes first; no byte is lost or doubled.
        let all = files.concat().into_bytes();
        for from in 0..=all.len() {
            let rest = read(source.as_mut(), &partition, Some(from as i64)).unwrap();
            prop_assert_eq!(joined(&rest), &all[from..]);
        }
    }
}

#[test]
fn a_file_that_grew_and_one_that_came_go_on_where_reading_ended() {
    let folder = Folder::new();
    folder.write("d/1.txt", "to be, or");
    let whole = |from: Option<i64>| {
        let mut source = folder.connect("path = 'd'").unwrap();
        let partition = source.partitions().unwrap().remove(0);
        read(source.as_mut(), &partition, from).unwrap()
    };
    let first = whole(None);
    folder.write("d/1.txt", "to be, or not to be").write("d/2.txt", "that is");
    let rest = whole(Some(first[0].offset + 1));
    assert_eq!(joined(&rest), b" not to bethat is");
    assert_eq!((rest[0].position, rest[1].position, rest[1].offset), (9, 0, 25));
}

#[test]
fn start_is_inclusive_and_stop_exclusive_in_bytes_over_all_files() {
    let folder = Folder::new();
    folder.write("d/1", "0123456789").write("d/2", "abcdefghij");
    let cases = [
        ("", "0123456789abcdefghij"),
        ("start = { offset = 7 }", "789abcdefghij"),
        ("start = { offset = 8 }\nstop = { offset = 12 }", "89ab"),
        ("start = { offset = 10 }\nstop = { offset = 11 }", "a"),
        ("stop = { offset = 10 }", "0123456789"),
        ("start = { offset = 99 }", ""),
    ];
    for (bounds, bytes) in cases {
        let rows = folder.read(&format!("path = 'd'\npiece_bytes_max = 4\n{bounds}"));
        assert_eq!(joined(&rows), bytes.as_bytes(), "{bounds}");
    }
}
