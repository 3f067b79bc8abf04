//! One stream, several consumers.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::{Stream, StreamExt as _};
use sluicegate_core::Element;

use crate::{ElementStream, StreamError};

type Item = Result<Element, StreamError>;

/// Gives each of `count` branches every item of `upstream` in order.
///
/// Upstream is asked for the next item when every branch has taken the one before, so a branch holds at most one item and the
/// slowest branch sets the pace. Items are cloned, which copies no rows. A dropped branch no longer counts. All branches must
/// be polled by somebody: in a shard they all are, by the same task. What is rejected goes to one branch only, whichever asks.
pub(crate) fn fan_out(upstream: ElementStream, count: usize) -> Vec<ElementStream> {
    if count == 1 {
        return vec![upstream];
    }
    let shared = Arc::new(Mutex::new(Shared {
        upstream,
        over: false,
        branches: (0..count).map(|_| Some(Slot::default())).collect(),
    }));
    (0..count).map(|index| Branch { shared: Arc::clone(&shared), index }.boxed()).collect()
}

struct Shared {
    upstream: ElementStream,
    over: bool,
    /// `None` for a branch that was dropped.
    branches: Vec<Option<Slot>>,
}

#[derive(Default)]
struct Slot {
    item: Option<Item>,
    waker: Option<Waker>,
}

struct Branch {
    shared: Arc<Mutex<Shared>>,
    index: usize,
}

impl Branch {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Branch {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let mut shared = self.lock();
        let waiting = shared.branches.get_mut(self.index).and_then(Option::as_mut).and_then(|slot| slot.item.take());
        if waiting.is_some() {
            shared.wake_others(self.index);
            return Poll::Ready(waiting);
        }
        if shared.over {
            return Poll::Ready(None);
        }
        let others_wait = shared.branches.iter().flatten().any(|slot| slot.item.is_some());
        let polled = if others_wait { Poll::Pending } else { shared.upstream.poll_next_unpin(cx) };
        match &polled {
            // A dead letter is one, however many consumers there are.
            Poll::Ready(Some(Ok(Element::Rejected(_)))) => {}
            Poll::Pending => {
                if let Some(Some(slot)) = shared.branches.get_mut(self.index) {
                    slot.waker = Some(cx.waker().clone());
                }
            }
            Poll::Ready(item) => {
                shared.over = matches!(item, None | Some(Err(_) | Ok(Element::End)));
                let index = self.index;
                for (_, slot) in shared.branches.iter_mut().enumerate().filter(|(other, _)| *other != index) {
                    if let Some(slot) = slot {
                        slot.item.clone_from(item);
                    }
                }
                shared.wake_others(index);
            }
        }
        polled
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        let mut shared = self.lock();
        if let Some(slot) = shared.branches.get_mut(self.index) {
            *slot = None;
        }
        // It may have been the one that upstream would have woken, or the one that all others waited for.
        shared.wake_others(self.index);
    }
}

impl Shared {
    fn wake_others(&mut self, index: usize) {
        for (_, slot) in self.branches.iter_mut().enumerate().filter(|(other, _)| *other != index) {
            if let Some(waker) = slot.as_mut().and_then(|slot| slot.waker.take()) {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::stream;
    use sluicegate_core::{Barrier, CheckpointId, Offset, Purpose};
    use std::sync::atomic::{AtomicU64, Ordering};

    fn numbered(count: u64, pulled: &Arc<AtomicU64>) -> ElementStream {
        let pulled = Arc::clone(pulled);
        let marks = (0..count)
            .map(|n| Ok(Element::Barrier(Barrier::new(Purpose::Commit, CheckpointId(n), Offset(n as i64)))))
            .chain([Ok(Element::End)]);
        stream::iter(marks)
            .inspect(move |_| {
                pulled.fetch_add(1, Ordering::Relaxed);
            })
            .boxed()
    }

    async fn ids(branch: ElementStream) -> Vec<Option<u64>> {
        let id = |item| match item {
            Ok(Element::Barrier(mark)) => Some(mark.id().0),
            _ => None,
        };
        branch.map(id).collect().await
    }

    #[test]
    fn every_branch_gets_everything_in_order() {
        let branches = fan_out(numbered(50, &Arc::default()), 3);
        let expected: Vec<_> = (0..50).map(Some).chain([None]).collect();
        for got in block_on(futures::future::join_all(branches.into_iter().map(ids))) {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn a_branch_is_never_more_than_one_item_ahead_of_another() {
        let pulled = Arc::default();
        let mut branches = fan_out(numbered(50, &pulled), 2);
        let mut poll = |branch: usize| {
            let mut cx = Context::from_waker(Waker::noop());
            branches[branch].poll_next_unpin(&mut cx).is_ready()
        };
        assert!(poll(0));
        assert!(!poll(0), "the other branch has not taken the first item yet");
        assert!(poll(1) && poll(0) && poll(1));
        assert_eq!(pulled.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_dropped_branch_holds_nobody_up() {
        let mut branches = fan_out(numbered(5, &Arc::default()), 2);
        drop(branches.pop());
        assert_eq!(block_on(ids(branches.remove(0))).len(), 6);
    }
}
