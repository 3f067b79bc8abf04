//! The ledger of a shard, called on threads that may block, until the shard is given up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluicegate_core::{Commit, Ledger, LedgerError};

/// How long a call that is under way is waited for. One that takes longer waits for a broker that is away, and then nobody gets the
/// partition meanwhile either.
const UNDER_WAY_WITHIN: Duration = Duration::from_secs(10);

/// A shard's ledger. Clones are the same.
///
/// A call goes on when whoever waits for it does not any more. A take-over that outlived its shard would fence whoever has the
/// partition by then; so a shard that ends gives its ledger up, and is not gone before that is done.
#[derive(Clone)]
pub(crate) struct SharedLedger {
    ledger: Arc<Mutex<Box<dyn Ledger>>>,
    given_up: Arc<AtomicBool>,
}

impl SharedLedger {
    pub(crate) fn new(ledger: Box<dyn Ledger>) -> Self {
        Self { ledger: Arc::new(Mutex::new(ledger)), given_up: Arc::default() }
    }

    /// As [`Ledger::take_over`].
    pub(crate) fn take_over(&self) -> Result<Option<Commit>, LedgerError> {
        self.held()?.take_over()
    }

    /// As [`Ledger::commit`].
    pub(crate) fn commit(&self, commit: &Commit) -> Result<(), LedgerError> {
        self.held()?.commit(commit)
    }

    /// Lets no call begin any more, and returns when the one that is under way is over.
    pub(crate) async fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        let ledger = Arc::clone(&self.ledger);
        let over = tokio::task::spawn_blocking(move || drop(ledger.lock().unwrap_or_else(PoisonError::into_inner)));
        // What is still under way then is told by its own time-out.
        let _ = tokio::time::timeout(UNDER_WAY_WITHIN, over).await;
    }

    fn held(&self) -> Result<MutexGuard<'_, Box<dyn Ledger>>, LedgerError> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if self.given_up.load(Ordering::Acquire) {
            return Err(LedgerError::Lost("the shard was given up".into()));
        }
        Ok(ledger)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes over when it is let.
    struct Slow(Sender<&'static str>, Receiver<()>);

    impl Ledger for Slow {
        fn take_over(&mut self) -> Result<Option<Commit>, LedgerError> {
            let _ = self.0.send("begun");
            let _ = self.1.recv();
            let _ = self.0.send("taken over");
            Ok(None)
        }

        fn commit(&mut self, _: &Commit) -> Result<(), LedgerError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_take_over_that_nobody_waits_for_is_over_when_the_ledger_is_given_up() {
        let ((tell, told), (go, wait)) = (channel(), channel());
        let ledger = SharedLedger::new(Box::new(Slow(tell, wait)));
        let taking = ledger.clone();
        let call = tokio::task::spawn_blocking(move || taking.take_over());
        assert_eq!(told.recv(), Ok("begun"));
        drop(call);
        let giving_up = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.give_up().await }
        });
        go.send(()).unwrap();
        giving_up.await.unwrap();
        assert_eq!(told.try_recv(), Ok("taken over"));
        assert!(matches!(ledger.take_over(), Err(LedgerError::Lost(_))), "none begins any more");
    }
}
