//! The stage over a log and an account in memory.

mod account;
mod resync;
mod share;
mod simulated;
mod stage;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use account::Account;
use tokio_util::sync::CancellationToken;
use topics::{KeyFile, Topics};
use zenfloe_catalog::Catalog;
use zenfloe_extractor::{Config, Drained, Mode, Parts, Progress, StageError, run};
use zenfloe_log::Log;
use zenfloe_log::memory::MemoryLog;
use zenfloe_record::SourceName;
use zenfloe_zendesk::{Clock, Source};

/// One source, its log, and how its extractor is set up.
struct Bench {
    topics: Topics,
    config: Config,
    progress: Progress,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
        let source = SourceName::new("acme").expect("a legal name");
        let topics = Topics {
            log,
            source,
            keys: KeyFile::new(),
        };
        Self {
            topics,
            config: Config::default(),
            progress: Progress::default(),
            // A second of the account's passes in a millisecond.
            clock: Clock::scaled(Duration::from_secs(1_800_000_000), 1_000.0),
        }
    }

    fn parts(&self, api: Arc<dyn Source>, mode: Mode) -> Parts {
        Parts {
            source: self.topics.source.clone(),
            config: self.config.clone(),
            mode,
            catalog: Catalog::builtin(),
            api,
            log: self.topics.log.clone(),
            seal_keys: self.topics.keys.load(),
            clock: self.clock.clone(),
            progress: self.progress.clone(),
        }
    }

    /// One complete pass.
    async fn once(&self, api: Arc<dyn Source>) -> Result<Drained, StageError> {
        run(self.parts(api, Mode::Once), CancellationToken::new()).await
    }

    /// A pass that is killed when the account has come to its halt; `false` when it ended before.
    async fn killed(&self, account: &Arc<Account>) -> bool {
        tokio::select! {
            ended = self.once(account.clone()) => { ended.expect("an undisturbed pass"); false }
            () = account.halted.notified() => true,
        }
    }
}
