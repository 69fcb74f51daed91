//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeSet;

use async_trait::async_trait;
use zenfloe_destination::{ErasedToken, Erasure, Flush, LoadError, Suppression, Target, is_token, without_tokens};
use zenfloe_record::Fence;

use crate::driver::Statement;
use crate::error::broken;
use crate::fence::clean;
use crate::rules::{Found, Rules};
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::sql::{SUPPRESSED, ident, text};

/// Tokens of one statement: each is looked for in every text of the table.
const TOKENS_AT_ONCE: usize = 25;

/// What takes somebody out of a table.
pub(crate) fn clean_erasure(target: &Target, found: &[Found], erasure: &Erasure) -> Vec<Statement> {
    let fence = erasure.rows.clone().map(|scope| Fence { scope, before: None });
    let rows = fence.and_then(|fence| clean(target, found, &[&fence]));
    let statement = |sql| Statement::new(&target.table, sql);
    let mut statements: Vec<Statement> = rows.into_iter().collect();
    statements.extend(take_out(target, found, erasure).into_iter().map(statement));
    statements.extend(drop_texts(target, found, erasure).map(statement));
    statements
}

/// A column of texts as text, and what makes the column's type of it again.
fn text_of(column: &Found) -> Option<(String, &'static str)> {
    let name = ident(&column.name);
    match column.kind.as_str() {
        "TEXT" => Some((name, "")),
        "VARIANT" => Some((format!("TO_JSON({name})"), "PARSE_JSON")),
        _ => None,
    }
}

fn take_out(target: &Target, found: &[Found], erasure: &Erasure) -> Vec<String> {
    let emptied = found.iter().filter(|column| column.is_emptied());
    let texts: Vec<_> = emptied.filter_map(|column| Some((column, text_of(column)?))).collect();
    let tokens: Vec<ErasedToken> = erasure.tokens.iter().filter(|token| is_token(token)).cloned().collect();
    let update = |tokens: &[ErasedToken]| {
        let (mut sets, mut holds) = (Vec::new(), Vec::new());
        for (column, (text, again)) in &texts {
            sets.push(format!(
                "{} = {again}({})",
                ident(&column.name),
                without_tokens(text, tokens)
            ));
            holds.extend(
                tokens
                    .iter()
                    .map(|erased| format!("CONTAINS({text}, '{}')", erased.token)),
            );
        }
        format!(
            "UPDATE {} SET {} WHERE {}",
            ident(&target.table),
            sets.join(", "),
            holds.join(" OR ")
        )
    };
    let chunks = tokens.chunks(TOKENS_AT_ONCE).filter(|_| !texts.is_empty());
    chunks.map(update).collect()
}

/// Empties the texts that somebody wrote; `None` where the table has none.
fn drop_texts(target: &Target, found: &[Found], erasure: &Erasure) -> Option<String> {
    let (scope, columns) = erasure.texts.as_ref()?;
    let author = found.iter().find(|column| column.name == scope.column)?;
    let id: i64 = scope.value.parse().ok()?;
    let is_text = |column: &&Found| column.is_emptied() && columns.contains(&column.name);
    let texts: Vec<String> = found.iter().filter(is_text).map(|column| ident(&column.name)).collect();
    let sets: Vec<String> = texts.iter().map(|name| format!("{name} = NULL")).collect();
    let holds: Vec<String> = texts.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    (!texts.is_empty()).then(|| {
        format!(
            "UPDATE {} SET {} WHERE {} = {id} AND ({})",
            ident(&target.table),
            sets.join(", "),
            ident(&author.name),
            holds.join(" OR ")
        )
    })
}

/// The statements of every erasure among what is suppressed.
pub(crate) fn clean_erasures(target: &Target, found: &[Found], what: &[Suppression]) -> Vec<Statement> {
    let erasures = what.iter().filter_map(|one| match one {
        Suppression::Erasure(erasure) => Some(erasure),
        Suppression::Rows(_) | Suppression::Column { .. } => None,
    });
    erasures
        .flat_map(|erasure| clean_erasure(target, found, erasure))
        .collect()
}

/// Refuses a flush whose rows may hold who was erased since.
///
/// Contract: the rules were read after the flush moved its positions, in a later statement, or still hold.
pub(crate) fn refuse_behind(flush: &Flush, rules: &Rules) -> Result<(), LoadError> {
    if rules.erasures <= flush.erasures {
        return Ok(());
    }
    Err(LoadError::Behind {
        table: flush.target.table.to_string(),
        entered: rules.erasures,
        known: flush.erasures,
    })
}

/// See [`zenfloe_destination::Destination::erased`].
pub(crate) struct ReadErased<'a> {
    pub(crate) target: &'a Target,
}

#[async_trait]
impl Work for ReadErased<'_> {
    type Done = BTreeSet<String>;

    async fn attempt(&self, _: &Warehouse, open: &mut Open) -> Result<BTreeSet<String>, Trouble> {
        let table = &*self.target.table;
        let select = format!(
            "SELECT DISTINCT \"VALUE\" FROM {SUPPRESSED} WHERE \"TABLE_NAME\" = {} AND \"KIND\" = 'erased'",
            text(table)
        );
        let rows = open.run(Statement::new(table, select)).await?;
        let value = |row: Vec<Option<String>>| row.into_iter().next().flatten();
        let values: Option<BTreeSet<String>> = rows.0.into_iter().map(value).collect();
        Ok(values.ok_or_else(|| broken("an erasure has no subject"))?)
    }
}
