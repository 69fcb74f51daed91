//! A log whose commits fail now and then, before anything has happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use zenfloe_log::{Append, Bounds, Done, Log, LogError, Reader, ReaderSpec, Record, TopicInfo, TopicSpec, Writer};
use zenfloe_record::{Offset, Positions, TopicPartition};

pub(crate) struct FlakyLog {
    pub(crate) inner: Arc<dyn Log>,
    /// Commits that still fail.
    pub(crate) failures: Arc<AtomicU32>,
}

struct FlakyWriter {
    inner: Box<dyn Writer>,
    failures: Arc<AtomicU32>,
}

#[async_trait]
impl Log for FlakyLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.inner.ensure(topics).await
    }
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        self.inner.topic(name).await
    }
    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        self.inner.topics(prefix).await
    }
    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        self.inner.bounds(at).await
    }
    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        self.inner.offset_at(at, timestamp).await
    }
    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        self.inner.scan(at, from).await
    }
    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        self.inner.committed(group, partitions).await
    }
    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let inner = self.inner.writer(id).await?;
        Ok(Box::new(FlakyWriter {
            inner,
            failures: self.failures.clone(),
        }))
    }
    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        self.inner.reader(spec).await
    }
}

#[async_trait]
impl Writer for FlakyWriter {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        let left = self.failures.load(Ordering::Relaxed);
        if left > 0 {
            self.failures.store(left - 1, Ordering::Relaxed);
            return Err(LogError::Unavailable {
                what: "the broker is away".into(),
            });
        }
        self.inner.commit(out, done).await
    }
}
