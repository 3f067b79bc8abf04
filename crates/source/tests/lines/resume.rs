//! Reading on from an offset gives the rest of what reading everything gives; bounds are where they are said to be.

use proptest::prelude::*;

use crate::support::{Folder, Rows};

const SCHEMA: &str = "schema = { ts = 'timestamp', n = 'int64' }\ntime = 'ts'\n";

/// Hourly rows; every fifth is bad, every seventh has no time.
fn line(row: usize) -> String {
    let n = if row % 5 == 4 { "bad".to_owned() } else { row.to_string() };
    let ts = if row % 7 == 6 { String::new() } else { format!("2017-01-{:02}T{:02}:00:00Z", 1 + row / 24, row % 24) };
    format!("{ts},\"{n}\"\n")
}

fn write(folder: &Folder, files: &[usize]) -> usize {
    let mut rows = 0;
    for (file, len) in files.iter().enumerate() {
        let lines: String = (rows..rows + len).map(line).collect();
        folder.write(&format!("d/{file}.csv"), format!("ts,n\n{lines}"));
        rows += len;
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_on_at_any_offset_gives_the_rest_however_files_and_batches_are_cut(
        files in prop::collection::vec(0usize..30, 1..5),
        batch_rows in 1usize..40,
        resumed_batch_rows in 1usize..40,
    ) {
        let folder = Folder::new();
        let rows = write(&folder, &files);
        let settings = |batch_rows| format!("path = 'd'\n{SCHEMA}on_error = 'dead-letter'\nbatch_rows = {batch_rows}");
        let whole = folder.read("csv", &settings(batch_rows));
        prop_assert_eq!(whole.offsets.len() + whole.rejected.len(), rows);
        let mut source = folder.connect("csv", &settings(resumed_batch_rows)).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        for from in 0..=rows as i64 + 1 {
            let rest = Rows::read(source.as_mut(), &partition, Some(from)).unwrap();
            let skipped = whole.offsets.iter().filter(|offset| **offset < from).count();
            let letters = whole.rejected.iter().filter(|letter| letter.offset.0 >= from).cloned().collect::<Vec<_>>();
            prop_assert_eq!(&rest.offsets, &whole.offsets[skipped..]);
            prop_assert_eq!(&rest.records, &whole.records.slice(skipped, whole.records.num_rows() - skipped));
            prop_assert_eq!(rest.rejected, letters);
        }
    }
}

#[test]
fn start_is_inclusive_and_stop_exclusive_and_neither_shifts_offsets() {
    let folder = Folder::new();
    write(&folder, &[10, 10]);
    let good = |range: std::ops::Range<i64>| range.filter(|row| row % 5 != 4).collect::<Vec<i64>>();
    let cases = [
        ("", 0..20),
        ("start = { offset = 7 }", 7..20),
        ("start = { offset = 8 }\nstop = { offset = 12 }", 8..12),
        ("start = { offset = 99 }", 0..0),
        ("start = { time = '2017-01-01T05:00:00Z' }", 5..20),
        // The row of that hour has no time, so the next one is meant.
        ("start = { time = 2017-01-01T06:00:00Z }", 7..20),
        ("start = { offset = 3 }\nstop = { time = '2017-01-01T11:30:00Z' }", 3..12),
        ("start = { time = '2050-01-01' }", 0..0),
        ("stop = { time = '2050-01-01' }", 0..20),
        ("stop = { time = '1950-01-01' }", 0..0),
    ];
    for (bounds, range) in cases {
        let rows = folder.read("csv", &format!("path = 'd'\n{SCHEMA}on_error = 'dead-letter'\n{bounds}"));
        assert_eq!(rows.offsets, good(range), "{bounds}");
    }
}
