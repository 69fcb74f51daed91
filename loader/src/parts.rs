use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use zenfloe_destination::Destination;
use zenfloe_log::Log;
use zenfloe_record::SourceName;
use zenfloe_registry::Registry;

use crate::{Config, Progress, Tables};

/// What the stage works with.
pub struct Parts {
    /// The destination's name, which is that of its group.
    pub name: String,
    /// The destination itself.
    pub destination: Arc<dyn Destination>,
    /// Whose topics are read.
    pub source: SourceName,
    /// Which tables are loaded, under which names, and what they keep.
    pub tables: Tables,
    /// When flushes happen, and how much may be in hand.
    pub config: Config,
    /// Where clean topics are read and dead letters go.
    pub log: Arc<dyn Log>,
    /// Who knows the schemas of the rows.
    pub registry: Arc<dyn Registry>,
    /// This loader's stable name, unique among all that load into this destination at once.
    pub member: String,
    /// Where progress is shown.
    pub progress: Progress,
    /// Fired when nothing more is going to be produced: the stage ends when all that the topics hold then is loaded.
    pub caught_up: CancellationToken,
}

/// How the stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drained {
    /// Everything up to the ends of the topics, as they were when [`Parts::caught_up`] fired, is loaded.
    pub is_complete: bool,
    /// Tables whose rows in hand have been given up; nothing of them is lost, they are read again.
    pub abandoned: Vec<String>,
}
