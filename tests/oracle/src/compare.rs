//! Compares a destination's tables, row by row and column by column, with what an account holds.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use zenfloe_catalog::{Catalog, Collection, Column, ColumnType, Rows, Table};

use crate::oracle::{Cell, Oracle, Row};
use crate::redacted::{is_redaction_of, is_redaction_of_json};

/// Gives the rows of one table of a destination, each column as text.
pub trait Reader {
    /// The row of a key: the columns asked for, in their order, as text; `None` where there is no row.
    fn row(
        &mut self,
        table: &str,
        key: &[(String, String)],
        columns: &[String],
    ) -> anyhow::Result<Option<Vec<Option<String>>>>;

    /// The rows of a table that are not marked as deleted.
    fn live(&mut self, table: &str) -> anyhow::Result<u64>;

    /// The columns of a table with what is said about each.
    fn comments(&mut self, table: &str) -> anyhow::Result<Vec<(String, String)>>;
}

/// The latest state of one record of the account.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The record with its sideloads.
    pub record: Value,
    /// It has disappeared silently.
    pub is_removed: bool,
    /// It came and went without having been published: there is no row of it.
    pub is_unseen: bool,
    /// It hangs on a record that was erased: its rows keep their keys alone, or never came.
    pub is_wiped: bool,
}

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows that must be there, by table; marked ones included.
    pub rows: BTreeMap<String, u64>,
    /// Rows among them that must be live, by table.
    pub live: BTreeMap<String, u64>,
    /// Cells that were compared.
    pub cells: u64,
    /// What differs: table, key, column and the kind of difference; the first of them.
    pub differences: Vec<String>,
    /// How many there are.
    pub different: u64,
}

/// Differences that are told one by one.
const TOLD: usize = 20;

impl Report {
    fn differ(&mut self, what: impl FnOnce() -> String) {
        self.different += 1;
        if self.differences.len() < TOLD {
            self.differences.push(what());
        }
    }
}

/// Compares the tables that one collection feeds; adds to `report`.
pub fn compare(
    oracle: &Oracle,
    collection: &Collection,
    truths: impl IntoIterator<Item = Truth>,
    reader: &mut dyn Reader,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut live: HashMap<&str, u64> = HashMap::new();
    for truth in truths.into_iter().filter(|truth| !truth.is_unseen) {
        for table in &collection.tables {
            for row in oracle.rows(collection, table, &truth.record) {
                let row = if truth.is_removed || truth.is_wiped {
                    gone(row, table)
                } else {
                    row
                };
                if truth.is_wiped && !is_there(table, &row, reader)? {
                    continue;
                }
                *report.rows.entry(table.name.clone()).or_default() += 1;
                *live.entry(&table.name).or_default() += u64::from(!row.deleted);
                compare_row(table, &row, reader, report)?;
            }
        }
    }
    for table in &collection.tables {
        let expected = live.get(table.name.as_str()).copied().unwrap_or(0);
        let found = reader.live(&table.name)?;
        report.live.insert(table.name.clone(), expected);
        if found != expected {
            report.differ(|| format!("{}: {found} live rows, {expected} expected", table.name));
        }
    }
    Ok(())
}

fn is_there(table: &Table, row: &Row, reader: &mut dyn Reader) -> anyhow::Result<bool> {
    let key: Vec<_> = table.key.iter().cloned().zip(row.key.iter().cloned()).collect();
    Ok(reader.row(&table.name, &key, &["_deleted".to_owned()])?.is_some())
}

/// A row that is gone keeps its key alone.
fn gone(mut row: Row, table: &Table) -> Row {
    for (name, cell) in &mut row.cells {
        if !table.key.contains(name) {
            *cell = Cell::Null;
        }
    }
    row.deleted = true;
    row
}

fn compare_row(table: &Table, row: &Row, reader: &mut dyn Reader, report: &mut Report) -> anyhow::Result<()> {
    let key: Vec<_> = table.key.iter().cloned().zip(row.key.iter().cloned()).collect();
    let mut columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    columns.push("_deleted".into());
    let place = || format!("{} {}", table.name, row.key.join("/"));
    let Some(found) = reader.row(&table.name, &key, &columns)? else {
        report.differ(|| format!("{}: no row", place()));
        return Ok(());
    };
    for (column, value) in table.columns.iter().zip(&found) {
        report.cells += 1;
        let expected = &row.cells[&column.name];
        if let Err(what) = cell(column, expected, value.as_deref()) {
            report.differ(|| format!("{} `{}`: {what}", place(), column.name));
        }
    }
    let marked = found.last().and_then(Option::as_deref).and_then(boolean);
    if marked != Some(row.deleted) {
        report.differ(|| format!("{} `_deleted`: {marked:?}, expected {}", place(), row.deleted));
    }
    Ok(())
}

