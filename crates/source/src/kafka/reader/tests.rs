//! A reader whose records come from a script.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sluicegate_formats::{Format, FormatConfig};

use super::super::columns::Columns;
use super::super::position::KafkaStart;
use super::*;

/// What a reader gets, one after the other, and where it sought.
#[derive(Default)]
struct Script {
    taken: VecDeque<Taken>,
    sought: Vec<i64>,
    low: i64,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Records for Scripted {
    fn take(&self, _: usize, _: Duration, _: Duration) -> Taken {
        self.0.lock().unwrap().taken.pop_front().unwrap()
    }

    fn seek(&mut self, to: i64) -> Result<(), CallError> {
        self.0.lock().unwrap().sought.push(to);
        Ok(())
    }

    fn ends(&self, _: Duration) -> Result<PartitionEnds, CallError> {
        let low = self.0.lock().unwrap().low;
        Ok(PartitionEnds { low, high: 9 })
    }
}

fn record(offset: i64) -> RawRecord {
    RawRecord { offset, timestamp_ms: None, key: None, payload: Some(b"x".to_vec()), headers: Vec::new() }
}

/// The broker has nothing more before this offset.
fn end(position: i64) -> Option<TapEnd> {
    Some(TapEnd { position: Some(position), certain: true })
}

/// A reader of offsets 0 to 8, and what it does.
fn reader(taken: impl IntoIterator<Item = Taken>) -> (KafkaReader, Scripted) {
    let script = Scripted::default();
    script.0.lock().unwrap().taken.extend(taken);
    let format = FormatConfig::new(Format::Text, None).prepare(Path::new("."), Some("t")).unwrap();
    let reading = Reading {
        component: "events".to_owned(),
        columns: Columns::choose(format, &[], None, None).unwrap(),
        start: KafkaStart::Earliest,
        stop: None,
        fail_on_error: true,
        skip_missing: true,
        batch_rows: 10,
        linger: Duration::ZERO,
    };
    let partition = PartitionId::new("t-0");
    let name = ("t".to_owned(), 0);
    let reader = KafkaReader::new(partition, name, Box::new(script.clone()), reading, (0, 0), (Some(9), 9));
    (reader.unwrap(), script)
}

/// The offsets of each batch until the partition ends or the script does.
fn batches(reader: &mut KafkaReader, script: &Scripted) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    while !script.0.lock().unwrap().taken.is_empty() {
        let Some(batch) = reader.next_batch().unwrap() else { break };
        all.push(batch.offsets().iter().map(|offset| offset.0).collect());
    }
    all
}

#[test]
fn an_end_is_believed_when_it_is_told_twice() {
    let (mut reader, script) = reader([Ok((vec![], end(9))), Ok((vec![], end(9))), Ok((vec![record(0)], None))]);
    assert_eq!(batches(&mut reader, &script), [Vec::<i64>::new()]);
    let script = script.0.lock().unwrap();
    assert_eq!((script.sought.as_slice(), script.taken.len()), (&[0][..], 1), "sought once more, and then ended");
}

#[test]
fn an_end_of_before_the_seek_hides_no_record() {
    let taken =
        [Ok((vec![], end(9))), Ok((vec![record(0), record(3)], None)), Ok((vec![], end(9))), Ok((vec![], end(9)))];
    let (mut reader, script) = reader(taken);
    assert_eq!(batches(&mut reader, &script), [vec![], vec![0, 3], vec![]]);
    assert_eq!(script.0.lock().unwrap().sought, [0, 4], "an end that is told at another place is a first one again");
}

#[test]
fn a_partition_that_is_not_fetched_though_it_has_more_is_sought_again() {
    let nothing = || Ok((vec![], None));
    let (mut reader, script) = reader([nothing(), Ok((vec![record(0)], None)), nothing(), nothing()]);
    assert_eq!(batches(&mut reader, &script).len(), 4);
    assert!(script.0.lock().unwrap().sought.is_empty(), "not before it has waited");
    script.0.lock().unwrap().taken.extend([nothing(), Ok((vec![record(8)], None)), nothing()]);
    reader.stalled = Duration::ZERO;
    batches(&mut reader, &script);
    assert_eq!(script.0.lock().unwrap().sought, [1], "the broker has offsets to 8, and after that one nothing more");
}

#[test]
fn reading_goes_on_at_the_first_record_that_is_left() {
    let (mut reader, script) =
        reader([Ok((vec![record(0)], None)), Err(TapError::OffsetsGone), Ok((vec![record(8)], None))]);
    script.0.lock().unwrap().low = 5;
    assert_eq!(batches(&mut reader, &script), [vec![0], vec![], vec![8]]);
    assert_eq!(script.0.lock().unwrap().sought, [5]);
}
