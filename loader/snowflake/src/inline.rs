//! A small batch as one JSON text, which a statement takes as its bound value.

use std::fmt::Write;
use std::ops::Range;

use parquet::data_type::ByteArray;
use zenfloe_destination::ColumnType;

use crate::columns::{Column, Columns, Values};
use crate::layout::Layout;
use crate::time::{days_text, micros_text};

/// Writes rows as arrays, `[[1,"a",null],…]`: times and dates as texts, JSON as the text that it is.
pub(crate) fn json(layout: &Layout, columns: &Columns, rows: Range<usize>) -> String {
    let kinds = layout.columns.iter().map(|column| column.kind).chain([ColumnType::Int]);
    let mut cursors: Vec<Cursor<'_>> = columns
        .columns
        .iter()
        .zip(kinds)
        .map(|(column, kind)| Cursor::at(column, kind, rows.start))
        .collect();
    let mut out = String::from("[");
    for row in rows.clone() {
        out.push_str(if row == rows.start { "[" } else { ",[" });
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if index > 0 {
                out.push(',');
            }
            cursor.write(row, &mut out);
        }
        out.push(']');
    }
    out.push(']');
    out
}

/// Walks the values of a column row by row.
struct Cursor<'c> {
    column: &'c Column,
    kind: ColumnType,
    next: usize,
}

impl<'c> Cursor<'c> {
    fn at(column: &'c Column, kind: ColumnType, row: usize) -> Self {
        let next = column.levels[..row].iter().filter(|level| **level == 1).count();
        Self { column, kind, next }
    }

    fn write(&mut self, row: usize, out: &mut String) {
        if self.column.levels[row] == 0 {
            out.push_str("null");
            return;
        }
        let at = self.next;
        self.next += 1;
        match (&self.column.values, self.kind) {
            (Values::Long(values), ColumnType::Timestamp) => quoted(&micros_text(values[at]), out),
            (Values::Int(values), ColumnType::Date) => quoted(&days_text(values[at]), out),
            (Values::Long(values), _) => display(values[at], out),
            (Values::Int(values), _) => display(values[at], out),
            (Values::Boolean(values), _) => display(values[at], out),
            (Values::Double(values), _) => double(values[at], out),
            (Values::Text(values), _) => quoted(text(&values[at]), out),
        }
    }
}

fn text(value: &ByteArray) -> &str {
    value.as_utf8().expect("decoded as UTF-8")
}

fn display(value: impl std::fmt::Display, out: &mut String) {
    write!(out, "{value}").expect("a String takes all");
}

/// JSON has no infinities and no NaN; their texts are converted to FLOAT like the rest.
fn double(value: f64, out: &mut String) {
    match value.is_finite() {
        true => out.push_str(&serde_json::Value::from(value).to_string()),
        false => quoted(&value.to_string(), out),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
