//! The log in memory, for tests.
//!
//! It does all that the contract asks for, within one process. Compacted topics keep every record, and nothing expires
//! by itself: tests say what does ([`MemoryLog::expire`]). A reader that is dropped leaves its group at once.

mod group;
mod held;
mod reader;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::{Append, Bounds, Done, Log, LogError, Reader, ReaderSpec, Record, TopicInfo, TopicSpec, Writer};
use held::Held;
use reader::MemoryReader;

/// A log in memory; clones are the same log.
#[derive(Clone)]
pub struct MemoryLog(Arc<Shared>);

struct Shared {
    held: Mutex<Held>,
    /// Counts whatever may interest a waiting reader.
    news: watch::Sender<u64>,
}

impl MemoryLog {
    /// An empty log.
    #[expect(
        clippy::new_without_default,
        reason = "two kinds of logs are made, neither is the default"
    )]
    pub fn new() -> Self {
        Self::of(Held::new(false))
    }

    /// An empty log in which every commit takes one offset more in each partition that it appends to, as Kafka's
    /// transaction markers do.
    pub fn with_markers() -> Self {
        Self::of(Held::new(true))
    }

    fn of(held: Held) -> Self {
        Self(Arc::new(Shared {
            held: Mutex::new(held),
            news: watch::Sender::new(0),
        }))
    }

    /// Lets the records of a partition that stand before an offset expire.
    pub fn expire(&self, at: &TopicPartition, before: Offset) -> Result<(), LogError> {
        self.change(|held| held.lane_mut(at).map(|lane| lane.expire(before)))
    }

    /// Deletes a topic with all that is in it; one that is made again under its name has another id.
    pub fn delete(&self, topic: &str) {
        self.change(|held| held.delete(topic));
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and wakes the readers.
    fn change<T>(&self, work: impl FnOnce(&mut Held) -> T) -> T {
        let done = work(&mut self.held());
        self.0.news.send_modify(|count| *count += 1);
        done
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.change(|held| topics.iter().try_for_each(|spec| held.ensure(spec)))
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        Ok(self.held().info(name))
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        Ok(self.held().names(prefix))
    }

    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        Ok(self.held().lane(at)?.bounds())
    }

    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        Ok(self.held().lane(at)?.offset_at(timestamp))
    }

    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        let held = self.held();
        let lane = held.lane(at)?;
        lane.check(at, from)?;
        Ok((lane.after(from).cloned().collect(), lane.bounds().end))
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        Ok(self.held().committed(group, partitions))
    }

    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let epoch = self.held().new_epoch(id);
        Ok(Box::new(MemoryWriter {
            log: self.clone(),
            id: id.to_owned(),
            epoch,
        }))
    }

    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(MemoryReader::open(self.clone(), spec)?))
    }
}

struct MemoryWriter {
    log: MemoryLog,
    id: String,
    epoch: u64,
}

#[async_trait]
impl Writer for MemoryWriter {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        self.log.change(|held| {
            held.check_epoch(&self.id, self.epoch)?;
            out.iter().try_for_each(|append| held.check(append))?;
            if let Some(done) = &done {
                held.check_done(done)?;
                held.mark(done);
            }
            held.append(out);
            Ok(())
        })
    }
}
