//! A log of one topic and one partition whose records are made as they are read.

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_log::{
    Batch, Bounds, Limit, Log, LogError, Membership, Read, Reader, ReaderSpec, Record, Start, TopicInfo, TopicSpec,
    Writer,
};
use zenfloe_record::{CleanHeaders, CleanKind, Offset, Origin, Positions, TopicPartition};
use zenfloe_registry::{Registry, RegistryError, header};

use crate::rows;

const TOPIC: &str = "acme.clean.things";

/// The log.
pub(crate) struct Made {
    count: i64,
}

impl Made {
    pub(crate) fn new(count: i64) -> Self {
        Self { count }
    }
}

fn not_here<T>() -> Result<T, LogError> {
    Err(LogError::Broken {
        what: "this log is only read".into(),
    })
}

#[async_trait]
impl Log for Made {
    async fn ensure(&self, _: &[TopicSpec]) -> Result<(), LogError> {
        not_here()
    }
    async fn topic(&self, _: &str) -> Result<Option<TopicInfo>, LogError> {
        Ok(Some(TopicInfo {
            id: "1".into(),
            partitions: 1,
            max_message_bytes: None,
        }))
    }
    async fn topics(&self, _: &str) -> Result<Vec<String>, LogError> {
        Ok(vec![TOPIC.into()])
    }
    async fn bounds(&self, _: &TopicPartition) -> Result<Bounds, LogError> {
        Ok(Bounds {
            start: 0,
            end: self.count,
        })
    }
    async fn offset_at(&self, _: &TopicPartition, _: i64) -> Result<Offset, LogError> {
        not_here()
    }
    async fn scan(&self, _: &TopicPartition, _: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        not_here()
    }
    async fn committed(&self, _: &str, _: &[TopicPartition]) -> Result<Positions, LogError> {
        not_here()
    }
    async fn writer(&self, _: &str) -> Result<Box<dyn Writer>, LogError> {
        not_here()
    }
    async fn reader(&self, _: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(Making {
            at: TopicPartition::new(TOPIC, 0),
            next: None,
            count: self.count,
        }))
    }
}

struct Making {
    at: TopicPartition,
    /// `None` before the assignment was told.
    next: Option<Offset>,
    count: i64,
}

#[async_trait]
impl Reader for Making {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        let Some(from) = self.next else {
            self.next = Some(0);
            return Ok(Read::Assigned(vec![self.at.clone()]));
        };
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, from);
        while next < self.count && records.len() < limit.records && bytes < limit.bytes {
            let record = record(&self.at, next);
            bytes += record.value.as_ref().map_or(0, |value| value.len());
            records.push(record);
            next += 1;
        }
        self.next = Some(next);
        if records.is_empty() {
            tokio::time::sleep(limit.wait).await;
        }
        let positions = [(self.at.clone(), next)].into_iter().collect();
        Ok(Read::Batch(Batch { records, positions }))
    }

    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        for (_, start) in starts {
            if let Start::At(offset) = start {
                self.next = Some(*offset);
            }
        }
        Ok(())
    }

    fn membership(&self) -> Membership {
        Membership(Arc::new(()))
    }

    async fn report(&mut self, _: &Positions) -> Result<(), LogError> {
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}

fn record(at: &TopicPartition, id: i64) -> Record {
    let headers = CleanHeaders {
        kind: CleanKind::Row,
        version: rows::version(id),
        origin: Origin {
            topic: "acme.raw.things".into(),
            partition: 0,
            offset: id,
        },
    };
    Record {
        at: at.clone(),
        offset: id,
        timestamp: rows::NOW / 1_000,
        key: id.to_string().into(),
        value: Some(rows::row(id, &header(1))),
        headers: headers.encode(),
    }
}

/// A registry that knows one schema.
pub(crate) struct OneSchema;

#[async_trait]
impl Registry for OneSchema {
    async fn register(&self, _: &str, _: &str) -> Result<u32, RegistryError> {
        Ok(1)
    }
    async fn schema(&self, _: u32) -> Result<Arc<str>, RegistryError> {
        Ok(rows::schema().into())
    }
    async fn ping(&self) -> Result<(), RegistryError> {
        Ok(())
    }
}
