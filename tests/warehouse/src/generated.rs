//! The files of the dbt project that follow from the catalog and from Fivetran's list of columns.

use std::fmt::Write as _;

use serde_json::{Value, json};
use zenfloe_catalog::{Action, Catalog, Class, Column, ColumnType, META_FIELDS, Table};

use crate::fivetran;
use crate::rules::{ADDED, BUSY, FOR_FIVETRAN, OF_ONE_RECORD, VALUES, Values, refers_to};

/// The first line of each of them.
const HEAD: &str = "Written from the catalog. To write it again: ZENFLOE_WRITE=1 cargo test -p zenfloe-warehouse";

/// The tables that are collected by default, in order.
#[must_use]
pub fn tier_1() -> Vec<&'static Table> {
    let collections = Catalog::builtin().collections().iter();
    let mut tables: Vec<&Table> = collections
        .filter(|collection| collection.tier == 1)
        .flat_map(|collection| &collection.tables)
        .collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

/// Each file's path in the dbt project, and its text.
#[must_use]
pub fn files() -> Vec<(&'static str, String)> {
    vec![
        ("macros/catalog.sql", catalog_macro()),
        ("macros/fivetran_columns.sql", fivetran_macro()),
        ("models/sources.yml", yaml(&sources())),
        ("models/staging/staging.yml", yaml(&staging())),
        ("models/fivetran/fivetran.yml", yaml(&fivetran_models())),
    ]
}

/// JSON is YAML; one line for each model, column and test is what a reader of differences wants.
fn yaml(document: &Value) -> String {
    let mut text = format!("# {HEAD}\n");
    write_yaml(&mut text, document, 0);
    text
}

fn write_yaml(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| place(key));
            for (key, held) in fields {
                write_entry(text, &format!("{indent}{key}:"), held, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                write_item(text, item, depth);
            }
        }
        plain => {
            let _ = writeln!(text, "{indent}{plain}");
        }
    }
}

/// What something is called stands before what is said of it; the longest comes last.
fn place(key: &str) -> usize {
    let order = [
        "version",
        "name",
        "description",
        "config",
        "data_tests",
        "database",
        "schema",
    ];
    let last = ["columns", "tables", "models", "sources"];
    let found = order.iter().position(|known| *known == key);
    found.unwrap_or(if last.contains(&key) { 99 } else { 50 })
}

/// A key and its value: on one line where that is short.
fn write_entry(text: &mut String, lead: &str, held: &Value, depth: usize) {
    let is_nested = match held {
        Value::Object(_) => held.to_string().len() > 70,
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    };
    if is_nested {
        let _ = writeln!(text, "{lead}");
        write_yaml(text, held, depth + 1);
    } else {
        let _ = writeln!(text, "{lead} {held}");
    }
}

/// An item of a list: its first field stands behind the dash.
fn write_item(text: &mut String, item: &Value, depth: usize) {
    let mut own = String::new();
    write_yaml(&mut own, item, depth + 1);
    let indent = "  ".repeat(depth);
    let _ = write!(text, "{indent}- {}", own.trim_start());
}

fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long => "long",
        ColumnType::Double => "double",
        ColumnType::Boolean => "boolean",
        ColumnType::String => "string",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Date => "date",
        ColumnType::Json => "json",
    }
}

/// Claims that a column holds tokens, or personal data as it is.
#[must_use]
pub fn is_token(column: &Column) -> bool {
    match column.action {
        Action::Token => true,
        Action::Clear => column.class != Class::None,
        Action::Redact | Action::Coarse | Action::Drop => false,
    }
}

fn described(column: &Column) -> String {
    format!("{} [{}: {}]", column.doc, column.class_label(), column.action.as_str())
}

