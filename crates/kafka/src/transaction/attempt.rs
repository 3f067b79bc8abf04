//! Calling again while it helps, and noticing a call that does not return.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use sluicegate_core::LedgerError;

use super::verdict::{Verdict, ledger_error, verdict};
use crate::produce::plain;

/// Limit of one call; after it librdkafka returns, and the same call goes on where it was.
const CALL: Duration = Duration::from_secs(5);
/// A call that fails at once is repeated after so long.
const PAUSE: Duration = Duration::from_millis(100);
/// How much longer than asked a call may take before it is given up: calls have been seen to take 8 s instead of 3 s.
const GRACE: Duration = Duration::from_secs(30);
/// Longest pause between two attempts to reach a broker, in milliseconds; librdkafka's own is 10 s.
const RECONNECT_MS_MAX: &str = "1000";

/// Lets a client find a broker that is back within a second, unless the user has said otherwise.
pub(super) fn come_back_soon(config: &mut ClientConfig) {
    if config.get("reconnect.backoff.max.ms").is_none() {
        config.set("reconnect.backoff.max.ms", RECONNECT_MS_MAX);
    }
}

/// Makes the call `doing`, with the time that it may take, until it succeeds or something else than a passing error comes, or
/// `deadline` has passed.
///
/// # Errors
/// The last error with what it means. [`Verdict::Again`] means that the time was over.
pub(super) fn insist(
    doing: &str,
    deadline: Instant,
    mut call: impl FnMut(Duration) -> Result<(), KafkaError>,
) -> Result<(), (Verdict, LedgerError)> {
    let mut told = false;
    loop {
        let error = match call(CALL) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let verdict = verdict(&error);
        if verdict != Verdict::Again || Instant::now() >= deadline {
            return Err((verdict, ledger_error(verdict, &format!("cannot {doing}"), &error)));
        }
        if told {
            tracing::debug!("cannot {doing} yet: {}", plain(&error));
        } else {
            tracing::warn!("cannot {doing} yet, trying again: {}", plain(&error));
            told = true;
        }
        thread::sleep(PAUSE);
    }
}

/// Does `work` on a thread of its own and waits for it until a while after `deadline`.
///
/// # Errors
/// [`LedgerError::Lost`] when it has not come back by then. It goes on by itself, and what it does later has to be void.
pub(super) fn watched<T: Send + 'static>(
    doing: &str,
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LedgerError> {
    let (done, outcome) = mpsc::sync_channel(1);
    let lost = |message: String| LedgerError::Lost(message.into());
    thread::Builder::new()
        .name("kafka-ledger".into())
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(|error| lost(format!("cannot {doing}: no thread for it: {error}")))?;
    let limit = deadline.saturating_duration_since(Instant::now()) + GRACE;
    outcome.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => lost(format!("cannot {doing}: no answer within {} s", limit.as_secs())),
        RecvTimeoutError::Disconnected => lost(format!("cannot {doing}: the thread that did it ended early")),
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[test]
    fn a_passing_error_is_tried_again_and_another_is_not() {
        let mut calls = 0;
        let later = Instant::now() + Duration::from_secs(60);
        insist("test", later, |_| {
            calls += 1;
            if calls < 3 { Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(calls, 3);
        let refused = insist("test", later, |_| Err(KafkaError::Global(RDKafkaErrorCode::Fenced))).unwrap_err();
        assert!(matches!(refused, (Verdict::Fenced, LedgerError::Fenced(_))), "{refused:?}");
    }

    #[test]
    fn trying_again_ends_and_the_outcome_is_then_unknown() {
        let refused = insist("commit", Instant::now(), |_| Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)));
        assert!(matches!(refused, Err((Verdict::Again, LedgerError::Lost(_)))), "{refused:?}");
    }
}
