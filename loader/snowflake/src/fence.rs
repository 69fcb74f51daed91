//! Fences: entered into what is suppressed, applied to the rows that are there.

use serde_json::{Value as Json, json};
use zenfloe_destination::{LOADED_AT, Mode, Suppression, Target};
use zenfloe_record::Fence;

use crate::driver::Statement;
use crate::rules::Found;
use crate::sql::{ELEMENTS, NOW, SUPPRESSED, ident, text};
use crate::time::micros_text;

/// The fences that mean something to a table: where every state is kept, absence is no reason to forget.
pub(crate) fn acting(mode: Mode, fences: &[Fence]) -> Vec<&Fence> {
    let acts = |fence: &&Fence| mode == Mode::Upsert || fence.before.is_none();
    fences.iter().filter(acts).collect()
}

fn before(fence: &Fence) -> Json {
    fence.before.map_or(Json::Null, |before| json!(micros_text(before)))
}

/// Enters fences when `condition` holds; changes as many rows as there are fences, or none.
pub(crate) fn enter(target: &Target, fences: &[&Fence], condition: &str) -> Statement {
    let rows: Vec<Json> = fences
        .iter()
        .map(|fence| json!(["rows", fence.scope.column, fence.scope.value, before(fence), null]))
        .collect();
    enter_rows(target, &rows, condition)
}

/// Enters whatever must not come back.
pub(crate) fn enter_all(target: &Target, what: &[Suppression]) -> Statement {
    let row = |one: &Suppression| match one {
        Suppression::Rows(fence) => {
            json!(["rows", fence.scope.column, fence.scope.value, before(fence), null])
        }
        Suppression::Column { column, revision } => json!(["column", column, "", null, revision]),
        Suppression::Erasure(erasure) => json!(["erased", "", erasure.subject, null, null]),
    };
    let rows: Vec<Json> = what.iter().map(row).collect();
    enter_rows(target, &rows, "1 = 1")
}

fn enter_rows(target: &Target, rows: &[Json], condition: &str) -> Statement {
    let insert = format!(
        "INSERT INTO {SUPPRESSED} (\"TABLE_NAME\", \"KIND\", \"COLUMN_NAME\", \"VALUE\", \"BEFORE_AT\", \"REVISION\") \
         SELECT {}, C.value[0]::VARCHAR, C.value[1]::VARCHAR, C.value[2]::VARCHAR, C.value[3]::TIMESTAMP_NTZ(6), C.value[4]::NUMBER(38,0) \
         FROM {ELEMENTS} WHERE {condition}",
        text(&target.table)
    );
    Statement::new(&target.table, insert).bind(json!(rows).to_string())
}

/// Empties the rows of fences down to key and version; `None` when no column of the table is such a scope.
pub(crate) fn clean(target: &Target, columns: &[Found], fences: &[&Fence]) -> Option<Statement> {
    let (mut scopes, mut rows) = (Vec::new(), Vec::new());
    for fence in fences {
        let Some(column) = columns.iter().find(|column| column.name == fence.scope.column) else {
            continue;
        };
        let Some(number) = comparable(column, &fence.scope.value) else {
            continue;
        };
        if !scopes.iter().any(|held: &&Found| held.name == column.name) {
            scopes.push(column);
        }
        rows.push(json!([column.name, fence.scope.value, number, before(fence)]));
    }
    if rows.is_empty() {
        return None;
    }
    let table = ident(&target.table);
    let matches: Vec<String> = scopes
        .iter()
        .map(|column| {
            let held = if column.kind == "NUMBER" { "N" } else { "V" };
            let name = ident(&column.name);
            format!("(R.\"C\" = {} AND {table}.{name} = R.\"{held}\")", text(&column.name))
        })
        .collect();
    let emptied: Vec<String> = columns
        .iter()
        .filter(|column| column.is_emptied())
        .map(|column| format!("{} = NULL", ident(&column.name)))
        .chain([
            "\"_DELETED\" = TRUE".to_owned(),
            format!("{} = {NOW}", ident(LOADED_AT)),
        ])
        .collect();
    let update = format!(
        "UPDATE {table} SET {} FROM (SELECT C.value[0]::VARCHAR \"C\", C.value[1]::VARCHAR \"V\", C.value[2]::NUMBER(38,0) \"N\", \
         C.value[3]::TIMESTAMP_NTZ(6) \"B\" FROM {ELEMENTS}) R WHERE ({}) AND (R.\"B\" IS NULL OR {table}.\"_EXTRACTED_AT\" < R.\"B\")",
        emptied.join(", "),
        matches.join(" OR ")
    );
    Some(Statement::new(&target.table, update).bind(json!(rows).to_string()))
}

/// A scope's value as the column compares it: a number, or null where the text serves; `None` when nothing can be equal.
fn comparable(column: &Found, value: &str) -> Option<Json> {
    match column.kind.as_str() {
        "NUMBER" => value.parse::<i64>().ok().map(|number| json!(number)),
        "TEXT" => Some(Json::Null),
        _ => None,
    }
}

/// Empties a column in rows of an older revision.
pub(crate) fn clean_column(target: &Target, column: &str, revision: i32) -> Statement {
    let name = ident(column);
    let update = format!(
        "UPDATE {} SET {name} = NULL WHERE \"_REVISION\" < {revision} AND {name} IS NOT NULL",
        ident(&target.table)
    );
    Statement::new(&target.table, update)
}
