//! What a table is, read from the Avro schema of its rows.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::{DecodeError, LoadError, Value};

/// The fields that every row carries after its columns.
pub const META: [(&str, ColumnType); 7] = [
    ("received_at", ColumnType::Timestamp),
    ("_version", ColumnType::Timestamp),
    ("_extracted_at", ColumnType::Timestamp),
    ("_raw_partition", ColumnType::Int),
    ("_raw_offset", ColumnType::Long),
    ("_revision", ColumnType::Int),
    ("_deleted", ColumnType::Boolean),
];

/// The columns that order the states of a row, the weightiest first.
pub const VERSION_COLUMNS: [&str; 4] = ["_version", "_extracted_at", "_raw_offset", "_revision"];

/// The columns that, with the key, tell one state of a row from every other.
pub const STATE_COLUMNS: [&str; 5] = [
    "_version",
    "_extracted_at",
    "_raw_partition",
    "_raw_offset",
    "_revision",
];

/// The column that the destination adds: when the row was written.
pub const LOADED_AT: &str = "_loaded_at";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 64-bit integer.
    Long,
    /// 32-bit integer.
    Int,
    /// 64-bit float.
    Double,
    /// Boolean.
    Boolean,
    /// Text.
    Text,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// Days since 1970-01-01.
    Date,
    /// A JSON text.
    Json,
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A part of the primary key.
    Key,
    /// A column of the collection.
    Data,
    /// One of [`META`].
    Meta,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnShape {
    /// Its name, the same in every destination.
    pub name: String,
    /// What it holds.
    pub kind: ColumnType,
    /// What it is for.
    pub role: Role,
    /// The branch of null in its union; `None` when the field is required.
    pub null_branch: Option<u8>,
    /// For people: doc, class and action.
    pub comment: String,
}

/// A table as the schema of its rows says; also the plan by which rows are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShape {
    /// The schema's id in the registry.
    pub schema_id: u32,
    /// The table's name in the schema (a target may write it under another one).
    pub table: String,
    /// For people.
    pub comment: String,
    /// The columns in the order of the fields.
    pub columns: Vec<ColumnShape>,
    /// The primary key: indexes into `columns`.
    pub key: Vec<usize>,
}

impl TableShape {
    /// Reads the writer schema of a clean topic.
    pub fn parse(schema_id: u32, schema: &str) -> Result<Self, LoadError> {
        let json: Json = serde_json::from_str(schema).map_err(|_| bad("?", "it is not JSON"))?;
        let table = json["zenfloe.table"]
            .as_str()
            .ok_or_else(|| bad("?", "property `zenfloe.table` is missing"))?;
        let key_names: Vec<&str> = json["zenfloe.key"]
            .as_array()
            .ok_or_else(|| bad(table, "property `zenfloe.key` is missing"))?
            .iter()
            .filter_map(Json::as_str)
            .collect();
        let fields = json["fields"]
            .as_array()
            .ok_or_else(|| bad(table, "it is not a record"))?;
        let columns = fields
            .iter()
            .map(|field| column(table, field, &key_names))
            .collect::<Result<Vec<_>, _>>()?;
        let key = key_names
            .iter()
            .map(|name| columns.iter().position(|column| column.name == *name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| bad(table, "a column of the key is missing"))?;
        let shape = Self {
            schema_id,
            table: table.to_owned(),
            comment: json["doc"].as_str().unwrap_or_default().to_owned(),
            columns,
            key,
        };
        shape.check()?;
        Ok(shape)
    }

    fn check(&self) -> Result<(), LoadError> {
        let bad = |what: String| bad(&self.table, what);
        if !legal_name(&self.table) {
            return Err(bad("its name is not made of a-z, 0-9 and _, or too long".into()));
        }
        if self.key.is_empty() || self.key.iter().any(|&key| self.columns[key].null_branch.is_some()) {
            return Err(bad("the key is empty or may be null".into()));
        }
        let mut names = HashSet::new();
        for column in &self.columns {
            if !legal_name(&column.name) || column.name == LOADED_AT || !names.insert(&column.name) {
                return Err(bad(format!(
                    "column `{}` has no legal name, or one that is taken",
                    column.name
                )));
            }
        }
        for (name, kind) in META {
            let found = self
                .column(name)
                .is_some_and(|column| column.kind == kind && column.null_branch.is_none());
            if !found {
                return Err(bad(format!("field `{name}` is missing or of another type")));
            }
        }
        Ok(())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnShape> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names of the primary key in order.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|&index| self.columns[index].name.as_str())
    }

    /// The columns that a fence's scope may name: those that hold ids.
    pub fn scopes(&self) -> impl Iterator<Item = &ColumnShape> {
        let holds_ids =
            |column: &&ColumnShape| matches!(column.kind, ColumnType::Long | ColumnType::Int | ColumnType::Text);
        self.columns.iter().filter(holds_ids)
    }

    /// Claims that a row says of itself that it is deleted. One that does not decode says nothing.
    pub fn says_deleted(&self, body: &[u8]) -> bool {
        let mut says = false;
        let read = self.read(body, |index, value| {
            says |= self.columns[index].name == "_deleted" && matches!(value, Value::Boolean(true));
            Ok::<(), DecodeError>(())
        });
        says && read.is_ok()
    }

