//! The thread that takes part in sharing out a source's partitions.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sluicegate_core::{BoxError, Change, Membership, PartitionId, Source};
use tokio::sync::mpsc;

use crate::StreamError;

/// How long the thread waits for a change before it looks whether something was asked of it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What changed for a source, or why it can no longer take part.
pub(crate) type Changed = (usize, Result<Change, BoxError>);

enum Command {
    Released(PartitionId),
    Leave,
}

/// A source's part in sharing out its partitions. Dropped, it leaves.
pub(crate) struct Members {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl Members {
    /// Joins as a process of the pipeline with this fingerprint, if the source's partitions are shared out; changes come as
    /// those of `tree`.
    ///
    /// # Errors
    /// When it cannot join, or there is no thread to be had.
    pub(crate) async fn join(
        tree: usize,
        source_name: &str,
        source: &Arc<Mutex<Box<dyn Source>>>,
        fingerprint: &str,
        changes: mpsc::UnboundedSender<Changed>,
    ) -> Result<Option<Self>, StreamError> {
        let (source, fingerprint) = (Arc::clone(source), fingerprint.to_owned());
        let ask = move || source.lock().unwrap_or_else(PoisonError::into_inner).membership(&fingerprint);
        let joined = tokio::task::spawn_blocking(ask).await.unwrap_or_else(|error| Err(error.into()));
        let failed =
            |error: BoxError| StreamError::Membership { source_name: source_name.to_owned(), source: Arc::from(error) };
        let Some(membership) = joined.map_err(failed)? else { return Ok(None) };
        let (commands, asked) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("members of {source_name}"))
            .spawn(move || take_part(membership, tree, &asked, &changes))
            .map_err(|error| StreamError::Thread { what: source_name.to_owned(), source: Arc::new(error) })?;
        Ok(Some(Self { commands, thread: Some(thread) }))
    }

    /// The shard of a revoked partition is gone.
    pub(crate) fn released(&self, partition: &PartitionId) {
        // The thread is gone only when the run is over.
        let _ = self.commands.send(Command::Released(partition.clone()));
    }

    /// Leaves, and returns when that is done.
    pub(crate) async fn leave(mut self) {
        let _ = self.commands.send(Command::Leave);
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Leave);
    }
}

/// The thread's work, until it is told to leave.
fn take_part(
    mut membership: Box<dyn Membership>,
    tree: usize,
    asked: &Receiver<Command>,
    changes: &mpsc::UnboundedSender<Changed>,
) {
    loop {
        match asked.try_recv() {
            Ok(Command::Released(partition)) => {
                membership.released(&partition);
                continue;
            }
            Ok(Command::Leave) | Err(TryRecvError::Disconnected) => return membership.leave(),
            Err(TryRecvError::Empty) => {}
        }
        let change = match membership.next(LOOK_EVERY) {
            Ok(None) => continue,
            Ok(Some(change)) => Ok(change),
            Err(error) => Err(error),
        };
        let failed = change.is_err();
        if changes.send((tree, change)).is_err() || failed {
            return membership.leave();
        }
    }
}
