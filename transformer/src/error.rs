use std::sync::Arc;

use zenfloe_keyring::KeyVersion;
use zenfloe_log::LogError;
use zenfloe_normalize::PlanError;
use zenfloe_record::{Offset, Partition, TopicPartition};
use zenfloe_registry::RegistryError;

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A newer process has taken over: end, without an alarm.
    Replaced,
    /// A topic was recreated, truncated or expired below a stored position.
    Positions,
    /// A key is missing: a person must bring it.
    KeyVersion,
    /// The configuration, a topic or a schema does not fit.
    Configuration,
    /// The log or the registry refused the credentials.
    Credentials,
    /// A person is needed, for another reason.
    Stop,
}

/// Why the stage ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The log does not work, or a newer process of this name has taken over.
    #[error("the transformer's log")]
    Log(#[from] LogError),
    /// The registry refuses what no waiting mends.
    #[error("schema `{subject}` cannot be used")]
    Registry {
        /// The subject.
        subject: Arc<str>,
        /// What the registry said.
        source: RegistryError,
    },
    /// A record was sealed under a key that the key file does not hold.
    #[error(
        "record {offset} of {at} was sealed under version {version} of the seal key, which the key file does not hold; \
         add that version and start again, nothing is lost"
    )]
    KeyVersion {
        /// The record's partition.
        at: TopicPartition,
        /// Its offset.
        offset: Offset,
        /// The version that is missing.
        version: KeyVersion,
    },
    /// A record of the rules topic that this release cannot read.
    #[error("record `{key}` of `{topic}` cannot be read; was it written by a newer release?")]
    Rules {
        /// The rules topic.
        topic: Arc<str>,
        /// The record's key.
        key: String,
    },
    /// A record of the people topic that does not open or cannot be read: whoever it tells of would not be known.
    #[error(
        "record {offset} of `{topic}` cannot be read ({why}); whoever it tells of would not be recognised in texts"
    )]
    People {
        /// The people topic.
        topic: Arc<str>,
        /// The record's offset.
        offset: Offset,
        /// What is wrong with it.
        why: String,
    },
    /// Another transform configuration is in force.
    #[error(
        "revision {newest} of the transform configuration of `{source_name}` is in force and this configuration is {}; \
         give every transformer of the source the same one; `zenfloe run` makes its own the newest when it starts",
        .ours.map_or_else(|| "another one".to_owned(), |ours| format!("revision {ours}"))
    )]
    NotNewest {
        /// The source.
        source_name: String,
        /// The number of this configuration, if it has one.
        ours: Option<i32>,
        /// The number in force; 0 when no transformer has run yet.
        newest: i32,
    },
    /// A raw topic is not the one that was transformed before.
    #[error(
        "topic `{topic}` was deleted and made again since it was last transformed; if that was meant, \
         set `accept_recreated = [\"{collection}\"]` for the transformer, else bring the old one back"
    )]
    Recreated {
        /// The topic.
        topic: Arc<str>,
        /// Its collection.
        collection: String,
    },
    /// A clean topic has another partition count than its raw topic.
    #[error(
        "`{raw}` has {raw_count} partitions and `{clean}` has {clean_count}; they must be equal for ever: \
         remove the wrong one, or start a new generation"
    )]
    PartitionCount {
        /// The raw topic.
        raw: Arc<str>,
        /// Its partitions.
        raw_count: Partition,
        /// The clean topic.
        clean: Arc<str>,
        /// Its partitions.
        clean_count: Partition,
    },
    /// The configuration names a column that does not exist, or what may not be done with it.
    #[error("the choice of columns")]
    Columns(#[from] PlanError),
    /// The configuration names what does not exist.
    #[error("{what}")]
    Setting {
        /// What, and what would be right.
        what: String,
    },
}

impl StageError {
    /// What the caller does about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Log(error) => of_log(error),
            Self::Registry { source, .. } => of_registry(source),
            Self::Recreated { .. } => Class::Positions,
            Self::KeyVersion { .. } => Class::KeyVersion,
            Self::NotNewest { .. } | Self::PartitionCount { .. } | Self::Columns(_) | Self::Setting { .. } => {
                Class::Configuration
            }
            Self::Rules { .. } | Self::People { .. } => Class::Stop,
        }
    }
}

fn of_log(error: &LogError) -> Class {
    match error {
        LogError::Fenced { .. } => Class::Replaced,
        LogError::OutOfRange { .. } => Class::Positions,
        LogError::PartitionCount { .. } | LogError::NoTopic { .. } | LogError::TooLarge { .. } => Class::Configuration,
        LogError::Forbidden { .. } => Class::Credentials,
        LogError::Unavailable { .. } | LogError::Rebalanced | LogError::Lapsed { .. } | LogError::Broken { .. } => {
            Class::Stop
        }
    }
}

fn of_registry(error: &RegistryError) -> Class {
    match error {
        RegistryError::Incompatible { .. } | RegistryError::Invalid { .. } | RegistryError::Level { .. } => {
            Class::Configuration
        }
        RegistryError::Forbidden { .. } => Class::Credentials,
        RegistryError::Away { .. } | RegistryError::Unknown { .. } | RegistryError::Broken { .. } => Class::Stop,
    }
}
