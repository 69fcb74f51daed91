//! Erased people: remembered, taken out of what is there, asked for by every flush.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;
use zenfloe_destination::{Emptied, Erasure, Suppression, Target, TextColumn, empty_columns, take_out};
use zenfloe_record::Fence;

use crate::driver::Statement;
use crate::error::broken;
use crate::fence::clean;
use crate::rules::Found;
use crate::session::{Open, Trouble, Warehouse, Work};
use crate::sql::{ELEMENTS, SUPPRESSED, ident, text};

/// What takes somebody out of a table.
pub(crate) fn clean_erasure(target: &Target, found: &[Found], erasure: &Erasure) -> Vec<Statement> {
    let fence = erasure.rows.clone().map(|scope| Fence { scope, before: None });
    let rows = fence.and_then(|fence| clean(target, found, &[&fence]));
    let statement = |sql| Statement::new(&target.table, sql);
    let mut statements: Vec<Statement> = rows.into_iter().collect();
    let texts = found.iter().filter(|column| column.is_emptied());
    let texts: Vec<TextColumn> = texts.filter_map(text_column).collect();
    let holds = |text: &str, token: &str| format!("CONTAINS({text}, '{token}')");
    let updates = take_out(&ident(&target.table), &texts, erasure, holds);
    statements.extend(updates.into_iter().map(statement));
    statements.extend(empty(target, found, erasure).into_iter().map(statement));
    statements
}

/// A column of texts; `None` for others.
fn text_column(column: &Found) -> Option<TextColumn> {
    let name = ident(&column.name);
    let (text, again): (_, fn(String) -> String) = match column.kind.as_str() {
        "TEXT" => (name.clone(), |text| text),
        "VARIANT" => (format!("TO_JSON({name})"), |text| format!("PARSE_JSON({text})")),
        _ => return None,
    };
    Some(TextColumn { name, text, again })
}

/// Updates that empty columns of somebody's rows.
fn empty(target: &Target, found: &[Found], erasure: &Erasure) -> Vec<String> {
    let update = |Emptied { scope, columns }: &Emptied| {
        let owner = found.iter().find(|column| column.name == scope.column)?;
        let id: i64 = scope.value.parse().ok()?;
        let is_emptied = |column: &&Found| column.is_emptied() && columns.contains(&column.name);
        let columns = found.iter().filter(is_emptied);
        let columns: Vec<String> = columns.map(|column| ident(&column.name)).collect();
        empty_columns(&ident(&target.table), &ident(&owner.name), &id.to_string(), &columns)
    };
    erasure.emptied.iter().filter_map(update).collect()
}

/// The statements of every erasure among what is suppressed.
pub(crate) fn clean_erasures(target: &Target, found: &[Found], what: &[Suppression]) -> Vec<Statement> {
    let erasures = what.iter().filter_map(Suppression::erasure);
    erasures
        .flat_map(|erasure| clean_erasure(target, found, erasure))
        .collect()
}

/// Notes that a table is clean of erasures: their revision is 1. `None` when there are none.
pub(crate) fn note_clean(target: &Target, what: &[Suppression]) -> Option<Statement> {
    let erasures = what.iter().filter_map(Suppression::erasure);
    let subjects: Vec<&str> = erasures.map(|erasure| erasure.subject.as_str()).collect();
    let note = format!(
        "UPDATE {SUPPRESSED} SET \"REVISION\" = 1 FROM (SELECT C.value::VARCHAR \"S\" FROM {ELEMENTS}) R \
         WHERE \"TABLE_NAME\" = {} AND \"KIND\" = 'erased' AND \"VALUE\" = R.\"S\"",
        text(&target.table)
    );
    (!subjects.is_empty()).then(|| Statement::new(&target.table, note).bind(json!(subjects).to_string()))
}

/// See [`zenfloe_destination::Destination::erased`].
pub(crate) struct ReadErased<'a> {
    pub(crate) target: &'a Target,
}

#[async_trait]
impl Work for ReadErased<'_> {
    type Done = BTreeMap<String, bool>;

    async fn attempt(&self, _: &Warehouse, open: &mut Open) -> Result<BTreeMap<String, bool>, Trouble> {
        let table = &*self.target.table;
        let select = format!(
            "SELECT \"VALUE\", MAX(\"REVISION\") FROM {SUPPRESSED} WHERE \"TABLE_NAME\" = {} AND \"KIND\" = 'erased' GROUP BY \"VALUE\"",
            text(table)
        );
        let rows = open.run(Statement::new(table, select)).await?;
        let value = |row: Vec<Option<String>>| {
            let [subject, revision] = <[_; 2]>::try_from(row).ok()?;
            Some((subject?, revision.is_some()))
        };
        let values: Option<BTreeMap<String, bool>> = rows.0.into_iter().map(value).collect();
        Ok(values.ok_or_else(|| broken("an erasure has no subject"))?)
    }
}
