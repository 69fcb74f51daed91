//! How far each partition is loaded.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use zenfloe_destination::{Cover, Flush, LoadError, Target, TopicRef};
use zenfloe_record::{Partition, Positions, TopicPartition};

use crate::error;
use crate::time::{TimeText, now_text};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS _zenfloe_positions (
    table_name TEXT NOT NULL, topic TEXT NOT NULL, topic_id TEXT NOT NULL, part INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, batch_id TEXT NOT NULL, updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (table_name, topic, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _zenfloe_suppressed (
    table_name TEXT NOT NULL, kind TEXT NOT NULL, column_name TEXT NOT NULL, value TEXT NOT NULL,
    before_us INTEGER, revision INTEGER,
    PRIMARY KEY (table_name, kind, column_name, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _zenfloe_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, comment TEXT NOT NULL,
    PRIMARY KEY (table_name, column_name)
) WITHOUT ROWID;";

/// Makes the ledger's tables where they are missing.
pub(crate) fn make(session: &Connection) -> Result<(), LoadError> {
    session.execute_batch(TABLES).map_err(error::from)
}

/// Enters partitions that are new and reads all of them.
pub(crate) fn positions(
    session: &mut Connection,
    target: &Target,
    topic: &TopicRef,
    partitions: &[Partition],
) -> Result<Positions, LoadError> {
    let transaction = begin(session)?;
    let now = now_text();
    let mut positions = Positions::new();
    for partition in partitions {
        let enter = "INSERT INTO _zenfloe_positions VALUES (?1, ?2, ?3, ?4, 0, '', ?5) ON CONFLICT DO NOTHING";
        let new = params![target.table, topic.name, topic.id, partition, now.as_str()];
        transaction
            .prepare_cached(enter)
            .and_then(|mut statement| statement.execute(new))
            .map_err(error::from)?;
        let row = stored(&transaction, target, topic, *partition)?.expect("entered above");
        if row.topic_id != *topic.id {
            return Err(recreated(target, topic, row.topic_id));
        }
        positions.set(TopicPartition::new(topic.name.clone(), *partition), row.next_offset);
    }
    transaction.commit().map_err(error::from)?;
    Ok(positions)
}

/// What became of the positions of a flush.
pub(crate) enum Moved {
    /// They are ours: the transaction holds the lock.
    Now,
    /// They had been moved by this very flush.
    Before,
}

/// Moves every position of a flush from where it must be, or says who else did.
pub(crate) fn compare_and_swap(
    transaction: &Transaction<'_>,
    flush: &Flush,
    now: &TimeText,
) -> Result<Moved, LoadError> {
    let swap = "UPDATE _zenfloe_positions SET next_offset = ?1, batch_id = ?2, updated_at = ?3
        WHERE table_name = ?4 AND topic = ?5 AND topic_id = ?6 AND part = ?7 AND next_offset = ?8";
    let mut statement = transaction.prepare_cached(swap).map_err(error::from)?;
    for cover in &flush.covers {
        let Cover { partition, from, to } = cover;
        let swapped = statement
            .execute(params![
                to,
                flush.batch.as_str(),
                now.as_str(),
                flush.target.table,
                flush.topic.name,
                flush.topic.id,
                partition,
                from
            ])
            .map_err(error::from)?;
        if swapped == 0 {
            return explain(transaction, flush, cover);
        }
    }
    Ok(Moved::Now)
}

/// Why the position of `cover` was not where the flush begins. The partitions of one flush move together, so the one
/// that did not move now tells for all.
fn explain(transaction: &Transaction<'_>, flush: &Flush, cover: &Cover) -> Result<Moved, LoadError> {
    match stored(transaction, &flush.target, &flush.topic, cover.partition)? {
        Some(row) if row.topic_id != *flush.topic.id => Err(recreated(&flush.target, &flush.topic, row.topic_id)),
        Some(row) if row.next_offset == cover.to && row.batch_id == flush.batch.as_str() => Ok(Moved::Before),
        _ => Err(LoadError::Moved {
            table: flush.target.table.to_string(),
        }),
    }
}

/// Updates every positions row of a table, to take its lock.
pub(crate) fn lock(transaction: &Transaction<'_>, target: &Target) -> Result<(), LoadError> {
    let touch = "UPDATE _zenfloe_positions SET updated_at = ?1 WHERE table_name = ?2";
    let done = transaction.execute(touch, params![now_text().as_str(), target.table]);
    done.map(|_| ()).map_err(error::from)
}

/// Begins a transaction that holds the file's write lock from now on.
pub(crate) fn begin(session: &mut Connection) -> Result<Transaction<'_>, LoadError> {
    session
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(error::from)
}

struct Stored {
    topic_id: String,
    next_offset: i64,
    batch_id: String,
}

fn stored(
    transaction: &Transaction<'_>,
    target: &Target,
    topic: &TopicRef,
    partition: Partition,
) -> Result<Option<Stored>, LoadError> {
    let select = "SELECT topic_id, next_offset, batch_id FROM _zenfloe_positions WHERE table_name = ?1 AND topic = ?2 AND part = ?3";
    let mut statement = transaction.prepare_cached(select).map_err(error::from)?;
    let row = statement.query_row(params![target.table, topic.name, partition], |row| {
        Ok(Stored {
            topic_id: row.get(0)?,
            next_offset: row.get(1)?,
            batch_id: row.get(2)?,
        })
    });
    row.optional().map_err(error::from)
}

fn recreated(target: &Target, topic: &TopicRef, stored: String) -> LoadError {
    LoadError::TopicRecreated {
        table: target.table.to_string(),
        topic: topic.name.to_string(),
        stored,
        found: topic.id.to_string(),
    }
}
