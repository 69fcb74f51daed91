//! librdkafka's errors in the words of the log's contract.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use zenfloe_log::LogError;

use crate::signals::Signals;

/// The error code within, whatever the kind of error.
pub(crate) fn code_of(error: &KafkaError) -> Code {
    match error {
        KafkaError::AdminOp(code) => *code,
        other => other.rdkafka_error_code().unwrap_or(Code::Unknown),
    }
}

/// What librdkafka says, with details where it has them.
pub(crate) fn said(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => format!("{} ({})", error.string(), error.name()),
        other => other.to_string(),
    }
}

/// Claims that an access rule is missing.
pub(crate) fn is_denied(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
    )
}

/// Claims that the topic or the partition does not exist.
pub(crate) fn is_absent(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::InvalidTopic
    )
}

/// Claims that a newer client of the same name took over.
pub(crate) fn is_fenced(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId
    )
}

/// Claims that the group has moved on from the membership that was shown.
pub(crate) fn is_stale_membership(code: Code) -> bool {
    matches!(
        code,
        Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress | Code::AssignmentLost
    )
}

/// Claims that only a person can help: no waiting mends it.
fn is_hopeless(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidTransactionTimeout
            | Code::InvalidTransactionalState
            | Code::InvalidProducerIdMapping
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::UnsupportedForMessageFormat
            | Code::InvalidConfig
            | Code::InvalidReplicationFactor
            | Code::InvalidPartitions
            | Code::InvalidSessionTimeout
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol
            | Code::InvalidTimestamp
            | Code::InvalidRecord
            | Code::InvalidArgument
            | Code::Fatal
    )
}

/// The error for `what` (a topic, a group, a writer: it is named in the message).
pub(crate) fn fault(what: &str, error: &KafkaError, signals: &Signals) -> LogError {
    of_code(what, code_of(error), &said(error), signals)
}

/// As [`fault`], from a bare code and librdkafka's words.
pub(crate) fn of_code(what: &str, code: Code, said: &str, signals: &Signals) -> LogError {
    if is_denied(code) {
        return LogError::Forbidden {
            what: format!("{what}: {said}; an access rule (ACL) for it is missing"),
        };
    }
    // Of a client that signs in by token, the first refusals only mean that it was idle for long.
    if matches!(code, Code::Authentication | Code::SaslAuthenticationFailed) && !signals.has_tokens() {
        return signals.refusal().unwrap_or_else(|| LogError::Forbidden {
            what: format!("{what}: {said}"),
        });
    }
    if code == Code::PolicyViolation {
        return LogError::Forbidden {
            what: format!("{what}: {said}"),
        };
    }
    if is_hopeless(code) {
        return LogError::Broken {
            what: format!("{what}: {said}"),
        };
    }
    signals.unavailable(&format!("{what}: {said}"))
}
