use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use zenfloe_log::Log;
use zenfloe_log::contract::{self, Storm, Subject};
use zenfloe_log_file::{Config, Durability, FileLog};
use zenfloe_record::{Offset, TopicPartition};

/// Every opening is a log of its own over the same file, as in several processes.
struct File {
    folder: TempDir,
    durability: Durability,
}

impl File {
    fn new(durability: Durability) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            durability,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("made/log.sqlite")
    }

    async fn log(&self) -> FileLog {
        let config = Config {
            durability: self.durability,
            ..Config::new(self.path())
        };
        FileLog::open(config).await.expect("it opens")
    }
}

#[async_trait]
impl Subject for File {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(self.log().await)
    }

    async fn expire(&self, at: &TopicPartition, before: Offset) {
        self.log().await.expire(at, before).await.expect("the partition exists");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    contract::all(&File::new(Durability::Power)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_lose_and_repeat_nothing() {
    for seed in 0..6 {
        let storm = Storm {
            seed,
            partitions: 1 + (seed % 5) as i32,
            records: 500,
            workers: 1 + seed % 4,
        };
        contract::storm(&File::new(Durability::Process), storm).await;
    }
}
