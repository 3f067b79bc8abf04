//! A transaction that the broker gives up for its age while a commit waits, on a broker that is told what to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use sluicegate_core::{Commit, LedgerError, Offset, PartitionId};
use sluicegate_kafka::{Connection, LedgerSpec, Transactions};

/// Several answers take longer than a transaction may.
const ANSWER: Duration = Duration::from_millis(900);
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_transaction_that_grows_too_old_during_its_commit_is_lost_and_a_young_one_is_fenced() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let client = Connection { bootstrap_servers: cluster.bootstrap_servers(), properties: BTreeMap::new() };
    let mut spec = LedgerSpec::new(client, "g", "t", 0, PartitionId::new("t-0"), "t-0");
    spec.transaction_timeout = LIMIT;
    let transactions = Transactions::default();
    let mut ledger = transactions.ledger(spec);
    let mut refused_after = |answer: Duration| {
        cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();
        ledger.take_over().unwrap();
        cluster.broker_round_trip_time(1, answer).unwrap();
        let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
        cluster.request_errors(RDKafkaApiKey::EndTxn, &[refused]);
        ledger.commit(&Commit { position: Offset(1), checkpoint: None, ended: false }).unwrap_err()
    };
    let young = refused_after(Duration::ZERO);
    assert!(matches!(young, LedgerError::Fenced(_)), "{young:?}");
    let aged = refused_after(ANSWER);
    assert!(matches!(aged, LedgerError::Lost(_)), "{aged:?}");
    assert!(aged.to_string().contains("longer than its limit"), "{aged}");
}
