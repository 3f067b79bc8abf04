//! Requests to stop: the first ends the run cleanly, the second at once.

use std::sync::{Arc, OnceLock};

use sluicegate::CancellationToken;

use crate::failure::Ending;

/// What asked for an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C: somebody at a terminal.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
}

impl Signal {
    /// How a run ends that ended cleanly because of it.
    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::Interrupt => Ending::Interrupted,
            Self::Terminate => Ending::Done,
        }
    }

    /// How a run ends that was cut short by it, when it came a second time.
    fn cut_short(self) -> Ending {
        match self {
            Self::Interrupt => Ending::Interrupted,
            Self::Terminate => Ending::Terminated,
        }
    }
}

/// A request to stop that may come, and what it was once it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    pub(crate) cancel: CancellationToken,
    signal: Arc<OnceLock<Signal>>,
}

impl Stop {
    /// How a run ends that was asked to stop; as for Ctrl-C where nobody knows by what.
    pub(crate) fn ending(&self) -> Ending {
        self.signal.get().map_or(Ending::Interrupted, |signal| signal.ending())
    }

    fn ask(&self, signal: Signal) {
        let _ = self.signal.set(signal);
        self.cancel.cancel();
    }
}

/// Asks for a stop at the first signal and ends the process at the second. Listens from the call on; runs until it is aborted.
///
/// Where the system tells us of none, nothing happens.
pub(crate) fn watch(stop: Stop) -> impl Future<Output = ()> + Send + 'static {
    let signals = Signals::listen();
    async move {
        let Some(mut signals) = signals else { return };
        if let Some(first) = signals.next().await {
            stop.ask(first);
            if let Some(second) = signals.next().await {
                std::process::exit(second.cut_short() as i32);
            }
        }
    }
}

/// Listens from the beginning to the end, so that a signal right after another is not missed.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).ok();
        Some(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            interrupt = self.interrupt.recv() => interrupt.map(|()| Signal::Interrupt),
            terminate = self.terminate.recv() => terminate.map(|()| Signal::Terminate),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) -> Option<Signal> {
        tokio::signal::ctrl_c().await.ok().map(|()| Signal::Interrupt)
    }
}
