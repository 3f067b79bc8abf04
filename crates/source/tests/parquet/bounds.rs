//! Where `start` and `stop` are.

use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array, TimestampSecondArray};
use parquet::file::properties::EnabledStatistics;

use crate::support::{Folder, Rows, batch, log};

fn offsets(folder: &Folder, settings: &str) -> Vec<i64> {
    folder.read(&format!("path = 'd'\n{settings}")).offsets
}

#[test]
fn start_is_inclusive_and_stop_exclusive_and_neither_shifts_offsets() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 10), 3);
    folder.write("d/b.parquet", &log(10, 10), 3);
    let cases: [(&str, std::ops::Range<i64>); 15] = [
        ("", 0..20),
        ("start = { offset = 7 }", 7..20),
        ("stop = { offset = 11 }", 0..11),
        ("start = { offset = 9 }\nstop = { offset = 12 }", 9..12),
        ("start = { offset = 99 }", 0..0),
        ("stop = { offset = 99 }", 0..20),
        ("time = 'ts'\nstart = { time = '2017-01-01T05:00:00Z' }", 5..20),
        ("time = 'ts'\nstart = { time = '2017-01-01T05:00:00.000001Z' }", 6..20),
        ("time = 'ts'\nstart = { time = '2017-01-01T13:00:00+01:00' }\nstop = { offset = 14 }", 12..14),
        ("time = 'ts'\nstart = { time = '1950-01-01' }\nstop = { time = '2017-01-01T03:30:00Z' }", 0..4),
        ("time = 'ts'\nstart = { time = '2050-01-01' }", 0..0),
        ("time = 'ts'\nstart = { time = 2017-01-01T05:00:00.000001Z }", 6..20),
        ("time = 'ts'\nstart = { time = 2017-01-01T13:00:00+01:00 }\nstop.time = 2017-01-01 14:00:00", 12..14),
        ("time = 'ts'\nstart = { time = 1950-01-01 }\nstop = { time = 2017-01-01t03:30:00 }", 0..4),
        ("time = 'ts'\n[source.s.stop]\ntime = 2017-01-01T01:00Z", 0..1),
    ];
    for (settings, expected) in cases {
        assert_eq!(offsets(&folder, settings), expected.collect::<Vec<_>>(), "{settings}");
    }
}

#[test]
fn a_time_means_the_first_row_in_offset_order_whether_or_not_there_are_statistics() {
    let hours = [0, 5, 2, 9, 3, 8, 1, 4].map(|hour: i64| hour * 3600);
    let times = TimestampSecondArray::from(vec![
        Some(hours[0]),
        None,
        Some(hours[1]),
        Some(hours[2]),
        Some(hours[3]),
        Some(hours[4]),
        None,
        Some(hours[6]),
    ]);
    for statistics in [EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page] {
        for group_rows in 1..=8 {
            let folder = Folder::new();
            folder.write_with("d/a.parquet", &batch([("t", Arc::new(times.clone()))]), group_rows, statistics);
            let read = |bounds: &str| offsets(&folder, &format!("time = 't'\n{bounds}"));
            assert_eq!(read("start = { time = '1970-01-01T03:00:00' }"), [2, 3, 4, 5, 6, 7]);
            assert_eq!(read("start = { time = '1970-01-01T06:00:00' }"), [4, 5, 6, 7]);
            assert_eq!(read("stop = { time = '1970-01-01T04:00:00' }"), [0, 1]);
            let both = "start = { time = '1970-01-01T01:00:00' }\nstop = { time = '1970-01-01T06:00:00' }";
            assert_eq!(read(both), [2, 3]);
            assert_eq!(read("start = { offset = 3 }\nstop = { time = '1970-01-01T01:00:00' }"), [] as [i64; 0]);
        }
    }
}

#[test]
fn dates_and_integers_with_a_unit_have_times_too() {
    let folder = Folder::new();
    let days = Date32Array::from(vec![0, 1, 2, 3]);
    let seconds = Int64Array::from(vec![0, 86_400, 172_800, 259_200]);
    folder.write("d/a.parquet", &batch([("day", Arc::new(days)), ("s", Arc::new(seconds))]), 2);
    for time in ["time = 'day'", "time = 's'\ntime_unit = 's'"] {
        assert_eq!(offsets(&folder, &format!("{time}\nstart = {{ time = '1970-01-02T00:00:01' }}")), [2, 3], "{time}");
        assert_eq!(offsets(&folder, &format!("{time}\nstop = {{ time = '1970-01-02' }}")), [0], "{time}");
    }
}

#[test]
fn a_resumed_reader_ends_where_the_first_one_did_and_begins_where_it_is_told() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 10), 3);
    let settings = "path = 'd'\ntime = 'ts'\nstart = { offset = 4 }\nstop = { time = '2017-01-01T08:00:00Z' }";
    let mut source = folder.connect(settings).unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let mut from = |from| Rows::read(source.as_mut(), &partition, Some(from)).unwrap().offsets;
    assert_eq!(from(6), [6, 7]);
    assert_eq!(from(2), [2, 3, 4, 5, 6, 7]);
    assert_eq!(from(-5), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(from(8), [] as [i64; 0]);
    assert_eq!(from(i64::MAX), [] as [i64; 0]);
}
