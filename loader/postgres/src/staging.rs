//! Temporary tables that rows stream into, and the statements that take them from there.

use std::sync::Arc;

use zenfloe_destination::{
    ColumnShape, Flush, LOADED_AT, LoadError, Mode, Role, RowKind, STATE_COLUMNS, Segment, TableShape, VERSION_COLUMNS,
};

use crate::encode::is_written;
use crate::session::Session;
use crate::sql::{Place, list};
use crate::suppress::Rules;
use crate::table::{Found, declared};

/// What a temporary table is for: rows of one table that make a segment. It is emptied with the transaction, not before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StagedKey {
    table: Arc<str>,
    schema_id: u32,
    kind: RowKind,
    is_rewritten: bool,
}

impl StagedKey {
    pub(crate) fn of(flush: &Flush, segment: &Segment) -> Self {
        Self {
            table: flush.target.table.clone(),
            schema_id: segment.shape.schema_id,
            kind: segment.kind,
            is_rewritten: segment.is_rewritten,
        }
    }
}

/// A temporary table of this session.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    /// Its full name, quoted.
    pub(crate) name: String,
    /// The statement that rows stream into.
    pub(crate) copy: String,
}

/// Makes the temporary tables of a flush that this session does not have yet. Called outside the flush's transaction.
pub(crate) async fn make(session: &mut Session, flush: &Flush) -> Result<(), LoadError> {
    for segment in &flush.segments {
        let key = StagedKey::of(flush, segment);
        if session.staged.contains_key(&key) {
            continue;
        }
        let name = format!("pg_temp.\"_zenfloe_load_{}\"", session.staged.len());
        let columns: Vec<&ColumnShape> = written(segment).collect();
        let defined: Vec<String> = columns
            .iter()
            .map(|column| format!("\"{}\" {}", column.name, declared(column.kind)))
            .collect();
        // Emptied by the end of each transaction, whichever way it ends; no catalog rows per flush. Rows that pass
        // through are not worth compressing.
        let columns_of = defined.join(", ");
        let make = format!(
            "CREATE TEMPORARY TABLE {name} ({columns_of}) WITH (toast_tuple_target = 8160) ON COMMIT DELETE ROWS"
        );
        session.run(&make).await?;
        let names = list(columns.iter().map(|column| column.name.as_str()));
        let copy = format!("COPY {name} ({names}) FROM STDIN (FORMAT binary)");
        session.staged.insert(key, Staged { name, copy });
    }
    Ok(())
}

fn written(segment: &Segment) -> impl Iterator<Item = &ColumnShape> {
    segment
        .shape
        .columns
        .iter()
        .filter(|column| is_written(segment.kind, column.role))
}

/// Which rows of a temporary table a statement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// All of them: each key stands once.
    All,
    /// The newest of each key; it costs a sort of whole rows.
    Newest,
}

/// The statement that brings the rows of a temporary table into the table of the flush.
pub(crate) fn upsert(
    place: &Place,
    flush: &Flush,
    segment: &Segment,
    staged: &Staged,
    found: &[Found],
    rules: &Rules,
    take: Take,
) -> String {
    let names: Vec<&str> = written(segment).map(|column| column.name.as_str()).collect();
    let values: Vec<String> = written(segment).map(|column| value(column, rules)).collect();
    let (distinct, order) = match take {
        Take::All => (String::new(), String::new()),
        Take::Newest => newest_of_key(&segment.shape),
    };
    format!(
        "INSERT INTO {} AS t ({}, \"{LOADED_AT}\") SELECT{distinct} {}, now() FROM {} s{}{order}{}",
        place.table(&flush.target.table),
        list(names),
        values.join(", "),
        staged.name,
        not_suppressed(place, flush, segment, rules),
        conflict(flush.target.mode, segment, found),
    )
}

/// What makes a SELECT keep the newest row of each key.
fn newest_of_key(shape: &TableShape) -> (String, String) {
    let keys: Vec<String> = shape.key_names().map(|name| format!("s.\"{name}\"")).collect();
    let versions = VERSION_COLUMNS.map(|name| format!("s.\"{name}\" DESC"));
    let distinct = format!(" DISTINCT ON ({})", keys.join(", "));
    (
        distinct,
        format!(" ORDER BY {}, {}", keys.join(", "), versions.join(", ")),
    )
}

/// A column of the row, or null where the column was tightened after the row's revision.
fn value(column: &ColumnShape, rules: &Rules) -> String {
    let name = &column.name;
    match rules.tightened.iter().find(|(tightened, _)| tightened == name) {
        Some((_, first)) if column.role == Role::Data => {
            format!("CASE WHEN s.\"_revision\" < {first} THEN NULL ELSE s.\"{name}\" END")
        }
        _ => format!("s.\"{name}\""),
    }
}

fn not_suppressed(place: &Place, flush: &Flush, segment: &Segment, rules: &Rules) -> String {
    let scopes = written(segment).filter(|column| rules.scopes.contains(&column.name));
    let conditions = scopes.map(|column| {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} x WHERE x.table_name = '{}' AND x.kind = 'rows' AND x.column_name = '{2}'
                AND x.value = s.\"{2}\"::text AND (x.before IS NULL OR s.\"_extracted_at\" < x.before))",
            place.suppressed(),
            flush.target.table,
            column.name
        )
    });
    let there = (flush.target.mode == Mode::Append && segment.is_rewritten).then(|| not_there(place, flush, segment));
    let conditions: Vec<String> = conditions.chain(there).collect();
    match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    }
}

/// A condition: the state is not in the table.
fn not_there(place: &Place, flush: &Flush, segment: &Segment) -> String {
    let equal: Vec<String> = segment
        .shape
        .key_names()
        .chain(STATE_COLUMNS)
        .map(|name| format!("h.\"{name}\" = s.\"{name}\""))
        .collect();
    format!(
        "NOT EXISTS (SELECT 1 FROM {} h WHERE {})",
        place.table(&flush.target.table),
        equal.join(" AND ")
    )
}

/// What happens to the row that is there: it stays if it is newer.
fn conflict(mode: Mode, segment: &Segment, found: &[Found]) -> String {
    if mode == Mode::Append {
        return String::new();
    }
    let mut sets: Vec<String> = written(segment)
        .filter(|column| column.role != Role::Key)
        .map(|column| format!("\"{0}\" = excluded.\"{0}\"", column.name))
        .collect();
    sets.push(format!("\"{LOADED_AT}\" = excluded.\"{LOADED_AT}\""));
    if segment.kind == RowKind::Delete {
        let emptied = found.iter().filter(|column| column.is_emptied());
        sets.extend(emptied.map(|column| format!("\"{}\" = NULL", column.name)));
    }
    let shape: &TableShape = &segment.shape;
    let versions = |of: &str| VERSION_COLUMNS.map(|name| format!("{of}.\"{name}\"")).join(", ");
    format!(
        " ON CONFLICT ({}) DO UPDATE SET {} WHERE ({}) >= ({})",
        list(shape.key_names()),
        sets.join(", "),
        versions("excluded"),
        versions("t"),
    )
}
