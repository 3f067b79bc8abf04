//! The adapter of an operator that lives on a worker thread.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, StreamExt as _};
use sluicegate_core::{Barrier, Batch, Element};

use crate::adapter::{Next, Ready};
use crate::stage::Emitted;
use crate::{CallError, Place, Stage, StreamError, Worker};

/// What comes back from the worker: the operator, what it emitted, and what goes after it.
type Call = BoxFuture<'static, Result<(Stage, Emitted, Option<Element>), StreamError>>;

/// An operator on a worker thread. Made by [`ElementStreamExt::operator_on`](crate::ElementStreamExt::operator_on).
///
/// Dropped in the middle of a call, it lets the call end on the worker thread and drops the operator there.
pub struct OnWorker<S> {
    upstream: S,
    worker: Worker,
    operator: Where,
    ready: Ready,
}

/// Where the operator is.
enum Where {
    Here(Stage),
    Away(Call),
    /// It failed.
    Gone,
}

impl<S> OnWorker<S> {
    pub(crate) fn new(upstream: S, stage: Stage, worker: Worker) -> Self {
        Self { upstream, worker, operator: Where::Here(stage), ready: Ready::default() }
    }
}

impl<S: Stream<Item = Result<Element, StreamError>> + Unpin> Stream for OnWorker<S> {
    type Item = Result<Element, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Where::Away(call) = &mut this.operator {
                match ready!(call.poll_unpin(cx)) {
                    Ok((stage, emitted, mark)) => {
                        this.operator = Where::Here(stage);
                        this.ready.queue(emitted, mark);
                    }
                    Err(error) => {
                        this.operator = Where::Gone;
                        this.ready.close();
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
            if let Next::Item(item) = this.ready.next() {
                return Poll::Ready(item);
            }
            let work = match ready!(this.upstream.poll_next_unpin(cx)) {
                Some(Ok(Element::Batch(batch))) => Work::Process(batch),
                Some(Ok(Element::End)) => Work::Finish,
                Some(Ok(Element::Barrier(barrier))) if barrier.is_checkpoint() => Work::Meet(barrier),
                Some(Ok(mark)) => return Poll::Ready(Some(Ok(mark))),
                Some(Err(error)) => {
                    this.ready.close();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.ready.close();
                    return Poll::Ready(None);
                }
            };
            if let Where::Here(stage) = std::mem::replace(&mut this.operator, Where::Gone) {
                this.operator = Where::Away(send(&this.worker, stage, work));
            }
        }
    }
}

enum Work {
    Process(Batch),
    Meet(Barrier),
    Finish,
}

fn send(worker: &Worker, mut stage: Stage, work: Work) -> Call {
    let place = stage.place().clone();
    let call = worker.call(move || match work {
        Work::Process(batch) => stage.process(batch).map(|emitted| (stage, emitted, None)),
        Work::Meet(barrier) => {
            stage.meet(&barrier).map(|()| (stage, Emitted::default(), Some(Element::Barrier(barrier))))
        }
        Work::Finish => stage.finish().map(|emitted| (stage, emitted, Some(Element::End))),
    });
    async move { call.await.unwrap_or_else(|error| Err(lost(place, error))) }.boxed()
}

/// The error of an operator whose call never came back.
pub(crate) fn lost(place: Place, error: CallError) -> StreamError {
    match error {
        CallError::Stopped => StreamError::WorkersStopped { place },
        CallError::Panicked(message) => StreamError::Panicked { place, message },
    }
}
