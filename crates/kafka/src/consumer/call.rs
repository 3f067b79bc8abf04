//! Why a member of a group was not served.

use rdkafka::error::KafkaError;

use crate::transaction::is_passing;

/// Why a call of a member of a group came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The broker is away, or did not answer in time; it may another time.
    #[error("{0}")]
    Unanswered(String),
    /// It stays so.
    #[error("{0}")]
    Refused(String),
}

impl From<KafkaError> for CallError {
    fn from(error: KafkaError) -> Self {
        // Seeking fails for want of a broker, or because an assignment is not in force; librdkafka tells in words only.
        let passes = matches!(error, KafkaError::Seek(_)) || error.rdkafka_error_code().is_some_and(is_passing);
        if passes { Self::Unanswered(error.to_string()) } else { Self::Refused(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode as Code;

    use super::*;

    #[test]
    fn a_broker_that_is_away_may_come_back_and_one_that_refuses_does_not_change_its_mind() {
        let unanswered = |error: KafkaError| matches!(CallError::from(error), CallError::Unanswered(_));
        for code in
            [Code::BrokerTransportFailure, Code::OperationTimedOut, Code::AllBrokersDown, Code::LeaderNotAvailable]
        {
            assert!(unanswered(KafkaError::MetadataFetch(code)), "{code}");
        }
        assert!(unanswered(KafkaError::Seek("Local: Timed out".to_owned())));
        assert!(!unanswered(KafkaError::MetadataFetch(Code::TopicAuthorizationFailed)));
        assert!(!unanswered(KafkaError::OffsetFetch(Code::UnknownPartition)));
    }
}
