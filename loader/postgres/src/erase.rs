//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeSet;

use tokio_postgres::types::{ToSql, Type};
use zenfloe_destination::{ErasedToken, Erasure, Flush, LoadError, Suppression, Target, is_token, without_tokens};
use zenfloe_record::Fence;

use crate::session::{Session, Statements};
use crate::suppress::{Fences, clean};
use crate::table::Found;

/// Tokens of one statement: each is looked for in every text of the table.
const TOKENS_AT_ONCE: usize = 25;

/// The erasures among what is suppressed.
fn erasures(what: &[Suppression]) -> impl Iterator<Item = &Erasure> {
    what.iter().filter_map(|one| match one {
        Suppression::Erasure(erasure) => Some(erasure),
        Suppression::Rows(_) | Suppression::Column { .. } => None,
    })
}

/// Remembers erasures.
pub(crate) async fn enter_erasures(
    statements: &Statements<'_>,
    target: &Target,
    what: &[Suppression],
) -> Result<(), LoadError> {
    let subjects: Vec<&str> = erasures(what).map(|erasure| erasure.subject.as_str()).collect();
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
    for erasure in erasures(what) {
        let updates = take_out(statements, target, found, erasure);
        for update in updates
            .into_iter()
            .chain(drop_texts(statements, target, found, erasure))
        {
            cleaned += statements.run(&update).await?;
        }
    }
    Ok(cleaned)
}

/// A column of texts as text, and what makes the column's type of it again.
fn text_of(column: &Found) -> Option<(String, &'static str)> {
    match column.declared.as_str() {
        "text" => Some((format!("\"{}\"", column.name), "")),
        "jsonb" => Some((format!("\"{}\"::text", column.name), "::jsonb")),
        _ => None,
    }
}

fn take_out(statements: &Statements<'_>, target: &Target, found: &[Found], erasure: &Erasure) -> Vec<String> {
    let table = statements.session.place.table(&target.table);
    let emptied = found.iter().filter(|column| column.is_emptied());
    let texts: Vec<_> = emptied.filter_map(|column| Some((column, text_of(column)?))).collect();
    let tokens: Vec<ErasedToken> = erasure.tokens.iter().filter(|token| is_token(token)).cloned().collect();
    let update = |tokens: &[ErasedToken]| {
        let (mut sets, mut holds) = (Vec::new(), Vec::new());
        for (column, (text, cast)) in &texts {
            sets.push(format!(
                "\"{}\" = ({}){cast}",
                column.name,
                without_tokens(text, tokens)
            ));
            holds.extend(
                tokens
                    .iter()
                    .map(|erased| format!("strpos({text}, '{}') > 0", erased.token)),
            );
        }
        format!("UPDATE {table} SET {} WHERE {}", sets.join(", "), holds.join(" OR "))
    };
    let chunks = tokens.chunks(TOKENS_AT_ONCE).filter(|_| !texts.is_empty());
    chunks.map(update).collect()
}

/// Empties the texts that somebody wrote; `None` where the table has none.
fn drop_texts(statements: &Statements<'_>, target: &Target, found: &[Found], erasure: &Erasure) -> Option<String> {
    let (scope, columns) = erasure.texts.as_ref()?;
    let author = found.iter().find(|column| column.name == scope.column)?;
    let id: i64 = scope.value.parse().ok()?;
    let is_text = |column: &&Found| column.is_emptied() && columns.contains(&column.name);
    let texts: Vec<&str> = found
        .iter()
        .filter(is_text)
        .map(|column| column.name.as_str())
        .collect();
    let sets: Vec<String> = texts.iter().map(|name| format!("\"{name}\" = NULL")).collect();
    let holds: Vec<String> = texts.iter().map(|name| format!("\"{name}\" IS NOT NULL")).collect();
    let table = statements.session.place.table(&target.table);
    (!texts.is_empty()).then(|| {
        format!(
            "UPDATE {table} SET {} WHERE \"{}\" = {id} AND ({})",
            sets.join(", "),
            author.name,
            holds.join(" OR ")
        )
    })
}

/// See [`zenfloe_destination::Destination::erased`].
pub(crate) async fn erased(session: &Session, target: &Target) -> Result<BTreeSet<String>, LoadError> {
    let read = format!(
        "SELECT value FROM {} WHERE table_name = $1 AND kind = 'erased'",
        session.place.suppressed()
    );
    let rows = session.query(&read, &[(&&*target.table as _, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
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
    if entered <= flush.erasures {
        return Ok(());
    }
    Err(LoadError::Behind {
        table: flush.target.table.to_string(),
        entered,
        known: flush.erasures,
    })
}
