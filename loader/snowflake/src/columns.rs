//! Some thousand rows, column by column: decoded once, written as Parquet or as JSON.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use bytes::Bytes;
use parquet::data_type::ByteArray;
use zenfloe_destination::{ColumnType, DecodeError, Role, Row, RowKind, Value, json_without_nul, text_without_nul};

use crate::layout::Layout;
use crate::time;

/// The values of a column that are not null, and which are.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// 1 where there is a value: Parquet's definition levels.
    pub(crate) levels: Vec<i16>,
    pub(crate) values: Values,
}

/// Values of one type as Parquet stores them.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Long(Vec<i64>),
    Int(Vec<i32>),
    Double(Vec<f64>),
    Boolean(Vec<bool>),
    Text(Vec<ByteArray>),
}

/// Rows of a layout. The last column is [`crate::layout::KIND`].
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    /// NULs replaced in texts.
    pub(crate) nul_replaced: u64,
}

/// Why a row is not taken. Names a column, never a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("column `{column}` {what}")]
    Value { column: String, what: &'static str },
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        let values = match kind {
            ColumnType::Long | ColumnType::Timestamp => Values::Long(Vec::new()),
            ColumnType::Int | ColumnType::Date => Values::Int(Vec::new()),
            ColumnType::Double => Values::Double(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Text | ColumnType::Json => Values::Text(Vec::new()),
        };
        Self {
            levels: Vec::new(),
            values,
        }
    }

    /// Keeps the first rows.
    fn truncate(&mut self, rows: usize) {
        self.levels.truncate(rows);
        let kept = self.levels.iter().filter(|level| **level == 1).count();
        match &mut self.values {
            Values::Long(values) => values.truncate(kept),
            Values::Int(values) => values.truncate(kept),
            Values::Double(values) => values.truncate(kept),
            Values::Boolean(values) => values.truncate(kept),
            Values::Text(values) => values.truncate(kept),
        }
    }

    fn clear(&mut self) {
        self.truncate(0);
    }
}

impl Columns {
    pub(crate) fn new(layout: &Layout) -> Self {
        let mut columns: Vec<Column> = layout.columns.iter().map(|column| Column::new(column.kind)).collect();
        columns.push(Column::new(ColumnType::Int));
        Self {
            columns,
            rows: 0,
            nul_replaced: 0,
        }
    }

    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.rows = 0;
    }

    /// Takes a row of the layout's schema `number`; after a refusal it is as before.
    pub(crate) fn push(&mut self, layout: &Layout, number: usize, row: &Row) -> Result<(), Refusal> {
        let pushed = self.push_values(layout, number, row);
        match pushed {
            Ok(()) => self.rows += 1,
            Err(_) => self.columns.iter_mut().for_each(|column| column.truncate(self.rows)),
        }
        pushed
    }

    fn push_values(&mut self, layout: &Layout, number: usize, row: &Row) -> Result<(), Refusal> {
        let known = &layout.shapes[number];
        let is_gone = row.kind == RowKind::Delete;
        let (columns, nul) = (&mut self.columns, &mut self.nul_replaced);
        known.shape.read(&row.body, |index, value| {
            let place = known.places[index];
            // A row that is gone brings its key and version alone.
            let value = match layout.columns[place].role {
                Role::Data if is_gone => Value::Null,
                _ => value,
            };
            put(&mut columns[place], &row.body, value, nul).map_err(|what| Refusal::Value {
                column: layout.columns[place].name.clone(),
                what,
            })
        })?;
        for place in &known.lacks {
            columns[*place].levels.push(0);
        }
        let last = columns.last_mut().expect("a layout has columns");
        put(last, &row.body, Value::Int(Layout::kind(number, is_gone)), nul).expect("a number is taken");
        Ok(())
    }
}

impl Columns {
    /// The hash of the key of the row that was taken last.
    pub(crate) fn hash_of_last_key(&self, layout: &Layout, hasher: &RandomState) -> u64 {
        let mut hash = hasher.build_hasher();
        for key in &layout.key {
            match &self.columns[*key].values {
                Values::Long(values) => values.last().hash(&mut hash),
                Values::Int(values) => values.last().hash(&mut hash),
                Values::Double(values) => values.last().map(|value| value.to_bits()).hash(&mut hash),
                Values::Boolean(values) => values.last().hash(&mut hash),
                Values::Text(values) => values.last().map(ByteArray::data).hash(&mut hash),
            }
        }
        hash.finish()
    }
}

/// Puts a value behind the others; texts without a NUL stay where they are, in the row's body.
fn put(column: &mut Column, body: &Bytes, value: Value<'_>, nul: &mut u64) -> Result<(), &'static str> {
    match (&mut column.values, value) {
        (_, Value::Null) => {
            column.levels.push(0);
            return Ok(());
        }
        (Values::Long(values), Value::Long(value)) => values.push(value),
        (Values::Long(values), Value::Timestamp(value)) => {
            values.push(time::checked_micros(value).ok_or("holds a time outside the years 1 to 9999")?);
        }
        (Values::Int(values), Value::Int(value)) => values.push(value),
        (Values::Int(values), Value::Date(value)) => {
            values.push(time::checked_days(value).ok_or("holds a date outside the years 1 to 9999")?);
        }
        (Values::Double(values), Value::Double(value)) => values.push(value),
        (Values::Boolean(values), Value::Boolean(value)) => values.push(value),
        (Values::Text(values), Value::Text(text)) => {
            let (text, replaced) = text_without_nul(text);
            *nul += replaced;
            values.push(array(body, text));
        }
        (Values::Text(values), Value::Json(json)) => {
            let (json, replaced) = json_without_nul(json);
            if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_err() {
                return Err("holds no JSON");
            }
            *nul += replaced;
            values.push(array(body, json));
        }
        _ => return Err("has two types in one batch"),
    }
    column.levels.push(1);
    Ok(())
}

fn array(body: &Bytes, text: std::borrow::Cow<'_, str>) -> ByteArray {
    match text {
        std::borrow::Cow::Borrowed(text) => body.slice_ref(text.as_bytes()).into(),
        std::borrow::Cow::Owned(text) => text.into_bytes().into(),
    }
}

impl Columns {
    /// Appends the rows for which `keep` holds to another group of the same layout.
    pub(crate) fn append_to(&self, other: &mut Self, keep: impl Fn(usize) -> bool) {
        for (from, to) in self.columns.iter().zip(&mut other.columns) {
            let mut at = 0;
            for (row, level) in from.levels.iter().enumerate() {
                let kept = keep(row);
                if kept {
                    to.levels.push(*level);
                }
                if *level == 1 {
                    if kept {
                        to.values.push_from(&from.values, at);
                    }
                    at += 1;
                }
            }
        }
        other.rows += (0..self.rows).filter(|row| keep(*row)).count();
    }
}

impl Values {
    fn push_from(&mut self, other: &Self, at: usize) {
        match (self, other) {
            (Self::Long(to), Self::Long(from)) => to.push(from[at]),
            (Self::Int(to), Self::Int(from)) => to.push(from[at]),
            (Self::Double(to), Self::Double(from)) => to.push(from[at]),
            (Self::Boolean(to), Self::Boolean(from)) => to.push(from[at]),
            (Self::Text(to), Self::Text(from)) => to.push(from[at].clone()),
            _ => unreachable!("columns of one layout have one type"),
        }
    }
}
