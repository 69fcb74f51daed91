//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeMap;

use tokio_postgres::types::{ToSql, Type};
use zenfloe_destination::{
    Emptied, Erasure, Flush, LoadError, Suppression, Target, TextColumn, empty_columns, take_out,
};
use zenfloe_record::Fence;

use crate::session::{Session, Statements};
use crate::suppress::{Fences, clean};
use crate::table::Found;

fn subjects(what: &[Suppression]) -> Vec<&str> {
    erasures(what).map(|erasure| erasure.subject.as_str()).collect()
}

fn erasures(what: &[Suppression]) -> impl Iterator<Item = &Erasure> {
    what.iter().filter_map(Suppression::erasure)
}

/// Remembers erasures; their revision is 1 once the table is clean of them.
pub(crate) async fn enter_erasures(
    statements: &Statements<'_>,
    target: &Target,
    what: &[Suppression],
) -> Result<(), LoadError> {
    let subjects = subjects(what);
    if subjects.is_empty() {
        return Ok(());
    }
    let enter = format!(
        "INSERT INTO {} (table_name, kind, column_name, value) SELECT DISTINCT $1, 'erased', '', s FROM unnest($2) s
        ON CONFLICT (table_name, kind, column_name, value) DO NOTHING",
        statements.session.place.suppressed()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&&*target.table, Type::TEXT), (&subjects, Type::TEXT_ARRAY)];
    statements.execute(&enter, &parameters).await.map(drop)
}

/// Takes people out of a table; returns the rows changed.
pub(crate) async fn clean_erasures(
    statements: &Statements<'_>,
    target: &Target,
    found: &[Found],
    what: &[Suppression],
) -> Result<u64, LoadError> {
    let rows = erasures(what).filter_map(|erasure| erasure.rows.clone());
    let fences: Vec<Fence> = rows.map(|scope| Fence { scope, before: None }).collect();
    let mut cleaned = clean(statements, target, found, &Fences::acting(target.mode, &fences)).await?;
    let table = statements.session.place.table(&target.table);
    let texts = found.iter().filter(|column| column.is_emptied());
    let texts: Vec<TextColumn> = texts.filter_map(text_column).collect();
    let holds = |text: &str, token: &str| format!("strpos({text}, '{token}') > 0");
    for erasure in erasures(what) {
        let updates = take_out(&table, &texts, erasure, holds);
        for update in updates.into_iter().chain(empty(&table, found, erasure)) {
            cleaned += statements.run(&update).await?;
        }
    }
    note_clean(statements, target, &subjects(what)).await?;
    Ok(cleaned)
}

async fn note_clean(statements: &Statements<'_>, target: &Target, subjects: &[&str]) -> Result<(), LoadError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let note = format!(
        "UPDATE {} SET revision = 1 WHERE table_name = $1 AND kind = 'erased' AND value = ANY($2)",
        statements.session.place.suppressed()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&&*target.table, Type::TEXT), (&subjects, Type::TEXT_ARRAY)];
    statements.execute(&note, &parameters).await.map(drop)
}

/// A column of texts; `None` for others.
fn text_column(column: &Found) -> Option<TextColumn> {
    let name = format!("\"{}\"", column.name);
    let (text, again): (_, fn(String) -> String) = match column.declared.as_str() {
        "text" => (name.clone(), |text| text),
        "jsonb" => (format!("{name}::text"), |text| format!("({text})::jsonb")),
        _ => return None,
    };
    Some(TextColumn { name, text, again })
}

/// Updates that empty columns of somebody's rows.
fn empty(table: &str, found: &[Found], erasure: &Erasure) -> Vec<String> {
    let update = |Emptied { scope, columns }: &Emptied| {
        let owner = found.iter().find(|column| column.name == scope.column)?;
        let id: i64 = scope.value.parse().ok()?;
        let is_emptied = |column: &&Found| column.is_emptied() && columns.contains(&column.name);
        let columns = found.iter().filter(is_emptied);
        let columns: Vec<String> = columns.map(|column| format!("\"{}\"", column.name)).collect();
        empty_columns(table, &format!("\"{}\"", owner.name), &id.to_string(), &columns)
    };
    erasure.emptied.iter().filter_map(update).collect()
}

/// See [`zenfloe_destination::Destination::erased`].
pub(crate) async fn erased(session: &Session, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
    let read = format!(
        "SELECT value, revision IS NOT NULL FROM {} WHERE table_name = $1 AND kind = 'erased'",
        session.place.suppressed()
    );
    let rows = session.query(&read, &[(&&*target.table as _, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Refuses a flush whose rows may hold who was erased since.
///
/// Contract: called after the flush moved its positions, in a later statement.
pub(crate) async fn refuse_behind(statements: &Statements<'_>, flush: &Flush) -> Result<(), LoadError> {
    let count = format!(
        "SELECT count(*) FROM {} WHERE table_name = $1 AND kind = 'erased'",
        statements.session.place.suppressed()
    );
    let rows = statements
        .query(&count, &[(&&*flush.target.table as _, Type::TEXT)])
        .await?;
    let entered = rows.first().map_or(0, |row| row.get::<_, i64>(0));
    let entered = u64::try_from(entered).unwrap_or_default();
    flush.refuse_behind(entered)
}
