//! What a shard does when: recovery, commits and checkpoints, decided without doing any of it.
//!
//! The protocol is a pure state machine: it is told what happened ([`Event`]) and says what is to be done next ([`Action`]).
//! Whoever runs a shard carries the actions out and reports back. So every order of events, crashes included, can be tried
//! without a broker or a disk, and what really happened can be replayed through it: an event that it does not expect in its
//! state is [`Unexpected`].
//!
//! # What it guarantees
//! Provided that the ledger commits a position and the outputs before it atomically, that checkpoints are read back as they
//! were written, and that outputs are a function of the rows before them (laws 1 and 3 of `sluicegate-core`):
//! - the outputs that are visible are exactly those of the rows before the committed position: none is missing, none comes twice;
//! - a commit never names a checkpoint that is not durable, nor one after its own position;
//! - a checkpoint that a commit may still need is never pruned;
//! - staged outputs become visible only after a commit that names the checkpoint which holds them.
//!
//! # The two kinds of ledger
//! Where the ledger is a message broker's ([`Rules::commits_apart`]), positions are committed often, and checkpoints are written
//! beside that, now and then. After a crash the newest checkpoint that a commit names is loaded, and the rows between it and
//! the committed position are worked on once more with their outputs suppressed. Where the ledger is kept with the checkpoints
//! themselves, each commit comes with a checkpoint at the same position, and nothing is ever suppressed.

use serde::{Deserialize, Serialize};
use sluicegate_core::{CheckpointRef, Commit, Offset};

/// What does not change while a shard runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// Positions are committed apart from checkpoints, together with outputs.
    pub commits_apart: bool,
    /// Checkpoints are kept at all. Without them there is nothing to restore: a shard goes on at the committed position.
    pub keeps_checkpoints: bool,
    /// Some sink makes rows visible only with a checkpoint.
    pub has_staged: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// The shard is to begin, or to begin again after [`Action::Restart`].
    Started,
    /// The ledger is ours, and this is what it holds.
    TookOver {
        /// What was committed last.
        committed: Option<Commit>,
        /// Whether there is any checkpoint of the shard that was written after a commit. (The first one of all is written
        /// before: a crash may leave it alone.)
        checkpoints: bool,
    },
    /// This checkpoint is read and intact.
    Restored(CheckpointRef),
    /// No checkpoint that could be restored is left.
    NothingToRestore,
    /// The source is open, nothing has been read, and reading begins here.
    Opened(Offset),
    /// Every sink has met a barrier and holds; all that it was given before has arrived. Where sinks stage rows, one that asked
    /// for states comes only when [`Protocol::may_checkpoint`] allows it, be it the last.
    Aligned {
        /// The position of the barrier.
        position: Offset,
        /// Whether states were deposited.
        checkpoint: bool,
        /// Whether nothing follows, and why.
        last: Option<Last>,
    },
    /// The checkpoint that was to be written is durable.
    Written(CheckpointRef),
    /// It could not be written.
    WriteFailed,
    /// The commit is done.
    Committed,
    /// The commit did not happen, or nobody knows.
    CommitLost,
    /// Somebody else has taken the shard over.
    Fenced,
    /// What was staged with the last committed checkpoint is visible.
    Published,
}

/// Why nothing follows a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Last {
    /// The shard is stopped, to go on later or elsewhere.
    Stopped,
    /// The partition ended and the operators are finished.
    Ended,
}

