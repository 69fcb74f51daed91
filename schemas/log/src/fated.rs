//! A log whose calls fail, or never come back, as a [`Fate`] decides: for tests of what leans on a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::{
    Append, Bounds, Done, Limit, Log, LogError, Membership, Read, Reader, ReaderSpec, Record, Start, TopicInfo,
    TopicSpec, Writer,
};

/// What is asked of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call<'c> {
    /// A commit of the writer of this id.
    Commit(&'c str),
    /// A reader's sign of life.
    Stay,
    /// Anything else.
    Other,
}

/// Decides over each call: it may fail it before or after it was made, or never come back.
pub trait Fate: Send + Sync + 'static {
    /// Makes the call, or does not.
    fn meet<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, LogError>> + Send,
    ) -> impl Future<Output = Result<T, LogError>> + Send;
}

/// Fails the next commits, before anything has happened.
#[derive(Debug)]
pub struct RefusedCommits {
    /// Of writers whose id begins so.
    pub writers: &'static str,
    /// How many are still refused.
    pub left: AtomicU32,
    /// What they end with.
    pub error: fn() -> LogError,
}

impl Fate for RefusedCommits {
    async fn meet<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, LogError>> + Send,
    ) -> Result<T, LogError> {
        let is_meant = matches!(call, Call::Commit(id) if id.starts_with(self.writers));
        let left = self.left.load(Ordering::Relaxed);
        if is_meant && left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            return Err((self.error)());
        }
        made.await
    }
}

/// The log itself; what cannot fail by its nature (a membership, a report, a farewell) is not asked of the fate.
pub struct FatedLog<F> {
    inner: Arc<dyn Log>,
    fate: Arc<F>,
}

impl<F: Fate> FatedLog<F> {
    /// Puts `fate` before `inner`.
    pub fn new(inner: Arc<dyn Log>, fate: F) -> Arc<Self> {
        let fate = Arc::new(fate);
        Arc::new(Self { inner, fate })
    }

    /// What decides over its calls.
    pub fn fate(&self) -> &F {
        &self.fate
    }
}

#[async_trait]
impl<F: Fate> Log for FatedLog<F> {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.fate.meet(Call::Other, self.inner.ensure(topics)).await
    }
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        self.fate.meet(Call::Other, self.inner.topic(name)).await
    }
    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        self.fate.meet(Call::Other, self.inner.topics(prefix)).await
    }
    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        self.fate.meet(Call::Other, self.inner.bounds(at)).await
    }
    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        self.fate.meet(Call::Other, self.inner.offset_at(at, timestamp)).await
    }
    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        self.fate.meet(Call::Other, self.inner.scan(at, from)).await
    }
    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        self.fate
            .meet(Call::Other, self.inner.committed(group, partitions))
            .await
    }
    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let inner = self.fate.meet(Call::Other, self.inner.writer(id)).await?;
        Ok(Box::new(FatedWriter {
            id: id.to_owned(),
            inner,
            fate: self.fate.clone(),
        }))
    }
    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        let inner = self.fate.meet(Call::Other, self.inner.reader(spec)).await?;
        let fate = self.fate.clone();
        Ok(Box::new(FatedReader { inner, fate }))
    }
}

struct FatedWriter<F> {
    id: String,
    inner: Box<dyn Writer>,
    fate: Arc<F>,
}

#[async_trait]
impl<F: Fate> Writer for FatedWriter<F> {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        let call = Call::Commit(&self.id);
        self.fate.meet(call, self.inner.commit(out, done)).await
    }
}

struct FatedReader<F> {
    inner: Box<dyn Reader>,
    fate: Arc<F>,
}

#[async_trait]
impl<F: Fate> Reader for FatedReader<F> {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        self.fate.meet(Call::Other, self.inner.read(limit)).await
    }
    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        self.fate.meet(Call::Other, self.inner.begin(starts)).await
    }
    async fn stay(&mut self, wait: Duration) -> Result<(), LogError> {
        self.fate.meet(Call::Stay, self.inner.stay(wait)).await
    }
    fn membership(&self) -> Membership {
        self.inner.membership()
    }
    async fn report(&mut self, positions: &Positions) -> Result<(), LogError> {
        self.inner.report(positions).await
    }
    async fn close(self: Box<Self>) -> Result<(), LogError> {
        self.inner.close().await
    }
}
