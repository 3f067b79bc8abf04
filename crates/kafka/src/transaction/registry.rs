//! Which shard has which producer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluicegate_core::{ConfigError, Ledger, PartitionId};

use super::ledger::KafkaLedger;
use super::shard::Slot;
use super::{LedgerSpec, ProducerSettings, ShardProducer};
use crate::Connection;

/// Where the Kafka source and the Kafka sinks of a pipeline meet:
/// [`PipelineContext::shared`](sluicegate_core::PipelineContext::shared).
///
/// Each shard has one transactional producer. Its ledger commits the position through it, and its sinks send through it, so
/// that one transaction holds both.
#[derive(Debug, Default)]
pub struct Transactions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shards: HashMap<PartitionId, Arc<Slot>>,
    /// Of the first component that offsets or records are committed by, with the name of its cluster.
    cluster: Option<(Connection, String)>,
    producer: Option<ProducerSettings>,
}

impl Transactions {
    /// The ledger of a shard, in place of one it had before. Its producer is made when the ledger takes the shard over.
    pub fn ledger(&self, spec: LedgerSpec) -> Box<dyn Ledger> {
        let mut state = self.state();
        let slot = Arc::new(Slot::default());
        if let Some(former) = state.shards.insert(spec.partition.clone(), Arc::clone(&slot)) {
            former.clear();
        }
        Box::new(KafkaLedger::new(spec, state.producer.clone(), slot))
    }

    /// What sinks of this shard send through; `None` when no ledger of it is in Kafka.
    pub fn producer(&self, partition: &PartitionId) -> Option<ShardProducer> {
        self.state().shards.get(partition).map(|slot| ShardProducer::new(Arc::clone(slot)))
    }

    /// Notes that the source commits its offsets in this cluster, so that a sink that would write to another is refused.
    ///
    /// # Errors
    /// When another component was noted with another cluster.
    pub fn note_cluster(&self, client: &Connection) -> Result<(), ConfigError> {
        let known = self.state().cluster.clone();
        let same_address = known.as_ref().is_some_and(|(other, _)| other.bootstrap_servers == client.bootstrap_servers);
        if same_address {
            return Ok(());
        }
        let name = crate::cluster::cluster_id(client)?;
        match known {
            Some((other, cluster)) if cluster != name => Err(ConfigError::new(
                "bootstrap_servers",
                format!(
                    "this is the cluster {name}, but another component of the pipeline commits in the cluster {cluster} ({}), and one transaction cannot span two",
                    other.bootstrap_servers
                ),
            )
            .help("write to that cluster, or set `delivery` to \"at-least-once\"")),
            Some(_) => Ok(()),
            None => {
                self.state().cluster = Some((client.clone(), name));
                Ok(())
            }
        }
    }

    /// Notes what a sink asks of the producers. Ledgers made later have it.
    ///
    /// # Errors
    /// When two sinks ask for what cannot be had both ways.
    pub fn require(&self, settings: &ProducerSettings) -> Result<(), ConfigError> {
        match &mut self.state().producer {
            Some(known) => known.merge(settings),
            none => {
                *none = Some(settings.clone());
                Ok(())
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
