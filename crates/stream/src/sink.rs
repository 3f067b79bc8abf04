//! The end of a chain: a sink on a thread of its own.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use sluicegate_core::{
    Barrier, Batch, BoxError, ComponentKind, Element, Purpose, ShardContext, Sink, SnapshotReader, SnapshotWriter,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::contain::contain;
use crate::gate::{Gate, Go};
use crate::letters::Letters;
use crate::meter::Meter;
use crate::{Place, StreamError};

/// Batches that wait between a chain and its sink: the chain may work on while one batch is written and one waits. A sink that
/// is slower than the chain for good sets the pace anyway.
const WAITING_WRITES_MAX: usize = 2;

type Answer<T> = oneshot::Sender<T>;

enum Command {
    Write(Batch),
    /// Answered when everything before it is written.
    Settle(Answer<()>),
    /// Answered, where it asks for a state, with the state.
    Flush {
        state: bool,
        answer: Answer<Vec<u8>>,
    },
    Restore {
        state: Vec<u8>,
        answer: Answer<()>,
    },
    Publish(Answer<()>),
    Finish(Answer<()>),
}

/// One sink instance and its thread.
///
/// A sink is finished only by [`SinkWriter::finish`]. Dropped before, or after an error, it is dropped unfinished, on its thread.
/// The shard's metrics get the counters `sink_rows` and `component_busy_ns`.
pub struct SinkWriter {
    handle: SinkHandle,
}

/// A way to a sink's thread. Clones lead to the same one.
#[derive(Clone)]
pub(crate) struct SinkHandle {
    place: Place,
    commands: mpsc::Sender<Command>,
    outcome: Arc<tokio::sync::Mutex<Outcome>>,
    /// It stages rows, which its state tells of; others have none.
    staged: bool,
}

/// How the thread ended, once it did.
enum Outcome {
    Awaited(oneshot::Receiver<Result<(), StreamError>>),
    Known(Result<(), StreamError>),
}

/// What a sink takes part in beside its rows.
pub(crate) struct Duties {
    pub(crate) gate: Option<Gate>,
    /// Where rejected records go; `None` where nothing takes them.
    pub(crate) letters: Option<Letters>,
    /// Rows that come again in a replay were committed already, and are not written again.
    pub(crate) skips_replay: bool,
    /// The shard begins with a replay.
    pub(crate) replay: bool,
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
        Self::start_metered(open, shard, &TaskTracker::new(), Meter::new(ComponentKind::Sink, shard), false)
    }

    /// As [`SinkWriter::start`]. The thread counts as a task of `threads` until the sink is dropped.
    pub(crate) fn start_metered(
        open: impl FnOnce() -> Result<Box<dyn Sink>, BoxError> + Send + 'static,
        shard: &ShardContext,
        threads: &TaskTracker,
        meter: Meter,
        staged: bool,
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
        let outcome = Arc::new(tokio::sync::Mutex::new(Outcome::Awaited(outcome)));
        Ok(Self { handle: SinkHandle { place, commands, outcome, staged } })
    }

    pub(crate) fn handle(&self) -> &SinkHandle {
        &self.handle
    }

    /// Writes everything of `stream` up to its end and returns when the last row is written. Does not finish the sink.
    ///
    /// # Errors
    /// The first error of the stream or the sink, whichever comes first; [`StreamError::CutOff`] when the stream stops without
    /// [`Element::End`]; [`StreamError::Rejected`] at the first rejected record, since nothing takes dead letters here.
    pub async fn drive<S>(&mut self, stream: S) -> Result<(), StreamError>
    where
        S: Stream<Item = Result<Element, StreamError>> + Unpin,
    {
        self.drive_with(stream, Duties { gate: None, letters: None, skips_replay: false, replay: false }).await
    }

    /// As [`SinkWriter::drive`], with the part that the sink has in commits.
    pub(crate) async fn drive_with<S>(&mut self, mut stream: S, mut duties: Duties) -> Result<(), StreamError>
    where
        S: Stream<Item = Result<Element, StreamError>> + Unpin,
    {
        let sink = &self.handle;
        let mut closing: Option<Barrier> = None;
        loop {
            let element = tokio::select! {
                biased;
                error = sink.failed() => return Err(error),
                element = stream.next() => element,
            };
            match element {
                Some(Ok(Element::Batch(_))) if duties.replay && duties.skips_replay => {}
                Some(Ok(Element::Batch(batch))) => sink.write(batch).await?,
                Some(Ok(Element::Rejected(rejected))) => match &duties.letters {
                    Some(letters) => letters.post(&rejected, duties.replay).await?,
                    None => return Err(StreamError::rejected(&rejected)),
                },
                Some(Ok(Element::Barrier(barrier))) => {
                    // The first barrier ends the replay, if there was one.
                    duties.replay = false;
                    let Some(gate) = &duties.gate else { continue };
                    if barrier.purpose() == Purpose::End {
                        closing = Some(barrier);
                        continue;
                    }
                    sink.flush(&barrier).await?;
                    match gate.pass(barrier).await {
                        Some(Go::On) => {}
                        Some(Go::Home) => return Ok(()),
                        None => return Err(sink.cut_off()),
                    }
                }
                Some(Ok(Element::End)) => {
                    let (Some(gate), Some(barrier)) = (&duties.gate, closing.take()) else {
                        return sink.settle().await;
                    };
                    sink.finish().await?;
                    sink.flush(&barrier).await?;
                    return gate.pass(barrier).await.map(|_| ()).ok_or_else(|| sink.cut_off());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(sink.cut_off()),
            }
        }
    }

    /// Finishes the sink: everything written becomes visible.
    ///
    /// # Errors
    /// When the sink fails, or failed before.
    pub async fn finish(self) -> Result<(), StreamError> {
        self.handle.finish().await
    }
}

