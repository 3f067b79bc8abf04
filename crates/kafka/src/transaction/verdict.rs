//! What an error of a call means for the shard.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use sluicegate_core::LedgerError;

use crate::produce::{is_permanent, plain};

/// What an error of a transactional call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same call again may succeed; nothing else may be called.
    Again,
    /// The transaction has to be aborted, and the shard taken over anew.
    Abort,
    /// The producer is of no use any more; a new one may be.
    Lost,
    /// Another producer of this identity has begun, or the broker has given this one up.
    Fenced,
    /// The group has gone on without this process.
    NoMember,
    /// The group has begun another generation, and it is not known yet whether this process is in it. It mostly is: others
    /// joined or left. The transaction is void; taking the shard over anew tells.
    Moved,
    /// It stays so until somebody changes something.
    Failed,
}

/// What this error of a transactional call means.
pub(super) fn verdict(error: &KafkaError) -> Verdict {
    let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => return Verdict::Fenced,
        Code::IllegalGeneration | Code::RebalanceInProgress => return Verdict::Moved,
        Code::UnknownMemberId | Code::FencedInstanceId | Code::FencedMemberEpoch | Code::StaleMemberEpoch => {
            return Verdict::NoMember;
        }
        code if is_permanent(code) => return Verdict::Failed,
        _ => {}
    }
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Verdict::Lost,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Verdict::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Verdict::Again,
        KafkaError::Flush(_) => Verdict::Again,
        _ if is_passing(code) => Verdict::Again,
        _ => Verdict::Lost,
    }
}

/// Whether an error of a plain call, such as reading offsets, passes by itself.
pub(crate) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::ConcurrentTransactions
            | Code::UnstableOffsetCommit
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::PreviousInProgress
            | Code::Conflict
            | Code::Retry
    )
}

/// An error of the ledger with `context` and what the broker or librdkafka said.
pub(super) fn ledger_error(verdict: Verdict, context: &str, error: &KafkaError) -> LedgerError {
    let message = format!("{context}: {}", plain(error)).into();
    match verdict {
        Verdict::Fenced | Verdict::NoMember => LedgerError::Fenced(message),
        Verdict::Failed => LedgerError::Failed(message),
        Verdict::Again | Verdict::Abort | Verdict::Lost | Verdict::Moved => LedgerError::Lost(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process whose group begins another generation is no zombie: it takes its shard over again, and goes on.
    #[test]
    fn another_generation_is_no_reason_to_stop_but_lost_membership_is() {
        let means = |code| {
            let error = KafkaError::Global(code);
            ledger_error(verdict(&error), "test", &error)
        };
        assert!(matches!(means(Code::IllegalGeneration), LedgerError::Lost(_)));
        assert!(matches!(means(Code::RebalanceInProgress), LedgerError::Lost(_)));
        assert!(matches!(means(Code::UnknownMemberId), LedgerError::Fenced(_)));
        assert!(matches!(means(Code::ProducerFenced), LedgerError::Fenced(_)));
        assert!(matches!(means(Code::TopicAuthorizationFailed), LedgerError::Failed(_)));
    }
}
