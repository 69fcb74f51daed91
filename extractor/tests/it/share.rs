//! Several processes over one log: each source is read by one of them, whoever ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zenfloe_extractor::{Drained, Mode, Parts, Shared, StageError, Turns, share};
use zenfloe_log::Log;
use zenfloe_log::memory::MemoryLog;
use zenfloe_record::SourceName;
use zenfloe_zendesk::Fault;

use crate::account::Account;
use crate::topics::{KeyFile, Topics};
use crate::{Bench, Progress};

/// Accounts of several sources, and processes that read them.
struct Fleet {
    log: Arc<dyn Log>,
    keys: KeyFile,
    accounts: BTreeMap<String, Arc<Account>>,
}

/// A process.
struct Process {
    stop: CancellationToken,
    turns: Turns,
    task: JoinHandle<Result<Drained, StageError>>,
}

const GROUPS: i64 = 7;

impl Fleet {
    fn new(sources: usize) -> Self {
        let name = |number| format!("source_{number}");
        let account = |number| (name(number), Arc::new(Account::with(&[("groups", GROUPS)])));
        Self {
            log: Arc::new(MemoryLog::new()),
            keys: KeyFile::new(),
            accounts: (0..sources).map(account).collect(),
        }
    }

    fn topics(&self, source: &str) -> Topics {
        Topics {
            log: self.log.clone(),
            source: SourceName::new(source).expect("a legal name"),
            keys: self.keys.clone(),
        }
    }

    fn parts(&self, source: &str) -> Parts {
        let mut bench = Bench {
            topics: self.topics(source),
            ..Bench::new()
        };
        bench.progress = Progress::default();
        bench.config.collections.only.insert("groups".into());
        bench.config.interval = Duration::from_secs(60);
        bench.parts(self.accounts[source].clone(), Mode::Interval)
    }

    fn process(&self, member: &str) -> Process {
        let turns = Turns::default();
        let shared = Shared {
            sources: self.accounts.keys().map(|source| self.parts(source)).collect(),
            member: member.to_owned(),
            log: self.log.clone(),
            turns: turns.clone(),
        };
        let stop = CancellationToken::new();
        Process {
            task: tokio::spawn(share(shared, stop.clone())),
            stop,
            turns,
        }
    }

    /// Waits until every source has published `count` records, each once.
    async fn until(&self, count: usize) {
        for source in self.accounts.keys() {
            let topics = self.topics(source);
            let read = async {
                while topics.raw_or_none("groups").await.len() < count {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), read).await;
            assert!(waited.is_ok(), "{source} is read by nobody");
            let mut contents = topics.contents("groups").await;
            let all = contents.len();
            contents.dedup();
            assert_eq!((all, contents.len()), (count, count), "{source}: each state once");
        }
    }

    fn change(&self, text: &str) {
        for account in self.accounts.values() {
            account.put("groups", 1, 1_800_000_000, text);
        }
    }
}

impl Process {
    async fn end(self) {
        self.stop.cancel();
        let ended = self.task.await.expect("no panic");
        assert!(!ended.expect("stopped as asked").is_complete);
    }
}

#[tokio::test]
async fn sources_are_spread_and_go_on_whoever_ends() {
    let fleet = Fleet::new(4);
    let (one, two) = (fleet.process("one"), fleet.process("two"));
    fleet.until(7).await;
    // One ends as asked, the other is killed, a third begins: nobody's sources are lost or read twice.
    one.end().await;
    fleet.change("second");
    fleet.until(8).await;
    let three = fleet.process("three");
    two.task.abort();
    fleet.change("third");
    fleet.until(9).await;
    assert!(three.turns.count() > 0);
    three.end().await;
}

#[tokio::test]
async fn one_sources_trouble_stops_no_other() {
    let fleet = Fleet::new(3);
    let refused = Fault::Unauthorized { said: "no".into() };
    fleet.accounts["source_1"].fail("groups", refused);
    let process = fleet.process("one");
    for source in ["source_0", "source_2"] {
        let topics = fleet.topics(source);
        while topics.raw_or_none("groups").await.len() < 7 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(!process.task.is_finished());
    process.end().await;

    // With one source there is nothing to go on with: the process says what is wrong.
    let alone = Fleet::new(1);
    alone.accounts["source_0"].fail("groups", Fault::Unauthorized { said: "no".into() });
    let error = alone
        .process("one")
        .task
        .await
        .expect("no panic")
        .expect_err("a person is needed");
    assert!(matches!(error, StageError::Source(_)), "{error}");
}
