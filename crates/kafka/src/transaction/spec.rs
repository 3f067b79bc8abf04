//! What one shard's ledger has to know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use sluicegate_core::PartitionId;

use crate::Connection;

/// How long a commit or a take-over is tried again while the broker is away, unless set otherwise.
const RETRY: Duration = Duration::from_secs(300);
/// How long a transaction may stay open, unless set otherwise: librdkafka's own default.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// What one shard's ledger has to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LedgerSpec {
    /// The cluster that keeps the offsets.
    pub client: Connection,
    /// The consumer group whose offset is committed.
    pub group: String,
    /// The topic whose offset is committed.
    pub topic: String,
    /// The number of the partition whose offset is committed.
    pub topic_partition: i32,
    /// The shard.
    pub partition: PartitionId,
    /// The producer's identity: the same for every process that may ever hold the shard, and no other's.
    pub transactional_id: String,
    /// Whether and how this process is a member of the group.
    pub member: Member,
    /// How long a transaction may stay open before the broker aborts it (`transaction.timeout.ms`).
    pub transaction_timeout: Duration,
    /// How long a commit or a take-over is tried again while the broker is away.
    pub retry: Duration,
}

impl LedgerSpec {
    /// A ledger for `partition` in the offset of `topic` and `topic_partition` of `group`, with partitions assigned by hand, and
    /// usual times: a transaction of at most 60 s, and 5 minutes for the broker to come back.
    pub fn new(
        client: Connection,
        group: impl Into<String>,
        topic: impl Into<String>,
        topic_partition: i32,
        partition: PartitionId,
        transactional_id: impl Into<String>,
    ) -> Self {
        Self {
            client,
            group: group.into(),
            topic: topic.into(),
            topic_partition,
            partition,
            transactional_id: transactional_id.into(),
            member: Member::Assigned,
            transaction_timeout: TRANSACTION_TIMEOUT,
            retry: RETRY,
        }
    }
}

/// Whether and how this process is a member of the group.
#[derive(Clone)]
pub enum Member {
    /// Nobody subscribes: partitions are assigned by hand, and only the transactional identity fences.
    Assigned,
    /// The process subscribes. Asked at each commit; `None` when it is no member at the moment, which counts as fenced. The broker
    /// refuses a commit by who is not a member any more.
    Subscribed(Arc<dyn Fn() -> Option<ConsumerGroupMetadata> + Send + Sync>),
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Assigned => "Assigned",
            Self::Subscribed(_) => "Subscribed",
        })
    }
}
