//! The beginning of a chain: a reader on a thread of its own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use futures::{FutureExt as _, Stream};
use sluicegate_core::{Batch, BoxError, ComponentKind, Element, Offset, Purpose, Reader, Rejected, ShardContext};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::contain::contain;
use crate::marks::Marks;
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
/// The shard's metrics get the counter `source_rows`, the gauges `source_rows_total` and `source_rows_behind` where the reader
/// knows them (NaN where it stops knowing) and the counter `component_busy_ns`. Dropping the stream makes the thread stop after
/// the batch in hand.
pub struct ReaderStream {
    place: Place,
    meter: Meter,
    read: mpsc::Receiver<Result<Read, StreamError>>,
    /// What is left of a batch that is handed over in slices.
    rest: Option<Stretch>,
    ready: VecDeque<Element>,
    /// The offset after everything that was yielded.
    position: Offset,
    /// Where barriers are put, if they are.
    marks: Option<Marks>,
    /// The partition had ended at `position` in an earlier run.
    ended_before: bool,
    /// Nothing more is read, and whether that is because the token was cancelled.
    closing: Option<bool>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    ending: Arc<Ending>,
    over: bool,
}

/// What a reader thread hands over.
enum Read {
    Opened(Offset),
    Rows(Stretch),
    End,
}

/// Rows, and the records among them that could not become rows; both in the order of offsets.
struct Stretch {
    batch: Batch,
    rejected: VecDeque<Rejected>,
}

/// How a stream of elements came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HowEnded {
    /// It has not, or it failed.
    NotYet,
    /// With the partition.
    WithPartition,
    /// Its token was cancelled.
    Interrupted,
    /// Its token was cancelled during a replay, so that there is nothing to commit.
    InterruptedReplay,
    /// The partition had ended before and nothing has come since.
    NothingNew,
}

/// Shared with the shard.
#[derive(Debug, Default)]
pub(crate) struct Ending(AtomicU8);

impl Ending {
    fn set(&self, how: HowEnded) {
        self.0.store(how as u8, Ordering::Release);
    }

