//! What must not come back: entered, applied to what is there, asked by every flush.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, params};
use zenfloe_destination::{Faults, Flush, LOADED_AT, LoadError, Mode, Suppression, TableShape, Target, legal_name};
use zenfloe_record::{Fence, FenceScope};

use crate::erase::{clean_erasure, enter_erasure};
use crate::error;
use crate::ledger::{begin, lock};
use crate::table::{Found, columns, schema};
use crate::time::{bound_text, now_text};

/// What a flush must mind of a table's suppression.
#[derive(Default)]
pub(crate) struct Rules {
    /// Columns by which rows are suppressed.
    pub(crate) scopes: Vec<String>,
    /// Columns that are null in rows of a revision before this one.
    pub(crate) tightened: Vec<(String, i32)>,
}

/// Reads them. Contract: called after the flush moved its positions, in a later statement.
pub(crate) fn rules(transaction: &Transaction<'_>, target: &Target, shape: &TableShape) -> Result<Rules, LoadError> {
    let scope = "SELECT EXISTS (SELECT 1 FROM _zenfloe_suppressed WHERE table_name = ?1 AND kind = 'rows' AND column_name = ?2)";
    let mut statement = transaction.prepare_cached(scope).map_err(error::from)?;
    let mut rules = Rules::default();
    for column in shape.scopes() {
        let held = statement.query_row(params![target.table, column.name], |row| row.get::<_, bool>(0));
        if held.map_err(error::from)? {
            rules.scopes.push(column.name.clone());
        }
    }
    let tightened = "SELECT column_name, revision FROM _zenfloe_suppressed WHERE table_name = ?1 AND kind = 'column'";
    let mut statement = transaction.prepare_cached(tightened).map_err(error::from)?;
    let rows = statement.query_map([&target.table], |row| Ok((row.get(0)?, row.get(1)?)));
    rules.tightened = rows.and_then(Iterator::collect).map_err(error::from)?;
    Ok(rules)
}

/// The fences of a flush that mean something to its table: where every state is kept, absence is no reason to forget.
pub(crate) fn acting(mode: Mode, fences: &[Fence]) -> impl Iterator<Item = &Fence> {
    fences
        .iter()
        .filter(move |fence| mode == Mode::Upsert || fence.before.is_none())
}

/// Makes the index that finds a fence's rows. Called outside the flush's transaction.
pub(crate) fn index_scopes(session: &Connection, flush: &Flush) -> Result<(), LoadError> {
    let mut done: Vec<&str> = Vec::new();
    for fence in acting(flush.target.mode, &flush.fences) {
        let (table, column) = (&*flush.target.table, fence.scope.column.as_str());
        if done.contains(&column) || !legal_name(column) {
            continue;
        }
        done.push(column);
        if columns(session, table)?.iter().any(|found| found.name == column) {
            let index = format!("CREATE INDEX IF NOT EXISTS \"{table}_by_{column}\" ON \"{table}\" (\"{column}\")");
            session.execute_batch(&index).map_err(error::from)?;
        }
    }
    Ok(())
}

/// Enters a fence; of two of one scope the newer stays.
pub(crate) fn enter_fence(transaction: &Transaction<'_>, target: &Target, fence: &Fence) -> Result<(), LoadError> {
    let enter = "INSERT INTO _zenfloe_suppressed (table_name, kind, column_name, value, before_us) VALUES (?1, 'rows', ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET before_us = CASE WHEN before_us IS NULL OR excluded.before_us IS NULL THEN NULL
        ELSE max(before_us, excluded.before_us) END";
    let mut statement = transaction.prepare_cached(enter).map_err(error::from)?;
    let values = params![target.table, fence.scope.column, fence.scope.value, fence.before];
    statement.execute(values).map(|_| ()).map_err(error::from)
}

fn enter_column(transaction: &Transaction<'_>, target: &Target, column: &str, revision: i32) -> Result<(), LoadError> {
    let enter = "INSERT INTO _zenfloe_suppressed (table_name, kind, column_name, value, revision) VALUES (?1, 'column', ?2, '', ?3)
        ON CONFLICT DO UPDATE SET revision = max(revision, excluded.revision)";
    let done = transaction.execute(enter, params![target.table, column, revision]);
    done.map(|_| ()).map_err(error::from)
}

