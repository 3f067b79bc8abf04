//! A fixed set of threads for heavy computation.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::StreamError;
use crate::contain::panic_message;

/// Calls that may wait at one thread. Each operator has at most one call under way, so more would only help when many
/// operators share a thread, and then their streams wait just as well.
const WAITING_CALLS_MAX: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed set of dedicated threads. Their number never changes, and they are joined when this is dropped.
///
/// Numeric libraries keep pools per calling thread, and a churning set of threads makes those pools leak; a fixed set does not.
/// Dropping lets the call that each thread is in come to its end, and drops the calls that still wait.
pub struct Workers {
    roster: Roster,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`StreamError::Thread`] when the system refuses one.
    pub fn new(count: NonZeroUsize) -> Result<Self, StreamError> {
        let stop = CancellationToken::new();
        let mut workers = Self {
            roster: Roster { queues: Vec::new().into(), pinned: Arc::default() },
            stop: stop.clone(),
            threads: Vec::new(),
        };
        let mut queues = Vec::new();
        for index in 0..count.get() {
            let (queue, jobs) = mpsc::channel(WAITING_CALLS_MAX);
            let stop = stop.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || serve(jobs, &stop))
                .map_err(|error| StreamError::Thread { what: format!("worker {index}"), source: Arc::new(error) })?;
            workers.threads.push(thread);
            queues.push(queue);
        }
        workers.roster = Roster { queues: queues.into(), pinned: Arc::new(Mutex::new(vec![0; count.get()])) };
        Ok(workers)
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// A handle to the thread with the fewest handles so far; the first of them where several have as few.
    pub fn pin(&self) -> Worker {
        self.roster.pin()
    }

    pub(crate) fn roster(&self) -> Roster {
        self.roster.clone()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // Panics inside a call never leave it, so there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

fn serve(mut jobs: mpsc::Receiver<Job>, stop: &CancellationToken) {
    loop {
        let job = futures::executor::block_on(async {
            tokio::select! {
                biased;
                () = stop.cancelled() => None,
                job = jobs.recv() => job,
            }
        });
        match job {
            Some(job) => job(),
            None => return,
        }
    }
}

/// Who works at which thread. Clones share it.
#[derive(Clone)]
pub(crate) struct Roster {
    queues: Arc<[mpsc::Sender<Job>]>,
    pinned: Arc<Mutex<Vec<usize>>>,
}

impl Roster {
    pub(crate) fn pin(&self) -> Worker {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let index = (0..pinned.len()).min_by_key(|index| pinned[*index]).unwrap_or_default();
        if let Some(count) = pinned.get_mut(index) {
            *count += 1;
        }
        Worker { roster: self.clone(), index }
    }
}

/// One thread of [`Workers`], for as long as the handle lives.
///
/// Handles do not keep the threads alive: once the [`Workers`] are dropped, every call says so.
pub struct Worker {
    roster: Roster,
    index: usize,
}

impl From<&Workers> for Worker {
    fn from(workers: &Workers) -> Self {
        workers.pin()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut pinned = self.roster.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pinned.get_mut(self.index) {
            *count -= 1;
        }
    }
}

/// Why a call to a worker thread gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The threads are stopped, or were before the call's turn came.
    #[error("the worker threads are stopped")]
    Stopped,
    /// The call panicked; the thread goes on.
    #[error("the call panicked: {0}")]
    Panicked(String),
}

impl Worker {
    /// Which of the threads this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs `call` on the thread, after those that wait there already. Nothing is sent before the future is polled; dropped
    /// afterwards, the call runs all the same and its result is dropped on the thread.
    ///
    /// # Errors
    /// [`CallError`] when the threads are stopped or the call panics.
    pub fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, CallError>> + Send + 'static {
        let queue = self.roster.queues.get(self.index).cloned();
        async move {
            let (give, result) = oneshot::channel();
            let job: Job = Box::new(move || {
                let result = catch_unwind(AssertUnwindSafe(call));
                // Nobody waits any more when the future was dropped.
                let _ = give.send(result.map_err(|payload| CallError::Panicked(panic_message(&*payload))));
            });
            let Some(queue) = queue else { return Err(CallError::Stopped) };
            queue.send(job).await.map_err(|_| CallError::Stopped)?;
            result.await.map_err(|_| CallError::Stopped)?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    fn workers(count: usize) -> Workers {
        Workers::new(NonZeroUsize::new(count).unwrap()).unwrap()
    }

    #[test]
    fn handles_spread_evenly_and_a_freed_thread_is_taken_again() {
        let workers = workers(3);
        let mut pins: Vec<Worker> = (0..6).map(|_| workers.pin()).collect();
        assert_eq!(pins.iter().map(Worker::index).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        drop(pins.remove(1));
        assert_eq!(workers.pin().index(), 1);
    }

    #[test]
    fn every_call_of_one_handle_runs_on_the_same_thread() {
        let workers = workers(2);
        let pin = workers.pin();
        let id = || std::thread::current().id();
        let first = block_on(pin.call(id)).unwrap();
        assert!((0..50).all(|_| block_on(pin.call(id)).unwrap() == first));
        assert_ne!(block_on(workers.pin().call(id)).unwrap(), first);
    }

    #[test]
    fn a_panic_in_a_call_is_its_result_and_the_thread_goes_on() {
        let workers = workers(1);
        let pin = workers.pin();
        assert_eq!(block_on(pin.call(|| panic!("no luck"))), Err::<(), _>(CallError::Panicked("no luck".into())));
        assert_eq!(block_on(pin.call(|| 7)), Ok(7));
    }

    #[test]
    fn a_handle_that_outlives_its_threads_says_so() {
        let workers = workers(1);
        let pin = workers.pin();
        drop(workers);
        assert_eq!(block_on(pin.call(|| 7)), Err(CallError::Stopped));
    }
}
