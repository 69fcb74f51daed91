//! Reads a database of the SQLite destination.

use std::path::Path;

use crate::compare::Reader;
use anyhow::Context as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params_from_iter};

/// A database of the SQLite destination, opened for reading.
pub struct Warehouse(Connection);

impl Warehouse {
    /// Opens the file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection =
            Connection::open_with_flags(path, flags).with_context(|| format!("opening {}", path.display()))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self(connection))
    }

    /// Shows every text of every table, with the table's name.
    pub fn each_text(&self, mut show: impl FnMut(&str, &[u8])) -> anyhow::Result<()> {
        let mut named = self.0.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let names: Vec<String> = named
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for name in names {
            let mut statement = self.0.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let count = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for index in 0..count {
                    if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(index)? {
                        show(&name, text);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Reader for Warehouse {
    fn row(
        &mut self,
        table: &str,
        key: &[(String, String)],
        columns: &[String],
    ) -> anyhow::Result<Option<Vec<Option<String>>>> {
        let list: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
        let wanted: Vec<String> = key.iter().map(|(name, _)| format!("\"{name}\" = ?")).collect();
        let query = format!(
            "SELECT {} FROM \"{table}\" WHERE {}",
            list.join(", "),
            wanted.join(" AND ")
        );
        let mut statement = self
            .0
            .prepare_cached(&query)
            .with_context(|| format!("table {table}"))?;
        let values = params_from_iter(key.iter().map(|(_, value)| value));
        let row = statement
            .query_row(values, |row| texts(row, columns.len()))
            .optional()?;
        Ok(row)
    }

    fn live(&mut self, table: &str) -> anyhow::Result<u64> {
        let query = format!("SELECT count(*) FROM \"{table}\" WHERE NOT \"_deleted\"");
        let count: i64 = self
            .0
            .query_row(&query, [], |row| row.get(0))
            .with_context(|| format!("table {table}"))?;
        Ok(u64::try_from(count)?)
    }

    fn comments(&mut self, table: &str) -> anyhow::Result<Vec<(String, String)>> {
        let query = "SELECT column_name, comment FROM _zenfloe_columns WHERE table_name = ?1";
        let mut statement = self.0.prepare(query)?;
        let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// The result of a query as aligned lines.
pub fn show(path: &Path, query: &str) -> anyhow::Result<Vec<String>> {
    let warehouse = Warehouse::open(path)?;
    let mut statement = warehouse.0.prepare(query)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let count = names.len();
    let rows = statement.query_map([], |row| texts(row, count))?;
    let mut lines = vec![line(names)];
    for row in rows {
        lines.push(line(row?.into_iter().map(Option::unwrap_or_default)));
    }
    Ok(lines)
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    cells
        .into_iter()
        .map(|cell| format!("{cell:<12}"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn texts(row: &Row<'_>, count: usize) -> rusqlite::Result<Vec<Option<String>>> {
    (0..count)
        .map(|index| {
            Ok(match row.get_ref(index)? {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Real(number) => Some(number.to_string()),
                ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
            })
        })
        .collect()
}