/// What is to be done. Each is answered by the event that is named, if any.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Fence whoever held the shard and read what is committed: [`Event::TookOver`], or [`Event::CommitLost`].
    TakeOver,
    /// Read this checkpoint, or where it is damaged the newest intact one before it: [`Event::Restored`] or
    /// [`Event::NothingToRestore`].
    Restore(CheckpointRef),
    /// Put the state that was read in place, if any, and open the source: [`Event::Opened`].
    Open {
        /// Where to read from; `None` for where the settings say.
        from: Option<Offset>,
        /// Outputs that are committed already are suppressed up to here.
        suppress_until: Offset,
    },
    /// Begin to read.
    Run,
    /// Write the deposited states down as a checkpoint at this position: [`Event::Written`] or [`Event::WriteFailed`].
    Write(Offset),
    /// Commit: [`Event::Committed`], [`Event::CommitLost`] or [`Event::Fenced`].
    Commit(Commit),
    /// Let the sinks go on.
    Resume,
    /// Ask for a barrier soon, so that a checkpoint is named by a commit.
    RequestBarrier,
    /// Make visible what was staged with the checkpoint that was just committed: [`Event::Published`].
    Publish,
    /// Remove checkpoints that are older than what this one needs.
    Prune(CheckpointRef),
    /// Drop everything as it stands and begin again: [`Event::Started`].
    Restart,
    /// The shard is done.
    Finish,
    /// Stop with an error.
    Refuse(Refusal),
}

/// Why a shard cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// Another process has the shard.
    Fenced,
    /// There are checkpoints, but the ledger knows of no commit.
    CommitsAreGone,
    /// A commit names a checkpoint, but neither it nor an older one can be read.
    CheckpointsAreGone,
    /// A commit names no checkpoint, but the shard keeps them.
    CommitWithoutCheckpoint,
    /// A commit names a checkpoint, but the shard keeps none.
    CheckpointsNotKept,
    /// The last checkpoint could not be written, and without it the work since the one before is lost.
    LastCheckpointNotWritten,
}

/// An event that cannot happen in the state that the protocol is in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the commit protocol met {event} while {state}; this is a mistake in Sluicegate, please report it")]
pub struct Unexpected {
    /// The event.
    pub event: String,
    /// The state.
    pub state: String,
}

/// The protocol of one shard.
///
/// ```
/// use sluicegate_checkpoint::protocol::{Action, Event, Protocol, Rules};
/// use sluicegate_core::Offset;
///
/// let rules = Rules { commits_apart: true, keeps_checkpoints: false, has_staged: false };
/// let mut shard = Protocol::new(rules);
/// assert_eq!(shard.on(Event::Started)?, [Action::TakeOver]);
/// let nothing = Event::TookOver { committed: None, checkpoints: false };
/// assert_eq!(shard.on(nothing)?, [Action::Open { from: None, suppress_until: Offset(i64::MIN) }]);
/// # Ok::<(), sluicegate_checkpoint::protocol::Unexpected>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol {
    rules: Rules,
    phase: Phase,
    /// What the ledger holds.
    committed: Option<Commit>,
    /// The newest durable checkpoint.
    durable: Option<CheckpointRef>,
    /// Whether a checkpoint is being written while the shard runs.
    writing: bool,
    /// Whether staged rows are being made visible.
    publishing: bool,
}

/// What the shard is waiting for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// To be started.
    Idle,
    /// The ledger.
    TakingOver,
    /// A state.
    Restoring,
    /// The source.
    Opening,
    /// The checkpoint of the state before the first row.
    WritingFirst,
    /// Its commit.
    CommittingFirst(Commit),
    /// Barriers.
    Running,
    /// A commit while the sinks hold (`checkpoint`: the barrier's states are to be written after it).
    CommittingAtBarrier { commit: Commit, checkpoint: bool },
    /// The commit of a checkpoint that was written while the shard runs on.
    CommittingBehind(Commit),
    /// The same, and the sinks hold at a barrier that came meanwhile.
    CommittingBehindHeld { commit: Commit, position: Offset, checkpoint: bool, last: Option<Last> },
    /// The checkpoint that was being written when the last barrier came.
    DrainingWrite { position: Offset, last: Last },
    /// The last checkpoint.
    WritingLast { position: Offset, last: Last },
    /// The last commit.
    CommittingLast(Commit),
    /// Its publication.
    PublishingLast,
    /// Nothing.
    Over,
}

impl Protocol {
    /// The protocol of a shard that has not begun.
    pub fn new(rules: Rules) -> Self {
        Self { rules, phase: Phase::Idle, committed: None, durable: None, writing: false, publishing: false }
    }

