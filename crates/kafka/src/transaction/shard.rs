//! The producer of one shard, from one take-over to the next, and what sinks send through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use sluicegate_core::{LedgerError, PartitionId, failpoint};

use super::verdict::Verdict;
use crate::produce::{Outbox, ProduceError, Record, plain};

/// A shard's place in the registry: empty before it is taken over.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Arc<Active>>>);

impl Slot {
    pub(super) fn get(&self) -> Option<Arc<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn put(&self, active: Arc<Active>) {
        let former = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(active);
        if let Some(former) = former {
            former.make_void();
        }
    }

    /// Empties it; what still holds the producer can send nothing more.
    pub(super) fn clear(&self) -> Option<Arc<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().inspect(|former| former.make_void())
    }
}

/// A transactional producer that has taken its shard over.
#[derive(Debug)]
pub(super) struct Active {
    outbox: Outbox,
    phase: Mutex<Phase>,
    /// How long a transaction may stay open.
    timeout: Duration,
    /// Whether a record was sent in the open transaction.
    sent: AtomicBool,
    partition: PartitionId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between two transactions.
    Idle,
    /// Within one, since then.
    Open(Instant),
    /// Of no use any more.
    Void,
}

impl Active {
    pub(super) fn new(outbox: Outbox, timeout: Duration, partition: PartitionId) -> Self {
        Self { outbox, phase: Mutex::new(Phase::Idle), timeout, sent: AtomicBool::new(false), partition }
    }

    /// Whether a record was sent in the open transaction.
    pub(super) fn has_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        *self.lock()
    }

    pub(super) fn make_void(&self) {
        *self.lock() = Phase::Void;
    }

    pub(super) fn committed(&self) {
        self.sent.store(false, Ordering::Relaxed);
        let mut phase = self.lock();
        if *phase != Phase::Void {
            *phase = Phase::Idle;
        }
    }

    /// Begins a transaction where none is open.
    pub(super) fn begin(&self) -> Result<(), ProduceError> {
        let mut phase = self.lock();
        match *phase {
            Phase::Open(_) => return Ok(()),
            Phase::Void => return Err(ProduceError::Void),
            Phase::Idle => {}
        }
        failpoint::reach("begin.before", &self.partition);
        self.outbox.producer().begin_transaction().map_err(|error| ProduceError::Begin {
            code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
            message: plain(&error),
        })?;
        *phase = Phase::Open(Instant::now());
        failpoint::reach("begin.after", &self.partition);
        Ok(())
    }

    /// For how long the open transaction has been open.
    pub(super) fn open_for(&self) -> Option<Duration> {
        match self.phase() {
            Phase::Open(since) => Some(since.elapsed()),
            Phase::Idle | Phase::Void => None,
        }
    }

    /// What a call means for the shard that was refused just now.
    ///
    /// A transaction that the broker gave up for its age is refused in the same words as one that somebody else fenced. How old
    /// it is counts now: the call may have waited long for a broker that was away.
    pub(super) fn judged(&self, refused: (Verdict, LedgerError)) -> LedgerError {
        let aged = self.open_for().is_some_and(|open| open >= self.timeout);
        match refused {
            (Verdict::Fenced, LedgerError::Fenced(error)) if aged => {
                let limit = self.timeout.as_secs();
                let message = format!("the transaction was open for longer than its limit of {limit} s: {error}");
                LedgerError::Lost(message.into())
            }
            (_, error) => error,
        }
    }

    /// What a record that could not be sent or could not arrive means for the shard.
    ///
    /// A transaction that the broker gave up for its age is refused in the same words as one that somebody else fenced.
    pub(super) fn meaning(&self, error: ProduceError) -> LedgerError {
        use RDKafkaErrorCode as Code;
        let fatal = self.outbox.producer().client().fatal_error().map(|(code, _)| code);
        let is_fenced = [fatal, error.code()]
            .into_iter()
            .flatten()
            .any(|code| matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch));
        if is_fenced && self.open_for().is_none_or(|open| open < self.timeout) {
            LedgerError::Fenced(error.into())
        } else if !is_fenced && error.is_permanent() {
            LedgerError::Failed(error.into())
        } else {
            LedgerError::Lost(error.into())
        }
    }
}

/// What the sinks of a shard send through. The first record after a commit begins a transaction, which the ledger commits.
///
/// It stays with the producer that its first record went through: when the shard is taken over anew, it can send nothing more.
#[derive(Debug)]
pub struct ShardProducer {
    slot: Arc<Slot>,
    bound: Option<Arc<Active>>,
}

impl ShardProducer {
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self { slot, bound: None }
    }

    /// Hands one record over; blocks while the producer's queue is full.
    ///
    /// # Errors
    /// When the shard is not taken over or was lost, the record is refused, or an earlier one could not arrive.
    pub fn send(&mut self, record: &Record<'_>) -> Result<(), ProduceError> {
        let active = match &self.bound {
            Some(active) => active,
            None => self.bound.insert(self.slot.get().ok_or(ProduceError::NotTakenOver)?),
        };
        active.begin()?;
        active.outbox.send(record)?;
        active.sent.store(true, Ordering::Relaxed);
        failpoint::reach_with("send.after", &active.partition, || true);
        Ok(())
    }

    /// Returns when everything that was sent in this shard has arrived, though not yet become visible.
    ///
    /// # Errors
    /// The first record's that could not arrive.
    pub fn flush(&self) -> Result<(), ProduceError> {
        let Some(active) = &self.bound else { return Ok(()) };
        if active.phase() == Phase::Void {
            return Err(ProduceError::Void);
        }
        failpoint::reach_with("flush.before", &active.partition, || active.has_sent());
        active.outbox.flush()?;
        failpoint::reach_with("flush.after", &active.partition, || active.has_sent());
        Ok(())
    }

    /// What an error of [`send`](Self::send) or [`flush`](Self::flush) means for the shard: whether another process has it
    /// now, it has to be taken over anew, or somebody has to change something.
    pub fn meaning(&self, error: ProduceError) -> LedgerError {
        match &self.bound {
            Some(active) => active.meaning(error),
            None => LedgerError::Failed(error.into()),
        }
    }
}
