//! Records that are gone before they were read.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::{block_on, bootstrap, create_topic, create_topic_with, name};
use crate::{Joined, connect, fill, offsets, rows, to_the_end};

const FETCH_LITTLE: &str =
    ", 'fetch.message.max.bytes' = '1000', 'queued.max.messages.kbytes' = '2', 'queued.min.messages' = '1'";

/// Deletes the records of partition 0 before this offset.
fn delete(topic: &str, before: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(before)).unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let deleted = block_on(admin.delete_records(&list, &options)).unwrap();
    deleted.elements().iter().for_each(|one| one.error().unwrap());
}

#[test]
fn a_position_whose_records_are_gone_is_refused_or_skipped_as_asked() {
    let topic = name("gone");
    create_topic(&topic, 1);
    fill(&topic, 0, 10);
    delete(&topic, 6);
    let partition = format!("{topic}-0");
    let mut joined = Joined::new(&format!("topics = '{topic}'\nstop = 'end'")).assigned(1);
    let refused = joined.open(&partition, Some(3)).err().unwrap().to_string();
    assert!(refused.contains("from offset 3 on") && refused.contains("from offset 6 on"), "{refused}");
    assert!(refused.contains("missing_offsets"), "{refused}");
    // Where nothing was read yet, nothing is missing.
    assert_eq!(joined.all(&partition), [6, 7, 8, 9]);
    drop(joined);
    let mut joined = Joined::new(&format!("topics = '{topic}'\nstop = 'end'\nmissing_offsets = 'skip'")).assigned(1);
    let mut reader = joined.open(&partition, Some(3)).unwrap();
    // Whoever goes on from there would take a later start for rows that are missing against the settings.
    assert_eq!(reader.start().0, 3);
    let (batches, _) = to_the_end(&mut *reader);
    assert_eq!(offsets(&batches), [6, 7, 8, 9]);
}

#[test]
fn a_compacted_topic_is_refused_until_what_is_gone_may_be_skipped() {
    for policy in ["compact", "compact,delete"] {
        let topic = name("compacted");
        create_topic_with(&topic, 1, &[("cleanup.policy", policy)]);
        let refused = connect(&format!("topics = '{topic}'\nstop = 'end'"), "").err().unwrap();
        assert_eq!(refused.key, "topics");
        assert!(refused.message.contains(&format!("`{topic}` is compacted")), "{refused}");
        assert!(refused.help.is_some_and(|help| help.contains("missing_offsets")));

        let mut joined = Joined::new(&format!("topics = '^{topic}$'\nstop = 'end'")).assigned(1);
        let refused = joined.open(&format!("{topic}-0"), None).err().unwrap().to_string();
        assert!(refused.contains("is compacted") && refused.contains("missing_offsets"), "{refused}");

        let skips = format!("topics = '{topic}'\nstop = 'end'\nmissing_offsets = 'skip'");
        assert!(Joined::new(&skips).assigned(1).open(&format!("{topic}-0"), None).is_ok());
    }
}

#[test]
fn a_position_beyond_the_end_is_refused() {
    let topic = name("beyond");
    create_topic(&topic, 1);
    fill(&topic, 0, 2);
    let mut joined = Joined::new(&format!("topics = '{topic}'")).assigned(1);
    let refused = joined.open(&format!("{topic}-0"), Some(9)).err().unwrap().to_string();
    assert!(refused.contains("from offset 9 on") && refused.contains("ends at offset 2"), "{refused}");
}

#[test]
fn records_that_go_while_they_wait_are_skipped_or_refused_and_other_topics_go_on() {
    for (policy, skips) in [("fail", false), ("skip", true)] {
        let (topic, other) = (name("going"), name("staying"));
        create_topic(&topic, 1);
        create_topic(&other, 1);
        fill(&topic, 0, 5_000);
        fill(&other, 0, 50);
        // So little memory that most records still wait at the broker, and fetches of a few records.
        let small = "buffer_bytes_max = 65536\nbatch_rows = 10\nmissing_offsets";
        let settings = format!("topics = ['{topic}', '{other}']\nstop = 'end'\n{small} = '{policy}'");
        let mut joined = Joined::with(&settings, FETCH_LITTLE).assigned(2);
        let mut reader = joined.open(&format!("{topic}-0"), None).unwrap();
        let mut found = offsets(&rows(&mut *reader, 10));
        delete(&topic, 4_990);
        let error = loop {
            match reader.next_batch() {
                Ok(None) => break None,
                Ok(Some(batch)) => found.extend(offsets(&[batch])),
                Err(error) => break Some(error.to_string()),
            }
        };
        assert!(found.is_sorted() && found.len() < 4_990, "nothing was missing: {}", found.len());
        match error {
            None => assert!(skips && found.ends_with(&[4_998, 4_999]), "{:?}", found.last()),
            Some(error) => assert!(!skips && error.contains("from offset 4990 on"), "{error}"),
        }
        assert_eq!(joined.all(&format!("{other}-0")).len(), 50);
    }
}
