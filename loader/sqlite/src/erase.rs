//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use zenfloe_destination::{Emptied, Erasure, Flush, LoadError, Target, TextColumn, empty_columns, take_out};
use zenfloe_record::Fence;

use crate::error;
use crate::suppress::{clean_fence, comparable};
use crate::table::Found;

/// Takes somebody out of a table; returns the rows changed.
pub(crate) fn clean_erasure(
    transaction: &Transaction<'_>,
    target: &Target,
    found: &[Found],
    erasure: &Erasure,
) -> Result<u64, LoadError> {
    let mut cleaned = 0;
    if let Some(scope) = erasure.rows.clone() {
        cleaned += clean_fence(transaction, target, found, &Fence { scope, before: None })?;
    }
    let texts = found
        .iter()
        .filter(|column| column.is_emptied() && column.declared == "TEXT");
    let texts: Vec<TextColumn> = texts.map(text_column).collect();
    let holds = |text: &str, token: &str| format!("instr({text}, '{token}')");
    for update in take_out(&format!("\"{}\"", target.table), &texts, erasure, holds) {
        cleaned += transaction.execute(&update, []).map_err(error::from)? as u64;
    }
    for emptied in &erasure.emptied {
        cleaned += empty(transaction, target, found, emptied)?;
    }
    let done = "UPDATE _zenfloe_suppressed SET revision = 1 WHERE table_name = ?1 AND kind = 'erased' AND value = ?2";
    let done = transaction.execute(done, params![target.table, erasure.subject]);
    done.map_err(error::from)?;
    Ok(cleaned)
}

fn text_column(column: &Found) -> TextColumn {
    let name = format!("\"{}\"", column.name);
    TextColumn {
        text: name.clone(),
        name,
        again: |text| text,
    }
}

/// Empties columns of somebody's rows.
fn empty(
    transaction: &Transaction<'_>,
    target: &Target,
    found: &[Found],
    Emptied { scope, columns }: &Emptied,
) -> Result<u64, LoadError> {
    let columns = found
        .iter()
        .filter(|column| column.is_emptied() && columns.contains(&column.name));
    let columns: Vec<String> = columns.map(|column| format!("\"{}\"", column.name)).collect();
    let owner = found.iter().find(|column| column.name == scope.column);
    let Some((owner, value)) = owner.and_then(|owner| Some((owner, comparable(owner, scope)?))) else {
        return Ok(0);
    };
    let (table, owner) = (format!("\"{}\"", target.table), format!("\"{}\"", owner.name));
    let Some(update) = empty_columns(&table, &owner, "?1", &columns) else {
        return Ok(0);
    };
    let cleaned = transaction.execute(&update, [value]);
    cleaned.map(|count| count as u64).map_err(error::from)
}

/// Remembers an erasure; its revision is 1 once the table is clean of it.
pub(crate) fn enter_erasure(
    transaction: &Transaction<'_>,
    target: &Target,
    erasure: &Erasure,
) -> Result<(), LoadError> {
    let enter = "INSERT INTO _zenfloe_suppressed (table_name, kind, column_name, value) VALUES (?1, 'erased', '', ?2)
        ON CONFLICT DO NOTHING";
    let done = transaction.execute(enter, params![target.table, erasure.subject]);
    done.map(|_| ()).map_err(error::from)
}

/// See [`zenfloe_destination::Destination::erased`].
pub(crate) fn erased(session: &Connection, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
    let read = "SELECT value, revision IS NOT NULL FROM _zenfloe_suppressed WHERE table_name = ?1 AND kind = 'erased'";
    let mut statement = session.prepare_cached(read).map_err(error::from)?;
    let rows = statement.query_map([&target.table], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).map_err(error::from)
}

/// Refuses a flush whose rows may hold who was erased since.
///
/// Contract: called after the flush moved its positions, in a later statement.
pub(crate) fn refuse_behind(transaction: &Transaction<'_>, flush: &Flush) -> Result<(), LoadError> {
    let count = "SELECT count(*) FROM _zenfloe_suppressed WHERE table_name = ?1 AND kind = 'erased'";
    let mut statement = transaction.prepare_cached(count).map_err(error::from)?;
    let entered = statement.query_row([&flush.target.table], |row| row.get::<_, i64>(0));
    let entered = u64::try_from(entered.map_err(error::from)?).unwrap_or_default();
    flush.refuse_behind(entered)
}
