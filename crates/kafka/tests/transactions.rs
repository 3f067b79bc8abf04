//! What a shard wrote and the position that it has come to, in one transaction of a real broker.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use sluicegate_core::{CheckpointRef, Commit, LedgerError, Offset, PartitionId, failpoint};
use sluicegate_kafka::{LedgerSpec, Member, ProduceError, Transactions};
use support::{bootstrap, create_topic, create_topic_with, name, record, spec, visible};

fn at(position: i64) -> Commit {
    Commit { position: Offset(position), checkpoint: None, ended: false }
}

fn topic(stem: &str) -> String {
    let topic = name(stem);
    create_topic(&topic, 1);
    topic
}

fn shard(spec: &LedgerSpec) -> PartitionId {
    spec.partition.clone()
}

/// A consumer in a group that commits nothing by itself.
fn consumer_in(group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap()
}

#[test]
fn nothing_is_visible_before_the_commit_and_everything_with_it() {
    let topic = topic("visible");
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    assert_eq!(ledger.take_over().unwrap(), None);
    let mut first = transactions.producer(&shard(&spec)).unwrap();
    let mut second = transactions.producer(&shard(&spec)).unwrap();
    first.send(&record(&topic, "a", 0)).unwrap();
    second.send(&record(&topic, "b", 0)).unwrap();
    first.flush().unwrap();
    second.flush().unwrap();
    assert_eq!(visible(&topic, 1), Vec::<String>::new());
    let checkpoint = CheckpointRef { name: "0000000001-ab".into(), position: Offset(1), manifest: "00ff".into() };
    let commit = Commit { checkpoint: Some(checkpoint), ..at(1) };
    ledger.commit(&commit).unwrap();
    assert_eq!(visible(&topic, 1), ["a", "b"]);
    assert_eq!(transactions.ledger(spec).take_over().unwrap(), Some(commit));
}

#[test]
fn a_position_is_committed_also_when_nothing_was_written() {
    let topic = topic("idle");
    let transactions = Transactions::default();
    let mut ledger = transactions.ledger(spec(&topic));
    ledger.take_over().unwrap();
    ledger.commit(&at(7)).unwrap();
    ledger.commit(&at(9)).unwrap();
    assert_eq!(ledger.take_over().unwrap(), Some(at(9)));
}

#[test]
fn a_zombie_is_fenced_and_nothing_of_it_is_read() {
    let topic = topic("zombie");
    let (mine, theirs) = (Transactions::default(), Transactions::default());
    let spec = spec(&topic);
    let mut zombie = mine.ledger(spec.clone());
    zombie.take_over().unwrap();
    let mut sink = mine.producer(&shard(&spec)).unwrap();
    sink.send(&record(&topic, "committed", 0)).unwrap();
    zombie.commit(&at(1)).unwrap();
    sink.send(&record(&topic, "void", 1)).unwrap();
    sink.flush().unwrap();
    let mut successor = theirs.ledger(spec.clone());
    assert_eq!(successor.take_over().unwrap(), Some(at(1)));
    let error = zombie.commit(&at(2)).unwrap_err();
    assert!(matches!(error, LedgerError::Fenced(_)), "{error:?}");
    let mut rightful = theirs.producer(&shard(&spec)).unwrap();
    rightful.send(&record(&topic, "again", 1)).unwrap();
    successor.commit(&at(2)).unwrap();
    assert_eq!(sink.send(&record(&topic, "void", 2)), Err(ProduceError::Void));
    assert_eq!(visible(&topic, 1), ["committed", "again"]);
}

#[test]
fn a_zombie_that_only_begins_after_the_take_over_is_fenced_too() {
    let topic = topic("late-zombie");
    let (mine, theirs) = (Transactions::default(), Transactions::default());
    let spec = spec(&topic);
    let mut zombie = mine.ledger(spec.clone());
    zombie.take_over().unwrap();
    let mut successor = theirs.ledger(spec.clone());
    successor.take_over().unwrap();
    let mut sink = mine.producer(&shard(&spec)).unwrap();
    // The broker tells only once something arrives there.
    let _ = sink.send(&record(&topic, "void", 0));
    let error = zombie.commit(&at(1)).unwrap_err();
    assert!(matches!(error, LedgerError::Fenced(_)), "{error:?}");
    assert_eq!(visible(&topic, 1), Vec::<String>::new());
}

