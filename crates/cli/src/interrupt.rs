//! Ctrl-C: once to end cleanly, twice to stop at once.

use sluicegate::CancellationToken;

use crate::failure::Ending;

/// Cancels `cancel` at the first interrupt and ends the process at the second. Runs until it is aborted.
pub(crate) async fn watch(cancel: CancellationToken) {
    if !interrupted().await {
        return;
    }
    cancel.cancel();
    if interrupted().await {
        std::process::exit(Ending::Interrupted as i32);
    }
}

/// Waits for an interrupt, or on Unix for a polite request to terminate. False where the system tells us of neither.
async fn interrupted() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                interrupt = tokio::signal::ctrl_c() => interrupt.is_ok(),
                terminate = terminate.recv() => terminate.is_some(),
            };
        }
    }
    tokio::signal::ctrl_c().await.is_ok()
}
