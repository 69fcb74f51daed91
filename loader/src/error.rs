use zenfloe_destination::LoadError;
use zenfloe_log::LogError;
use zenfloe_record::{Offset, TopicPartition};
use zenfloe_registry::RegistryError;

/// Why the stage ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The log does not work, or a newer process of the same name has taken over.
    #[error("the loader's log")]
    Log(#[from] LogError),
    /// The destination refuses, or does not fit.
    #[error("the destination `{name}`")]
    Destination {
        /// Its name.
        name: String,
        /// What it said.
        #[source]
        error: LoadError,
    },
    /// The registry refuses, or does not know a schema.
    #[error("the schema registry")]
    Registry(#[from] RegistryError),
    /// A record of the rules topic that this release cannot read.
    #[error("record `{key}` of `{topic}` cannot be read; was it written by a newer release?")]
    Rules {
        /// The rules topic.
        topic: std::sync::Arc<str>,
        /// The record's key.
        key: String,
    },
    /// What comes next for a table is not in its topic.
    #[error(
        "{at}: the destination stands at {stored}, the topic holds {start}..{end}; it was recreated, truncated or expired: \
         `zenfloe resync` reads the history again"
    )]
    Position {
        /// The partition.
        at: TopicPartition,
        /// The position that the destination has stored; 0 when nothing of the partition was loaded.
        stored: Offset,
        /// The first offset kept.
        start: Offset,
        /// The end.
        end: Offset,
    },
}

impl StageError {
    /// Claims that a newer process of the same name works here: the end of this one is as it should be.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Log(error) if error.class() == zenfloe_log::Class::Fenced)
    }
}
