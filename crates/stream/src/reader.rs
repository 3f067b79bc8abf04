//! The beginning of a chain: a reader on a thread of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures::{FutureExt as _, Stream};
use sluicegate_core::{Batch, BoxError, ComponentKind, Element, Reader, ShardContext};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::contain::contain;
use crate::meter::Meter;
use crate::{Place, StreamError};

/// Batches that wait between a reader and its chain. One is enough to read the next while the chain is at work; a second
/// evens out batches of different cost. More would only hold memory.
const READ_AHEAD_BATCHES: usize = 2;

/// Rows that a chain is given at a time; a larger batch is handed over in slices. An operator that learns may take a millisecond
/// per row, and between two slices a run can show its progress and be cancelled; what is fixed per call is spread over enough.
/// The cut changes no result: no operator may depend on it (law 1).
const HAND_OVER_ROWS_MAX: usize = 1024;

/// The elements of one partition, read by a thread of its own.
///
/// Yields every batch of the reader, large ones in slices, and then [`Element::End`]. When the token is cancelled, `End` comes right after the batch
/// that was yielded last: what was read ahead is given up, so that rows which nobody saw count as unread, and a reader that
/// waits for events holds nothing up.
///
/// The shard's metrics get the counter `source_rows`, the gauge `source_rows_total` where the reader knows it (NaN where it
/// stops knowing) and the counter `component_busy_ns`. Dropping the stream makes the thread stop after the batch in hand.
pub struct ReaderStream {
    place: Place,
    meter: Meter,
    batches: mpsc::Receiver<Result<Option<Batch>, StreamError>>,
    /// What is left of a batch that is handed over in slices.
    rest: Option<Batch>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    interrupted: Arc<AtomicBool>,
    over: bool,
}

impl ReaderStream {
    /// Starts the thread, which first calls `open`.
    ///
    /// # Errors
    /// [`StreamError::Thread`] when the system refuses a thread. That the reader cannot be opened is an item of the stream.
    pub fn start(
        open: impl FnOnce() -> Result<Box<dyn Reader>, BoxError> + Send + 'static,
        shard: &ShardContext,
        cancel: CancellationToken,
    ) -> Result<Self, StreamError> {
        Self::start_metered(open, shard, cancel, Meter::new(ComponentKind::Source, shard))
    }

    pub(crate) fn start_metered(
        open: impl FnOnce() -> Result<Box<dyn Reader>, BoxError> + Send + 'static,
        shard: &ShardContext,
        cancel: CancellationToken,
        meter: Meter,
    ) -> Result<Self, StreamError> {
        let place = Place::of(ComponentKind::Source, shard);
        let (queue, batches) = mpsc::channel(READ_AHEAD_BATCHES);
        let thread = ReaderThread { place: place.clone(), shard: shard.clone(), meter: meter.clone(), queue };
        std::thread::Builder::new()
            .name(format!("source {}", shard.component))
            .spawn(move || thread.run(open))
            .map_err(|error| StreamError::Thread { what: place.to_string(), source: Arc::new(error) })?;
        Ok(Self {
            place,
            meter,
            batches,
            rest: None,
            cancelled: Box::pin(cancel.cancelled_owned()),
            interrupted: Arc::default(),
            over: false,
        })
    }

    /// Becomes true when the stream ended because its token was cancelled, not because the partition did.
    pub(crate) fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }
}

impl Stream for ReaderStream {
    type Item = Result<Element, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let received = if this.cancelled.poll_unpin(cx).is_ready() {
            match this.rest.take().is_none().then(|| this.batches.try_recv()) {
                Some(Ok(last @ (Ok(None) | Err(_)))) => Some(last),
                _ => {
                    this.interrupted.store(true, Ordering::Relaxed);
                    Some(Ok(None))
                }
            }
        } else if let Some(rest) = this.rest.take() {
            Some(Ok(Some(rest)))
        } else {
            ready!(this.batches.poll_recv(cx))
        };
        let item = match received {
            Some(Ok(Some(batch))) => {
                let left = batch.len().saturating_sub(HAND_OVER_ROWS_MAX);
                this.rest = (left > 0).then(|| batch.slice(HAND_OVER_ROWS_MAX, left));
                let batch = batch.slice(0, HAND_OVER_ROWS_MAX);
                this.meter.count_out(batch.len());
                return Poll::Ready(Some(Ok(Element::Batch(batch))));
            }
            Some(Ok(None)) => Ok(Element::End),
            Some(Err(error)) => Err(error),
            None => Err(StreamError::CutOff { place: this.place.clone() }),
        };
        this.over = true;
        this.batches.close();
        Poll::Ready(Some(item))
    }
}

struct ReaderThread {
    place: Place,
    shard: ShardContext,
    meter: Meter,
    queue: mpsc::Sender<Result<Option<Batch>, StreamError>>,
}

impl ReaderThread {
    fn run(self, open: impl FnOnce() -> Result<Box<dyn Reader>, BoxError>) {
        if let Err(error) = contain(&self.place, || Ok(self.read(open))).and_then(|result| result) {
            // Nobody listens any more when the stream was dropped.
            let _ = self.queue.blocking_send(Err(error));
        }
    }

    fn read(&self, open: impl FnOnce() -> Result<Box<dyn Reader>, BoxError>) -> Result<(), StreamError> {
        let mut reader = contain(&self.place, open)?;
        let mut knew_total = false;
        loop {
            knew_total = self.publish_total(&*reader, knew_total);
            if self.queue.is_closed() {
                return Ok(());
            }
            let batch = self.meter.busy(|| contain(&self.place, || reader.next_batch()))?;
            let over = batch.is_none();
            if self.queue.blocking_send(Ok(batch)).is_err() || over {
                return Ok(());
            }
        }
    }

    /// Publishes how many rows there are in all; returns whether that was ever known.
    fn publish_total(&self, reader: &dyn Reader, knew_total: bool) -> bool {
        let total = reader.progress().rows_total;
        if total.is_some() || knew_total {
            let labels = [("source", self.shard.component.as_str()), ("partition", self.shard.partition.as_str())];
            let gauge = self.shard.metrics.gauge("source_rows_total", &labels);
            gauge.set(total.map_or(f64::NAN, |rows| rows as f64));
        }
        total.is_some() || knew_total
    }
}
