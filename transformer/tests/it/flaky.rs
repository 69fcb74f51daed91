//! A log that fails now and then before anything has happened, and kills its caller at a call of its choice.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use zenfloe_log::{
    Append, Bounds, Done, Limit, Log, LogError, Membership, Read, Reader, ReaderSpec, Record, Start, TopicInfo,
    TopicSpec, Writer,
};
use zenfloe_record::{Offset, Positions, TopicPartition};

pub(crate) struct FlakyLog {
    inner: Arc<dyn Log>,
    fate: Arc<Fate>,
}

/// What happens to the calls.
pub(crate) struct Fate {
    /// Calls until the caller is killed; none left: it lives for ever.
    left: AtomicU32,
    random: Mutex<fastrand::Rng>,
    /// Of 100 calls so many fail.
    failures: u32,
    killed: Notify,
    /// Fired instead of a kill.
    stop: Option<CancellationToken>,
}

/// Where within a call the caller is killed.
#[derive(PartialEq)]
enum Moment {
    Never,
    Before,
    After,
}

impl FlakyLog {
    /// Kills its caller at call `kill_at` (0 for never) and lets `failures` of 100 calls fail.
    pub(crate) fn new(inner: Arc<dyn Log>, seed: u64, kill_at: u32, failures: u32) -> Arc<Self> {
        Self::of(inner, seed, kill_at, failures, None)
    }

    /// Fires `stop` at call `at`.
    pub(crate) fn stopping(inner: Arc<dyn Log>, at: u32, stop: CancellationToken) -> Arc<Self> {
        Self::of(inner, 0, at, 0, Some(stop))
    }

    fn of(inner: Arc<dyn Log>, seed: u64, at: u32, failures: u32, stop: Option<CancellationToken>) -> Arc<Self> {
        let fate = Fate {
            left: AtomicU32::new(at),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            failures,
            killed: Notify::new(),
            stop,
        };
        Arc::new(Self {
            inner,
            fate: Arc::new(fate),
        })
    }

    pub(crate) async fn killed(&self) {
        self.fate.killed.notified().await;
    }
}

impl Fate {
    async fn call<T>(&self, call: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
        let moment = self.moment();
        if moment == Moment::Before {
            self.kill().await;
        }
        if self.random.lock().expect("not poisoned").u32(0..100) < self.failures {
            return Err(LogError::Unavailable {
                what: "the broker is away".into(),
            });
        }
        let outcome = call.await;
        if moment == Moment::After {
            self.kill().await;
        }
        outcome
    }

    fn moment(&self) -> Moment {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            1 if self.random.lock().expect("not poisoned").bool() => Moment::Before,
            1 => Moment::After,
            _ => Moment::Never,
        }
    }

    async fn kill(&self) {
        if let Some(stop) = &self.stop {
            return stop.cancel();
        }
        self.killed.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Log for FlakyLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.fate.call(self.inner.ensure(topics)).await
    }
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        self.fate.call(self.inner.topic(name)).await
    }
    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        self.fate.call(self.inner.topics(prefix)).await
    }
    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        self.fate.call(self.inner.bounds(at)).await
    }
    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        self.fate.call(self.inner.offset_at(at, timestamp)).await
    }
    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        self.fate.call(self.inner.scan(at, from)).await
    }
    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        self.fate.call(self.inner.committed(group, partitions)).await
    }
    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let inner = self.fate.call(self.inner.writer(id)).await?;
        let fate = self.fate.clone();
        Ok(Box::new(FlakyWriter { inner, fate }))
    }
    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        let inner = self.fate.call(self.inner.reader(spec)).await?;
        let fate = self.fate.clone();
        Ok(Box::new(FlakyReader { inner, fate }))
    }
}

struct FlakyWriter {
    inner: Box<dyn Writer>,
    fate: Arc<Fate>,
}

#[async_trait]
impl Writer for FlakyWriter {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        self.fate.call(self.inner.commit(out, done)).await
    }
}

struct FlakyReader {
    inner: Box<dyn Reader>,
    fate: Arc<Fate>,
}

#[async_trait]
impl Reader for FlakyReader {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        self.fate.call(self.inner.read(limit)).await
    }
    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        self.fate.call(self.inner.begin(starts)).await
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

/// A log whose transformers' commits fail, before anything has happened.
pub(crate) struct Unwritable {
    pub(crate) inner: Arc<dyn Log>,
    /// Commits that still fail.
    pub(crate) left: Arc<AtomicU32>,
    pub(crate) error: fn() -> LogError,
}

struct UnwritableWriter {
    inner: Box<dyn Writer>,
    left: Arc<AtomicU32>,
    error: fn() -> LogError,
}

#[async_trait]
impl Log for Unwritable {
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
        if !id.starts_with("zenfloe-transform-") {
            return Ok(inner);
        }
        Ok(Box::new(UnwritableWriter {
            inner,
            left: self.left.clone(),
            error: self.error,
        }))
    }
    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        self.inner.reader(spec).await
    }
}

#[async_trait]
impl Writer for UnwritableWriter {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return self.inner.commit(out, done).await;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        Err((self.error)())
    }
}
