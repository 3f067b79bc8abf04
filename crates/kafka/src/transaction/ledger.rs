//! The calls of a take-over and of a commit, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::producer::Producer;
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};
use sluicegate_core::{Commit, Ledger, LedgerError, failpoint};

use super::attempt::{come_back_soon, insist, watched};
use super::group::{Group, carried_by};
use super::shard::{Active, Slot};
use super::verdict::Verdict;
use super::{LedgerSpec, Member, ProducerSettings};
use crate::produce::Outbox;

/// How long an abort may take. What is not aborted then is aborted by the next take-over, or by the broker.
const ABORT: Duration = Duration::from_secs(5);
/// How long the abort of a shard that is dropped may take.
const ABORT_AT_DROP: Duration = Duration::from_secs(2);
/// Before the next producer when one was fenced while it began: two processes may be at it.
const PAUSE: Duration = Duration::from_millis(200);
/// A shard's position as a committed offset of a Kafka group, in one transaction with the records of its sinks.
pub(super) struct KafkaLedger {
    spec: LedgerSpec,
    producer: Option<ProducerSettings>,
    slot: Arc<Slot>,
    group: Option<Group>,
    /// Whether it was taken over before; then somebody else may hold it by now.
    again: bool,
}

impl KafkaLedger {
    pub(super) fn new(spec: LedgerSpec, producer: Option<ProducerSettings>, slot: Arc<Slot>) -> Self {
        Self { spec, producer, slot, group: None, again: false }
    }

    fn config(&self) -> ClientConfig {
        let client = self.producer.as_ref().map_or(&self.spec.client, |producer| &producer.client);
        let mut config = client.client_config();
        if let Some(producer) = &self.producer {
            for (name, value) in &producer.properties {
                config.set(name, value);
            }
            config.set("message.max.bytes", producer.message_size_max_bytes.to_string());
        }
        come_back_soon(&mut config);
        config.set("transaction.timeout.ms", self.spec.transaction_timeout.as_millis().to_string());
        config
    }

    /// A producer of this identity that has fenced and aborted every earlier one.
    fn begin_anew(&self, transactional_id: &str, deadline: Instant) -> Result<Arc<Active>, LedgerError> {
        let mut config = self.config();
        config.set("transactional.id", transactional_id);
        loop {
            let outbox = Outbox::create(&config).map_err(|error| LedgerError::Failed(error.into()))?;
            let active = Arc::new(Active::new(outbox, self.spec.transaction_timeout, self.spec.partition.clone()));
            let doing = format!("take over as `{transactional_id}`");
            failpoint::reach("init.before", &self.spec.partition);
            let outcome = watched(&doing.clone(), deadline, {
                let active = Arc::clone(&active);
                move || insist(&doing, deadline, |limit| active.outbox().producer().init_transactions(limit))
            })?;
            match outcome {
                Ok(()) => {
                    failpoint::reach("init.after", &self.spec.partition);
                    return Ok(active);
                }
                // Somebody began at the same time; whoever begins last has it.
                Err((Verdict::Fenced | Verdict::Lost | Verdict::Abort, error)) if Instant::now() < deadline => {
                    tracing::warn!(partition = %self.spec.partition, "taking over again: {error}");
                    std::thread::sleep(PAUSE);
                }
                Err((_, error)) => return Err(error),
            }
        }
    }

    fn group(&mut self) -> Result<&Group, LedgerError> {
        match &mut self.group {
            Some(group) => Ok(group),
            none => Ok(none.insert(Group::new(&self.spec)?)),
        }
    }

    /// What the offsets are committed with.
    fn membership(&mut self) -> Result<ConsumerGroupMetadata, LedgerError> {
        match &self.spec.member {
            Member::Assigned => self.group()?.metadata(),
            Member::Subscribed(metadata) => metadata().ok_or_else(|| {
                let message = format!("this process is not a member of the group `{}` any more", self.spec.group);
                LedgerError::Fenced(message.into())
            }),
        }
    }

    fn offsets(&self, commit: &Commit) -> Result<TopicPartitionList, LedgerError> {
        let note = commit.encode()?;
        let mut offsets = TopicPartitionList::new();
        let mut element = offsets.add_partition(&self.spec.topic, self.spec.topic_partition);
        element.set_offset(KafkaOffset::Offset(carried_by(commit))).map_err(|error| {
            LedgerError::Failed(format!("{} is no offset that Kafka takes: {error}", commit.position).into())
        })?;
        // Once for each element: every call allocates anew.
        element.set_metadata(note);
        Ok(offsets)
    }