    /// What the ledger holds, as far as is known here.
    pub fn committed(&self) -> Option<&Commit> {
        self.committed.as_ref()
    }

    /// Whether a barrier may ask for states now: not while the checkpoint before is still being written, nor, where sinks stage
    /// rows, before what it holds is committed and visible: a sink publishes what it wrote down last.
    pub fn may_checkpoint(&self) -> bool {
        let settled = || !self.publishing && (self.durable.is_none() || self.durable == self.committed_checkpoint());
        self.rules.keeps_checkpoints && !self.writing && (!self.rules.has_staged || settled())
    }

    /// Takes in what happened and says what is to be done, in order.
    ///
    /// # Errors
    /// [`Unexpected`] when it cannot have happened.
    pub fn on(&mut self, event: Event) -> Result<Vec<Action>, Unexpected> {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        let (next, actions) = match (phase, event) {
            (Phase::Idle, Event::Started) => {
                (self.writing, self.publishing) = (false, false);
                (Phase::TakingOver, vec![Action::TakeOver])
            }
            (Phase::TakingOver, Event::TookOver { committed, checkpoints }) => self.took_over(committed, checkpoints),
            // An older checkpoint would bring rows again that staged sinks have made visible since.
            (Phase::Restoring, Event::Restored(reference))
                if self.rules.has_staged && Some(&reference) != self.committed_checkpoint().as_ref() =>
            {
                refuse(Refusal::CheckpointsAreGone)
            }
            (Phase::Restoring, Event::Restored(reference)) => self.restored(reference),
            (Phase::Restoring, Event::NothingToRestore) => refuse(Refusal::CheckpointsAreGone),
            (Phase::Opening, Event::Opened(position)) => self.opened(position),
            (Phase::WritingFirst, Event::Written(reference)) => {
                self.durable = Some(reference.clone());
                let commit = Commit { position: reference.position, checkpoint: Some(reference), ended: false };
                (Phase::CommittingFirst(commit.clone()), vec![Action::Commit(commit)])
            }
            // Nothing is visible yet, so nothing can be wrong; but nothing could ever be recovered either.
            (Phase::WritingFirst, Event::WriteFailed) => refuse(Refusal::LastCheckpointNotWritten),
            (Phase::CommittingFirst(commit), Event::Committed) => {
                let mut actions = self.keep(commit);
                actions.push(Action::Run);
                (Phase::Running, actions)
            }
            (Phase::Running, Event::Aligned { position, checkpoint, last: None }) => self.aligned(position, checkpoint),
            (Phase::Running, Event::Aligned { position, last: Some(last), .. }) => self.last_barrier(position, last),
            (Phase::Running, Event::Written(reference)) => self.written(reference),
            (Phase::Running, Event::WriteFailed) => {
                self.writing = false;
                (Phase::Running, Vec::new())
            }
            (Phase::CommittingAtBarrier { commit, checkpoint }, Event::Committed) => {
                let position = commit.position;
                let mut actions = self.keep(commit);
                self.write_beside(position, checkpoint, &mut actions);
                actions.push(Action::Resume);
                (Phase::Running, actions)
            }
            // The checkpoint written beside a commit that is under way is named by a later one.
            (phase @ Phase::CommittingAtBarrier { .. }, Event::Written(reference)) => {
                self.writing = false;
                self.durable = Some(reference);
                (phase, Vec::new())
            }
            (
                phase @ (Phase::CommittingAtBarrier { .. }
                | Phase::CommittingBehind(_)
                | Phase::CommittingBehindHeld { .. }),
                Event::WriteFailed,
            ) => {
                self.writing = false;
                (phase, Vec::new())
            }
            (Phase::CommittingBehind(commit), Event::Committed) => (Phase::Running, self.keep(commit)),
            (Phase::CommittingBehind(commit), Event::Aligned { position, checkpoint, last }) => {
                (Phase::CommittingBehindHeld { commit, position, checkpoint, last }, Vec::new())
            }
            (Phase::CommittingBehindHeld { commit, position, checkpoint, last }, Event::Committed) => {
                let mut actions = self.keep(commit);
                let (phase, more) = match last {
                    None => self.aligned(position, checkpoint),
                    Some(last) => self.last_barrier(position, last),
                };
                actions.extend(more);
                (phase, actions)
            }
            (Phase::DrainingWrite { position, last }, Event::Written(reference)) => {
                self.writing = false;
                self.durable = Some(reference);
                self.last_barrier(position, last)
            }
            (Phase::DrainingWrite { position, last }, Event::WriteFailed) => {
                self.writing = false;
                self.last_barrier(position, last)
            }
            (Phase::WritingLast { position, last }, Event::Written(reference)) => {
                self.durable = Some(reference);
                self.commit_last(position, last)
            }
            // Outputs up to here can still be committed, since an older checkpoint and a longer replay lead here too; but
            // what is staged, or committed with checkpoints only, has nothing that would bring it back.
            (Phase::WritingLast { position, last }, Event::WriteFailed) => {
                if self.rules.commits_apart && !self.rules.has_staged {
                    self.commit_last(position, last)
                } else {
                    refuse(Refusal::LastCheckpointNotWritten)
                }
            }
            (Phase::CommittingLast(commit), Event::Committed) => {
                let mut actions = self.keep(commit);
                if actions.contains(&Action::Publish) {
                    (Phase::PublishingLast, actions)
                } else {
                    actions.push(Action::Finish);
                    (Phase::Over, actions)
                }
            }
            (Phase::PublishingLast, Event::Published) => (Phase::Over, vec![Action::Finish]),
            // Publication goes on beside everything else; only the end waits for it.
            (phase, Event::Published) if self.publishing && phase.is_under_way() => {
                self.publishing = false;
                (phase, Vec::new())
            }
            (phase, Event::CommitLost) if phase.commits() => (Phase::Idle, vec![Action::Restart]),
            (phase, Event::Fenced) if phase.commits() => refuse(Refusal::Fenced),
            (phase, event) => {
                let unexpected = Unexpected { event: format!("{event:?}"), state: format!("{phase:?}") };
                self.phase = phase;
                return Err(unexpected);
            }
        };
        self.phase = next;
        Ok(actions)
    }

