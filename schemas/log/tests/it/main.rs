//! The log in memory against the contract.

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_log::Log;
use zenfloe_log::contract::{self, Storm, Subject};
use zenfloe_log::memory::MemoryLog;
use zenfloe_record::{Offset, TopicPartition};

struct Memory(MemoryLog);

#[async_trait]
impl Subject for Memory {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(self.0.clone())
    }

    async fn expire(&self, at: &TopicPartition, before: Offset) {
        self.0.expire(at, before).expect("the partition exists");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    contract::all(&Memory(MemoryLog::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_with_gaps_between_commits() {
    contract::all(&Memory(MemoryLog::with_markers())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_lose_and_repeat_nothing() {
    for seed in 0..20 {
        let storm = Storm {
            seed,
            partitions: 1 + (seed % 5) as i32,
            records: 600,
            workers: 1 + seed % 4,
        };
        let log = if seed % 2 == 0 {
            MemoryLog::new()
        } else {
            MemoryLog::with_markers()
        };
        contract::storm(&Memory(log), storm).await;
    }
}
