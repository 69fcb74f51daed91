//! The stage over a log in memory, with real seals and the catalog of this release.

mod clean;
mod custom;
mod dead;
mod erase;
mod flaky;
mod live;
mod people;
mod raw;
mod registry;
mod replay;
mod retry;
mod revisions;

use std::sync::Arc;

use flaky::FlakyLog;
use registry::BookRegistry;
use tokio_util::sync::CancellationToken;
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_keyring::{SealKeys, TokenKeys};
use zenfloe_log::Log;
use zenfloe_log::memory::MemoryLog;
use zenfloe_record::SourceName;
use zenfloe_transformer::{Config, Drained, Parts, Progress, StageError, run};

/// One source, its log, and how its transformer is set up.
struct Site {
    log: Arc<dyn Log>,
    /// The same, where it is in memory.
    memory: MemoryLog,
    source: SourceName,
    registry: Arc<BookRegistry>,
    keys: tempfile::TempDir,
    config: Config,
    collections: Vec<&'static Collection>,
    progress: Progress,
}

/// The collections of most tests: many partitions with several tables, a set with a fence, a small list.
const COLLECTIONS: [&str; 3] = ["tickets", "users", "groups"];

impl Site {
    fn new() -> Self {
        let keys = tempfile::tempdir().expect("a temporary folder");
        let (seal, token) = (SealKeys::generate(), TokenKeys::generate());
        seal.write_new(&keys.path().join("seal")).expect("writable");
        token.write_new(&keys.path().join("token")).expect("writable");
        let collection = |name| Catalog::builtin().collection(name).expect("in the catalog");
        let memory = MemoryLog::with_markers();
        Self {
            log: Arc::new(memory.clone()),
            memory,
            source: SourceName::new("acme").expect("a legal name"),
            registry: Arc::new(BookRegistry::default()),
            keys,
            config: Config::default(),
            collections: COLLECTIONS.into_iter().map(collection).collect(),
            progress: Progress::default(),
        }
    }

    fn seal_keys(&self) -> SealKeys {
        SealKeys::load(&self.keys.path().join("seal")).expect("just written")
    }

    fn parts_over(&self, log: Arc<dyn Log>, member: &str, caught_up: CancellationToken) -> Parts {
        Parts {
            source: self.source.clone(),
            config: self.config.clone(),
            catalog: Catalog::builtin(),
            collections: self.collections.clone(),
            log,
            registry: self.registry.clone(),
            seal_keys: self.seal_keys(),
            token_keys: TokenKeys::load(&self.keys.path().join("token")).expect("just written"),
            member: member.into(),
            progress: self.progress.clone(),
            caught_up,
        }
    }

    fn parts(&self) -> Parts {
        self.parts_over(self.log.clone(), "t0", caught_up())
    }

    /// Transforms all that is there.
    async fn once(&self) -> Result<Drained, StageError> {
        run(self.parts(), CancellationToken::new()).await
    }

    /// The same, where nothing may go wrong.
    async fn transform(&self) {
        let drained = self.once().await.expect("an undisturbed pass");
        assert!(drained.is_complete, "{drained:?}");
    }

    /// A pass over a log that kills it; `false` when it came to its end before.
    async fn killed(&self, log: &Arc<FlakyLog>) -> bool {
        tokio::select! {
            biased;
            () = log.fate().killed() => true,
            ended = run(self.parts_over(log.clone(), "t0", caught_up()), CancellationToken::new()) => {
                assert!(ended.expect("no error ends a pass").is_complete);
                false
            }
        }
    }
}

/// No more raw records will come.
fn caught_up() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}