    fn took_over(&mut self, committed: Option<Commit>, checkpoints: bool) -> (Phase, Vec<Action>) {
        self.committed = committed;
        self.durable = None;
        match &self.committed {
            None if checkpoints && self.rules.keeps_checkpoints => refuse(Refusal::CommitsAreGone),
            None => open(None, Offset(i64::MIN)),
            Some(Commit { checkpoint: Some(_), .. }) if !self.rules.keeps_checkpoints => {
                refuse(Refusal::CheckpointsNotKept)
            }
            Some(Commit { checkpoint: Some(reference), .. }) => {
                (Phase::Restoring, vec![Action::Restore(reference.clone())])
            }
            Some(_) if self.rules.keeps_checkpoints => refuse(Refusal::CommitWithoutCheckpoint),
            Some(commit) => open(Some(commit.position), commit.position),
        }
    }

    fn restored(&mut self, reference: CheckpointRef) -> (Phase, Vec<Action>) {
        let from = reference.position;
        let until = self.committed.as_ref().map_or(from, |commit| commit.position);
        self.durable = Some(reference);
        open(Some(from), until)
    }

    fn opened(&mut self, position: Offset) -> (Phase, Vec<Action>) {
        if self.rules.keeps_checkpoints && self.committed.is_none() {
            // From here on every commit has a checkpoint to start from, also when the settings say "latest".
            return (Phase::WritingFirst, vec![Action::Write(position)]);
        }
        if self.rules.has_staged && self.durable.is_some() {
            // The crash may have come between the commit and its publication.
            self.publishing = true;
            return (Phase::Running, vec![Action::Publish, Action::Run]);
        }
        (Phase::Running, vec![Action::Run])
    }