    /// The shape of a row that is gone: its key and what every row carries.
    pub fn kept_by_delete(&self) -> impl Iterator<Item = (usize, &ColumnShape)> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.role != Role::Data)
    }
}

/// Claims that a name needs no quoting anywhere and fits PostgreSQL's limit of 63 bytes.
pub fn legal_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    starts_well && name.len() <= 63 && name.chars().all(legal)
}

/// The name of the view of a table's rows that are not deleted; `None` where such a name would be too long.
pub fn current_view(table: &str) -> Option<String> {
    Some(format!("{table}_current")).filter(|name| legal_name(name))
}

fn bad(table: &str, what: impl Into<String>) -> LoadError {
    LoadError::Schema {
        table: table.to_owned(),
        what: what.into(),
    }
}

fn column(table: &str, field: &Json, key: &[&str]) -> Result<ColumnShape, LoadError> {
    let name = field["name"]
        .as_str()
        .ok_or_else(|| bad(table, "a field has no name"))?;
    let (plain, null_branch) = match &field["type"] {
        Json::Array(branches) => match branches.as_slice() {
            [Json::String(null), plain] if null == "null" => (plain, Some(0)),
            [plain, Json::String(null)] if null == "null" => (plain, Some(1)),
            _ => return Err(bad(table, format!("the union of `{name}` is not of null and one type"))),
        },
        plain => (plain, None),
    };
    let kind = kind(plain).ok_or_else(|| bad(table, format!("the type of `{name}` is not one of ours")))?;
    let role = if key.contains(&name) {
        Role::Key
    } else if META.iter().any(|(meta, _)| *meta == name) {
        Role::Meta
    } else {
        Role::Data
    };
    Ok(ColumnShape {
        name: name.to_owned(),
        kind,
        role,
        null_branch,
        comment: comment(field),
    })
}

fn kind(plain: &Json) -> Option<ColumnType> {
    let base = plain.as_str().or_else(|| plain["type"].as_str())?;
    let logical = plain["logicalType"].as_str();
    let ours = plain["zenfloe.type"].as_str();
    match (base, logical, ours) {
        ("long", None, _) => Some(ColumnType::Long),
        ("long", Some("timestamp-micros"), _) => Some(ColumnType::Timestamp),
        ("int", None, _) => Some(ColumnType::Int),
        ("int", Some("date"), _) => Some(ColumnType::Date),
        ("double", _, _) => Some(ColumnType::Double),
        ("boolean", _, _) => Some(ColumnType::Boolean),
        ("string", _, Some("json")) => Some(ColumnType::Json),
        ("string", _, None) => Some(ColumnType::Text),
        _ => None,
    }
}

/// `doc [class, action]`, as far as they are there.
fn comment(field: &Json) -> String {
    let doc = field["doc"].as_str().unwrap_or_default();
    match (field["zenfloe.class"].as_str(), field["zenfloe.action"].as_str()) {
        (Some(class), Some(action)) => format!("{doc} [{class}: {action}]").trim().to_owned(),
        _ => doc.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Sample;

    fn broken(change: impl FnOnce(&mut Json)) -> String {
        let mut json: Json = serde_json::from_str(&Sample::new("t").schema()).expect("the sample is JSON");
        change(&mut json);
        TableShape::parse(1, &json.to_string())
            .expect_err("the schema is broken")
            .to_string()
    }

    #[test]
    fn a_schema_becomes_a_shape() {
        let shape = TableShape::parse(7, &Sample::new("things").schema()).expect("the sample is legal");
        assert_eq!((shape.table.as_str(), shape.schema_id), ("things", 7));
        assert_eq!(shape.key_names().collect::<Vec<_>>(), ["id"]);
        let kinds: Vec<_> = shape
            .columns
            .iter()
            .map(|column| (column.kind, column.null_branch.is_some()))
            .collect();
        use ColumnType::*;
        assert_eq!(
            kinds[..8],
            [
                (Long, false),
                (Long, true),
                (Text, true),
                (Double, true),
                (Boolean, true),
                (Timestamp, true),
                (Date, true),
                (Json, true)
            ]
        );
        assert_eq!(shape.columns[2].comment, "A text. [text: redact]");
        assert_eq!(shape.kept_by_delete().count(), 8);
    }

    #[test]
    fn schemas_that_cannot_become_tables_are_refused_with_the_reason() {
        assert!(broken(|json| json["zenfloe.table"] = "a-b".into()).contains("name"));
        assert!(broken(|json| json["zenfloe.key"] = serde_json::json!(["nope"])).contains("key"));
        assert!(broken(|json| json["zenfloe.key"] = serde_json::json!(["note"])).contains("key"));
        assert!(broken(|json| json["fields"][1]["name"] = "id".into()).contains("`id`"));
        assert!(broken(|json| json["fields"][1]["name"] = "_loaded_at".into()).contains("_loaded_at"));
        assert!(broken(|json| json["fields"][1]["type"] = "bytes".into()).contains("not one of ours"));
        assert!(
            broken(|json| json["fields"][1]["type"] = serde_json::json!(["null", "long", "string"])).contains("union")
        );
        assert!(broken(|json| json["fields"][9]["name"] = "other".into()).contains("_version"));
        assert!(TableShape::parse(1, "{").is_err());
    }
}
