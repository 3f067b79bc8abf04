//! Dead letters.

use rdkafka::Message;
use rdkafka::message::Headers;
use sluicegate_core::{Offset, PartitionId, Rejected};

use crate::records::messages;
use crate::support::{create_topic, name};
use crate::{Run, batch, context};

#[test]
fn a_dead_letter_is_the_record_that_it_was_with_the_reason_in_its_headers() {
    let topic = name("letters");
    create_topic(&topic, 1);
    let letter = Rejected {
        component: "trades".into(),
        partition: PartitionId::new("trades-0"),
        offset: Offset(7),
        reason: "undecodable",
        message: "no JSON".into(),
        time_us: Some(5_000_000),
        key: Some(vec![1, 0xff]),
        payload: Some(vec![0xff, 0]),
        headers: vec![("trace".into(), Some(vec![9])), ("empty".into(), None)],
    };
    let mut run = Run::start(&format!("topic = '{topic}'"), &Rejected::schema(), &context());
    let tombstone = Rejected { payload: None, key: None, headers: Vec::new(), ..letter.clone() };
    run.sink.write(&batch(0, Rejected::to_records(&[letter, tombstone]).unwrap())).unwrap();
    run.commit(8);
    let found = messages(&topic, 0, 2);
    assert_eq!((found[0].key(), found[0].payload()), (Some([1, 0xff].as_slice()), Some([0xff, 0].as_slice())));
    assert_eq!(found[0].timestamp().to_millis(), Some(5000));
    let headers = found[0].headers().unwrap();
    let headers: Vec<_> = headers.iter().map(|header| (header.key, header.value.map(<[u8]>::to_vec))).collect();
    let expected = [
        ("trace", Some(vec![9])),
        ("empty", None),
        ("sluicegate.component", Some(b"trades".to_vec())),
        ("sluicegate.partition", Some(b"trades-0".to_vec())),
        ("sluicegate.offset", Some(b"7".to_vec())),
        ("sluicegate.reason", Some(b"undecodable".to_vec())),
        ("sluicegate.message", Some(b"no JSON".to_vec())),
    ];
    assert_eq!(headers, expected);
    assert_eq!((found[1].key(), found[1].payload()), (None, None));
}
