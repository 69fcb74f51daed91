//! The transaction of a flush.

use rusqlite::{Connection, Statement, Transaction};
use zenfloe_destination::{
    DecodeError, Faults, Flush, LOADED_AT, LoadError, Loaded, Mode, RefusedRow, Role, Row, RowKind, STATE_COLUMNS,
    Segment, VERSION_COLUMNS, Value, json_without_nul, text_without_nul,
};

use crate::erase::refuse_behind;
use crate::error;
use crate::ledger::{Moved, begin, compare_and_swap};
use crate::suppress::{Rules, acting, clean_fence, enter_fence, index_scopes, rules};
use crate::table::{Found, columns};
use crate::time::{TimeText, date_text, now_text, time_text};

/// See [`zenfloe_destination::Destination::flush`].
pub(crate) fn flush(session: &mut Connection, faults: &Faults, flush: &Flush) -> Result<Loaded, LoadError> {
    if flush.covers.is_empty() {
        return Ok(Loaded::default());
    }
    index_scopes(session, flush)?;
    let now = now_text();
    faults.before_statement()?;
    let transaction = begin(session)?;
    faults.before_statement()?;
    if let Moved::Before = compare_and_swap(&transaction, flush, &now)? {
        return Ok(Loaded {
            repeated: true,
            ..Loaded::default()
        });
    }
    if !flush.segments.is_empty() {
        faults.before_statement()?;
        refuse_behind(&transaction, flush)?;
    }
    let mut loaded = Loaded::default();
    let found = columns(&transaction, &flush.target.table)?;
    for fence in acting(flush.target.mode, &flush.fences) {
        faults.before_statement()?;
        enter_fence(&transaction, &flush.target, fence)?;
        faults.before_statement()?;
        loaded.fenced += clean_fence(&transaction, &flush.target, &found, fence)?;
    }
    let mut refused = Vec::new();
    for segment in &flush.segments {
        faults.before_statement()?;
        let rules = rules(&transaction, &flush.target, &segment.shape)?;
        faults.before_statement()?;
        write(
            &transaction,
            flush,
            segment,
            &insert(flush, segment, &found, &rules),
            &now,
            &mut loaded,
            &mut refused,
        )?;
    }
    if !refused.is_empty() {
        return Err(LoadError::Refused {
            table: flush.target.table.to_string(),
            rows: refused,
        });
    }
    faults.before_statement()?;
    transaction.commit().map_err(error::from)?;
    faults.after_commit()?;
    Ok(loaded)
}

/// Parameters after those of the columns: when the row is written, and its extraction time as a number.
fn extra(segment: &Segment) -> (usize, usize) {
    let columns = segment.shape.columns.len();
    (columns + 1, columns + 2)
}

/// Claims that a segment writes the column: a row that is gone brings its key and version alone.
fn is_written(segment: &Segment, role: Role) -> bool {
    segment.kind == RowKind::Live || role != Role::Data
}

/// The statement that writes a row; parameter `n` is the column `n - 1` of the shape.
fn insert(flush: &Flush, segment: &Segment, found: &[Found], rules: &Rules) -> String {
    let (loaded_at, extracted) = extra(segment);
    let shape = &segment.shape;
    let (mut names, mut values, mut suppressed) = (Vec::new(), Vec::new(), String::new());
    let revision = 1 + shape
        .columns
        .iter()
        .position(|column| column.name == "_revision")
        .expect("checked by the shape");
    for (index, column) in shape
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| is_written(segment, column.role))
    {
        let parameter = index + 1;
        names.push(format!("\"{}\"", column.name));
        values.push(match rules.tightened.iter().find(|(name, _)| *name == column.name) {
            Some((_, first)) if column.role == Role::Data => {
                format!("CASE WHEN ?{revision} < {first} THEN NULL ELSE ?{parameter} END")
            }
            _ => format!("?{parameter}"),
        });
        if rules.scopes.contains(&column.name) {
            suppressed += &format!(
                " AND NOT EXISTS (SELECT 1 FROM _zenfloe_suppressed WHERE table_name = '{}' AND kind = 'rows'
                AND column_name = '{}' AND value = CAST(?{parameter} AS TEXT) AND (before_us IS NULL OR before_us > ?{extracted}))",
                flush.target.table, column.name
            );
        }
    }
    if flush.target.mode == Mode::Append && segment.is_rewritten {
        suppressed += &not_there(flush, segment);
    }
    let values = values.join(", ");
    // A SELECT costs a copy of each value, so it stands only where there is something to ask.
    let source = match suppressed.is_empty() {
        true => format!("VALUES ({values}, ?{loaded_at})"),
        false => format!("SELECT {values}, ?{loaded_at} WHERE ?{extracted} IS NOT NULL{suppressed}"),
    };
    format!(
        "INSERT INTO \"{}\" ({}, \"{LOADED_AT}\") {source}{}",
        flush.target.table,
        names.join(", "),
        conflict(flush, segment, found),
    )
}

