//! Ctrl-C: once to end cleanly, twice to stop at once.

use sluicegate::CancellationToken;

use crate::failure::Ending;

/// Cancels `cancel` at the first interrupt and ends the process at the second. Runs until it is aborted.
///
/// On Unix a polite request to terminate counts as an interrupt. Where the system tells us of neither, nothing happens.
pub(crate) async fn watch(cancel: CancellationToken) {
    let Some(mut interrupts) = Interrupts::listen() else { return };
    if interrupts.next().await {
        cancel.cancel();
        if interrupts.next().await {
            std::process::exit(Ending::Interrupted as i32);
        }
    }
}

/// Listens from the beginning to the end, so that an interrupt right after another is not missed.
#[cfg(unix)]
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    fn listen() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).ok();
        Some(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> bool {
        tokio::select! {
            interrupt = self.interrupt.recv() => interrupt.is_some(),
            terminate = self.terminate.recv() => terminate.is_some(),
        }
    }
}

#[cfg(not(unix))]
struct Interrupts;

#[cfg(not(unix))]
impl Interrupts {
    fn listen() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
