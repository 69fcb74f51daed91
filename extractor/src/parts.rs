use std::sync::Arc;

use zenfloe_catalog::Catalog;
use zenfloe_keyring::SealKeys;
use zenfloe_log::Log;
use zenfloe_pacing::Mode;
use zenfloe_record::SourceName;
use zenfloe_zendesk::{Clock, Source};

use crate::{Config, Progress};

/// What the stage works with.
#[derive(Clone)]
pub struct Parts {
    /// The source's name.
    pub source: SourceName,
    /// What is read, and how often.
    pub config: Config,
    /// [`Config::mode`] for a service, [`Mode::Once`] for a single pass.
    pub mode: Mode,
    /// The collections that exist.
    pub catalog: &'static Catalog,
    /// The account's API.
    pub api: Arc<dyn Source>,
    /// Where records and state go.
    pub log: Arc<dyn Log>,
    /// Seals every value, and opens what an earlier process sealed for itself.
    pub seal_keys: SealKeys,
    /// The time.
    pub clock: Clock,
    /// Where progress is shown.
    pub progress: Progress,
}

/// How the stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// The single pass that was asked for is complete.
    pub is_complete: bool,
    /// Collections whose page was under way and has been given up; nothing of it is lost.
    pub abandoned: Vec<String>,
}

/// The id of a source's one living writer.
pub fn writer_id(source: &SourceName) -> String {
    format!("zenfloe-extract-{source}")
}
