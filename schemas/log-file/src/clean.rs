//! Retention and compaction, in steps that let others write in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use zenfloe_log::LogError;
use zenfloe_record::{Offset, TopicPartition};

use crate::fault::Fault;
use crate::lanes::{self, Lane};
use crate::records::{offset, place};
use crate::store::{Store, millis, now_ms};

/// Records per transaction.
const STEP: i64 = 500;
/// Between two of them.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// What a round took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records older than their topic's retention.
    pub expired: u64,
    /// Records of compacted topics that a later one of their key replaces.
    pub superseded: u64,
}

/// One round over all topics. Blocks, in small steps; ends early when nobody else holds the log any more.
pub(crate) fn round(store: &Arc<Store>) -> Result<Cleaned, LogError> {
    let mut cleaned = Cleaned::default();
    for (lane, retention_ms) in store.read_here(every_lane)? {
        match retention_ms {
            Some(age) => {
                let oldest = now_ms().saturating_sub(age);
                cleaned.expired += in_steps(store, |transaction| expire_step(transaction, lane, oldest))?;
            }
            None => {
                let newest = now_ms().saturating_sub(millis(store.config.compact_after));
                cleaned.superseded += in_steps(store, |transaction| compact_step(transaction, lane, newest))?;
            }
        }
    }
    if cleaned != Cleaned::default() {
        tracing::debug!(?cleaned, "old records are gone");
    }
    Ok(cleaned)
}

/// Lets the records of a partition before an offset go.
pub(crate) fn expire(store: &Arc<Store>, at: &TopicPartition, before: Offset) -> Result<(), LogError> {
    let lane = store.read_here(|session| store.lane(session, at))?;
    let expire = |transaction: &Transaction<'_>| {
        let bounds = lanes::bounds(transaction, lane)?;
        let to = before.min(bounds.end).min(bounds.start.saturating_add(STEP));
        let gone = if to > bounds.start {
            cut(transaction, lane, bounds.start, to)?
        } else {
            0
        };
        Ok(Step {
            gone,
            is_last: to >= before.min(bounds.end),
        })
    };
    in_steps(store, expire).map(drop)
}

struct Step {
    gone: u64,
    is_last: bool,
}

/// Repeats a step, each in a transaction of its own, until it was the last one.
///
/// Between two steps it rests for as long as the step took, so that at least half of the time is for others; a step that
/// has nothing to do writes nothing, and costs no waiting for the disk.
fn in_steps(store: &Arc<Store>, step: impl Fn(&Transaction<'_>) -> Result<Step, Fault>) -> Result<u64, LogError> {
    let mut gone = 0;
    loop {
        let begun = Instant::now();
        let done = store.write_here(&step)?;
        gone += done.gone;
        if done.is_last || Arc::strong_count(store) == 1 {
            return Ok(gone);
        }
        std::thread::sleep(begun.elapsed().clamp(Duration::from_millis(1), LONGEST_REST));
    }
}

/// Every partition, with its topic's retention; none for compacted topics.
fn every_lane(session: &Connection) -> Result<Vec<(Lane, Option<i64>)>, Fault> {
    let select = "SELECT l.id, t.retention_ms FROM log_lanes l JOIN log_topics t ON t.id = l.topic ORDER BY l.id";
    let mut statement = session.prepare_cached(select)?;
    let lanes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(lanes.collect::<Result<_, _>>()?)
}

/// Cuts off the records at a lane's start that are older than `oldest`.
fn expire_step(transaction: &Transaction<'_>, lane: Lane, oldest: i64) -> Result<Step, Fault> {
    let bounds = lanes::bounds(transaction, lane)?;
    let end = bounds.end.min(bounds.start.saturating_add(STEP));
    let select = "SELECT min(place) FROM log_records WHERE place >= ?1 AND place < ?2 AND at_ms >= ?3";
    let mut statement = transaction.prepare_cached(select)?;
    let span = params![place(lane, bounds.start), place(lane, end), oldest];
    let kept: Option<i64> = statement.query_row(span, |row| row.get(0))?;
    let to = kept.map_or(end, offset);
    let gone = if to > bounds.start {
        cut(transaction, lane, bounds.start, to)?
    } else {
        0
    };
    Ok(Step {
        gone,
        is_last: kept.is_some() || end == bounds.end,
    })
}

fn cut(transaction: &Transaction<'_>, lane: Lane, from: Offset, to: Offset) -> Result<u64, Fault> {
    let delete = "DELETE FROM log_records WHERE place >= ?1 AND place < ?2";
    let gone = transaction.execute(delete, [place(lane, from), place(lane, to)])?;
    transaction.execute("UPDATE log_lanes SET start = ?2 WHERE id = ?1", params![lane, to])?;
    Ok(gone as u64)
}

/// Takes the next records of a compacted lane that are older than `newest`, and what they replace goes.
///
/// A record without a key replaces nothing.
fn compact_step(transaction: &Transaction<'_>, lane: Lane, newest: i64) -> Result<Step, Fault> {
    let select = "SELECT l.compacted, l.next FROM log_lanes l WHERE l.id = ?1";
    let (from, end): (Offset, Offset) = transaction.query_row(select, [lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let keys = old_keys(transaction, lane, (from, end), newest)?;
    let mut gone = 0;
    for (place, key) in keys.iter().filter(|(_, key)| !key.is_empty()) {
        gone += replace(transaction, lane, *place, key)?;
    }
    if let Some((last, _)) = keys.last() {
        let update = "UPDATE log_lanes SET compacted = ?2 WHERE id = ?1";
        transaction.execute(update, params![lane, offset(*last) + 1])?;
    }
    Ok(Step {
        gone,
        is_last: (keys.len() as i64) < STEP,
    })
}

/// Places and keys of the next records, up to the first that is not older than `newest`.
fn old_keys(
    session: &Connection,
    lane: Lane,
    (from, end): (Offset, Offset),
    newest: i64,
) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
    let select = "SELECT place, key, at_ms FROM log_records WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3";
    let mut statement = session.prepare_cached(select)?;
    let mut rows = statement.query([place(lane, from), place(lane, end), STEP])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(2)? > newest {
            break;
        }
        keys.push((row.get(0)?, row.get(1)?));
    }
    Ok(keys)
}

fn replace(transaction: &Transaction<'_>, lane: Lane, place: i64, key: &[u8]) -> Result<u64, Fault> {
    let mut before = transaction.prepare_cached("SELECT place FROM log_newest WHERE lane = ?1 AND key = ?2")?;
    let before: Option<i64> = before.query_row(params![lane, key], |row| row.get(0)).optional()?;
    let upsert =
        "INSERT INTO log_newest VALUES (?1, ?2, ?3) ON CONFLICT (lane, key) DO UPDATE SET place = excluded.place";
    transaction.prepare_cached(upsert)?.execute(params![lane, key, place])?;
    match before {
        Some(before) => {
            let mut delete = transaction.prepare_cached("DELETE FROM log_records WHERE place = ?1")?;
            Ok(delete.execute([before])? as u64)
        }
        None => Ok(0),
    }
}
