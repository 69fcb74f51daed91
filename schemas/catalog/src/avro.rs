//! The Avro schema of a table's rows, as JSON.

use serde_json::{Map, Value, json};

use crate::{Column, ColumnType, Table};

/// The fields that every row carries after its columns: name, Avro type, doc.
///
/// All are required. Times are microseconds since 1970.
pub const META_FIELDS: [(&str, &str, &str); 7] = [
    ("received_at", "timestamp", "When the extractor received the record."),
    ("_version", "timestamp", "The collection's own version of the record."),
    (
        "_extracted_at",
        "timestamp",
        "When Zendesk served the record; 1970-01-01 for imported files.",
    ),
    ("_raw_partition", "int", "The raw record's partition."),
    ("_raw_offset", "long", "The raw record's offset."),
    (
        "_revision",
        "int",
        "The number of the transform configuration that made the row.",
    ),
    ("_deleted", "boolean", "The record is deleted at Zendesk."),
];

/// Returns the Avro schema of a table's rows over the columns given.
///
/// Columns of the primary key are required, all others `["null", T]` with default null, so that
/// adding one is BACKWARD_TRANSITIVE. Each field carries its class and action; JSON columns are
/// strings with `"zenfloe.type": "json"`. Pretty printed with a final line feed: this text is what
/// `schemas/avro/*.avsc` hold.
pub fn avro_schema(table: &Table, columns: &[&Column]) -> String {
    let mut fields: Vec<Value> = columns.iter().map(|column| field(table, column)).collect();
    fields.extend(META_FIELDS.iter().map(|(name, kind, doc)| {
        let avro = match *kind {
            "timestamp" => json!({"type": "long", "logicalType": "timestamp-micros"}),
            plain => json!(plain),
        };
        json!({"name": name, "type": avro, "doc": doc})
    }));
    let schema = json!({
        "type": "record",
        "name": table.name,
        "namespace": "zenfloe",
        "doc": table.doc,
        "zenfloe.table": table.name,
        "zenfloe.key": table.key,
        "fields": fields,
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("strings and numbers serialise");
    text.push('\n');
    text
}

fn field(table: &Table, column: &Column) -> Value {
    let plain = match column.r#type {
        ColumnType::Long => json!("long"),
        ColumnType::Double => json!("double"),
        ColumnType::Boolean => json!("boolean"),
        ColumnType::String => json!("string"),
        ColumnType::Timestamp => json!({"type": "long", "logicalType": "timestamp-micros"}),
        ColumnType::Date => json!({"type": "int", "logicalType": "date"}),
        ColumnType::Json => json!({"type": "string", "zenfloe.type": "json"}),
    };
    let mut field = Map::new();
    field.insert("name".into(), json!(column.name));
    if table.key.contains(&column.name) {
        field.insert("type".into(), plain);
    } else {
        field.insert("type".into(), json!(["null", plain]));
        field.insert("default".into(), Value::Null);
    }
    field.insert("doc".into(), json!(column.doc));
    field.insert("zenfloe.class".into(), json!(column.class_label()));
    field.insert("zenfloe.action".into(), json!(column.action.as_str()));
    Value::Object(field)
}
