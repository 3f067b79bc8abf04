//! The end of a chain: a sink on a thread of its own.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use sluicegate_core::{Batch, BoxError, ComponentKind, Element, ShardContext, Sink};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::contain::contain;
use crate::meter::Meter;
use crate::{Place, StreamError};

/// Batches that wait between a chain and its sink: the chain may work on while one batch is written and one waits. A sink that
/// is slower than the chain for good sets the pace anyway.
const WAITING_WRITES_MAX: usize = 2;

enum Command {
    Write(Batch),
    /// Answered when everything before it is written.
    Settle(oneshot::Sender<()>),
    Finish,
}

/// One sink instance and its thread.
///
/// A sink is finished only by [`SinkWriter::finish`]. Dropped before, or after an error, it is dropped unfinished, on its thread.
/// The shard's metrics get the counters `sink_rows` and `component_busy_ns`.
pub struct SinkWriter {
    place: Place,
    commands: mpsc::Sender<Command>,
    outcome: Outcome,
}

/// How the thread ended, once it did.
enum Outcome {
    Awaited(oneshot::Receiver<Result<(), StreamError>>),
    Known(Result<(), StreamError>),
}

impl SinkWriter {
    /// Starts the thread, which first calls `open`.
    ///
    /// # Errors
    /// [`StreamError::Thread`] when the system refuses a thread. That the sink cannot be opened is an error of the calls that follow.
    pub fn start(
        open: impl FnOnce() -> Result<Box<dyn Sink>, BoxError> + Send + 'static,
        shard: &ShardContext,
    ) -> Result<Self, StreamError> {
        Self::start_metered(open, shard, &TaskTracker::new(), Meter::new(ComponentKind::Sink, shard))
    }

    /// As [`SinkWriter::start`]. The thread counts as a task of `threads` until the sink is dropped.
    pub(crate) fn start_metered(
        open: impl FnOnce() -> Result<Box<dyn Sink>, BoxError> + Send + 'static,
        shard: &ShardContext,
        threads: &TaskTracker,
        meter: Meter,
    ) -> Result<Self, StreamError> {
        let place = Place::of(ComponentKind::Sink, shard);
        let (commands, received) = mpsc::channel(WAITING_WRITES_MAX);
        let (tell, outcome) = oneshot::channel();
        let (token, at) = (threads.token(), place.clone());
        std::thread::Builder::new()
            .name(format!("sink {}", shard.component))
            .spawn(move || {
                let result = contain(&at, || Ok(serve(&at, open, received, &meter))).and_then(|result| result);
                // Nobody listens any more when the writer was dropped.
                let _ = tell.send(result);
                drop(token);
            })
            .map_err(|error| StreamError::Thread { what: place.to_string(), source: Arc::new(error) })?;
        Ok(Self { place, commands, outcome: Outcome::Awaited(outcome) })
    }

    /// Writes everything of `stream` up to its end and returns when the last row is written. Does not finish the sink.
    ///
    /// # Errors
    /// The first error of the stream or the sink, whichever comes first; [`StreamError::CutOff`] when the stream stops without
    /// [`Element::End`].
    pub async fn drive<S>(&mut self, stream: S) -> Result<(), StreamError>
    where
        S: Stream<Item = Result<Element, StreamError>> + Unpin,
    {
        let mut stream = stream;
        loop {
            let element = tokio::select! {
                biased;
                error = self.outcome.error(&self.place) => return Err(error),
                element = stream.next() => element,
            };
            match element {
                Some(Ok(Element::Batch(batch))) => self.send(Command::Write(batch)).await?,
                Some(Ok(Element::End)) => return self.settle().await,
                // A checkpoint's barrier means nothing to a sink.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(StreamError::CutOff { place: self.place.clone() }),
            }
        }
    }

    /// Finishes the sink: everything written becomes visible.
    ///
    /// # Errors
    /// When the sink fails, or failed before.
    pub async fn finish(mut self) -> Result<(), StreamError> {
        self.send(Command::Finish).await?;
        self.outcome.get(&self.place).await
    }

    async fn settle(&mut self) -> Result<(), StreamError> {
        let (answer, settled) = oneshot::channel();
        self.send(Command::Settle(answer)).await?;
        match settled.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.outcome.error(&self.place).await),
        }
    }

    async fn send(&mut self, command: Command) -> Result<(), StreamError> {
        match self.commands.send(command).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.outcome.error(&self.place).await),
        }
    }
}

impl Outcome {
    /// Waits until the thread has ended.
    async fn get(&mut self, place: &Place) -> Result<(), StreamError> {
        if let Self::Awaited(outcome) = self {
            let lost = || Err(StreamError::CutOff { place: place.clone() });
            *self = Self::Known(outcome.await.unwrap_or_else(|_| lost()));
        }
        match self {
            Self::Known(result) => result.clone(),
            Self::Awaited(_) => Ok(()),
        }
    }

    /// Waits until the thread has ended, which it only does by itself when the sink failed.
    async fn error(&mut self, place: &Place) -> StreamError {
        match self.get(place).await {
            Err(error) => error,
            Ok(()) => StreamError::CutOff { place: place.clone() },
        }
    }
}

/// The thread's work. The sink never outlives it.
fn serve(
    place: &Place,
    open: impl FnOnce() -> Result<Box<dyn Sink>, BoxError>,
    mut commands: mpsc::Receiver<Command>,
    meter: &Meter,
) -> Result<(), StreamError> {
    let mut sink = contain(place, open)?;
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Write(batch) => {
                meter.busy(|| contain(place, || sink.write(&batch)))?;
                meter.count_in(batch.len());
            }
            Command::Settle(answer) => {
                // Whoever asked may be gone.
                let _ = answer.send(());
            }
            Command::Finish => return meter.busy(|| contain(place, || sink.finish())),
        }
    }
    Ok(())
}
