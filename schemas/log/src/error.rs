use zenfloe_record::{Offset, Partition, TopicPartition};

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The world is at fault and may mend: wait and call again.
    Retry,
    /// Nothing is lost; drop the batch in hand and read on.
    Reread,
    /// A newer writer lives: end, without an alarm.
    Fenced,
    /// A person is needed.
    Stop,
}

/// Why a log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The broker or the file is away, busy or slow.
    #[error("the log is not available: {what}")]
    Unavailable {
        /// What was tried and what was said.
        what: String,
    },
    /// A newer writer of this id was opened.
    #[error("writer `{id}` was replaced by a newer one")]
    Fenced {
        /// The writer's id.
        id: String,
    },
    /// A writer that lost its place while the log was away has taken it again.
    #[error("writer `{id}` had lost its place while the log was away, and has taken it again")]
    Lapsed {
        /// The writer's id.
        id: String,
    },
    /// The partitions of a commit moved to another reader.
    #[error("the partitions moved to another reader")]
    Rebalanced,
    /// A position outside what a partition holds.
    #[error("{at}: position {wanted} lies outside {start}..{end}; the topic was recreated, truncated or expired")]
    OutOfRange {
        /// The partition.
        at: TopicPartition,
        /// The position asked for; -1 for "no stored position".
        wanted: Offset,
        /// The first offset kept.
        start: Offset,
        /// The end.
        end: Offset,
    },
    /// An existing topic has another partition count than the configuration.
    #[error(
        "topic `{topic}` has {found} partitions, the configuration says {wanted}; a count is for ever: set it to {found}, or start a new generation"
    )]
    PartitionCount {
        /// The topic.
        topic: String,
        /// What it has.
        found: Partition,
        /// What was wanted.
        wanted: Partition,
    },
    /// A topic that must exist does not.
    #[error("topic `{topic}` does not exist")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// A record that its topic does not take.
    #[error("a record of {size} bytes for {at} exceeds the topic's limit of {limit}")]
    TooLarge {
        /// Where to.
        at: TopicPartition,
        /// Its size in bytes.
        size: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// Refused by access rules or sign-in.
    #[error("the log refused: {what}")]
    Forbidden {
        /// What was tried, what was said, what is missing.
        what: String,
    },
    /// The log is damaged, or this build and the log do not fit.
    #[error("the log cannot be used: {what}")]
    Broken {
        /// What was found.
        what: String,
    },
}

impl LogError {
    /// What the caller does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } => Class::Retry,
            Self::Rebalanced | Self::Lapsed { .. } => Class::Reread,
            Self::Fenced { .. } => Class::Fenced,
            Self::OutOfRange { .. }
            | Self::PartitionCount { .. }
            | Self::NoTopic { .. }
            | Self::TooLarge { .. }
            | Self::Forbidden { .. }
            | Self::Broken { .. } => Class::Stop,
        }
    }
}