fn catalog_macro() -> String {
    let mut text = format!("{{# {HEAD} #}}\n{{% macro catalog_columns() %}}\n  {{{{ return({{\n");
    for table in tier_1() {
        let _ = writeln!(text, "    '{}': [", table.name);
        for column in &table.columns {
            let token = if is_token(column) { "true" } else { "false" };
            let kind = kind(column.r#type);
            let _ = writeln!(
                text,
                "      {{'name': '{}', 'type': '{kind}', 'token': {token}}},",
                column.name
            );
        }
        text.push_str("    ],\n");
    }
    text.push_str("  }) }}\n{% endmacro %}\n");
    text
}

fn fivetran_macro() -> String {
    let head =
        "Written from Fivetran's list of columns, tests/warehouse/fivetran-columns.csv, as the catalog's parts are";
    let mut text = format!("{{# {head}. #}}\n{{% macro fivetran_columns() %}}\n  {{{{ return({{\n");
    for table in fivetran::tables() {
        let _ = writeln!(text, "    '{table}': [");
        for column in fivetran::columns().iter().filter(|column| column.table == table) {
            let _ = writeln!(text, "      ['{}', '{}'],", column.name, kind(column.kind));
        }
        text.push_str("    ],\n");
    }
    text.push_str("  }) }}\n{% endmacro %}\n");
    text
}

fn sources() -> Value {
    let mut tables: Vec<Value> = tier_1().into_iter().map(source).collect();
    let known: Vec<&str> = tier_1().iter().map(|table| table.name.as_str()).collect();
    for name in FOR_FIVETRAN.iter().filter(|name| !known.contains(name)) {
        tables.push(match Catalog::builtin().table(name) {
            Some((_, table)) => source(table),
            None => json!({"name": name, "description": "Not collected by this release."}),
        });
    }
    json!({
        "version": 2,
        "sources": [{
            "name": "zendesk",
            "description": "Zendesk's records as they are, written by Zenfloe.",
            "database": "{{ var('mart_database') or target.database }}",
            "schema": "{{ var('mart_schema') }}",
            "tables": tables,
        }],
    })
}

fn source(table: &Table) -> Value {
    let mut columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "description": described(column)}))
        .collect();
    columns.extend(
        META_FIELDS
            .iter()
            .map(|(name, _, doc)| json!({"name": name, "description": doc})),
    );
    let mut source = json!({"name": table.name, "description": table.doc});
    if BUSY.contains(&table.name.as_str()) {
        source["config"] = json!({
            "loaded_at_field": "_loaded_at",
            "freshness": {
                "warn_after": {"count": 12, "period": "hour"},
                "error_after": {"count": 36, "period": "hour"},
            },
        });
    }
    source["columns"] = columns.into();
    source
}

fn staging() -> Value {
    let models: Vec<Value> = tier_1().into_iter().map(staging_model).collect();
    json!({"version": 2, "models": models})
}

fn staging_model(table: &Table) -> Value {
    let mut columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| staging_column(table, column))
        .collect();
    let added = ADDED.iter().filter(|(of, ..)| *of == table.name);
    columns.extend(added.map(|(_, name, doc)| json!({"name": name, "description": doc})));
    let mut model = json!({
        "name": format!("stg_zendesk__{}", table.name),
        "description": format!("{} Rows that are deleted at Zendesk are left out; times are in UTC.", table.doc),
        "config": {"alias": table.name},
    });
    if table.key.len() > 1 {
        model["data_tests"] = json!([{"unique_together": {"arguments": {"columns": table.key}}}]);
    }
    model["columns"] = columns.into();
    model
}

fn staging_column(table: &Table, column: &Column) -> Value {
    let is_key = table.key.contains(&column.name);
    let mut tests: Vec<Value> = Vec::new();
    if is_key && table.key.len() == 1 {
        tests.push(json!("unique"));
    }
    if is_key {
        tests.push(json!("not_null"));
    }
    tests.extend(relationship(table, column));
    let is_its = |values: &&Values| values.table == table.name && values.column == column.name;
    tests.extend(VALUES.iter().find(is_its).map(accepted));
    let mut described = json!({"name": column.name, "description": described(column)});
    if !tests.is_empty() {
        described["data_tests"] = tests.into();
    }
    described
}

/// Tables are loaded each at its own pace: what refers to a row that is still on its way is warned about.
fn relationship(table: &Table, column: &Column) -> Option<Value> {
    let other = refers_to(&column.name)?;
    let is_there = tier_1().iter().any(|table| table.name == other);
    let is_fault = OF_ONE_RECORD.contains(&(table.name.as_str(), column.name.as_str()));
    let severity = if is_fault { "error" } else { "warn" };
    is_there.then(|| json!({"refers_to": {"arguments": {"table": other}, "config": {"severity": severity}}}))
}

fn accepted(values: &Values) -> Value {
    let severity = if values.is_closed { "error" } else { "warn" };
    json!({"accepted_values": {"arguments": {"values": values.texts}, "config": {"severity": severity}}})
}

fn fivetran_models() -> Value {
    let models = fivetran::tables().into_iter().map(|table| {
        let alias = "{{ '".to_owned() + &table + "' | upper if target.type == 'snowflake' else '" + &table + "' }}";
        json!({
            "name": format!("fivetran__{table}"),
            "description": format!("Fivetran's `{table}`, made of Zenfloe's tables."),
            // `group` and `user` are reserved words.
            "config": {"enabled": "{{ var('fivetran') }}", "alias": alias, "quoting": {"identifier": true}},
        })
    });
    json!({"version": 2, "models": models.collect::<Vec<_>>()})
}
