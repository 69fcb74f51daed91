use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_keyring::{SealKeys, TokenKeys};
use zenfloe_log::Log;
use zenfloe_record::SourceName;
use zenfloe_registry::Registry;

use crate::{Config, Progress};

/// What the stage works with.
#[derive(Clone)]
pub struct Parts {
    /// The source's name.
    pub source: SourceName,
    /// How records become rows.
    pub config: Config,
    /// The collections that exist; the revision covers them all, selected or not.
    pub catalog: &'static Catalog,
    /// The collections whose raw topics are read.
    pub collections: Vec<&'static Collection>,
    /// Where raw records come from and rows go.
    pub log: Arc<dyn Log>,
    /// Where the schemas of the clean topics are registered.
    pub registry: Arc<dyn Registry>,
    /// Opens raw values.
    pub seal_keys: SealKeys,
    /// Makes tokens.
    pub token_keys: TokenKeys,
    /// This process's stable name among the transformers of the source.
    pub member: String,
    /// Where progress is shown.
    pub progress: Progress,
    /// Fired when no more raw records will come: the stage ends once all of them are transformed.
    pub caught_up: CancellationToken,
}

/// How the stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Everything up to the ends of the raw topics, as of after [`Parts::caught_up`] fired, is transformed.
    pub is_complete: bool,
    /// Records that had been read and whose commit was given up; the next process reads them again.
    pub abandoned: usize,
}

/// The consumer group of a source's transformers.
pub fn group(source: &SourceName) -> String {
    format!("zenfloe-transform-{source}")
}

/// The consumer group under which a source's people are read; it commits nothing.
pub(crate) fn people_group(source: &SourceName) -> String {
    format!("zenfloe-transform-{source}-people")
}

/// The id of the one living writer of a member.
pub fn writer_id(source: &SourceName, member: &str) -> String {
    format!("zenfloe-transform-{source}-{member}")
}

/// The id of the one writer that numbers configurations.
pub fn rules_writer_id(source: &SourceName) -> String {
    format!("zenfloe-rules-{source}")
}

/// The id of the one living replay of a source.
pub fn replay_writer_id(source: &SourceName) -> String {
    format!("zenfloe-replay-{source}")
}

/// The consumer group that remembers how far a replay has come.
pub fn replay_group(source: &SourceName) -> String {
    format!("zenfloe-replay-{source}")
}

/// The id of the one living retry of a source's dead letters.
pub fn retry_writer_id(source: &SourceName) -> String {
    format!("zenfloe-dead-{source}")
}
