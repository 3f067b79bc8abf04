//! Reading on from an offset gives the rest of what reading everything gives; bounds are where they are said to be.

use proptest::prelude::*;

use crate::support::{Folder, Rows, spec};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_on_at_any_offset_gives_the_rest_however_files_and_batches_are_cut(
        files in prop::collection::vec(0i32..60, 1..5),
        bits in prop::sample::select(vec![8u16, 16, 24, 32]),
        grid in prop::option::of((2usize..9, 1usize..12)),
        batch_rows in 1usize..40,
        resumed_batch_rows in 1usize..40,
    ) {
        let folder = Folder::new();
        for (file, len) in files.iter().enumerate() {
            folder.write_with(&format!("d/{file}.wav"), spec(2, 16_000, bits), |writer| {
                (0..2 * len).for_each(|sample| writer.write_sample(sample * 37 % 120 - 60 + file as i32).unwrap());
            });
        }
        let settings = |batch_rows| {
            let unit = grid.map(|(length, hop)| format!("unit = 'frame'\nframe = {{ length = {length}, hop = {hop} }}"));
            format!("path = 'd'\nchannel = 2\nbatch_rows = {batch_rows}\n{}", unit.unwrap_or_default())
        };
        let whole = folder.read(&settings(batch_rows));
        let rows = whole.offsets.len();
        prop_assert_eq!(&whole.offsets, &(0..rows as i64).collect::<Vec<_>>());
        if grid.is_none() {
            prop_assert_eq!(rows as i32, files.iter().sum::<i32>());
        }
        let mut source = folder.connect(&settings(resumed_batch_rows)).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        for from in 0..=rows {
            let rest = Rows::read(source.as_mut(), &partition, Some(from as i64)).unwrap();
            prop_assert_eq!(&rest.offsets, &whole.offsets[from..]);
            prop_assert_eq!(&rest.records, &whole.records.slice(from, rows - from));
        }
        // A time stands for the first row that has it or a later one.
        for (row, time) in whole.times().iter().enumerate() {
            let time = format!("1970-01-01T00:00:00.{time:06}Z");
            let from = folder.read(&format!("{}\nstart = {{ time = '{time}' }}", settings(resumed_batch_rows)));
            prop_assert_eq!(&from.offsets, &whole.offsets[row..]);
        }
    }
}

#[test]
fn start_is_inclusive_and_stop_exclusive_and_neither_shifts_offsets_or_times() {
    let folder = Folder::new();
    folder.write_sound("d/a.wav", 0..10).write_sound("d/b.wav", 10..20);
    let whole = folder.read("path = 'd'");
    let cases = [
        ("start = { offset = 7 }", 7..20),
        ("start = { offset = 8 }\nstop = { offset = 12 }", 8..12),
        ("start = { offset = 99 }", 20..20),
        ("start = { time = 1970-01-01T00:00:00.001Z }\nstop = { time = '1970-01-01T00:00:00.001501Z' }", 8..13),
        ("start = { time = '2050-01-01' }", 20..20),
        ("stop = { time = '1950-01-01' }", 0..0),
    ];
    for (bounds, range) in cases {
        let rows = folder.read(&format!("path = 'd'\n{bounds}"));
        assert_eq!(rows.offsets, range.clone().collect::<Vec<i64>>(), "{bounds}");
        assert_eq!(rows.records, whole.records.slice(range.start as usize, rows.offsets.len()), "{bounds}");
    }
}
