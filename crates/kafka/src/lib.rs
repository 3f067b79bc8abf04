//! What the Kafka source and the Kafka sink share: clients, properties, the consumer thread, transactions.

mod client;
mod cluster;
mod consumer;
mod partitioner;
mod probe;
mod produce;
mod transaction;

pub use client::Connection;
pub use cluster::{cluster_id, find_partitions_of, is_compacted, partitions_of};
pub use consumer::{
    Badge, CallError, Group, GroupChange, GroupSettings, PartitionEnds, RawRecord, Tap, TapEnd, TapError,
};
pub use partitioner::{Partitioner, partition_of};
pub use produce::{Header, Outbox, ProduceError, Record};
pub use transaction::{LedgerSpec, Member, ProducerSettings, ShardProducer, Transactions};
