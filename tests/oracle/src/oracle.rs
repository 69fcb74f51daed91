//! The rows that a record must become.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zenfloe_catalog::{
    Action, Class, Collection, Column, ColumnType, Condition, Expected, Operation, Path, Rows, Step, Table,
};

use crate::token::TokenRoot;

/// What a cell of the destination must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number; times in microseconds, dates in days since 1970.
    Long(i64),
    /// A number.
    Double(f64),
    /// This text.
    Text(String),
    /// JSON that equals this value.
    Json(Value),
    /// Text made from this one by replacing personal spans.
    Redacted(String),
    /// JSON made from this one by replacing personal spans within its strings.
    RedactedJson(Value),
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The parts of the primary key.
    pub key: Vec<String>,
    /// Cells by column; of a row that is gone for good its key alone.
    pub cells: BTreeMap<String, Cell>,
    /// What `_deleted` must say.
    pub deleted: bool,
}

/// Works out rows.
pub struct Oracle {
    /// The source, which is the domain of its tokens.
    pub source: String,
    /// The key of the tokens.
    pub root: TokenRoot,
    /// Who was deleted for good.
    pub erased: Erased,
}

/// Users whom Zendesk deleted for good.
#[derive(Default)]
pub struct Erased {
    users: BTreeSet<i64>,
    tokens: BTreeSet<String>,
}

impl Erased {
    /// Finds them among user records; `values` are all that identify anyone, each with its user.
    pub fn of<'r>(
        records: impl IntoIterator<Item = &'r Value>,
        values: impl IntoIterator<Item = (i64, String)>,
        source: &str,
        root: &TokenRoot,
    ) -> Self {
        const KINDS: [Class; 4] = [Class::Email, Class::Phone, Class::Person, Class::Handle];
        let is_erased = |user: &&Value| user["permanently_deleted"] == true;
        let users: BTreeSet<i64> = records
            .into_iter()
            .filter(is_erased)
            .filter_map(|user| user["id"].as_i64())
            .collect();
        let tokens = values
            .into_iter()
            .filter(|(user, _)| users.contains(user))
            .flat_map(|(_, value)| KINDS.map(|class| root.token(source, class, &value)))
            .collect();
        Self { users, tokens }
    }
}