impl SinkHandle {
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) async fn write(&self, batch: Batch) -> Result<(), StreamError> {
        self.send(Command::Write(batch)).await
    }

    async fn settle(&self) -> Result<(), StreamError> {
        self.ask(Command::Settle).await
    }

    /// Flushes, and deposits the sink's state where the barrier asks for states.
    pub(crate) async fn flush(&self, barrier: &Barrier) -> Result<(), StreamError> {
        let state = self.staged && barrier.is_checkpoint();
        let written = self.ask(|answer| Command::Flush { state, answer }).await?;
        if state {
            barrier.deposit(&self.place.component, written);
        }
        Ok(())
    }

    /// The state of a sink that was given nothing; `None` where it has none.
    pub(crate) async fn first_state(&self) -> Result<Option<Vec<u8>>, StreamError> {
        if !self.staged {
            return Ok(None);
        }
        self.ask(|answer| Command::Flush { state: true, answer }).await.map(Some)
    }

    pub(crate) async fn restore(&self, state: Vec<u8>) -> Result<(), StreamError> {
        self.ask(|answer| Command::Restore { state, answer }).await
    }

    pub(crate) async fn publish(&self) -> Result<(), StreamError> {
        self.ask(Command::Publish).await
    }

    pub(crate) async fn finish(&self) -> Result<(), StreamError> {
        self.ask(Command::Finish).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, StreamError> {
        let (answer, answered) = oneshot::channel();
        self.send(command(answer)).await?;
        match answered.await {
            Ok(value) => Ok(value),
            Err(_) => Err(self.failed().await),
        }
    }

    async fn send(&self, command: Command) -> Result<(), StreamError> {
        match self.commands.send(command).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Waits until the thread has ended, which it only does by itself when the sink failed.
    async fn failed(&self) -> StreamError {
        match self.outcome.lock().await.get(&self.place).await {
            Err(error) => error,
            Ok(()) => self.cut_off(),
        }
    }

    fn cut_off(&self) -> StreamError {
        StreamError::CutOff { place: self.place.clone() }
    }
}

impl Outcome {
    /// Waits until the thread has ended. May be dropped while it waits, and called again.
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
        let mut call = |work: &mut dyn FnMut(&mut dyn Sink) -> Result<(), BoxError>| {
            meter.busy(|| contain(place, || work(&mut *sink)))
        };
        // Whoever asked for an answer may be gone.
        match command {
            Command::Write(batch) => {
                call(&mut |sink| sink.write(&batch))?;
                meter.count_in(batch.len());
            }
            Command::Settle(answer) => {
                let _ = answer.send(());
            }
            Command::Flush { state, answer } => {
                let mut written = Vec::new();
                call(&mut |sink| {
                    sink.flush()?;
                    if state {
                        written = state_of(sink)?;
                    }
                    Ok(())
                })?;
                let _ = answer.send(written);
            }
            Command::Restore { state, answer } => {
                call(&mut |sink| sink.restore(&SnapshotReader::parse(&state)?))?;
                let _ = answer.send(());
            }
            Command::Publish(answer) => {
                call(&mut |sink| sink.publish())?;
                let _ = answer.send(());
            }
            Command::Finish(answer) => {
                call(&mut |sink| sink.finish())?;
                let _ = answer.send(());
            }
        }
    }
    Ok(())
}

fn state_of(sink: &mut dyn Sink) -> Result<Vec<u8>, BoxError> {
    let mut writer = SnapshotWriter::new();
    sink.snapshot(&mut writer)?;
    Ok(writer.finish()?)
}
