use std::path::PathBuf;

use zenfloe_keyring::OpenError;
use zenfloe_log::{Class, LogError};
use zenfloe_zendesk::SourceError;

/// Why the stage ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The log does not work, or a newer process has taken this source over.
    #[error("the extractor's log")]
    Log(#[from] LogError),
    /// Nothing of this account can be read: credentials or address.
    #[error("the Zendesk account")]
    Source(#[from] SourceError),
    /// The state topic holds what this release cannot read.
    #[error("record `{key}` of `{topic}` cannot be read; was it written by a newer release?")]
    State {
        /// The state topic.
        topic: String,
        /// The record's key.
        key: String,
    },
    /// The configuration names what the catalog does not have.
    #[error("collection `{name}` does not exist; `zenfloe catalog` lists them")]
    NoSuchCollection {
        /// The name.
        name: String,
    },
    /// The login that an earlier process kept does not open.
    #[error("the login that is kept in the state topic does not open")]
    Login {
        /// Why.
        source: OpenError,
    },
    /// A file that cannot be imported, or not any further; what stands before the line is published.
    #[error("{}, line {line}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 for the file as a whole.
        line: u64,
        /// What is wrong, never what stands there.
        what: String,
    },
    /// What the transformer does not read is not imported.
    #[error("collection `{name}` is not selected; switch it on: `collections = {{ on = [\"{name}\"] }}`")]
    NotSelected {
        /// The collection.
        name: String,
    },
    /// A single pass was asked for, and one collection cannot be read.
    #[error("`{collection}` failed {attempts} times in a row; what was read so far is kept")]
    GaveUp {
        /// The collection.
        collection: String,
        /// Attempts in a row.
        attempts: u32,
        /// The last failure.
        #[source]
        last: SourceError,
    },
}

impl StageError {
    /// Claims that a newer process works on this source: the end of this one is as it should be.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Log(error) if error.class() == Class::Fenced)
    }
}