impl Oracle {
    /// Returns the rows of one table that a record must become.
    pub fn rows(&self, collection: &Collection, table: &Table, record: &Value) -> Vec<Row> {
        let deleted = collection
            .record
            .deleted
            .iter()
            .any(|condition| holds(condition, record));
        let erased_when = &collection.record.erased;
        let erased = !erased_when.is_empty() && erased_when.iter().all(|condition| holds(condition, record));
        // Of a record that is gone for good every row is wiped whose key it tells, served or not.
        let is_told = |name: &String| {
            table
                .columns
                .iter()
                .any(|held| &held.name == name && held.path.from_record)
        };
        let elements: Vec<Element<'_>> = match &table.rows {
            Rows::Each { arrays, or_record } => each(arrays, *or_record, record),
            whole => Self::whole(whole, record, erased && table.key.iter().all(is_told))
                .into_iter()
                .map(Element::of)
                .collect(),
        };
        elements
            .into_iter()
            .map(|element| self.row(table, record, element, deleted || erased, erased))
            .collect()
    }

    /// The objects of a table that is fed by no array.
    fn whole<'v>(rows: &Rows, record: &'v Value, is_wiped: bool) -> Vec<&'v Value> {
        match rows {
            Rows::Record => vec![record],
            Rows::RecordWith(path) => present(path, record)
                .filter(|held| !held.is_null())
                .map(|_| record)
                .into_iter()
                .collect(),
            Rows::RecordUnless(path) => match present(path, record).filter(|held| !held.is_null()) {
                None => vec![record],
                Some(_) => Vec::new(),
            },
            Rows::Object(_) if is_wiped => vec![record],
            Rows::Object(path) => present(path, record).into_iter().collect(),
            Rows::Each { .. } => Vec::new(),
        }
    }

    fn row(&self, table: &Table, record: &Value, element: Element<'_>, deleted: bool, erased: bool) -> Row {
        let mut cells: BTreeMap<String, Cell> = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), self.cell(column, record, element)))
            .collect();
        let key = table.key.iter().map(|name| key_text(&cells[name])).collect();
        if erased {
            for (name, cell) in &mut cells {
                if !table.key.contains(name) {
                    *cell = Cell::Null;
                }
            }
        }
        self.without_erased(table, Row { key, cells, deleted })
    }

    /// A row of somebody who was erased keeps its key alone; texts that such a user wrote are gone, what describes such
    /// a user as sender too, and so are the tokens of all that identified somebody, wherever they stand.
    fn without_erased(&self, table: &Table, mut row: Row) -> Row {
        let is_erased = |column: &Option<String>| {
            let cell = column.as_ref().and_then(|column| row.cells.get(column));
            matches!(cell, Some(Cell::Long(id)) if self.erased.users.contains(id))
        };
        let (is_own, is_author) = (is_erased(&table.erase.person), is_erased(&table.erase.author));
        let is_sender = is_erased(&table.erase.sender.as_ref().map(|sender| sender.id.clone()));
        for column in &table.columns {
            let is_text = column.class == Class::Text && column.r#type == ColumnType::String;
            let is_token = matches!(&row.cells[&column.name], Cell::Text(text) if self.erased.tokens.contains(text));
            let is_described = is_sender && table.erase.described().any(|described| described == &column.name);
            let is_lost =
                is_token || is_described || (is_own && !table.key.contains(&column.name)) || (is_author && is_text);
            if is_lost {
                row.cells.insert(column.name.clone(), Cell::Null);
            }
        }
        row.deleted |= is_own;
        row
    }

    /// What an event says of the field that it changed, as the field's own column would show it.
    fn changed(&self, column: &Column, event: &Value) -> Cell {
        let kind = event.get("event_type").and_then(Value::as_str);
        if !matches!(kind, Some("Create" | "Change")) {
            return Cell::Null;
        }
        let Some((field, changed)) = column
            .changes
            .iter()
            .find(|(_, changed)| present(&changed.path, event).is_some())
        else {
            return Cell::Null;
        };
        if column.op == Some(Operation::ChangedField) {
            return Cell::Text(field.clone());
        }
        let at = if column.path.steps.is_empty() {
            present(&changed.path, event)
        } else {
            event.get("previous_value")
        };
        let Some(value) = at.filter(|value| !value.is_null()) else {
            return Cell::Null;
        };
        match (changed.action, value) {
            (Action::Clear, value) => Cell::Text(text(value)),
            (Action::Redact, Value::String(text)) => Cell::Redacted(text.clone()),
            (Action::Redact, value) => Cell::RedactedJson(value.clone()),
            (Action::Token, Value::String(text)) if text.trim().is_empty() => Cell::Null,
            (Action::Token, Value::String(text)) => Cell::Text(self.root.token(&self.source, changed.class, text)),
            (Action::Token, value) => Cell::RedactedJson(value.clone()),
            (Action::Coarse | Action::Drop, _) => Cell::Null,
        }
    }

    fn cell(&self, column: &Column, record: &Value, element: Element<'_>) -> Cell {
        if matches!(column.op, Some(Operation::Changed | Operation::ChangedField)) {
            return self.changed(column, element.row);
        }
        let Some(value) = find(&column.path, record, element).filter(|value| !value.is_null()) else {
            return Cell::Null;
        };
        match (column.action, column.r#type) {
            (Action::Drop, _) => Cell::Null,
            (Action::Token, _) => match text(value) {
                text if text.trim().is_empty() => Cell::Null,
                text => Cell::Text(self.root.token(&self.source, class_of(column, record, element), &text)),
            },
            (Action::Redact, ColumnType::Json) => Cell::RedactedJson(value.clone()),
            (Action::Redact, _) => Cell::Redacted(text(value)),
            (_, kind) => clear(kind, column.op, value),
        }
    }
}