    fn aligned(&mut self, position: Offset, checkpoint: bool) -> (Phase, Vec<Action>) {
        let is_new = self.committed.as_ref().is_none_or(|commit| commit.position < position);
        let names_newer = self.durable.is_some() && self.durable != self.committed_checkpoint();
        if self.rules.commits_apart && (is_new || names_newer && self.is_caught_up(position)) {
            let commit = Commit { position, checkpoint: self.durable.clone(), ended: false };
            return (Phase::CommittingAtBarrier { commit: commit.clone(), checkpoint }, vec![Action::Commit(commit)]);
        }
        let mut actions = Vec::new();
        self.write_beside(position, checkpoint, &mut actions);
        actions.push(Action::Resume);
        (Phase::Running, actions)
    }

    fn write_beside(&mut self, position: Offset, checkpoint: bool, actions: &mut Vec<Action>) {
        if checkpoint && self.may_checkpoint() {
            self.writing = true;
            actions.push(Action::Write(position));
        }
    }

    fn written(&mut self, reference: CheckpointRef) -> (Phase, Vec<Action>) {
        self.writing = false;
        self.durable = Some(reference.clone());
        if !self.rules.commits_apart {
            let commit = Commit { position: reference.position, checkpoint: Some(reference), ended: false };
            return (Phase::CommittingBehind(commit.clone()), vec![Action::Commit(commit)]);
        }
        let actions = if self.rules.has_staged { vec![Action::RequestBarrier] } else { Vec::new() };
        (Phase::Running, actions)
    }

    fn last_barrier(&mut self, position: Offset, last: Last) -> (Phase, Vec<Action>) {
        if self.writing {
            return (Phase::DrainingWrite { position, last }, Vec::new());
        }
        if self.rules.keeps_checkpoints {
            return (Phase::WritingLast { position, last }, vec![Action::Write(position)]);
        }
        self.commit_last(position, last)
    }

    fn commit_last(&mut self, position: Offset, last: Last) -> (Phase, Vec<Action>) {
        let commit = Commit { position, checkpoint: self.durable.clone(), ended: last == Last::Ended };
        (Phase::CommittingLast(commit.clone()), vec![Action::Commit(commit)])
    }

    /// Notes a commit. What it makes obsolete can go, and what it makes visible is to be published.
    fn keep(&mut self, commit: Commit) -> Vec<Action> {
        let before = self.committed_checkpoint();
        let after = commit.checkpoint.clone();
        self.committed = Some(commit);
        match after {
            Some(reference) if before.as_ref() != Some(&reference) => {
                let mut actions = Vec::new();
                if self.rules.has_staged {
                    self.publishing = true;
                    actions.push(Action::Publish);
                }
                actions.push(Action::Prune(reference));
                actions
            }
            _ => Vec::new(),
        }
    }

    fn committed_checkpoint(&self) -> Option<CheckpointRef> {
        self.committed.as_ref().and_then(|commit| commit.checkpoint.clone())
    }

    /// Whether the rows before `position` are those of the last commit at least: not so while old rows are replayed.
    fn is_caught_up(&self, position: Offset) -> bool {
        self.committed.as_ref().is_none_or(|commit| commit.position <= position)
    }
}

impl Phase {
    fn is_under_way(&self) -> bool {
        !matches!(self, Self::Idle | Self::TakingOver | Self::Restoring | Self::PublishingLast | Self::Over)
    }

    /// Whether the ledger is at work, so that it can fail.
    fn commits(&self) -> bool {
        matches!(
            self,
            Self::TakingOver
                | Self::CommittingFirst(_)
                | Self::CommittingAtBarrier { .. }
                | Self::CommittingBehind(_)
                | Self::CommittingBehindHeld { .. }
                | Self::CommittingLast(_)
        )
    }
}

fn refuse(why: Refusal) -> (Phase, Vec<Action>) {
    (Phase::Over, vec![Action::Refuse(why)])
}

fn open(from: Option<Offset>, suppress_until: Offset) -> (Phase, Vec<Action>) {
    (Phase::Opening, vec![Action::Open { from, suppress_until }])
}
