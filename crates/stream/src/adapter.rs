//! Operators as stream adapters.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Stream, StreamExt as _};
use sluicegate_core::Element;

use crate::stage::Emitted;
use crate::{OnWorker, Stage, StreamError, Worker};

/// Puts operators into a stream of elements.
///
/// What every adapter keeps, whatever its operator does:
/// - elements are taken from upstream one at a time, and only when downstream asks: an adapter buffers nothing but what its
///   operator emitted for the last one;
/// - a barrier passes after everything that was emitted for the rows before it; at a checkpoint barrier the operator's state is
///   deposited in it first;
/// - what an operator rejects, and what was rejected upstream, goes on as [`Element::Rejected`];
/// - [`Element::End`] ends the operator ([`Operator::finish`](sluicegate_core::Operator::finish)); what that emits comes before `End`;
/// - a stream that stops without `End` was cut off: the operator is not ended, and the cut is passed on;
/// - an error, or a panic in the operator, is the last item.
///
/// The stream must be [`Unpin`]; [`StreamExt::boxed`](futures::StreamExt::boxed) makes any stream so.
pub trait ElementStreamExt: Stream<Item = Result<Element, StreamError>> + Sized + Unpin {
    /// Runs `operator` inside the task that polls the stream: right for anything short.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use arrow::array::{Int64Array, RecordBatch};
    /// use futures::{StreamExt as _, TryStreamExt as _, stream};
    /// use sluicegate_core::*;
    /// use sluicegate_stream::ElementStreamExt as _;
    ///
    /// /// Lets every second row through.
    /// struct Halve;
    /// impl Operator for Halve {
    ///     fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
    ///         for (row, offset) in batch.offsets().iter().enumerate() {
    ///             if offset.0 % 2 == 0 {
    ///                 out.emit(batch.slice(row, 1));
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    ///     fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> { Ok(()) }
    ///     fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> { Ok(()) }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let column = Arc::new(Int64Array::from(vec![10, 11, 12, 13]));
    /// let records = RecordBatch::try_from_iter([("value", column as _)])?;
    /// let batch = Batch::new(PartitionId::new("p"), Offsets::dense(Offset(0), 4)?, records)?;
    /// let input = stream::iter([Ok(Element::Batch(batch)), Ok(Element::End)]);
    ///
    /// let output: Vec<Element> = futures::executor::block_on(input.operator(Halve).operator(Halve).try_collect())?;
    /// let rows = output.iter().map(|element| if let Element::Batch(batch) = element { batch.len() } else { 0 });
    /// assert_eq!(rows.sum::<usize>(), 2);
    /// # Ok(())
    /// # }
    /// ```
    fn operator(self, operator: impl Into<Stage>) -> Inline<Self> {
        Inline { upstream: self, stage: operator.into(), ready: Ready::default() }
    }

    /// Runs `operator` on one of a fixed set of threads: each call hops there and back, while the task waits without blocking.
    ///
    /// Given [`&Workers`](crate::Workers), the operator is pinned to the thread with the fewest operators so far.
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use futures::{StreamExt as _, TryStreamExt as _, stream};
    /// # use sluicegate_core::*;
    /// use sluicegate_stream::{ElementStreamExt as _, Workers};
    ///
    /// # struct Forecast;
    /// # impl Operator for Forecast {
    /// #     fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> { out.emit(batch); Ok(()) }
    /// #     fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> { Ok(()) }
    /// #     fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workers = Workers::new(NonZeroUsize::MIN)?;
    /// let input = stream::iter([Ok(Element::Barrier(Barrier::new(Purpose::Commit, CheckpointId(1), Offset(0)))), Ok(Element::End)]);
    /// let output: Vec<Element> = futures::executor::block_on(input.operator_on(Forecast, &workers).try_collect())?;
    /// assert!(matches!(&output[..], [Element::Barrier(mark), Element::End] if mark.id() == CheckpointId(1)));
    /// # Ok(())
    /// # }
    /// ```
    fn operator_on(self, operator: impl Into<Stage>, worker: impl Into<Worker>) -> OnWorker<Self> {
        OnWorker::new(self, operator.into(), worker.into())
    }
}

impl<S: Stream<Item = Result<Element, StreamError>> + Unpin> ElementStreamExt for S {}

/// What an adapter has to hand out before it asks upstream again.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    elements: VecDeque<Element>,
    over: bool,
}

/// What to do next.
pub(crate) enum Next {
    /// Hand this out.
    Item(Option<Result<Element, StreamError>>),
    /// Ask upstream.
    Pull,
}

impl Ready {
    pub(crate) fn next(&mut self) -> Next {
        match self.elements.pop_front() {
            Some(element) => Next::Item(Some(Ok(element))),
            None if self.over => Next::Item(None),
            None => Next::Pull,
        }
    }

    /// Queues what an operator emitted, with `mark` after it.
    pub(crate) fn queue(&mut self, emitted: Emitted, mark: Option<Element>) {
        self.over |= matches!(mark, Some(Element::End));
        self.elements.extend(emitted.batches.into_iter().map(Element::Batch));
        if !emitted.rejected.is_empty() {
            self.elements.push_back(Element::Rejected(emitted.rejected.into()));
        }
        self.elements.extend(mark);
    }

    /// Nothing follows but what is queued.
    pub(crate) fn close(&mut self) {
        self.over = true;
    }
}

/// An operator inside the task of its stream. Made by [`ElementStreamExt::operator`].
pub struct Inline<S> {
    upstream: S,
    stage: Stage,
    ready: Ready,
}

impl<S: Stream<Item = Result<Element, StreamError>> + Unpin> Stream for Inline<S> {
    type Item = Result<Element, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Next::Item(item) = this.ready.next() {
                return Poll::Ready(item);
            }
            let emitted = match ready!(this.upstream.poll_next_unpin(cx)) {
                Some(Ok(Element::Batch(batch))) => this.stage.process(batch).map(|emitted| (emitted, None)),
                Some(Ok(Element::End)) => this.stage.finish().map(|emitted| (emitted, Some(Element::End))),
                Some(Ok(Element::Barrier(barrier))) => {
                    let met = this.stage.meet(&barrier);
                    met.map(|()| (Emitted::default(), Some(Element::Barrier(barrier))))
                }
                Some(Ok(mark)) => Ok((Emitted::default(), Some(mark))),
                Some(Err(error)) => Err(error),
                None => {
                    this.ready.close();
                    return Poll::Ready(None);
                }
            };
            match emitted {
                Ok((emitted, mark)) => this.ready.queue(emitted, mark),
                Err(error) => {
                    this.ready.close();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