/// The object that is a row, and the one within whose array it stands.
#[derive(Clone, Copy)]
struct Element<'v> {
    row: &'v Value,
    above: &'v Value,
}

impl<'v> Element<'v> {
    fn of(row: &'v Value) -> Self {
        Self { row, above: row }
    }
}

/// The elements of arrays, and the record where the first of them is empty.
fn each<'v>(arrays: &[Path], or_record: bool, record: &'v Value) -> Vec<Element<'v>> {
    let mut all: Vec<Element<'v>> = arrays.iter().flat_map(|array| elements(&array.steps, record)).collect();
    let is_empty = |array: &Path| {
        present(&array.keys_alone(), record)
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
    };
    if or_record && arrays.first().is_some_and(is_empty) {
        all.push(Element::of(record));
    }
    all
}

/// All elements to which steps lead, each with the one around it.
fn elements<'v>(steps: &[Step], record: &'v Value) -> Vec<Element<'v>> {
    let mut reached = vec![Element::of(record)];
    let mut ahead = steps.iter().peekable();
    while let Some(step) = ahead.next() {
        let Step::Key(key) = step else { continue };
        let mut wanted = Vec::new();
        while let Some(Step::Element { key, value }) = ahead.peek() {
            wanted.push((key, value));
            ahead.next();
        }
        let is_wanted = |held: &&Value| {
            wanted
                .iter()
                .all(|(key, value)| held.get(key).and_then(Value::as_str) == Some(value))
        };
        let within = |from: &Element<'v>| {
            let above = from.row;
            let held = above
                .get(key)
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            held.iter()
                .filter(is_wanted)
                .map(|row| Element { row, above })
                .collect::<Vec<_>>()
        };
        reached = reached.iter().flat_map(within).collect();
    }
    reached
}

/// The class of a column's value, which a field beside it may tell.
fn class_of(column: &Column, record: &Value, element: Element<'_>) -> Class {
    let Some(by) = &column.class_by else {
        return column.class;
    };
    let told = find(&by.path, record, element).and_then(Value::as_str);
    told.and_then(|text| by.cases.get(text))
        .copied()
        .unwrap_or(column.class)
}

fn clear(kind: ColumnType, op: Option<Operation>, value: &Value) -> Cell {
    match (kind, op) {
        (_, Some(Operation::EpochSeconds)) => Cell::Long(number(value) * 1_000_000),
        (_, Some(Operation::Minutes)) => minutes(value),
        (_, Some(Operation::Slug)) => Cell::Text(slug(&text(value))),
        (_, Some(Operation::Label)) => match value {
            Value::Object(object) => object
                .get("channel")
                .and_then(Value::as_str)
                .map_or(Cell::Null, |held| Cell::Text(held.into())),
            other => Cell::Text(text(other)),
        },
        (ColumnType::Long, _) => Cell::Long(number(value)),
        (ColumnType::Double, _) => Cell::Double(value.as_f64().expect("a number")),
        (ColumnType::Boolean, _) => Cell::Boolean(value.as_bool().expect("a truth value")),
        (ColumnType::String, _) => Cell::Text(text(value)),
        (ColumnType::Timestamp, _) => {
            Cell::Long(text(value).parse::<jiff::Timestamp>().expect("a time").as_microsecond())
        }
        (ColumnType::Date, _) => {
            let date: jiff::civil::Date = text(value).parse().expect("a date");
            let epoch = jiff::civil::date(1970, 1, 1);
            Cell::Long(i64::from(date.since(epoch).expect("within years").get_days()))
        }
        (ColumnType::Json, _) => Cell::Json(value.clone()),
    }
}

fn minutes(value: &Value) -> Cell {
    [("minutes", 1), ("hours", 60), ("days", 1_440)]
        .into_iter()
        .find_map(|(unit, factor)| {
            value
                .get(unit)
                .filter(|held| !held.is_null())
                .map(|held| number(held) * factor)
        })
        .map_or(Cell::Null, Cell::Long)
}

