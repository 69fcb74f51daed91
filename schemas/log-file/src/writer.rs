//! Appends and positions in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use zenfloe_log::{Append, Done, LogError, Membership, Writer};
use zenfloe_record::Positions;

use crate::fault::{Fault, broken};
use crate::group::{self, Proof};
use crate::lanes::Lane;
use crate::records;
use crate::store::Store;

pub(crate) struct FileWriter {
    store: Arc<Store>,
    id: Arc<str>,
    epoch: i64,
}

impl FileWriter {
    pub(crate) async fn open(store: Arc<Store>, id: &str) -> Result<Self, LogError> {
        let id: Arc<str> = id.into();
        let of = id.clone();
        let upsert = "INSERT INTO log_writers VALUES (?1, 1)
            ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1 RETURNING epoch";
        let epoch = store
            .write(move |transaction| Ok(transaction.query_row(upsert, [of], |row| row.get(0))?))
            .await?;
        Ok(Self { store, id, epoch })
    }
}

#[async_trait]
impl Writer for FileWriter {
    async fn commit(&mut self, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
        let done = done
            .map(|done| Ok::<_, LogError>((proof(&done.by)?, done.positions)))
            .transpose()?;
        let (store, id, epoch) = (self.store.clone(), self.id.clone(), self.epoch);
        let commit = move |transaction: &Transaction<'_>| {
            check_epoch(transaction, &id, epoch)?;
            let out = out.into_iter().map(|append| placed(&store, transaction, append));
            let out = out.collect::<Result<Vec<_>, _>>()?;
            if let Some((proof, positions)) = &done {
                mark(&store, transaction, proof, positions)?;
            }
            records::append(transaction, &out)
        };
        self.store.write(commit).await
    }
}

/// Stores positions as `proof` allows.
pub(crate) fn mark(
    store: &Store,
    transaction: &Transaction<'_>,
    proof: &Proof,
    positions: &Positions,
) -> Result<(), Fault> {
    let lanes = positions.iter().map(|(at, _)| store.lane(transaction, at));
    let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
    group::mark(transaction, proof, positions, &lanes)
}

/// What a membership of this log proves.
pub(crate) fn proof(by: &Membership) -> Result<Arc<Proof>, LogError> {
    by.0.clone()
        .downcast()
        .map_err(|_| broken("a membership of another log"))
}

fn check_epoch(session: &Connection, id: &str, epoch: i64) -> Result<(), Fault> {
    let mut statement = session.prepare_cached("SELECT epoch FROM log_writers WHERE id = ?1")?;
    let newest: Option<i64> = statement.query_row(params![id], |row| row.get(0)).optional()?;
    match newest == Some(epoch) {
        true => Ok(()),
        false => Err(LogError::Fenced { id: id.to_owned() }.into()),
    }
}

/// An append with its lane; refused when its topic does not take it.
fn placed(store: &Store, session: &Connection, append: Append) -> Result<(Lane, Append), Fault> {
    let topic = store.topic(session, &append.at.topic)?;
    let lane = topic.lane(&append.at)?;
    let size = append.size();
    if size <= topic.max_bytes {
        return Ok((lane, append));
    }
    let refused = LogError::TooLarge {
        at: append.at,
        size,
        limit: topic.max_bytes,
    };
    Err(refused.into())
}