    /// Makes sure that the group still counts this process in, without touching whoever may hold the shard by now: a
    /// transaction of another identity that is aborted whatever comes.
    ///
    /// A process that was stopped for a while and goes on does not know yet that its partitions went to another. Taking over
    /// would fence the rightful one.
    ///
    /// That another process has begun under the same identity meanwhile says only that it asks too, be it the one that is a member
    /// or the one that is not. So it is asked again; only the group's own answer ends a shard.
    fn check_membership(&mut self, deadline: Instant) -> Result<(), LedgerError> {
        let Member::Subscribed(_) = self.spec.member else { return Ok(()) };
        loop {
            match self.probe(deadline)? {
                Ok(()) => return Ok(()),
                Err((Verdict::Fenced, error)) if Instant::now() >= deadline => {
                    return Err(LedgerError::Lost(error.into()));
                }
                Err((Verdict::Fenced, error)) => {
                    tracing::debug!(partition = %self.spec.partition, "asking the group again: {error}");
                    std::thread::sleep(PAUSE);
                }
                Err((_, error)) => return Err(error),
            }
        }
    }

    /// Asks once. The outer error says that it could not be asked.
    fn probe(&mut self, deadline: Instant) -> Result<Result<(), (Verdict, LedgerError)>, LedgerError> {
        let group = self.membership()?;
        let probe = self.begin_anew(&format!("{}.probe", self.spec.transactional_id), deadline)?;
        probe.begin().map_err(|error| LedgerError::Lost(error.into()))?;
        let mut offsets = TopicPartitionList::new();
        let mut element = offsets.add_partition(&self.spec.topic, self.spec.topic_partition);
        element.set_offset(KafkaOffset::Offset(0)).map_err(|error| LedgerError::Failed(error.into()))?;
        let doing = "ask whether this process is still a member of the group";
        failpoint::reach("probe.before", &self.spec.partition);
        watched(doing, deadline, move || {
            let outcome = insist(doing, deadline, |limit| {
                probe.outbox().producer().send_offsets_to_transaction(&offsets, &group, limit)
            });
            abort(&probe, ABORT);
            outcome
        })
    }

    /// What is left of the transaction is void; waits a moment for the broker to know.
    fn give_up(&self) {
        if let Some(active) = self.slot.clear() {
            abort(&active, ABORT);
        }
    }

    fn try_commit(&mut self, commit: &Commit) -> Result<(), LedgerError> {
        let deadline = Instant::now() + self.spec.retry;
        let active = self.slot.get().ok_or_else(|| {
            LedgerError::Lost(format!("the partition {} is not taken over", self.spec.partition).into())
        })?;
        let offsets = self.offsets(commit)?;
        failpoint::reach_with("commit.flush.before", &self.spec.partition, || active.has_sent());
        active.outbox().flush().map_err(|error| active.meaning(error))?;
        active.begin().map_err(|error| active.meaning(error))?;
        let group = self.membership()?;
        let partition = self.spec.partition.clone();
        watched("commit", deadline, move || {
            let producer = active.outbox().producer();
            failpoint::reach_with("send_offsets.before", &partition, || active.has_sent());
            insist("add the position to the transaction", deadline, |limit| {
                producer.send_offsets_to_transaction(&offsets, &group, limit)
            })
            .map_err(|refused| active.judged(refused))?;
            failpoint::reach_with("send_offsets.after", &partition, || active.has_sent());
            failpoint::reach_with("commit.before", &partition, || active.has_sent());
            insist(&format!("commit {partition}"), deadline, |limit| producer.commit_transaction(limit))
                .map_err(|refused| active.judged(refused))?;
            failpoint::reach_with("commit.after", &partition, || active.has_sent());
            active.committed();
            Ok(())
        })?
    }
}

/// Aborts what is open, as far as it can within `limit`.
fn abort(active: &Arc<Active>, limit: Duration) {
    let deadline = Instant::now() + limit;
    let outcome = insist("abort", deadline, |call| active.outbox().producer().abort_transaction(call.min(limit)));
    if let Err((_, error)) = outcome {
        tracing::debug!("the transaction is left to be aborted by the broker: {error}");
    }
}

impl Ledger for KafkaLedger {
    fn take_over(&mut self) -> Result<Option<Commit>, LedgerError> {
        self.slot.clear();
        let deadline = Instant::now() + self.spec.retry;
        if self.again {
            self.check_membership(deadline)?;
        }
        self.again = true;
        // First fence, then read: what is read cannot change any more.
        let active = self.begin_anew(&self.spec.transactional_id, deadline)?;
        let spec = self.spec.clone();
        let committed = self.group()?.committed(&spec, deadline)?;
        self.slot.put(active);
        Ok(committed)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), LedgerError> {
        let outcome = self.try_commit(commit);
        if outcome.is_err() {
            self.give_up();
        }
        outcome
    }
}

impl Drop for KafkaLedger {
    /// Aborts what is open, so that nobody who reads after it has to wait for the transaction to run out.
    fn drop(&mut self) {
        if let Some(active) = self.slot.clear() {
            abort(&active, ABORT_AT_DROP);
        }
    }
}
