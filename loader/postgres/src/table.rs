//! Tables made, widened and described.

use tokio_postgres::types::Type;
use zenfloe_destination::{
    ColumnShape, ColumnType, LOADED_AT, LoadError, Mode, Role, TableShape, Target, current_view, legal_name,
};

use crate::session::{Parameter, Session};
use crate::sql::{list, literal};

/// A column as the database has it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// The type as the database writes it.
    pub(crate) declared: String,
    is_required: bool,
    is_key: bool,
    comment: Option<String>,
}

impl Found {
    /// Claims that a row that is gone keeps no value here.
    pub(crate) fn is_emptied(&self) -> bool {
        !self.is_required && self.name != LOADED_AT
    }
}

/// The type of a column, as the database writes it.
pub(crate) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long => "bigint",
        ColumnType::Int => "integer",
        ColumnType::Double => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "text",
        ColumnType::Timestamp => "timestamp with time zone",
        ColumnType::Date => "date",
        ColumnType::Json => "jsonb",
    }
}

/// The columns of a table in order; none when it does not exist.
pub(crate) async fn columns(session: &Session, table: &str) -> Result<Vec<Found>, LoadError> {
    let read = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            coalesce(a.attnum = ANY(i.indkey), false), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let names = [(&session.place.schema() as _, Type::TEXT), (&table as _, Type::TEXT)];
    let rows = session.query(read, &names).await?;
    let found = rows.iter().map(|row| Found {
        name: row.get(0),
        declared: row.get(1),
        is_required: row.get(2),
        is_key: row.get(3),
        comment: row.get(4),
    });
    Ok(found.collect())
}

/// Makes the table of a shape, or adds the columns that it lacks.
pub(crate) async fn prepare(session: &Session, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
    if !legal_name(&target.table) {
        return Err(schema(
            &target.table,
            "its name is not made of a-z, 0-9 and _, or too long".into(),
        ));
    }
    if changes(session, target, shape).await?.is_empty() {
        return Ok(());
    }
    let statements = session
        .alone(async || {
            let statements = changes(session, target, shape).await?;
            session.run(&statements.join("; ")).await?;
            Ok(statements.len())
        })
        .await?;
    tracing::info!(table = &*target.table, statements, "table made, widened or described");
    Ok(())
}

/// The statements that bring the table up to its shape.
async fn changes(session: &Session, target: &Target, shape: &TableShape) -> Result<Vec<String>, LoadError> {
    let found = columns(session, &target.table).await?;
    let name = session.place.table(&target.table);
    let mut statements = Vec::new();
    if found.is_empty() {
        statements.push(create(&name, target.mode, shape));
        if target.mode == Mode::Append {
            // Finds a row's states; not unique, so that a double would show.
            statements.push(format!(
                "CREATE INDEX ON {name} ({}, \"_version\")",
                list(shape.key_names())
            ));
        }
        if !shape.comment.is_empty() {
            statements.push(format!("COMMENT ON TABLE {name} IS {}", literal(&shape.comment)));
        }
    } else {
        statements = widen(target, &name, shape, &found)?;
    }
    statements.extend(view(session, target, found.len(), !statements.is_empty()).await?);
    statements.extend(comments(&name, shape, &found));
    Ok(statements)
}

/// The statement that makes the view of what is not deleted, or gives it the columns that the table has won.
async fn view(
    session: &Session,
    target: &Target,
    columns_of_table: usize,
    is_changed: bool,
) -> Result<Option<String>, LoadError> {
    let Some(view) = current_view(&target.table).filter(|_| target.mode == Mode::Upsert) else {
        return Ok(None);
    };
    let is_whole = !is_changed && columns(session, &view).await?.len() == columns_of_table;
    // A role that only writes into tables of others goes without.
    if is_whole || !(is_changed || may_create(session).await?) {
        return Ok(None);
    }
    Ok(Some(format!(
        "CREATE OR REPLACE VIEW {} AS SELECT * FROM {} WHERE _deleted IS NOT TRUE",
        session.place.table(&view),
        session.place.table(&target.table)
    )))
}

async fn may_create(session: &Session) -> Result<bool, LoadError> {
    let ask = "SELECT has_schema_privilege(current_user, $1, 'CREATE')";
    let rows = session
        .query(ask, &[(&session.place.schema() as _, Type::TEXT)])
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

fn create(name: &str, mode: Mode, shape: &TableShape) -> String {
    let define = |column: &ColumnShape| {
        let required = if column.role == Role::Data { "" } else { " NOT NULL" };
        format!("\"{}\" {}{required}", column.name, declared(column.kind))
    };
    let mut parts: Vec<String> = shape.columns.iter().map(define).collect();
    parts.push(format!("\"{LOADED_AT}\" timestamptz"));
    if mode == Mode::Upsert {
        parts.push(format!("PRIMARY KEY ({})", list(shape.key_names())));
    }
    format!("CREATE TABLE {name} ({})", parts.join(", "))
}

fn widen(target: &Target, name: &str, shape: &TableShape, found: &[Found]) -> Result<Vec<String>, LoadError> {
    let has_key = found.iter().any(|column| column.is_key);
    if has_key != (target.mode == Mode::Upsert) {
        let was = if has_key {
            "the newest state of a row"
        } else {
            "every state of a row"
        };
        let what = format!("it exists and keeps {was}; give this destination another table or schema");
        return Err(schema(&target.table, what));
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
                return Err(schema(&target.table, what));
            }
            None => statements.push(format!(
                "ALTER TABLE {name} ADD COLUMN IF NOT EXISTS \"{}\" {wanted}",
                column.name
            )),
        }
    }
    Ok(statements)
}

/// Describes the columns whose description is not, or no longer, the schema's.
fn comments(name: &str, shape: &TableShape, found: &[Found]) -> Vec<String> {
    let held = |column: &ColumnShape| found.iter().find(|found| found.name == column.name)?.comment.as_deref();
    let stale = shape
        .columns
        .iter()
        .filter(|column| held(column).unwrap_or_default() != column.comment);
    stale
        .map(|column| {
            format!(
                "COMMENT ON COLUMN {name}.\"{}\" IS {}",
                column.name,
                literal(&column.comment)
            )
        })
        .collect()
}

pub(crate) fn schema(table: &str, what: String) -> LoadError {
    LoadError::Schema {
        table: table.to_owned(),
        what,
    }
}
/// Above this many rows the planner's own estimate is told: counting would read the whole table.
const COUNTED: f32 = 1_000_000.0;

/// Counts the rows that are not deleted.
pub(crate) async fn rows(session: &Session, target: &Target) -> Result<Option<u64>, LoadError> {
    let estimate = "SELECT c.reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'";
    let name: &str = &target.table;
    let parameters: [Parameter<'_>; 2] = [(&session.place.schema(), Type::TEXT), (&name, Type::TEXT)];
    let found = session.query(estimate, &parameters).await?;
    let Some(estimate) = found.first().map(|row| row.get::<_, f32>(0)) else {
        return Ok(None);
    };
    if estimate > COUNTED {
        return Ok(Some(estimate as u64));
    }
    let count = format!(
        "SELECT count(*) FROM {} WHERE _deleted IS NOT TRUE",
        session.place.table(name)
    );
    let rows: i64 = session.query(&count, &[]).await?[0].get(0);
    Ok(u64::try_from(rows).ok())
}