    pub(crate) fn get(&self) -> HowEnded {
        use HowEnded::{Interrupted, InterruptedReplay, NotYet, NothingNew, WithPartition};
        let all = [NotYet, WithPartition, Interrupted, InterruptedReplay, NothingNew];
        let code = self.0.load(Ordering::Acquire);
        all.into_iter().find(|how| *how as u8 == code).unwrap_or(NotYet)
    }
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
        Self::start_metered(|_| open(), shard, cancel, Meter::new(ComponentKind::Source, shard))
    }

    /// The same; `open` is given a way to ask whether the stream was dropped meanwhile.
    pub(crate) fn start_metered(
        open: impl FnOnce(&dyn Fn() -> bool) -> Result<Box<dyn Reader>, BoxError> + Send + 'static,
        shard: &ShardContext,
        cancel: CancellationToken,
        meter: Meter,
    ) -> Result<Self, StreamError> {
        let place = Place::of(ComponentKind::Source, shard);
        let (queue, read) = mpsc::channel(READ_AHEAD_BATCHES);
        let thread = ReaderThread { place: place.clone(), shard: shard.clone(), meter: meter.clone(), queue };
        std::thread::Builder::new()
            .name(format!("source {}", shard.component))
            .spawn(move || thread.run(open))
            .map_err(|error| StreamError::Thread { what: place.to_string(), source: Arc::new(error) })?;
        Ok(Self {
            place,
            meter,
            read,
            rest: None,
            ready: VecDeque::new(),
            position: Offset(0),
            marks: None,
            ended_before: false,
            closing: None,
            cancelled: Box::pin(cancel.cancelled_owned()),
            ending: Arc::default(),
            over: false,
        })
    }

    /// Waits until the reader is open and returns where it begins. To be called before anything is polled, if at all.
    pub(crate) async fn opened(&mut self) -> Result<Offset, StreamError> {
        match self.read.recv().await {
            Some(Ok(Read::Opened(position))) => {
                self.position = position;
                Ok(position)
            }
            Some(Err(error)) => Err(error),
            Some(Ok(Read::Rows(_) | Read::End)) | None => Err(StreamError::CutOff { place: self.place.clone() }),
        }
    }

    /// Puts barriers between the rows. At the end of the partition a barrier comes before `End`; when the token is cancelled,
    /// a barrier is the last element. `ended_before`: the partition had ended where reading begins.
    pub(crate) fn mark(&mut self, marks: Marks, ended_before: bool) {
        self.marks = Some(marks);
        self.ended_before = ended_before;
    }

    /// Says how the stream ended, once it has.
    pub(crate) fn ending(&self) -> Arc<Ending> {
        Arc::clone(&self.ending)
    }

    /// Queues the next piece of what was read: not more rows than a chain is given at a time, and nothing across the end of a
    /// replay.
    fn hand_over(&mut self, stretch: Stretch) {
        let Stretch { batch, mut rejected } = stretch;
        let limit = self.marks.as_ref().and_then(Marks::replays_until).unwrap_or(Offset(i64::MAX));
        let before_limit = if batch.offsets().last().is_none_or(|last| last < limit) {
            batch.len()
        } else {
            batch.offsets().iter().take_while(|offset| *offset < limit).count()
        };
        let rows = before_limit.min(HAND_OVER_ROWS_MAX);
        let next_row = batch.offsets().get(rows).unwrap_or(Offset(i64::MAX)).min(limit);
        let letters: Vec<Rejected> = {
            let due = rejected.iter().take_while(|letter| letter.offset < next_row).count();
            rejected.drain(..due).collect()
        };
        let piece = batch.slice(0, rows);
        let last = piece.offsets().last().into_iter().chain(letters.last().map(|letter| letter.offset)).max();
        if let Some(last) = last {
            self.position = self.position.max(last.next());
        } else if let Some(marks) = &mut self.marks {
            // All that is left lies behind the end of the replay.
            self.ready.push_back(Element::Barrier(marks.end_replay()));
        }
        self.meter.count_out(rows + letters.len());
        if let Some(marks) = &mut self.marks {
            marks.count(rows + letters.len());
        }
        if !letters.is_empty() {
            self.ready.push_back(Element::Rejected(letters.into()));
        }
        if rows > 0 {
            self.ready.push_back(Element::Batch(piece));
        }
        let left = batch.slice(rows, batch.len() - rows);
        self.rest = (!left.is_empty() || !rejected.is_empty()).then_some(Stretch { batch: left, rejected });
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Read, StreamError>>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Read::Rows(rest))));
        }
        self.read.poll_recv(cx)
    }

    /// The partition ended, or the stream was cancelled.
    fn close(&mut self, interrupted: bool) -> Result<(), StreamError> {
        self.over = true;
        self.read.close();
        let Some(marks) = &mut self.marks else {
            self.ending.set(if interrupted { HowEnded::Interrupted } else { HowEnded::WithPartition });
            self.ready.push_back(Element::End);
            return Ok(());
        };
        if let Some(committed) = marks.replays_until() {
            if interrupted {
                self.ending.set(HowEnded::InterruptedReplay);
                return Ok(());
            }
            let (place, position) = (self.place.clone(), self.position);
            return Err(StreamError::ShorterThanCommitted { place, position, committed });
        }
        if interrupted {
            self.ending.set(HowEnded::Interrupted);
            self.ready.push_back(Element::Barrier(marks.barrier(Purpose::Stop, self.position)));
        } else if self.ended_before {
            self.ending.set(HowEnded::NothingNew);
        } else {
            self.ending.set(HowEnded::WithPartition);
            self.ready.push_back(Element::Barrier(marks.barrier(Purpose::End, self.position)));
            self.ready.push_back(Element::End);
        }
        Ok(())
    }
}