/// Lower case ASCII letters and digits, `_` between words.
pub(crate) fn slug(title: &str) -> String {
    let folded: String = title
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join("_")
}

fn number(value: &Value) -> i64 {
    value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .expect("a whole number")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn key_text(cell: &Cell) -> String {
    match cell {
        Cell::Long(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        other => panic!("no key: {other:?}"),
    }
}

fn holds(condition: &Condition, record: &Value) -> bool {
    let value = present(&condition.path, record);
    match &condition.is {
        Expected::Text(wanted) => value.and_then(Value::as_str) == Some(wanted),
        Expected::Bool(wanted) => value.and_then(Value::as_bool) == Some(*wanted),
        Expected::Present => value.is_some_and(|held| !held.is_null()),
    }
}

fn present<'v>(path: &Path, record: &'v Value) -> Option<&'v Value> {
    find(path, record, Element::of(record))
}

fn find<'v>(path: &Path, record: &'v Value, element: Element<'v>) -> Option<&'v Value> {
    let start = match (path.from_record, path.from_above) {
        (true, _) => record,
        (_, true) => element.above,
        _ => element.row,
    };
    path.steps.iter().try_fold(start, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Element { key, value } => at
            .as_array()?
            .iter()
            .find(|held| held.get(key).map(text).as_deref() == Some(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zenfloe_catalog::Catalog;

    fn oracle() -> Oracle {
        let file = format!("zenfloe token keys\n1 {}\n", data_encoding::BASE64.encode(&[7; 32]));
        Oracle {
            source: "acme".into(),
            erased: Default::default(),
            root: TokenRoot::parse(&file),
        }
    }

    #[test]
    fn a_tickets_clocks_become_one_row_of_minutes() {
        let (collection, table) = Catalog::builtin().table("ticket_slas").expect("in the catalog");
        let ticket = json!({"id": 42, "slas": {"policy_metrics": [
            {"metric": "agent_work_time", "stage": "active", "breach_at": "2026-01-01T00:00:00Z", "hours": -2}]}});
        let rows = oracle().rows(collection, table, &ticket);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].key, ["42"]);
        assert_eq!(rows[0].cells["agent_work_time_minutes"], Cell::Long(-120));
        assert_eq!(
            rows[0].cells["agent_work_time_breach_at"],
            Cell::Long(1_767_225_600_000_000)
        );
        assert_eq!(rows[0].cells["first_reply_time_stage"], Cell::Null);
        assert!(
            oracle().rows(collection, table, &json!({"id": 42})).is_empty(),
            "an absent sideload gives no row"
        );
        let nulls = oracle().rows(collection, table, &json!({"id": 42, "slas": null}));
        assert_eq!(
            nulls[0].cells["policy_metrics"],
            Cell::Null,
            "a null one a row of nulls"
        );
    }

    #[test]
    fn an_identitys_token_is_of_the_class_that_its_type_tells() {
        let (collection, table) = Catalog::builtin().table("user_identities").expect("in the catalog");
        let value = "qanary.zfc@canary-mail.example";
        let user = json!({"id": 7, "identities": [
            {"id": 1, "user_id": 7, "type": "email", "value": value}, {"id": 2, "user_id": 7, "type": "sdk", "value": value}]});
        let rows = oracle().rows(collection, table, &user);
        let token = |class| Cell::Text(oracle().root.token("acme", class, value));
        assert_eq!(rows[0].cells["value"], token(Class::Email));
        assert_eq!(rows[1].cells["value"], token(Class::Handle));
    }

    #[test]
    fn a_scrubbed_ticket_keeps_its_key_alone() {
        let (collection, table) = Catalog::builtin().table("tickets").expect("in the catalog");
        let ticket = json!({"id": 42, "status": "deleted", "subject": "SCRUBBED", "priority": "low"});
        let row = &oracle().rows(collection, table, &ticket)[0];
        assert!(row.deleted);
        assert_eq!(row.cells["priority"], Cell::Null);
        assert_eq!(row.cells["id"], Cell::Long(42));
    }
}
