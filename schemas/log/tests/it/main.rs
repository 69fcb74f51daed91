//! The log in memory against the contract.

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_log::contract::{self, Storm, Subject};
use zenfloe_log::memory::MemoryLog;
use zenfloe_log::{Assign, Cleanup, Limit, Log, Read, Reader, ReaderSpec, TopicSpec};
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

#[tokio::test]
async fn a_deleted_topic_comes_back_as_another_one() {
    let log = MemoryLog::new();
    let spec = TopicSpec {
        name: "t".into(),
        partitions: 2,
        cleanup: Cleanup::Compact,
        max_message_bytes: 100,
    };
    log.ensure(std::slice::from_ref(&spec)).await.expect("made");
    let before = log.topic("t").await.expect("an answer").expect("it exists");
    let mut reader = log.reader(shared()).await.expect("a reader");
    assert!(matches!(next(&mut *reader).await, Read::Assigned(all) if all.len() == 2));
    log.delete("t");
    assert_eq!(log.topic("t").await.expect("an answer"), None);
    assert!(matches!(next(&mut *reader).await, Read::Revoked(all) if all.len() == 2));
    log.ensure(&[spec]).await.expect("made again");
    assert!(matches!(next(&mut *reader).await, Read::Assigned(all) if all.len() == 2));
    let after = log.topic("t").await.expect("an answer").expect("it exists");
    assert_ne!(before.id, after.id);
}

fn shared() -> ReaderSpec {
    ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Shared(vec!["t".into()]),
    }
}

async fn next(reader: &mut dyn Reader) -> Read {
    reader.read(Limit::default()).await.expect("a read")
}
