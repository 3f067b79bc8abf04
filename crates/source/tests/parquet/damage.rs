//! Files that are not what they should be: never a panic, never a wrong number of rows, always the file's name.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use sluicegate_core::BoxError;

use crate::support::{Folder, Rows, log};

const ROWS: usize = 60;

/// Connects and reads everything; the error of whichever fails first.
fn read(folder: &Folder) -> Result<Rows, String> {
    let mut source = folder.connect("path = 'a.parquet'\ntime = 'ts'")?;
    let partition = source.partitions().unwrap().remove(0);
    Rows::read(source.as_mut(), &partition, None).map_err(|error: BoxError| error.to_string())
}

fn write(folder: &Folder, bytes: &[u8]) {
    std::fs::write(folder.path("a.parquet"), bytes).unwrap();
}

fn good(folder: &Folder) -> Vec<u8> {
    std::fs::read::<&Path>(folder.write("a.parquet", &log(0, ROWS), ROWS / 4).as_ref()).unwrap()
}

#[test]
fn an_empty_file_is_refused() {
    let folder = Folder::new();
    write(&folder, b"");
    let error = read(&folder).unwrap_err();
    assert!(error.contains("a.parquet is not a Parquet file: it is empty"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_is_refused_at_every_length() {
    let folder = Folder::new();
    let good = good(&folder);
    for len in (1..good.len()).step_by(7).chain([1, 3, 4, 11, 12, good.len() - 1]) {
        write(&folder, &good[..len]);
        let error = read(&folder).expect_err("a part of a file was taken for a whole one");
        assert!(error.contains("a.parquet is cut short") && error.contains(&format!("{len} bytes")), "{len}: {error}");
    }
}

#[test]
fn a_file_that_lost_its_middle_is_refused() {
    let folder = Folder::new();
    let good = good(&folder);
    let mut bytes = good[..good.len() / 4].to_vec();
    bytes.extend_from_slice(&good[good.len() / 2..]);
    write(&folder, &bytes);
    let error = read(&folder).unwrap_err();
    assert!(error.contains("a.parquet is damaged") || error.contains("the footer of"), "{error}");
}

#[test]
fn a_page_that_is_overwritten_is_refused_with_the_place_in_the_file() {
    let folder = Folder::new();
    let mut bytes = good(&folder);
    let file = SerializedFileReader::new(File::open(folder.path("a.parquet")).unwrap()).unwrap();
    let (page, len) = file.metadata().row_group(2).column(2).byte_range();
    bytes[page as usize..(page + len) as usize].fill(0xff);
    write(&folder, &bytes);
    let mut source = folder.connect("path = 'a.parquet'\nbatch_rows = 10").unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let mut reader = source.open(&partition, None).unwrap();
    let error = loop {
        match reader.next_batch() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a damaged page went unseen"),
            Err(error) => break error.to_string(),
        }
    };
    let row = reader.progress().rows_done;
    assert!(row > 0, "the groups before it are whole");
    assert!(error.contains(&format!("a.parquet is damaged at or soon after its row {row} (offset {row})")), "{error}");
    assert!(reader.next_batch().is_err(), "no later call succeeds");
}

#[test]
fn no_flipped_byte_makes_a_panic_or_another_number_of_rows() {
    let folder = Folder::new();
    let good = good(&folder);
    let (mut tried, mut refused) = (0, 0);
    for at in (0..good.len()).step_by(2) {
        tried += 1;
        let mut bytes = good.clone();
        bytes[at] ^= [0x01, 0x80, 0xff][tried % 3];
        write(&folder, &bytes);
        match read(&folder) {
            Ok(rows) => assert_eq!(rows.offsets, (0..ROWS as i64).collect::<Vec<_>>(), "byte {at}"),
            Err(error) => {
                assert!(error.contains("a.parquet"), "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(2 * refused > tried, "most flips are seen: {refused} of {tried}");
}