/// Empties a fence's rows down to key and version; returns how many.
pub(crate) fn clean_fence(
    transaction: &Transaction<'_>,
    target: &Target,
    found: &[Found],
    fence: &Fence,
) -> Result<u64, LoadError> {
    let Some(column) = found.iter().find(|column| column.name == fence.scope.column) else {
        return Ok(0);
    };
    let Some(value) = comparable(column, &fence.scope) else {
        return Ok(0);
    };
    let emptied: String = found
        .iter()
        .filter(|column| column.is_emptied())
        .map(|column| format!("\"{}\" = NULL, ", column.name))
        .collect();
    let update = format!(
        "UPDATE \"{}\" SET {emptied}\"_deleted\" = 1, \"{LOADED_AT}\" = ?1 WHERE \"{}\" = ?2 AND (?3 IS NULL OR \"_extracted_at\" < ?3)",
        target.table, column.name
    );
    let mut statement = transaction.prepare_cached(&update).map_err(error::from)?;
    let cleaned = statement.execute(params![now_text().as_str(), value, fence.before.map(bound_text)]);
    cleaned.map(|count| count as u64).map_err(error::from)
}

/// A scope's value as the column compares it; `None` where nothing can be equal.
pub(crate) fn comparable(column: &Found, scope: &FenceScope) -> Option<Sql> {
    match column.declared {
        "INTEGER" => scope.value.parse().ok().map(Sql::Integer),
        "TEXT" => Some(Sql::Text(scope.value.clone())),
        _ => None,
    }
}

fn clean_column(
    transaction: &Transaction<'_>,
    target: &Target,
    found: &[Found],
    column: &str,
    revision: i32,
) -> Result<u64, LoadError> {
    if !found.iter().any(|held| held.name == column) {
        return Ok(0);
    }
    let update = format!(
        "UPDATE \"{}\" SET \"{column}\" = NULL WHERE \"_revision\" < ?1 AND \"{column}\" IS NOT NULL",
        target.table
    );
    let cleaned = transaction.execute(&update, [revision]);
    cleaned.map(|count| count as u64).map_err(error::from)
}

/// See [`zenfloe_destination::Destination::suppress`].
pub(crate) fn suppress(
    session: &mut Connection,
    faults: &Faults,
    target: &Target,
    what: &[Suppression],
) -> Result<u64, LoadError> {
    refuse_required(session, target, what)?;
    faults.before_statement()?;
    let transaction = begin(session)?;
    for one in what {
        faults.before_statement()?;
        match one {
            Suppression::Rows(fence) => enter_fence(&transaction, target, fence)?,
            Suppression::Column { column, revision } => enter_column(&transaction, target, column, *revision)?,
            Suppression::Erasure(erasure) => enter_erasure(&transaction, target, erasure)?,
        }
    }
    faults.before_statement()?;
    transaction.commit().map_err(error::from)?;
    faults.after_commit()?;

    faults.before_statement()?;
    let transaction = begin(session)?;
    faults.before_statement()?;
    lock(&transaction, target)?;
    let found = columns(&transaction, &target.table)?;
    let mut cleaned = 0;
    for one in what {
        faults.before_statement()?;
        cleaned += match one {
            Suppression::Rows(fence) if target.mode == Mode::Upsert || fence.before.is_none() => {
                clean_fence(&transaction, target, &found, fence)?
            }
            Suppression::Rows(_) => 0,
            Suppression::Column { column, revision } => clean_column(&transaction, target, &found, column, *revision)?,
            Suppression::Erasure(erasure) => clean_erasure(&transaction, target, &found, erasure)?,
        };
    }
    faults.before_statement()?;
    transaction.commit().map_err(error::from)?;
    faults.after_commit()?;
    Ok(cleaned)
}

/// A key, a version or a name that cannot be a column's is not tightened.
fn refuse_required(session: &Connection, target: &Target, what: &[Suppression]) -> Result<(), LoadError> {
    let found = columns(session, &target.table)?;
    for one in what {
        let Suppression::Column { column, .. } = one else {
            continue;
        };
        let is_fixed = found.iter().any(|held| held.name == *column && !held.is_emptied());
        if is_fixed || !legal_name(column) {
            return Err(schema(&target.table, format!("column `{column}` cannot be emptied")));
        }
    }
    Ok(())
}
