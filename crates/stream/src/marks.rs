//! When barriers are due in the elements of a partition.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::task::AtomicWaker;
use sluicegate_core::{Barrier, CheckpointId, Offset, PartitionId, Purpose, failpoint};
use tokio::time::{Instant, Sleep};

/// How often barriers come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cadence {
    /// Time between two commits; `None` where positions are committed with checkpoints only.
    pub(crate) commit_every: Option<Duration>,
    /// Time between two checkpoints; `None` where none are kept.
    pub(crate) checkpoint_every: Option<Duration>,
    /// Rows between two checkpoints, where that comes sooner.
    pub(crate) checkpoint_rows: Option<u64>,
}

/// What the coordinator of a shard tells its reader.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    checkpoints_held: AtomicBool,
    requested: AtomicBool,
    waker: AtomicWaker,
}

impl Signals {
    /// The last checkpoint barrier is dealt with, so that another may come.
    pub(crate) fn allow_checkpoints(&self) {
        self.checkpoints_held.store(false, Ordering::Release);
        self.waker.wake();
    }

    /// Asks for a commit barrier soon.
    pub(crate) fn request_barrier(&self) {
        self.requested.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Puts barriers between the rows of one partition.
///
/// The clock decides where they are, which changes no result: a barrier is inert.
pub(crate) struct Marks {
    partition: PartitionId,
    cadence: Cadence,
    signals: Arc<Signals>,
    /// Up to here rows are replayed whose outputs are committed already.
    replay_until: Offset,
    replays: bool,
    next_id: u64,
    /// Where the last barrier was, and the last one for a checkpoint.
    marked: Offset,
    marked_at: Instant,
    checkpointed: Offset,
    checkpointed_at: Instant,
    rows_since: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Marks {
    /// Barriers for a partition that is read from `from`, where everything before `replay_until` was committed earlier.
    pub(crate) fn new(
        partition: PartitionId,
        cadence: Cadence,
        signals: Arc<Signals>,
        from: Offset,
        replay_until: Offset,
    ) -> Self {
        let now = Instant::now();
        Self {
            partition,
            cadence,
            signals,
            replay_until,
            replays: from < replay_until,
            next_id: 1,
            marked: from.max(replay_until),
            marked_at: now,
            checkpointed: from,
            checkpointed_at: now,
            rows_since: 0,
            timer: None,
        }
    }

    /// While rows are replayed: the offset before which they are.
    pub(crate) fn replays_until(&self) -> Option<Offset> {
        self.replays.then_some(self.replay_until)
    }

    /// Whether a checkpoint barrier has come that is not dealt with yet, so that no other may ask for states, be it the last.
    pub(crate) fn holds_checkpoints(&self) -> bool {
        self.signals.checkpoints_held.load(Ordering::Acquire)
    }

    /// The barrier that ends a replay.
    pub(crate) fn end_replay(&mut self) -> Barrier {
        failpoint::reach("replay.after", &self.partition);
        self.replays = false;
        self.barrier(Purpose::Commit, self.replay_until)
    }

    /// Counts rows that were handed on.
    pub(crate) fn count(&mut self, rows: usize) {
        self.rows_since += rows as u64;
    }

    /// A barrier of the given purpose, which closes the stretch of rows before `position`.
    pub(crate) fn barrier(&mut self, purpose: Purpose, position: Offset) -> Barrier {
        let now = Instant::now();
        (self.marked, self.marked_at) = (position, now);
        if purpose != Purpose::Commit {
            self.signals.checkpoints_held.store(true, Ordering::Release);
            (self.checkpointed, self.checkpointed_at, self.rows_since) = (position, now, 0);
        }
        let id = CheckpointId(self.next_id);
        self.next_id += 1;
        Barrier::new(purpose, id, position)
    }

    /// The barrier that is due at `position`, if one is. The task is woken when the next one will be, and when checkpoints are no
    /// longer held.
    pub(crate) fn poll_due(&mut self, position: Offset, cx: &mut Context<'_>) -> Poll<Barrier> {
        if self.replays {
            return Poll::Pending;
        }
        self.signals.waker.register(cx.waker());
        loop {
            if self.signals.requested.swap(false, Ordering::AcqRel) {
                return Poll::Ready(self.barrier(Purpose::Commit, position));
            }
            let (purpose, at) = match (self.checkpoint_due(position), self.commit_due(position)) {
                (Some(checkpoint), Some(commit)) if checkpoint <= commit => (Purpose::Checkpoint, checkpoint),
                (_, Some(commit)) => (Purpose::Commit, commit),
                (Some(checkpoint), None) => (Purpose::Checkpoint, checkpoint),
                (None, None) => return Poll::Pending,
            };
            let now = Instant::now();
            if at <= now {
                // A checkpoint commits as well, so where both are due it is the one.
                let checkpoint = self.checkpoint_due(position).is_some_and(|at| at <= now);
                let purpose = if checkpoint { Purpose::Checkpoint } else { purpose };
                return Poll::Ready(self.barrier(purpose, position));
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn commit_due(&self, position: Offset) -> Option<Instant> {
        let every = self.cadence.commit_every?;
        (position > self.marked).then_some(self.marked_at + every)
    }

    fn checkpoint_due(&self, position: Offset) -> Option<Instant> {
        let every = self.cadence.checkpoint_every?;
        if position <= self.checkpointed || self.holds_checkpoints() {
            return None;
        }
        let enough = self.cadence.checkpoint_rows.is_some_and(|rows| self.rows_since >= rows);
        Some(if enough { self.checkpointed_at } else { self.checkpointed_at + every })
    }
}
