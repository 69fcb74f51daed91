//! The same rows as they are usually made: a tree of values of the JSON, one of the Avro record, keyed hashes by the
//! book, hexadecimal by `format!`.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zenfloe_catalog::{Action, Collection, Column, ColumnType, Operation, Path, Rows, Step, Table, avro_schema};

use crate::transform::GIVEN;

/// Any key: nothing of this leaves the process.
const KEY: [u8; 32] = [7; 32];

/// Tables of a collection with their schemas.
pub(crate) struct Trees<'c> {
    tables: Vec<(&'c Table, Schema)>,
}

impl<'c> Trees<'c> {
    /// Parses the schemas.
    pub(crate) fn new(collection: &'c Collection) -> anyhow::Result<Self> {
        let schema = |table: &'c Table| {
            let text = avro_schema(table, &table.columns.iter().collect::<Vec<_>>());
            Ok((table, Schema::parse_str(&text)?))
        };
        let tables = collection.tables.iter().map(schema).collect::<anyhow::Result<_>>()?;
        Ok(Self { tables })
    }

    /// The rows of a record; what is not understood is left out.
    pub(crate) fn rows(&self, json: &[u8]) -> Vec<Vec<u8>> {
        let Ok(record) = serde_json::from_slice::<Value>(json) else {
            return Vec::new();
        };
        let mut made = Vec::new();
        for (table, schema) in &self.tables {
            let Ok(writer) = GenericDatumWriter::builder(schema).build() else {
                continue;
            };
            let rows = elements(table, &record);
            let rows = rows.into_iter().filter_map(|held| row(table, &record, held));
            made.extend(rows.filter_map(|row| writer.write_value_to_vec(row).ok()));
        }
        made
    }
}

fn elements<'v>(table: &Table, record: &'v Value) -> Vec<&'v Value> {
    match &table.rows {
        Rows::Record | Rows::RecordUnless(_) => vec![record],
        Rows::RecordWith(path) => find(path, record, record).map(|_| record).into_iter().collect(),
        Rows::Object(path) => find(path, record, record).into_iter().collect(),
        Rows::Each { arrays, .. } => {
            let held = arrays
                .iter()
                .filter_map(|path| find(path, record, record).and_then(Value::as_array));
            held.flatten().collect()
        }
    }
}

fn row(table: &Table, record: &Value, held: &Value) -> Option<Avro> {
    let mut fields = Vec::with_capacity(table.columns.len() + 7);
    for column in &table.columns {
        let found = find(&column.path, record, held).filter(|value| !value.is_null());
        let value = found.and_then(|found| value(column, found));
        let value = match (table.key.contains(&column.name), value) {
            (true, value) => value?,
            (false, Some(value)) => Avro::Union(1, Box::new(value)),
            (false, None) => Avro::Union(0, Box::new(Avro::Null)),
        };
        fields.push((column.name.clone(), value));
    }
    let meta = [
        ("received_at", Avro::TimestampMicros(GIVEN.received_at)),
        ("_version", Avro::TimestampMicros(1)),
        ("_extracted_at", Avro::TimestampMicros(GIVEN.extracted_at)),
        ("_raw_partition", Avro::Int(GIVEN.partition)),
        ("_raw_offset", Avro::Long(GIVEN.offset)),
        ("_revision", Avro::Int(GIVEN.revision)),
        ("_deleted", Avro::Boolean(false)),
    ];
    fields.extend(meta.map(|(name, value)| (name.to_owned(), value)));
    Some(Avro::Record(fields))
}

fn value(column: &Column, value: &Value) -> Option<Avro> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(match (column.action, column.r#type) {
        (Action::Drop, _) => return None,
        (Action::Token, _) => Avro::String(token(text(value).to_lowercase().as_bytes())),
        (_, ColumnType::Timestamp) if column.op == Some(Operation::EpochSeconds) => {
            Avro::TimestampMicros(value.as_i64()? * 1_000_000)
        }
        (_, ColumnType::Timestamp) => {
            Avro::TimestampMicros(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_microsecond())
        }
        (_, ColumnType::Long) => Avro::Long(value.as_i64()?),
        (_, ColumnType::Double) => Avro::Double(value.as_f64()?),
        (_, ColumnType::Boolean) => Avro::Boolean(value.as_bool()?),
        (_, ColumnType::Json) => Avro::String(value.to_string()),
        _ => Avro::String(text(value)),
    })
}

/// HMAC-SHA-256 from its definition, set up anew for each value.
fn token(value: &[u8]) -> String {
    let padded = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(KEY).for_each(|(held, key)| *held ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(value).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    let hex: String = outer.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("k1_{hex}")
}

fn find<'v>(path: &Path, record: &'v Value, row: &'v Value) -> Option<&'v Value> {
    let start = if path.from_record { record } else { row };
    path.steps.iter().try_fold(start, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Element { key, value } => at
            .as_array()?
            .iter()
            .find(|held| held.get(key).and_then(Value::as_str) == Some(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenfloe_catalog::Catalog;

    #[test]
    fn a_ticket_gives_the_rows_of_its_tables() {
        let collection = Catalog::builtin().collection("tickets").expect("in the catalog");
        let trees = Trees::new(collection).expect("schemas");
        let json =
            br#"{"id":1,"subject":"s","recipient":"a@example.com","generated_timestamp":5,"metric_set":{"id":2}}"#;
        assert_eq!(trees.rows(json).len(), 2);
        assert!(trees.rows(b"{").is_empty());
    }

    #[test]
    fn a_token_is_the_keyed_hash() {
        // `printf 'Hi There' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…`
        assert_eq!(
            token(b"Hi There"),
            "k1_db4691259ca0714059cf917fffab03d172c9c1850cb13bb69f799e23ede09160"
        );
    }
}
