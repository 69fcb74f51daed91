//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, params};
use zenfloe_destination::{ErasedToken, Erasure, Flush, LoadError, Target, is_token, without_tokens};
use zenfloe_record::{Fence, FenceScope};

use crate::error;
use crate::suppress::{clean_fence, comparable};
use crate::table::Found;

/// Tokens of one statement: each is looked for in every text of the table.
const TOKENS_AT_ONCE: usize = 25;

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
    let tokens: Vec<ErasedToken> = erasure.tokens.iter().filter(|token| is_token(token)).cloned().collect();
    let texts: Vec<String> = found
        .iter()
        .filter(|column| column.is_emptied() && column.declared == "TEXT")
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    for tokens in tokens.chunks(TOKENS_AT_ONCE).filter(|_| !texts.is_empty()) {
        let update = take_out(target, &texts, tokens);
        cleaned += transaction.execute(&update, []).map_err(error::from)? as u64;
    }
    if let Some((scope, columns)) = &erasure.texts {
        cleaned += clean_texts(transaction, target, found, scope, columns)?;
    }
    Ok(cleaned)
}

fn take_out(target: &Target, texts: &[String], tokens: &[ErasedToken]) -> String {
    let set = |text: &String| format!("{text} = {}", without_tokens(text, tokens));
    let holds = |text: &String| {
        let holds = tokens.iter().map(|erased| format!("instr({text}, '{}')", erased.token));
        holds.collect::<Vec<_>>().join(" OR ")
    };
    format!(
        "UPDATE \"{}\" SET {} WHERE {}",
        target.table,
        texts.iter().map(set).collect::<Vec<_>>().join(", "),
        texts.iter().map(holds).collect::<Vec<_>>().join(" OR ")
    )
}

/// Empties the texts that somebody wrote.
fn clean_texts(
    transaction: &Transaction<'_>,
    target: &Target,
    found: &[Found],
    scope: &FenceScope,
    columns: &[String],
) -> Result<u64, LoadError> {
    let texts: Vec<&str> = found
        .iter()
        .filter(|column| column.is_emptied() && columns.contains(&column.name))
        .map(|column| column.name.as_str())
        .collect();
    let author = found.iter().find(|column| column.name == scope.column);
    let Some((author, value)) = author.and_then(|author| Some((author, comparable(author, scope)?))) else {
        return Ok(0);
    };
    if texts.is_empty() {
        return Ok(0);
    }
    let sets: Vec<String> = texts.iter().map(|name| format!("\"{name}\" = NULL")).collect();
    let holds: Vec<String> = texts.iter().map(|name| format!("\"{name}\" IS NOT NULL")).collect();
    let update = format!(
        "UPDATE \"{}\" SET {} WHERE \"{}\" = ?1 AND ({})",
        target.table,
        sets.join(", "),
        author.name,
        holds.join(" OR ")
    );
    let cleaned = transaction.execute(&update, [value]);
    cleaned.map(|count| count as u64).map_err(error::from)
}

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
pub(crate) fn erased(session: &Connection, target: &Target) -> Result<BTreeSet<String>, LoadError> {
    let read = "SELECT value FROM _zenfloe_suppressed WHERE table_name = ?1 AND kind = 'erased'";
    let mut statement = session.prepare_cached(read).map_err(error::from)?;
    let rows = statement.query_map([&target.table], |row| row.get(0));
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
    if entered <= flush.erasures {
        return Ok(());
    }
    Err(LoadError::Behind {
        table: flush.target.table.to_string(),
        entered,
        known: flush.erasures,
    })
}
