//! What becomes of one record.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use sluicegate_core::{Batch, Offset};

use crate::support::{create_topic, name};
use crate::{Joined, PATIENCE, fill, offsets, producer, to_the_end};

fn with_a_bad_record(topic: &str) {
    create_topic(topic, 1);
    let producer = producer(&[]);
    let send = |value: &[u8]| {
        let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some(&[7u8, 0xff]) });
        let record =
            BaseRecord::to(topic).partition(0).key(&[1u8, 0xfe][..]).payload(value).timestamp(5).headers(headers);
        producer.send(record).unwrap();
    };
    send(b"good");
    send(&[0xff, 0x00]);
    send(b"good too");
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn a_bad_record_is_rejected_in_its_place_with_its_original_bytes() {
    let topic = name("bad");
    with_a_bad_record(&topic);
    let mut joined = Joined::new(&format!("topics = '{topic}'\nstop = 'end'")).assigned(1);
    let (batches, rejected) = to_the_end(&mut *joined.open(&format!("{topic}-0"), None).unwrap());
    assert_eq!(offsets(&batches), [0, 2]);
    let [letter] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert_eq!((letter.offset, letter.time_us), (Offset(1), Some(5000)));
    assert_eq!((letter.key.as_deref(), letter.payload.as_deref()), (Some(&[1, 0xfe][..]), Some(&[0xff, 0][..])));
    assert_eq!(letter.headers, [("trace".to_owned(), Some(vec![7, 0xff]))]);
}

#[test]
fn where_bad_records_are_to_fail_reading_stops_at_the_offset() {
    let topic = name("fail");
    with_a_bad_record(&topic);
    let mut joined = Joined::new(&format!("topics = '{topic}'\nstop = 'end'\non_error = 'fail'")).assigned(1);
    let mut reader = joined.open(&format!("{topic}-0"), None).unwrap();
    let error = loop {
        match reader.next_batch() {
            Ok(batch) => assert!(batch.is_some_and(|batch| batch.len() <= 1)),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("at offset 1 of partition") && error.contains("on_error"), "{error}");
}

#[test]
fn what_else_a_record_has_becomes_columns_and_batches_are_bounded() {
    let topic = name("metadata");
    create_topic(&topic, 2);
    fill(&topic, 1, 10);
    let all = "metadata = ['key', 'timestamp', 'offset', 'topic', 'partition']\nbatch_rows = 3";
    let mut joined = Joined::new(&format!("topics = '{topic}'\nstop = 'end'\n{all}")).assigned(2);
    let (batches, _) = to_the_end(&mut *joined.open(&format!("{topic}-1"), None).unwrap());
    assert!(batches.iter().all(|batch| batch.len() <= 3));
    assert_eq!(batches.iter().map(Batch::len).sum::<usize>(), 10);
    let first = batches.iter().find(|batch| !batch.is_empty()).unwrap().records();
    let schema = first.schema();
    let names: Vec<&str> = schema.fields().iter().skip(1).map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["key", "timestamp", "offset", "topic", "partition"]);
    assert!(first.column_by_name("key").unwrap().is_null(0));
    assert_eq!(
        first.column_by_name("partition").unwrap().as_ref(),
        &arrow::array::Int32Array::from(vec![1; first.num_rows()])
    );
}
