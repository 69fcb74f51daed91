//! Tables made and widened.

use rusqlite::{Connection, OpenFlags, params};
use zenfloe_destination::{
    ColumnShape, ColumnType, LOADED_AT, LoadError, Mode, Role, TableShape, Target, current_view, legal_name,
};

use crate::ledger::begin;
use crate::{Config, error};

/// A column as the file has it.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) declared: &'static str,
    pub(crate) is_required: bool,
    is_key: bool,
}

impl Found {
    /// Claims that a row that is gone keeps no value here.
    pub(crate) fn is_emptied(&self) -> bool {
        !self.is_required && self.name != LOADED_AT
    }
}

/// The declared type. None of them but `INTEGER` holds `INT`, and `TEXT` alone has text affinity:
/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>.
pub(crate) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long | ColumnType::Int => "INTEGER",
        ColumnType::Double => "REAL",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Text | ColumnType::Json => "TEXT",
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Date => "DATE",
    }
}

/// The columns of a table in order; none when it does not exist.
pub(crate) fn columns(session: &Connection, table: &str) -> Result<Vec<Found>, LoadError> {
    let mut statement = session
        .prepare_cached("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)")
        .map_err(error::from)?;
    let rows = statement.query_map([table], |row| {
        let declared: String = row.get(1)?;
        let known = ["INTEGER", "REAL", "BOOLEAN", "TEXT", "TIMESTAMP", "DATE"];
        Ok(Found {
            name: row.get(0)?,
            declared: known
                .into_iter()
                .find(|known| *known == declared)
                .unwrap_or("another type"),
            is_required: row.get(2)?,
            is_key: row.get::<_, i64>(3)? > 0,
        })
    });
    rows.and_then(Iterator::collect).map_err(error::from)
}

/// Makes the table of a shape, or adds the columns that it lacks.
pub(crate) fn prepare(session: &mut Connection, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
    let table = &*target.table;
    if !legal_name(table) {
        return Err(schema(table, "its name is not made of a-z, 0-9 and _".into()));
    }
    let transaction = begin(session)?;
    let found = columns(&transaction, table)?;
    let mut statements = Vec::new();
    if found.is_empty() {
        statements.push(create(table, target.mode, shape));
        if target.mode == Mode::Append {
            statements.push(history_index(table, shape));
        }
    } else {
        statements = widen(table, target.mode, shape, &found)?;
    }
    for statement in &statements {
        transaction.execute_batch(statement).map_err(error::from)?;
    }
    if let Some(view) = current_view(table).filter(|_| target.mode == Mode::Upsert) {
        // Its columns are those that the table has when it is read.
        let make = format!("CREATE VIEW IF NOT EXISTS \"{view}\" AS SELECT * FROM \"{table}\" WHERE _deleted IS NOT 1");
        transaction.execute_batch(&make).map_err(error::from)?;
    }
    for column in &shape.columns {
        let describe = "INSERT INTO _zenfloe_columns VALUES (?1, ?2, ?3)
            ON CONFLICT DO UPDATE SET comment = excluded.comment WHERE comment <> excluded.comment";
        let done = transaction.execute(describe, params![table, column.name, column.comment]);
        done.map_err(error::from)?;
    }
    transaction.commit().map_err(error::from)?;
    if !statements.is_empty() {
        tracing::info!(table, statements = statements.len(), "table made or widened");
    }
    Ok(())
}

fn create(table: &str, mode: Mode, shape: &TableShape) -> String {
    let define = |column: &ColumnShape| {
        let required = if column.role == Role::Data { "" } else { " NOT NULL" };
        format!("\"{}\" {}{required}", column.name, declared(column.kind))
    };
    let mut parts: Vec<String> = shape.columns.iter().map(define).collect();
    parts.push(format!("\"{LOADED_AT}\" TIMESTAMP"));
    if mode == Mode::Upsert {
        parts.push(format!("PRIMARY KEY ({})", key_list(shape)));
    }
    format!("CREATE TABLE \"{table}\" ({})", parts.join(", "))
}

/// Finds a row's states; not unique, so that a double would show.
fn history_index(table: &str, shape: &TableShape) -> String {
    format!(
        "CREATE INDEX \"{table}_by_key\" ON \"{table}\" ({}, \"_version\")",
        key_list(shape)
    )
}

fn key_list(shape: &TableShape) -> String {
    let names: Vec<String> = shape.key_names().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}

fn widen(table: &str, mode: Mode, shape: &TableShape, found: &[Found]) -> Result<Vec<String>, LoadError> {
    let has_key = found.iter().any(|column| column.is_key);
    if has_key != (mode == Mode::Upsert) {
        let was = if has_key {
            "the newest state of a row"
        } else {
            "every state of a row"
        };
        return Err(schema(
            table,
            format!("it exists and keeps {was}; give this destination another table or schema"),
        ));
    }
    let mut statements = Vec::new();
    for column in &shape.columns {
        let wanted = declared(column.kind);
        match found.iter().find(|found| found.name == column.name) {
            Some(found) if found.declared == wanted => {}
            Some(found) => {
                let what = format!(
                    "column `{}` is {} and the rows hold {wanted}",
                    column.name, found.declared
                );
                return Err(schema(table, what));
            }
            None => statements.push(format!(
                "ALTER TABLE \"{table}\" ADD COLUMN \"{}\" {wanted}",
                column.name
            )),
        }
    }
    Ok(statements)
}

pub(crate) fn schema(table: &str, what: String) -> LoadError {
    LoadError::Schema {
        table: table.to_owned(),
        what,
    }
}
/// Counts the rows that are not deleted, through a session that only reads and makes no file.
pub(crate) fn rows(config: &Config, target: &Target) -> Result<Option<u64>, LoadError> {
    if !config.path.exists() {
        return Ok(None);
    }
    let session = Connection::open_with_flags(&config.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(error::from)?;
    session.busy_timeout(config.busy).map_err(error::from)?;
    let held = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let held: i64 = session
        .query_row(held, [&target.table], |row| row.get(0))
        .map_err(error::from)?;
    if held == 0 {
        return Ok(None);
    }
    let count = format!("SELECT count(*) FROM \"{}\" WHERE _deleted IS NOT 1", target.table);
    let rows: i64 = session.query_row(&count, [], |row| row.get(0)).map_err(error::from)?;
    Ok(u64::try_from(rows).ok())
}