impl Stream for ReaderStream {
    type Item = Result<Element, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(element) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(element)));
            }
            if this.over {
                return Poll::Ready(None);
            }
            // The last barrier asks for states, and so waits for the checkpoint before.
            let may_close = !this.marks.as_ref().is_some_and(Marks::holds_checkpoints);
            if let Some(interrupted) = this.closing.filter(|_| may_close) {
                if let Err(error) = this.close(interrupted) {
                    return Poll::Ready(Some(Err(error)));
                }
                continue;
            }
            if let Some(marks) = &mut this.marks {
                if marks.replays_until().is_some_and(|until| this.position >= until) {
                    return Poll::Ready(Some(Ok(Element::Barrier(marks.end_replay()))));
                }
                if let Poll::Ready(barrier) = marks.poll_due(this.position, cx) {
                    return Poll::Ready(Some(Ok(Element::Barrier(barrier))));
                }
                if this.closing.is_some() {
                    // It may have been dealt with before there was somebody to wake.
                    if marks.holds_checkpoints() {
                        return Poll::Pending;
                    }
                    continue;
                }
            }
            let received = if this.cancelled.poll_unpin(cx).is_ready() {
                match this.rest.take().is_none().then(|| this.read.try_recv()) {
                    Some(Ok(last @ (Ok(Read::End) | Err(_)))) => Some(last),
                    _ => None,
                }
            } else {
                let read = ready!(this.poll_read(cx));
                Some(read.unwrap_or_else(|| Err(StreamError::CutOff { place: this.place.clone() })))
            };
            match received {
                Some(Ok(Read::Opened(position))) => this.position = position,
                Some(Ok(Read::Rows(stretch))) => {
                    this.ended_before = false;
                    this.hand_over(stretch);
                }
                Some(Ok(Read::End)) => this.closing = Some(false),
                None => this.closing = Some(true),
                Some(Err(error)) => {
                    this.over = true;
                    this.read.close();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

struct ReaderThread {
    place: Place,
    shard: ShardContext,
    meter: Meter,
    queue: mpsc::Sender<Result<Read, StreamError>>,
}

impl ReaderThread {
    fn run(self, open: impl FnOnce(&dyn Fn() -> bool) -> Result<Box<dyn Reader>, BoxError>) {
        if let Err(error) = contain(&self.place, || Ok(self.read(open))).and_then(|result| result) {
            // Nobody listens any more when the stream was dropped.
            let _ = self.queue.blocking_send(Err(error));
        }
    }

    fn read(
        &self,
        open: impl FnOnce(&dyn Fn() -> bool) -> Result<Box<dyn Reader>, BoxError>,
    ) -> Result<(), StreamError> {
        let mut reader = contain(&self.place, || open(&|| self.queue.is_closed()))?;
        if self.queue.blocking_send(Ok(Read::Opened(reader.start()))).is_err() {
            return Ok(());
        }
        let mut known = Known::default();
        loop {
            known.publish(&*reader, &self.shard);
            if self.queue.is_closed() {
                return Ok(());
            }
            let read = || -> Result<_, BoxError> { Ok((reader.next_batch()?, reader.take_rejected())) };
            let (batch, rejected) = self.meter.busy(|| contain(&self.place, read))?;
            let read = match batch {
                Some(batch) if batch.is_empty() && rejected.is_empty() => continue,
                Some(batch) => Read::Rows(Stretch { batch, rejected: rejected.into() }),
                None => Read::End,
            };
            let over = matches!(read, Read::End);
            if self.queue.blocking_send(Ok(read)).is_err() || over {
                return Ok(());
            }
        }
    }
}

/// Which numbers a reader has ever known.
#[derive(Default)]
struct Known {
    total: bool,
    behind: bool,
    left_out: bool,
}

impl Known {
    fn publish(&mut self, reader: &dyn Reader, shard: &ShardContext) {
        let progress = reader.progress();
        let labels = [("source", shard.component.as_str()), ("partition", shard.partition.as_str())];
        let set = |name: &str, value: Option<u64>, knew: &mut bool| {
            *knew |= value.is_some();
            if *knew {
                shard.metrics.gauge(name, &labels).set(value.map_or(f64::NAN, |rows| rows as f64));
            }
        };
        set("source_rows_total", progress.rows_total, &mut self.total);
        set("source_rows_behind", progress.rows_behind, &mut self.behind);
        set("source_rows_left_out", (progress.rows_left_out > 0).then_some(progress.rows_left_out), &mut self.left_out);
    }
}
