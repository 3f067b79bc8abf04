//! What the pieces of files are.

use crate::support::{Folder, joined, read};

#[test]
fn pieces_say_their_file_and_place_and_files_do_not_run_into_each_other() {
    let folder = Folder::new();
    folder.write("d/a.txt", "one\ntwo\nthree").write("d/b", "").write("d/c.log", "four").write("d/.hidden", "x");
    let rows = folder.read("path = 'd'\npiece_bytes_max = 8");
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.offset, row.file.as_str(), row.position, std::str::from_utf8(&row.bytes).unwrap()))
        .collect();
    assert_eq!(seen, [(7, "d/a.txt", 0, "one\ntwo\n"), (12, "d/a.txt", 8, "three"), (16, "d/c.log", 0, "four")]);
}

#[test]
fn any_bytes_come_out_as_they_are_and_text_in_whole_characters() {
    let folder = Folder::new();
    let text = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich 🦀中文".repeat(300);
    let noise: Vec<u8> = (0..70_000u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    folder.write("text", &text).write("noise", &noise).write("long", "å".repeat(400_000));
    for (file, whole) in [("text", text.as_bytes()), ("noise", &noise), ("long", "å".repeat(400_000).as_bytes())] {
        for max in [4, 7, 4096, 1_000_000] {
            let rows = folder.read(&format!("path = '{file}'\npiece_bytes_max = {max}\nbatch_rows = 100"));
            assert!(joined(&rows) == whole, "{file}, {max}");
            assert!(rows.iter().all(|row| (1..=max).contains(&row.bytes.len())), "{file}, {max}");
            let is_text = rows.iter().all(|row| std::str::from_utf8(&row.bytes).is_ok());
            assert_eq!(is_text, file != "noise", "{file}, {max}");
        }
    }
}

#[test]
fn each_file_can_be_a_partition_of_its_own() {
    let folder = Folder::new();
    folder.write("d/a.txt", "one").write("d/b.txt", "two");
    let mut source = folder.connect("path = 'd/*.txt'\npartitions = 'per-file'\nkey = 'file'").unwrap();
    let partitions = source.partitions().unwrap();
    assert_eq!(partitions.iter().map(|partition| partition.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let rows = read(source.as_mut(), &partitions[1], None).unwrap();
    assert_eq!((rows[0].offset, rows[0].file.as_str(), rows.len()), (2, "d/b.txt", 1));
}

#[test]
fn a_file_that_is_cut_short_while_it_is_read_stops_the_run_by_name() {
    let folder = Folder::new();
    folder.write("a.txt", "x".repeat(5000));
    let mut source = folder.connect("path = 'a.txt'").unwrap();
    let partition = source.partitions().unwrap().remove(0);
    folder.write("a.txt", "x".repeat(4990));
    let error = read(source.as_mut(), &partition, None).unwrap_err().to_string();
    assert!(error.contains("a.txt has changed since the run began: it ends 10 bytes earlier than it did"), "{error}");
    // What is appended waits for the next run.
    folder.write("a.txt", "x".repeat(6000));
    assert_eq!(joined(&read(source.as_mut(), &partition, None).unwrap()).len(), 5000);
}
