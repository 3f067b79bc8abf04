//! What can go wrong while records are sent.

use rdkafka::error::RDKafkaErrorCode;
use sluicegate_core::Offset;

/// Why records could not be sent, or did not arrive.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The producer could not be made.
    #[error("cannot make a producer: {message}; see the connection's settings")]
    Create {
        /// What librdkafka said.
        message: String,
    },
    /// A record that the client refuses.
    #[error("the row at offset {offset} gives a record of {size_bytes} bytes for topic `{topic}`, which is refused: {message}{}", remedy(*.code))]
    Refused {
        /// The topic.
        topic: String,
        /// The offset of the row.
        offset: Offset,
        /// Length of key and value, in bytes.
        size_bytes: usize,
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// What librdkafka said.
        message: String,
    },
    /// A record that did not arrive.
    #[error("the record of the row at offset {offset} ({size_bytes} bytes) did not arrive in topic `{topic}`: {message}{}{}", others(*.more), remedy(*.code))]
    Undelivered {
        /// The topic.
        topic: String,
        /// The offset of the row.
        offset: Offset,
        /// Length of key and value, in bytes.
        size_bytes: usize,
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// What the broker or librdkafka said.
        message: String,
        /// How many more records did not arrive.
        more: u64,
    },
    /// A transaction could not be begun.
    #[error("cannot begin a transaction: {message}")]
    Begin {
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// What librdkafka said.
        message: String,
    },
    /// The shard was taken over anew, or has lost its transaction, since this was opened.
    #[error("the transaction that this record belongs to is void; the partition has to be taken over anew")]
    Void,
    /// Sent before the shard was taken over.
    #[error("a record came before its partition was taken over")]
    NotTakenOver,
}

impl ProduceError {
    /// librdkafka's code, where there is one.
    pub fn code(&self) -> Option<RDKafkaErrorCode> {
        match self {
            Self::Refused { code, .. } | Self::Undelivered { code, .. } | Self::Begin { code, .. } => Some(*code),
            Self::Create { .. } | Self::Void | Self::NotTakenOver => None,
        }
    }

    /// Whether sending the same again fails again, until somebody changes something.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Create { .. } | Self::NotTakenOver => true,
            // For the state of the producer, not for the record: another producer takes the same one.
            Self::Refused { code, .. } => !matches!(code, RDKafkaErrorCode::State | RDKafkaErrorCode::Fatal),
            Self::Void => false,
            Self::Undelivered { code, .. } | Self::Begin { code, .. } => is_permanent(*code),
        }
    }
}

/// Whether an error with this code stays until somebody changes something.
pub(crate) fn is_permanent(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::Authentication
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType
            | Code::InvalidTransactionTimeout
            | Code::OffsetMetadataTooLarge
    )
}

fn remedy(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "; raise `message_size_max_bytes`, and the topic's `max.message.bytes` if it is smaller, or write fewer columns"
        }
        RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownPartition => "; create the topic, or name another",
        RDKafkaErrorCode::TopicAuthorizationFailed => "; let this user write to it",
        RDKafkaErrorCode::MessageTimedOut => "; is the broker up, and can it be reached?",
        _ => "",
    }
}

fn others(more: u64) -> String {
    if more == 0 { String::new() } else { format!(" (nor did {more} more)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an earlier record ran out of time, librdkafka takes no other in the transaction, before it says why.
    #[test]
    fn a_record_that_is_refused_for_its_own_sake_stays_so_and_for_the_producers_sake_does_not() {
        let refused = |code| {
            let (topic, message) = ("t".to_owned(), String::new());
            ProduceError::Refused { topic, offset: Offset(1), size_bytes: 9, code, message }.is_permanent()
        };
        assert!(!refused(RDKafkaErrorCode::State) && !refused(RDKafkaErrorCode::Fatal));
        assert!(refused(RDKafkaErrorCode::MessageSizeTooLarge) && refused(RDKafkaErrorCode::UnknownPartition));
    }
}
