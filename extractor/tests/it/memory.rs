//! The part of a log that the extractor uses, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use zenfloe_log::{Append, Bounds, Done, Log, LogError, Reader, ReaderSpec, Record, TopicInfo, TopicSpec, Writer};
use zenfloe_record::{Offset, Positions, TopicPartition};

#[derive(Default, Clone)]
pub(crate) struct MemoryLog(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    topics: BTreeMap<String, TopicSpec>,
    records: BTreeMap<TopicPartition, Vec<Record>>,
    writers: BTreeMap<String, u64>,
}

struct MemoryWriter {
    log: MemoryLog,
    id: String,
    epoch: u64,
}

impl MemoryLog {
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

fn unused<T>() -> Result<T, LogError> {
    Err(LogError::Broken {
        what: "the extractor does not use this".into(),
    })
}

#[async_trait]
impl Log for MemoryLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let mut held = self.0.lock().expect("not poisoned");
        for topic in topics {
            held.topics
                .entry(topic.name.to_string())
                .or_insert_with(|| topic.clone());
        }
        Ok(())
    }
    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        let held = self.0.lock().expect("not poisoned");
        Ok(held.topics.get(name).map(|spec| TopicInfo {
            id: name.into(),
            partitions: spec.partitions,
            max_message_bytes: Some(spec.max_message_bytes),
        }))
    }
    async fn topics(&self, _: &str) -> Result<Vec<String>, LogError> {
        unused()
    }
    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        let held = self.0.lock().expect("not poisoned");
        Ok(Bounds {
            start: 0,
            end: held.records.get(at).map_or(0, Vec::len) as i64,
        })
    }
    async fn offset_at(&self, _: &TopicPartition, _: i64) -> Result<Offset, LogError> {
        unused()
    }
    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        let held = self.0.lock().expect("not poisoned");
        let records: Vec<_> = held
            .records
            .get(at)
            .into_iter()
            .flatten()
            .skip(from as usize)
            .cloned()
            .collect();
        let end = from + records.len() as i64;
        Ok((records, end))
    }
    async fn committed(&self, _: &str, _: &[TopicPartition]) -> Result<Positions, LogError> {
        unused()
    }
    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let mut held = self.0.lock().expect("not poisoned");
        let epoch = held.writers.entry(id.to_owned()).or_default();
        *epoch += 1;
        Ok(Box::new(MemoryWriter {
            log: self.clone(),
            id: id.to_owned(),
            epoch: *epoch,
        }))
    }
    async fn reader(&self, _: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        unused()
    }
}

#[async_trait]
impl Writer for MemoryWriter {
    async fn commit(&mut self, out: Vec<Append>, _: Option<Done>) -> Result<(), LogError> {
        let mut held = self.log.0.lock().expect("not poisoned");
        if held.writers[&self.id] != self.epoch {
            return Err(LogError::Fenced { id: self.id.clone() });
        }
        for append in out {
            let records = held.records.entry(append.at.clone()).or_default();
            records.push(Record {
                offset: records.len() as i64,
                at: append.at,
                timestamp: 0,
                key: append.key,
                value: append.value,
                headers: append.headers,
            });
        }
        Ok(())
    }
}
