//! Consumer groups in the file: members, who owns what, and committed positions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use zenfloe_log::{LogError, share};
use zenfloe_record::{Offset, Partition, Positions, TopicPartition};

use crate::fault::{Fault, broken};
use crate::lanes::Lane;
use crate::process;
use crate::store::now_ms;

/// Partitions with the generation in which each was granted: one that comes back has a new number.
pub(crate) type Grants = BTreeMap<TopicPartition, i64>;

/// Who wants to be a member.
pub(crate) struct Candidate {
    pub(crate) group: String,
    pub(crate) name: Option<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) process: String,
    pub(crate) session_ms: i64,
}

/// Makes sure that a group has a row.
pub(crate) fn found(transaction: &Transaction<'_>, group: &str) -> Result<(), Fault> {
    let insert = "INSERT INTO log_groups VALUES (?1, 0) ON CONFLICT DO NOTHING";
    transaction.execute(insert, [group])?;
    Ok(())
}

/// Takes a member in; one of the same name is replaced, and its partitions go to the new one.
pub(crate) fn join(transaction: &Transaction<'_>, new: &Candidate) -> Result<i64, Fault> {
    found(transaction, &new.group)?;
    let topics = serde_json::to_string(&new.topics).map_err(|error| broken(error.to_string()))?;
    let insert =
        "INSERT INTO log_members (grp, name, topics, process, seen_ms, session_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.execute(
        insert,
        params![new.group, new.name, topics, new.process, now_ms(), new.session_ms],
    )?;
    let id = transaction.last_insert_rowid();
    let generation = next_generation(transaction, &new.group)?;
    let hand_over = "UPDATE log_owners SET member = ?3, granted = ?4 WHERE grp = ?1 AND member IN
        (SELECT id FROM log_members WHERE grp = ?1 AND name = ?2 AND id <> ?3)";
    transaction.execute(hand_over, params![new.group, new.name, id, generation])?;
    let replace = "DELETE FROM log_members WHERE grp = ?1 AND name = ?2 AND id <> ?3";
    transaction.execute(replace, params![new.group, new.name, id])?;
    drop_the_dead(transaction, &new.group)?;
    rebalance(transaction, &new.group)?;
    Ok(id)
}

/// Takes members out, of whichever groups.
pub(crate) fn leave(transaction: &Transaction<'_>, members: &[i64]) -> Result<(), Fault> {
    let mut groups = BTreeSet::<String>::new();
    for member in members {
        let delete = "DELETE FROM log_members WHERE id = ?1 RETURNING grp";
        groups.extend(transaction.query_row(delete, [member], |row| row.get(0)).optional()?);
    }
    groups.iter().try_for_each(|group| rebalance(transaction, group))
}

/// Says that members live, and takes out those of their groups that do not.
pub(crate) fn keep_alive(transaction: &Transaction<'_>, members: &[i64]) -> Result<(), Fault> {
    let mut groups = BTreeSet::<String>::new();
    for member in members {
        let update = "UPDATE log_members SET seen_ms = ?2 WHERE id = ?1 RETURNING grp";
        let mut statement = transaction.prepare_cached(update)?;
        groups.extend(
            statement
                .query_row(params![member, now_ms()], |row| row.get(0))
                .optional()?,
        );
    }
    for group in &groups {
        if drop_the_dead(transaction, group)? {
            rebalance(transaction, group)?;
        }
    }
    Ok(())
}

/// Takes out members that said nothing for too long, or whose process is gone.
fn drop_the_dead(transaction: &Transaction<'_>, group: &str) -> Result<bool, Fault> {
    let select = "SELECT id, process, seen_ms + session_ms < ?2 FROM log_members WHERE grp = ?1";
    let mut statement = transaction.prepare_cached(select)?;
    let rows = statement.query_map(params![group, now_ms()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
    })?;
    let members = rows.collect::<Result<Vec<_>, _>>()?;
    let dead = members
        .iter()
        .filter(|(_, process, is_late)| *is_late || process::is_gone(process));
    let mut is_any = false;
    for (id, ..) in dead {
        tracing::info!(group, member = id, "a reader is gone; its partitions go to others");
        transaction.execute("DELETE FROM log_members WHERE id = ?1", [id])?;
        is_any = true;
    }
    Ok(is_any)
}

fn next_generation(transaction: &Transaction<'_>, group: &str) -> Result<i64, Fault> {
    let update = "UPDATE log_groups SET generation = generation + 1 WHERE name = ?1 RETURNING generation";
    Ok(transaction.query_row(update, [group], |row| row.get(0))?)
}

/// Deals the partitions out again.
fn rebalance(transaction: &Transaction<'_>, group: &str) -> Result<(), Fault> {
    let members = members(transaction, group)?;
    let lanes = lanes_of(transaction, members.values().flatten())?;
    let held = owners(transaction, group)?;
    let partitions: Vec<_> = lanes.keys().cloned().collect();
    let dealt = share(&members, &partitions, &held);
    let generation = next_generation(transaction, group)?;
    let mut give = transaction.prepare_cached(
        "INSERT INTO log_owners VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (grp, lane) DO UPDATE SET member = excluded.member, granted = excluded.granted",
    )?;
    for (at, member) in dealt.iter().filter(|(at, member)| held.get(at) != Some(member)) {
        give.execute(params![group, lanes[at], member, generation])?;
    }
    let clear = "DELETE FROM log_owners WHERE grp = ?1 AND member NOT IN (SELECT id FROM log_members WHERE grp = ?1)";
    transaction.execute(clear, [group])?;
    Ok(())
}