/// Says how a cell differs; shows values only of columns that are not personal.
fn cell(column: &Column, expected: &Cell, found: Option<&str>) -> Result<(), String> {
    let Some(found) = found else {
        return match expected {
            Cell::Null => Ok(()),
            _ => Err("null, a value expected".into()),
        };
    };
    let equal = match expected {
        Cell::Null => false,
        Cell::Boolean(expected) => boolean(found) == Some(*expected),
        Cell::Long(expected) => long(column.r#type, found) == Some(*expected),
        Cell::Double(expected) => found.parse() == Ok(*expected),
        Cell::Text(expected) => found == without_nul(expected),
        Cell::Json(expected) => serde_json::from_str::<Value>(found).is_ok_and(|found| found == *expected),
        Cell::Redacted(expected) => is_redaction_of(found, &without_nul(expected)),
        Cell::RedactedJson(expected) => {
            serde_json::from_str(found).is_ok_and(|found: Value| is_redaction_of_json(&found, expected))
        }
    };
    match (equal, expected) {
        (true, _) => Ok(()),
        (false, Cell::Null) => Err("a value, null expected".into()),
        (false, Cell::Boolean(_) | Cell::Long(_) | Cell::Double(_)) => Err(format!("`{found}`, expected {expected:?}")),
        (false, _) => Err(format!("another text of {} characters", found.chars().count())),
    }
}

/// Destinations replace NUL.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "true" | "TRUE" => Some(true),
        "0" | "f" | "false" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number; times as microseconds and dates as days since 1970.
fn long(kind: ColumnType, text: &str) -> Option<i64> {
    match kind {
        ColumnType::Timestamp => micros(text),
        ColumnType::Date => {
            let date: jiff::civil::Date = text.parse().ok()?;
            Some(i64::from(date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days()))
        }
        _ => text.parse().ok(),
    }
}

/// `2026-01-31 23:59:59.000001`, with or without a fraction and an offset, UTC where there is none.
fn micros(text: &str) -> Option<i64> {
    let zoned = match text.get(10..)?.contains(['+', 'Z', '-']) {
        true => text.to_owned(),
        false => format!("{text}Z"),
    };
    let timestamp: jiff::Timestamp = zoned.parse().ok()?;
    Some(timestamp.as_microsecond())
}

/// The collection of a name in the built-in catalog.
///
/// Panics for a name that it does not have: the caller's mistake.
pub fn collection(name: &str) -> &'static Collection {
    Catalog::builtin().collection(name).expect("the catalog has it")
}

/// Claims that rows of the table may go by the absence from their parent's set.
pub fn goes_by_absence(table: &Table) -> bool {
    table.set_of.is_some() && matches!(table.rows, Rows::Each { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenRoot;
    use serde_json::json;

    struct Held(BTreeMap<String, BTreeMap<String, Option<String>>>);

    impl Reader for Held {
        fn row(
            &mut self,
            _table: &str,
            key: &[(String, String)],
            columns: &[String],
        ) -> anyhow::Result<Option<Vec<Option<String>>>> {
            let row = self.0.get(&key[0].1);
            Ok(row.map(|row| columns.iter().map(|name| row.get(name).cloned().flatten()).collect()))
        }

        fn live(&mut self, _table: &str) -> anyhow::Result<u64> {
            let live = self.0.values().filter(|row| row["_deleted"].as_deref() == Some("0"));
            Ok(live.count() as u64)
        }

        fn comments(&mut self, _table: &str) -> anyhow::Result<Vec<(String, String)>> {
            Ok(Vec::new())
        }
    }

    fn group(id: i64) -> BTreeMap<String, Option<String>> {
        let cell = |name: &str, text: &str| (name.to_owned(), Some(text.to_owned()));
        BTreeMap::from([
            cell("id", &id.to_string()),
            cell("name", "Support of [email:k1_abcdefghijklmnopqrstuvwxyz]"),
            cell("default", "1"),
            cell("created_at", "2026-01-01 00:00:00.000000"),
            cell("_deleted", "0"),
        ])
    }

    fn report(rows: &[(i64, BTreeMap<String, Option<String>>)], removed: bool) -> Report {
        let oracle = Oracle {
            source: "acme".into(),
            erased: Default::default(),
            root: TokenRoot::parse(&format!("t\n1 {}\n", data_encoding::BASE64.encode(&[7; 32]))),
        };
        let record = json!({"id": 1, "name": "Support of ann@example.com", "default": true, "created_at": "2026-01-01T00:00:00Z"});
        let truth = Truth {
            record,
            is_removed: removed,
            is_unseen: false,
            is_wiped: false,
        };
        let mut held = Held(rows.iter().map(|(id, row)| (id.to_string(), row.clone())).collect());
        let mut report = Report::default();
        compare(&oracle, collection("groups"), [truth], &mut held, &mut report).expect("it can be read");
        report
    }

    #[test]
    fn equal_tables_do_not_differ() {
        let report = report(&[(1, group(1))], false);
        assert_eq!(report.different, 0, "{:?}", report.differences);
        assert_eq!(report.rows["groups"], 1);
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let with = |name: &str, text: Option<&str>| {
            let mut row = group(1);
            row.insert(name.into(), text.map(str::to_owned));
            report(&[(1, row)], false)
        };
        assert_eq!(report(&[], false).different, 2, "a lost row");
        assert_eq!(
            report(&[(1, group(1)), (2, group(2))], false).different,
            1,
            "one too many"
        );
        assert!(report(&[(1, group(1))], true).different > 1, "not marked");
        assert_eq!(with("default", Some("0")).different, 1);
        assert_eq!(with("default", None).different, 1);
        assert_eq!(with("is_public", Some("1")).different, 1);
        assert_eq!(with("created_at", Some("2026-01-01 00:00:00.000001")).different, 1);
        assert_eq!(
            with("name", Some("Support of [email:k1_abcdefghijklmnopqrstuvwxyz] and")).different,
            1
        );
        assert_eq!(with("name", Some("Support of ")).different, 1);
    }
}
