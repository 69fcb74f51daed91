//! Topics and their partitions ("lanes").

use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use zenfloe_log::{Bounds, Cleanup, LogError, TopicInfo, TopicSpec};
use zenfloe_record::{Offset, TopicPartition};

use crate::fault::Fault;
use crate::store::{Store, millis};

/// The number of a partition in the file.
pub(crate) type Lane = i64;

/// What never changes about a topic.
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) uid: String,
    /// By partition.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) max_bytes: usize,
}

impl Topic {
    pub(crate) fn partitions(&self) -> i32 {
        i32::try_from(self.lanes.len()).expect("counted by an i32 when it was made")
    }

    pub(crate) fn info(&self) -> TopicInfo {
        TopicInfo {
            id: self.uid.clone(),
            partitions: self.partitions(),
            max_message_bytes: Some(self.max_bytes),
        }
    }

    pub(crate) fn lane(&self, at: &TopicPartition) -> Result<Lane, LogError> {
        let lane = usize::try_from(at.partition)
            .ok()
            .and_then(|number| self.lanes.get(number));
        lane.copied().ok_or_else(|| LogError::NoTopic { topic: at.to_string() })
    }
}

impl Store {
    /// A topic, if it exists.
    ///
    /// Contract: `session` is not in the transaction that makes the topic, which might be rolled back.
    pub(crate) fn find(&self, session: &Connection, name: &str) -> Result<Option<Arc<Topic>>, Fault> {
        if let Some(topic) = self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Some(topic.clone()));
        }
        let found = select(session, name)?.map(Arc::new);
        if let Some(topic) = &found {
            let mut known = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(topic.name.clone(), topic.clone());
        }
        Ok(found)
    }

    /// A topic that must exist.
    pub(crate) fn topic(&self, session: &Connection, name: &str) -> Result<Arc<Topic>, Fault> {
        self.find(session, name)?
            .ok_or_else(|| LogError::NoTopic { topic: name.to_owned() }.into())
    }

    pub(crate) fn lane(&self, session: &Connection, at: &TopicPartition) -> Result<Lane, Fault> {
        Ok(self.topic(session, &at.topic)?.lane(at)?)
    }
}

fn select(session: &Connection, name: &str) -> Result<Option<Topic>, Fault> {
    let mut statement = session.prepare_cached("SELECT id, uid, max_bytes FROM log_topics WHERE name = ?1")?;
    let row = statement.query_row([name], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?))
    });
    let Some((id, uid, max_bytes)) = row.optional()? else {
        return Ok(None);
    };
    let mut statement = session.prepare_cached("SELECT id FROM log_lanes WHERE topic = ?1 ORDER BY part")?;
    let lanes = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(Topic {
        name: name.into(),
        uid,
        lanes,
        max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
    }))
}

/// Claims that a topic is there as it should be; an error when its partition count is another.
pub(crate) fn is_made(session: &Connection, spec: &TopicSpec) -> Result<bool, Fault> {
    let Some(topic) = select(session, &spec.name)? else {
        return Ok(false);
    };
    if topic.partitions() == spec.partitions {
        return Ok(true);
    }
    let refused = LogError::PartitionCount {
        topic: spec.name.to_string(),
        found: topic.partitions(),
        wanted: spec.partitions,
    };
    Err(refused.into())
}

/// Makes a topic.
pub(crate) fn make(transaction: &Transaction<'_>, spec: &TopicSpec) -> Result<(), Fault> {
    let retention_ms = match spec.cleanup {
        Cleanup::Delete(age) => Some(millis(age)),
        Cleanup::Compact => None,
    };
    let limit = i64::try_from(spec.max_message_bytes).unwrap_or(i64::MAX);
    let insert = "INSERT INTO log_topics (name, uid, partitions, retention_ms, max_bytes)
        VALUES (?1, lower(hex(randomblob(12))), ?2, ?3, ?4)";
    transaction.execute(insert, params![spec.name, spec.partitions, retention_ms, limit])?;
    let topic = transaction.last_insert_rowid();
    for part in 0..spec.partitions {
        transaction.execute(
            "INSERT INTO log_lanes (topic, part) VALUES (?1, ?2)",
            params![topic, part],
        )?;
    }
    Ok(())
}

/// The names of all topics that begin with `prefix`, sorted.
pub(crate) fn names(session: &Connection, prefix: &str) -> Result<Vec<String>, Fault> {
    let select = "SELECT name FROM log_topics WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
    let mut statement = session.prepare_cached(select)?;
    let names = statement.query_map([prefix], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(crate) fn bounds(session: &Connection, lane: Lane) -> Result<Bounds, Fault> {
    let mut statement = session.prepare_cached("SELECT start, next FROM log_lanes WHERE id = ?1")?;
    let bounds = statement.query_row([lane], |row| {
        Ok(Bounds {
            start: row.get(0)?,
            end: row.get(1)?,
        })
    })?;
    Ok(bounds)
}

/// Refuses a position outside of what is kept.
pub(crate) fn check(bounds: Bounds, at: &TopicPartition, wanted: Offset) -> Result<(), LogError> {
    if (bounds.start..=bounds.end).contains(&wanted) {
        return Ok(());
    }
    Err(out_of_range(bounds, at, wanted))
}

pub(crate) fn out_of_range(bounds: Bounds, at: &TopicPartition, wanted: Offset) -> LogError {
    LogError::OutOfRange {
        at: at.clone(),
        wanted,
        start: bounds.start,
        end: bounds.end,
    }
}