fn members(session: &Connection, group: &str) -> Result<BTreeMap<i64, BTreeSet<Arc<str>>>, Fault> {
    let mut statement = session.prepare_cached("SELECT id, topics FROM log_members WHERE grp = ?1")?;
    let mut rows = statement.query([group])?;
    let mut members = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let topics = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let topics: BTreeSet<Arc<str>> = serde_json::from_str(topics).map_err(|error| broken(error.to_string()))?;
        members.insert(row.get(0)?, topics);
    }
    Ok(members)
}

fn lanes_of<'t>(
    session: &Connection,
    topics: impl Iterator<Item = &'t Arc<str>>,
) -> Result<BTreeMap<TopicPartition, Lane>, Fault> {
    let select = "SELECT l.part, l.id FROM log_lanes l JOIN log_topics t ON t.id = l.topic WHERE t.name = ?1";
    let mut statement = session.prepare_cached(select)?;
    let mut lanes = BTreeMap::new();
    for topic in topics.collect::<BTreeSet<_>>() {
        let mut rows = statement.query([topic])?;
        while let Some(row) = rows.next()? {
            lanes.insert(TopicPartition::new(topic.clone(), row.get(0)?), row.get(1)?);
        }
    }
    Ok(lanes)
}

const OWNED: &str = "SELECT t.name, l.part, o.member, o.granted FROM log_owners o
    JOIN log_lanes l ON l.id = o.lane JOIN log_topics t ON t.id = l.topic WHERE o.grp = ?1";

fn owned(session: &Connection, group: &str) -> Result<Vec<(TopicPartition, i64, i64)>, Fault> {
    let mut statement = session.prepare_cached(OWNED)?;
    let rows = statement.query_map([group], |row| {
        let at = TopicPartition::new(row.get::<_, Arc<str>>(0)?, row.get::<_, Partition>(1)?);
        Ok((at, row.get(2)?, row.get(3)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn owners(session: &Connection, group: &str) -> Result<BTreeMap<TopicPartition, i64>, Fault> {
    let owned = owned(session, group)?;
    Ok(owned.into_iter().map(|(at, member, _)| (at, member)).collect())
}

/// The number that changes with every rebalance.
pub(crate) fn generation(session: &Connection, group: &str) -> Result<i64, Fault> {
    let mut statement = session.prepare_cached("SELECT generation FROM log_groups WHERE name = ?1")?;
    Ok(statement.query_row([group], |row| row.get(0))?)
}

/// What a member owns; `None` when it is no member any more.
pub(crate) fn grants(session: &Connection, group: &str, member: i64) -> Result<Option<Grants>, Fault> {
    let mut statement = session.prepare_cached("SELECT 1 FROM log_members WHERE id = ?1")?;
    if !statement.exists([member])? {
        return Ok(None);
    }
    let owned = owned(session, group)?
        .into_iter()
        .filter(|(_, owner, _)| *owner == member);
    Ok(Some(owned.map(|(at, _, granted)| (at, granted)).collect()))
}

/// Claims that a group has a member of this name.
pub(crate) fn has_name(session: &Connection, group: &str, name: Option<&str>) -> Result<bool, Fault> {
    let mut statement = session.prepare_cached("SELECT 1 FROM log_members WHERE grp = ?1 AND name = ?2")?;
    Ok(statement.exists(params![group, name])?)
}

/// Claims that a member owns a lane by this grant.
pub(crate) fn owns(session: &Connection, group: &str, lane: Lane, member: i64, granted: i64) -> Result<bool, Fault> {
    let select = "SELECT 1 FROM log_owners WHERE grp = ?1 AND lane = ?2 AND member = ?3 AND granted = ?4";
    let mut statement = session.prepare_cached(select)?;
    Ok(statement.exists(params![group, lane, member, granted])?)
}

pub(crate) fn committed(session: &Connection, group: &str, lane: Lane) -> Result<Option<Offset>, Fault> {
    let mut statement = session.prepare_cached("SELECT next FROM log_committed WHERE grp = ?1 AND lane = ?2")?;
    Ok(statement.query_row(params![group, lane], |row| row.get(0)).optional()?)
}

/// What a membership of this log holds.
pub(crate) struct Proof {
    pub(crate) group: String,
    /// The member and what it owned; `None` when nobody shares these partitions.
    pub(crate) shared: Option<(i64, Grants)>,
}

/// Stores positions; refused when a partition is no longer owned as `proof` says.
///
/// `lanes` are the lanes of `positions`, in their order.
pub(crate) fn mark(
    transaction: &Transaction<'_>,
    proof: &Proof,
    positions: &Positions,
    lanes: &[Lane],
) -> Result<(), Fault> {
    let upsert =
        "INSERT INTO log_committed VALUES (?1, ?2, ?3) ON CONFLICT (grp, lane) DO UPDATE SET next = excluded.next";
    let mut upsert = transaction.prepare_cached(upsert)?;
    for ((at, next), lane) in positions.iter().zip(lanes) {
        if let Some((member, grants)) = &proof.shared {
            let granted = grants.get(at).ok_or(LogError::Rebalanced)?;
            if !owns(transaction, &proof.group, *lane, *member, *granted)? {
                return Err(LogError::Rebalanced.into());
            }
        }
        upsert.execute(params![proof.group, lane, next])?;
    }
    Ok(())
}
