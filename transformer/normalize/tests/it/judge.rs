//! Runs a record through a plan and compares every byte with what the oracle and apache-avro say.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use data_encoding::BASE64;
use serde_json::{Map, Value};
use zenfloe_catalog::{Catalog, Class, Collection, ColumnType, META_FIELDS, Table, avro_schema};
use zenfloe_normalize::{Choice, Given, Guard, Output, Plan, Rejected};
use zenfloe_oracle::oracle::{Cell, Oracle, Row};
use zenfloe_oracle::token::TokenRoot;
use zenfloe_record::{CleanKind, RawKind, row_key};

/// What the records of these tests come with.
pub(crate) const GIVEN: Given = Given {
    kind: RawKind::Record,
    extracted_at: 1_790_000_000_000_001,
    received_at: 1_790_000_000_500_000,
    partition: 3,
    offset: 12_345,
    revision: 2,
};

pub(crate) fn collection(name: &str) -> &'static Collection {
    Catalog::builtin().collection(name).expect("in the catalog")
}

pub(crate) fn plan(name: &str) -> Plan {
    Plan::compile(collection(name), &Choice::default()).expect("the catalog's own choice")
}

pub(crate) fn oracle() -> Oracle {
    Oracle {
        source: "acme".into(),
        erased: Default::default(),
        root: TokenRoot::parse(&format!("zenfloe token keys\n1 {}\n", BASE64.encode(&[7; 32]))),
    }
}

/// Makes the oracle's tokens, and redactions that show what was redacted.
pub(crate) struct Marker(pub(crate) Oracle);

impl Guard for Marker {
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        if value.trim().is_empty() {
            return false;
        }
        out.push_str(&self.0.root.token("acme", class, value));
        true
    }

    fn redact(&mut self, text: &str, out: &mut String) {
        out.push_str(&marked(text));
    }

    fn coarse(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        out.push_str(&format!("{}~{}", class.as_str(), value.len()));
        true
    }
}

/// Order is kept, so that a map of redacted names is sorted as the map of the names.
fn marked(text: &str) -> String {
    format!("r:{text}")
}

fn marked_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(marked(text)),
        Value::Array(items) => items.iter().map(marked_json).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| (marked(key), marked_json(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Number(number) if number.to_string().len() >= 7 => Value::String(marked(&number.to_string())),
        other => other.clone(),
    }
}

pub(crate) fn run(plan: &Plan, json: &[u8], given: &Given) -> Result<Output, Rejected> {
    let mut out = Output::new();
    plan.run(json, given, &mut Marker(oracle()), &mut out)?;
    Ok(out)
}

/// Compares the rows of a record with the oracle's; `json` is a text of `record`.
#[track_caller]
pub(crate) fn check(name: &str, record: &Value, json: &[u8], version: i64) -> Output {
    let collection = collection(name);
    let plan = plan(name);
    let out = run(&plan, json, &GIVEN).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let mut rows = out.rows.iter();
    for table in &collection.tables {
        for expected in oracle().rows(collection, table, record) {
            let row = rows
                .next()
                .unwrap_or_else(|| panic!("a row of {} is missing", table.name));
            assert_eq!(
                plan.tables()[row.table].name,
                table.name,
                "rows in the order of the tables"
            );
            assert_eq!(
                out.bytes[row.key.clone()],
                row_key(expected.key.iter().map(String::as_str))
            );
            assert_eq!(
                (
                    row.version.version,
                    row.version.extracted_at,
                    row.version.raw_offset,
                    row.version.revision
                ),
                (version, GIVEN.extracted_at, GIVEN.offset, GIVEN.revision)
            );
            let is_wiped = row.kind == CleanKind::Delete;
            assert!(!is_wiped || expected.deleted, "what is wiped is deleted");
            let body = &out.bytes[row.body.clone()];
            assert_eq!(
                body,
                encoded(table, &expected, version),
                "{}: {:?}",
                table.name,
                decoded(table, body)
            );
        }
    }
    assert!(rows.next().is_none(), "more rows than the oracle has");
    out
}

fn schema(table: &Table) -> Schema {
    let text = avro_schema(table, &table.columns.iter().collect::<Vec<_>>());
    Schema::parse_str(&text).expect("a schema")
}

/// The row as apache-avro writes it.
fn encoded(table: &Table, row: &Row, version: i64) -> Vec<u8> {
    let mut fields: Vec<(String, Avro)> = table
        .columns
        .iter()
        .map(|column| {
            let plain = avro(column.r#type, &row.cells[&column.name]);
            let value = match (table.key.contains(&column.name), plain) {
                (true, plain) => plain.expect("a key"),
                (false, Some(plain)) => Avro::Union(1, Box::new(plain)),
                (false, None) => Avro::Union(0, Box::new(Avro::Null)),
            };
            (column.name.clone(), value)
        })
        .collect();
    let meta = [
        Avro::TimestampMicros(GIVEN.received_at),
        Avro::TimestampMicros(version),
        Avro::TimestampMicros(GIVEN.extracted_at),
        Avro::Int(GIVEN.partition),
        Avro::Long(GIVEN.offset),
        Avro::Int(GIVEN.revision),
        Avro::Boolean(row.deleted),
    ];
    fields.extend(META_FIELDS.iter().map(|(name, ..)| (*name).to_owned()).zip(meta));
    let schema = schema(table);
    let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
    writer
        .write_value_to_vec(Avro::Record(fields))
        .expect("the row fits its schema")
}

fn avro(kind: ColumnType, cell: &Cell) -> Option<Avro> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Boolean(value) => Avro::Boolean(*value),
        Cell::Long(value) if kind == ColumnType::Timestamp => Avro::TimestampMicros(*value),
        Cell::Long(value) if kind == ColumnType::Date => Avro::Date(i32::try_from(*value).expect("days")),
        Cell::Long(value) => Avro::Long(*value),
        Cell::Double(value) => Avro::Double(*value),
        Cell::Text(text) => Avro::String(text.clone()),
        Cell::Json(value) => Avro::String(value.to_string()),
        Cell::Redacted(text) => Avro::String(marked(text)),
        Cell::RedactedJson(value) => Avro::String(marked_json(value).to_string()),
    })
}

/// The row for people: the fields that are not null.
pub(crate) fn decoded(table: &Table, body: &[u8]) -> Vec<(String, String)> {
    decoded_by(&avro_schema(table, &table.columns.iter().collect::<Vec<_>>()), body)
}

/// The same of a row of any schema.
pub(crate) fn decoded_by(schema: &str, mut body: &[u8]) -> Vec<(String, String)> {
    let schema = Schema::parse_str(schema).expect("a schema");
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
        .build()
        .expect("a reader");
    let Ok(Avro::Record(fields)) = reader.read_value(&mut body) else {
        panic!("not a row of its schema");
    };
    let shown = |value: Avro| match value {
        Avro::Union(_, inner) if *inner == Avro::Null => None,
        Avro::Union(_, inner) => Some(plain(*inner)),
        other => Some(plain(other)),
    };
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, shown(value)?)))
        .collect()
}

fn plain(value: Avro) -> String {
    match value {
        Avro::String(text) => text,
        Avro::Long(number) | Avro::TimestampMicros(number) => number.to_string(),
        Avro::Int(number) | Avro::Date(number) => number.to_string(),
        Avro::Boolean(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