#[test]
fn what_is_written_after_the_last_commit_is_void_after_a_new_take_over() {
    let topic = topic("again");
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    sink.send(&record(&topic, "void", 0)).unwrap();
    assert_eq!(ledger.take_over().unwrap(), None);
    assert_eq!(sink.send(&record(&topic, "void", 0)), Err(ProduceError::Void));
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    sink.send(&record(&topic, "kept", 0)).unwrap();
    ledger.commit(&at(1)).unwrap();
    assert_eq!(visible(&topic, 1), ["kept"]);
}

#[test]
fn a_dropped_shard_aborts_so_that_readers_go_on_at_once() {
    let topic = topic("dropped");
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    sink.send(&record(&topic, "void", 0)).unwrap();
    sink.flush().unwrap();
    drop(ledger);
    // A record of another producer, after the aborted one, is behind no open transaction.
    let other = Transactions::default();
    let mut another = spec.clone();
    another.transactional_id.push_str(".other");
    let mut ledger = other.ledger(another);
    ledger.take_over().unwrap();
    other.producer(&shard(&spec)).unwrap().send(&record(&topic, "kept", 0)).unwrap();
    ledger.commit(&at(1)).unwrap();
    assert_eq!(visible(&topic, 1), ["kept"]);
}

#[test]
fn a_transaction_that_was_open_for_too_long_is_lost_and_the_shard_goes_on() {
    let topic = topic("overrun");
    let transactions = Transactions::default();
    let mut spec = spec(&topic);
    spec.transaction_timeout = Duration::from_secs(1);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    sink.send(&record(&topic, "void", 0)).unwrap();
    sink.flush().unwrap();
    // The broker looks for overdue transactions every 10 s by default.
    std::thread::sleep(Duration::from_secs(13));
    let error = ledger.commit(&at(1)).unwrap_err();
    assert!(matches!(error, LedgerError::Lost(_)), "{error:?}");
    assert_eq!(ledger.take_over().unwrap(), None);
    transactions.producer(&shard(&spec)).unwrap().send(&record(&topic, "kept", 0)).unwrap();
    ledger.commit(&at(1)).unwrap();
    assert_eq!(visible(&topic, 1), ["kept"]);
}

#[test]
fn an_offset_that_somebody_else_committed_is_refused_with_what_to_do() {
    let topic = topic("foreign");
    let spec = spec(&topic);
    let consumer = consumer_in(&spec.group);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(3)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let error = Transactions::default().ledger(spec.clone()).take_over().unwrap_err();
    assert!(matches!(error, LedgerError::Failed(_)), "{error:?}");
    let text = error.to_string().replace(&topic, "T");
    assert_eq!(
        text,
        "the group `sluicegate.T` has committed the offset 3 in T-0, but not by this program: somebody else uses the group; set another `group`, or delete the group's offset (kafka-consumer-groups --delete-offsets) to start over"
    );
}