/// A condition: the state is not in the table.
fn not_there(flush: &Flush, segment: &Segment) -> String {
    let columns = segment.shape.columns.iter().enumerate();
    let equal: Vec<String> = columns
        .filter(|(_, column)| column.role == Role::Key || STATE_COLUMNS.contains(&&*column.name))
        .map(|(index, column)| format!("\"{}\" = ?{}", column.name, index + 1))
        .collect();
    format!(
        " AND NOT EXISTS (SELECT 1 FROM \"{}\" WHERE {})",
        flush.target.table,
        equal.join(" AND ")
    )
}

/// What happens to the row that is there: it stays if it is newer.
fn conflict(flush: &Flush, segment: &Segment, found: &[Found]) -> String {
    if flush.target.mode == Mode::Append {
        return String::new();
    }
    let shape = &segment.shape;
    let key: Vec<String> = shape.key_names().map(|name| format!("\"{name}\"")).collect();
    let written = shape
        .columns
        .iter()
        .filter(|column| column.role != Role::Key && is_written(segment, column.role));
    let mut sets: Vec<String> = written
        .map(|column| format!("\"{0}\" = excluded.\"{0}\"", column.name))
        .collect();
    sets.push(format!("\"{LOADED_AT}\" = excluded.\"{LOADED_AT}\""));
    if segment.kind == RowKind::Delete {
        let emptied = found.iter().filter(|column| column.is_emptied());
        sets.extend(emptied.map(|column| format!("\"{}\" = NULL", column.name)));
    }
    let versions = |of: &str| VERSION_COLUMNS.map(|name| format!("{of}\"{name}\"")).join(", ");
    format!(
        " ON CONFLICT ({}) DO UPDATE SET {} WHERE ({}) >= ({})",
        key.join(", "),
        sets.join(", "),
        versions("excluded."),
        versions(&format!("\"{}\".", flush.target.table)),
    )
}

/// Why a row was not bound or not written.
enum Fault {
    Row(String),
    File(LoadError),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Row(error.to_string())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        if error::is_about_the_row(&error) {
            Self::Row(error.to_string())
        } else {
            Self::File(error::from(error))
        }
    }
}

fn write(
    transaction: &Transaction<'_>,
    flush: &Flush,
    segment: &Segment,
    sql: &str,
    now: &TimeText,
    loaded: &mut Loaded,
    refused: &mut Vec<RefusedRow>,
) -> Result<(), LoadError> {
    let mut statement = transaction.prepare_cached(sql).map_err(error::from)?;
    debug_assert!(
        flush
            .covers
            .iter()
            .any(|cover| cover.partition == segment.rows[0].partition)
    );
    let (loaded_at, extracted) = extra(segment);
    statement
        .raw_bind_parameter(loaded_at, now.as_str())
        .map_err(error::from)?;
    // Only a statement that asks for suppression has the parameter.
    let asks = statement.parameter_count() >= extracted;
    for row in &segment.rows {
        let written = bind(&mut statement, segment, row, &mut loaded.nul_replaced).and_then(|()| {
            if asks {
                statement.raw_bind_parameter(extracted, row.version.extracted_at)?;
            }
            Ok(statement.raw_execute()?)
        });
        match written {
            Ok(count) => loaded.written += count as u64,
            Err(Fault::Row(detail)) => refused.push(RefusedRow {
                partition: row.partition,
                offset: row.offset,
                detail,
            }),
            Err(Fault::File(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Binds the values of a row straight from its bytes.
fn bind(statement: &mut Statement<'_>, segment: &Segment, row: &Row, nul: &mut u64) -> Result<(), Fault> {
    let shape = &segment.shape;
    shape.read(&row.body, |index, value| {
        let column = &shape.columns[index];
        if !is_written(segment, column.role) {
            return Ok(());
        }
        let at = index + 1;
        let unwritable = || {
            Fault::Row(format!(
                "column `{}` holds a time outside the years 1 to 9999",
                column.name
            ))
        };
        match value {
            Value::Null => statement.raw_bind_parameter(at, rusqlite::types::Null)?,
            Value::Long(long) => statement.raw_bind_parameter(at, long)?,
            Value::Int(int) => statement.raw_bind_parameter(at, int)?,
            Value::Double(double) => statement.raw_bind_parameter(at, double)?,
            Value::Boolean(boolean) => statement.raw_bind_parameter(at, boolean)?,
            Value::Timestamp(micros) => {
                statement.raw_bind_parameter(at, time_text(micros).ok_or_else(unwritable)?.as_str())?;
            }
            Value::Date(days) => statement.raw_bind_parameter(at, date_text(days).ok_or_else(unwritable)?.as_str())?,
            Value::Text(text) => {
                let (text, replaced) = text_without_nul(text);
                *nul += replaced;
                statement.raw_bind_parameter(at, &*text)?;
            }
            Value::Json(json) => {
                let (json, replaced) = json_without_nul(json);
                *nul += replaced;
                statement.raw_bind_parameter(at, &*json)?;
            }
        }
        Ok(())
    })
}
