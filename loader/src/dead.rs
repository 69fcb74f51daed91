//! Records that the loader gives up, on their way to the dead topic.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;
use zenfloe_destination::{RefusedRow, Row, RowKind};
use zenfloe_log::{Append, Class, Cleanup, Log, LogError, Record, TopicSpec, Writer};
use zenfloe_record::{
    CleanHeaders, CleanKind, Headers, Letter, Offset, Origin, Partition, Reason, SourceName, Stage, Topic,
    TopicPartition, header, partition_of,
};
use zenfloe_registry::header as framing;

use crate::patience::{Patience, patiently};

/// A record that is given up, and why.
#[derive(Debug)]
pub(crate) struct Dead {
    letter: Letter,
    headers: Headers,
    value: Option<Bytes>,
}

impl Dead {
    /// A record that says nothing that can be understood.
    pub(crate) fn unreadable(record: &Record, reason: Reason, detail: String) -> Self {
        let at = Origin {
            topic: record.at.topic.clone(),
            partition: record.at.partition,
            offset: record.offset,
        };
        let mut headers = record.headers.clone();
        headers.push(header::KEY, &*record.key);
        headers.push(header::TIMESTAMP, record.timestamp.to_string());
        Self {
            letter: letter(at, reason, detail),
            headers,
            value: record.value.clone(),
        }
    }

    /// A row that the destination refuses, as the clean record that it was.
    pub(crate) fn refused(topic: &Arc<str>, row: &Row, refusal: &RefusedRow) -> Self {
        let at = Origin {
            topic: topic.clone(),
            partition: row.partition,
            offset: row.offset,
        };
        let kind = match row.kind {
            RowKind::Live => CleanKind::Row,
            RowKind::Delete => CleanKind::Delete,
        };
        let clean = CleanHeaders {
            kind,
            version: row.version,
            origin: row.origin.clone(),
        };
        let mut headers = clean.encode();
        headers.push(header::KEY, &*row.key);
        headers.push(header::TIMESTAMP, (row.version.extracted_at / 1_000).to_string());
        Self {
            letter: letter(at, Reason::Refused, refusal.detail.clone()),
            headers,
            value: Some([&framing(row.shape.schema_id)[..], &row.body].concat().into()),
        }
    }

    pub(crate) fn partition(&self) -> Partition {
        self.letter.origin.partition
    }

    pub(crate) fn offset(&self) -> Offset {
        self.letter.origin.offset
    }

    /// What it takes of memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + 512 + self.value.as_ref().map_or(0, Bytes::len)
    }

    fn append(&self, topic: &DeadTopic) -> Append {
        let key = self.letter.key();
        let at = TopicPartition::new(topic.name.clone(), partition_of(&key, topic.partitions));
        let mut append = Append {
            at,
            timestamp: None,
            key: key.into(),
            value: self.value.clone(),
            headers: self.letter.encode(&self.headers),
        };
        // With its letter's headers a row may be too large for a topic that it came through before.
        if topic
            .limit
            .is_some_and(|limit| append.size() + MESSAGE_OVERHEAD > limit)
        {
            let size = self.value.as_ref().map_or(0, Bytes::len);
            append.headers.push(
                header::DETAIL,
                format!("{}; its value of {size} bytes is left out", self.letter.detail),
            );
            append.value = None;
        }
        append
    }
}

/// What a message costs besides key, value and headers.
const MESSAGE_OVERHEAD: usize = 512;

fn letter(origin: Origin, reason: Reason, detail: String) -> Letter {
    Letter {
        stage: Stage::Load,
        reason,
        detail,
        origin,
    }
}

struct DeadTopic {
    name: Arc<str>,
    partitions: Partition,
    limit: Option<usize>,
}

/// Publishes dead letters; opened with the first one.
pub(crate) struct DeadLetters {
    log: Arc<dyn Log>,
    source: SourceName,
    id: String,
    /// The mutex is never locked: it makes the writer one that shared references to the stage may hold.
    open: Option<(Mutex<Box<dyn Writer>>, DeadTopic)>,
}

impl DeadLetters {
    pub(crate) fn new(log: Arc<dyn Log>, source: SourceName, id: String) -> Self {
        Self {
            log,
            source,
            id,
            open: None,
        }
    }

    /// Publishes letters; `None` when the stage is to stop before they are.
    pub(crate) async fn publish(&mut self, dead: &[Dead], patience: &Patience) -> Result<Option<()>, LogError> {
        if dead.is_empty() {
            return Ok(Some(()));
        }
        if self.open.is_none() {
            self.open = patiently!(patience, open(&*self.log, &self.source, &self.id).await)?;
        }
        let Some((writer, topic)) = &mut self.open else {
            return Ok(None);
        };
        let out: Vec<Append> = dead.iter().map(|dead| dead.append(topic)).collect();
        let writer = writer.get_mut();
        loop {
            match patiently!(patience, writer.commit(out.clone(), None).await) {
                // Letters stand under their origin: one that another loader has published is the same.
                Err(error) if error.class() == Class::Reread => {}
                published => return published,
            }
        }
    }
}

/// Opens the writer; the topic is made where it is missing and otherwise taken as it is.
async fn open(log: &dyn Log, source: &SourceName, id: &str) -> Result<(Mutex<Box<dyn Writer>>, DeadTopic), LogError> {
    let name = Topic::dead(source);
    if log.topic(&name).await?.is_none() {
        log.ensure(&[new_topic(name.clone())]).await?;
    }
    let Some(found) = log.topic(&name).await? else {
        return Err(LogError::NoTopic {
            topic: name.to_string(),
        });
    };
    let topic = DeadTopic {
        name,
        partitions: found.partitions,
        limit: found.max_message_bytes,
    };
    Ok((Mutex::new(log.writer(id).await?), topic))
}

/// What the other stages make it, should none of them have been here.
fn new_topic(name: Arc<str>) -> TopicSpec {
    TopicSpec {
        name,
        partitions: 1,
        cleanup: Cleanup::Delete(std::time::Duration::from_secs(30 * 86_400)),
        max_message_bytes: 5 << 20,
    }
}