#[test]
fn a_record_that_the_topic_refuses_fails_the_commit_by_offset_and_size() {
    let topic = name("small");
    create_topic_with(&topic, 1, &[("max.message.bytes", "1000")]);
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    let large = "x".repeat(5000);
    sink.send(&record(&topic, &large, 42)).unwrap();
    let told = sink.flush().unwrap_err();
    assert!(matches!(told, ProduceError::Undelivered { offset: Offset(42), size_bytes: 5000, .. }), "{told:?}");
    let error = ledger.commit(&at(43)).unwrap_err();
    assert!(matches!(error, LedgerError::Failed(_)), "{error:?}");
    for part in ["offset 42", "5000 bytes", "message_size_max_bytes"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(ledger.take_over().unwrap(), None);
}

#[test]
fn a_record_larger_than_the_client_takes_is_refused_at_once() {
    let topic = topic("large");
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    let large = "x".repeat(2_000_000);
    let refused = sink.send(&record(&topic, &large, 5)).unwrap_err();
    assert!(matches!(refused, ProduceError::Refused { offset: Offset(5), size_bytes: 2_000_000, .. }), "{refused:?}");
    assert!(refused.is_permanent());
}

#[test]
fn a_topic_that_does_not_exist_fails_the_commit() {
    let topic = topic("known");
    let transactions = Transactions::default();
    let spec = spec(&topic);
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    let unknown = name("unknown");
    let _ = sink.send(&record(&unknown, "a", 0));
    let error = ledger.commit(&at(1)).unwrap_err();
    assert!(matches!(error, LedgerError::Failed(_)), "{error:?}");
    assert!(error.to_string().contains("create the topic"), "{error}");
}

#[test]
fn who_has_left_the_group_is_fenced_and_does_not_disturb_the_rightful_member() {
    let topic = topic("member");
    let mut spec = spec(&topic);
    let join = || -> BaseConsumer {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap())
            .set("group.id", &spec.group)
            .set("enable.auto.commit", "false")
            .set("session.timeout.ms", "6000")
            .create()
            .unwrap();
        consumer.subscribe(&[&topic]).unwrap();
        while consumer.assignment().unwrap().count() == 0 {
            let _ = consumer.poll(Duration::from_millis(50));
        }
        consumer
    };
    let first = join();
    let stale = std::sync::Mutex::new(vec![first.group_metadata().unwrap(), first.group_metadata().unwrap()]);
    let mut old_spec = spec.clone();
    old_spec.member = Member::Subscribed(Arc::new(move || stale.lock().unwrap().pop()));
    let mine = Transactions::default();
    let mut zombie = mine.ledger(old_spec);
    zombie.take_over().unwrap();
    first.unsubscribe();
    drop(first);

    let second = Arc::new(join());
    spec.member = Member::Subscribed(Arc::new(move || second.group_metadata()));
    let theirs = Transactions::default();
    let mut rightful = theirs.ledger(spec.clone());
    rightful.take_over().unwrap();
    theirs.producer(&shard(&spec)).unwrap().send(&record(&topic, "kept", 0)).unwrap();

    // Takes over again without knowing that its partition went to another: refused before it can fence anybody.
    let error = zombie.take_over().unwrap_err();
    assert!(matches!(error, LedgerError::Fenced(_)), "{error:?}");
    rightful.commit(&at(1)).unwrap();
    let error = zombie.commit(&at(1)).unwrap_err();
    assert!(matches!(error, LedgerError::Lost(_)), "{error:?}");
    assert_eq!(visible(&topic, 1), ["kept"]);
}

/// The shard during whose next question to the group another process asks too, and under which identity.
static ASKS_TOO: Mutex<Option<(PartitionId, String)>> = Mutex::new(None);

fn ask_too(place: failpoint::Place<'_>) {
    let asked =
        ASKS_TOO.lock().unwrap().take_if(|(partition, _)| place.name == "probe.before" && place.partition == partition);
    if let Some((_, identity)) = asked {
        let other: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap())
            .set("transactional.id", identity)
            .create()
            .unwrap();
        other.init_transactions(Duration::from_secs(20)).unwrap();
    }
}

#[test]
fn a_member_is_not_taken_for_another_because_two_ask_at_the_same_time() {
    failpoint::arm(ask_too);
    let topic = topic("two-ask");
    let mut spec = spec(&topic);
    let consumer = consumer_in(&spec.group);
    consumer.subscribe(&[&topic]).unwrap();
    while consumer.assignment().unwrap().count() == 0 {
        let _ = consumer.poll(Duration::from_millis(50));
    }
    let consumer = Arc::new(consumer);
    spec.member = Member::Subscribed(Arc::new(move || consumer.group_metadata()));
    let mut ledger = Transactions::default().ledger(spec.clone());
    ledger.take_over().unwrap();
    ledger.commit(&at(3)).unwrap();
    *ASKS_TOO.lock().unwrap() = Some((shard(&spec), format!("{}.probe", spec.transactional_id)));
    assert_eq!(ledger.take_over().unwrap(), Some(at(3)));
    assert!(ASKS_TOO.lock().unwrap().is_none(), "nobody else asked");
}

#[test]
fn more_records_than_the_queue_holds_arrive_in_order() {
    let topic = topic("many");
    let transactions = Transactions::default();
    let mut spec = spec(&topic);
    spec.client.properties.insert("queue.buffering.max.messages".into(), "100".into());
    let mut ledger = transactions.ledger(spec.clone());
    ledger.take_over().unwrap();
    let mut sink = transactions.producer(&shard(&spec)).unwrap();
    let sent: Vec<String> = (0..2000).map(|number| format!("{number}")).collect();
    for (offset, payload) in sent.iter().enumerate() {
        sink.send(&record(&topic, payload, offset as i64)).unwrap();
    }
    ledger.commit(&at(2000)).unwrap();
    assert_eq!(visible(&topic, 1), sent);
}
