//! A table with a column of every type, and its rows in Avro.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use zenfloe_record::{Offset, Origin, Partition, RowVersion};

use crate::{ColumnType, META, Row, RowKind, TableShape};

/// The schema of the contract's tables: `id`, a column of each type, in the second edition `added`.
#[derive(Debug, Clone)]
pub struct Sample {
    table: String,
    shape: Option<Arc<TableShape>>,
    is_second: bool,
}

/// A row before it is encoded.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// The key.
    pub id: i64,
    /// Its place among the states of its row.
    pub version: RowVersion,
    /// It is gone.
    pub deleted: bool,
    /// `parent_id`.
    pub parent: Option<i64>,
    /// `note`.
    pub note: Option<String>,
    /// `at`, microseconds.
    pub at: Option<i64>,
    /// `data`, a JSON text.
    pub data: Option<String>,
    /// `added`, written by the second edition only.
    pub added: Option<String>,
}

impl Line {
    /// A live row whose version, extraction time and offset are `version`, with the note `v<version>`.
    pub fn new(id: i64, version: i64) -> Self {
        Self {
            id,
            version: RowVersion {
                version,
                extracted_at: version,
                raw_offset: version,
                revision: 1,
            },
            note: Some(format!("v{version}")),
            ..Self::default()
        }
    }

    /// A row that is gone.
    pub fn deleted(id: i64, version: i64) -> Self {
        Self {
            deleted: true,
            note: None,
            ..Self::new(id, version)
        }
    }

    /// The same of a parent.
    #[must_use]
    pub fn of(mut self, parent: i64) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The same with another note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same with a text in `added`.
    #[must_use]
    pub fn added(mut self, added: &str) -> Self {
        self.added = Some(added.into());
        self
    }

    /// The same at this place among the states.
    #[must_use]
    pub fn version(mut self, version: RowVersion) -> Self {
        self.version = version;
        self
    }
}

impl Sample {
    /// The first edition of a table's schema.
    pub fn new(table: &str) -> Self {
        Self::edition(table, false)
    }

    /// The second edition, with the column `added`.
    pub fn second(table: &str) -> Self {
        Self::edition(table, true)
    }

    fn edition(table: &str, is_second: bool) -> Self {
        let mut sample = Self {
            table: table.to_owned(),
            shape: None,
            is_second,
        };
        let id = 1 + u32::from(is_second);
        sample.shape = TableShape::parse(id, &sample.schema()).ok().map(Arc::new);
        sample
    }

    /// The Avro schema as the catalog writes them.
    pub fn schema(&self) -> String {
        let mut fields = vec![json!({"name": "id", "type": "long", "doc": "The key."})];
        let mut optional = |name: &str, plain: Json| {
            fields.push(json!({
                "name": name, "type": ["null", plain], "default": null,
                "doc": "A text.", "zenfloe.class": "text", "zenfloe.action": "redact",
            }));
        };
        optional("parent_id", json!("long"));
        optional("note", json!("string"));
        optional("ratio", json!("double"));
        optional("flag", json!("boolean"));
        optional("at", json!({"type": "long", "logicalType": "timestamp-micros"}));
        optional("day", json!({"type": "int", "logicalType": "date"}));
        optional("data", json!({"type": "string", "zenfloe.type": "json"}));
        if self.is_second {
            optional("added", json!("string"));
        }
        for (name, kind) in META {
            let plain = match kind {
                ColumnType::Timestamp => json!({"type": "long", "logicalType": "timestamp-micros"}),
                ColumnType::Int => json!("int"),
                ColumnType::Boolean => json!("boolean"),
                _ => json!("long"),
            };
            fields.push(json!({"name": name, "type": plain, "doc": "Ours."}));
        }
        json!({
            "type": "record", "name": self.table, "namespace": "zenfloe", "doc": "Things.",
            "zenfloe.table": self.table, "zenfloe.key": ["id"], "fields": fields,
        })
        .to_string()
    }

    /// The schema as a shape.
    pub fn shape(&self) -> Arc<TableShape> {
        self.shape.clone().expect("the table's name is legal")
    }

    /// A row at offset 0.
    pub fn row(&self, id: i64, version: i64) -> Row {
        self.row_at(0, 0, &Line::new(id, version))
    }

    /// A row at its place in the clean topic.
    pub fn row_at(&self, partition: Partition, offset: Offset, line: &Line) -> Row {
        Row {
            partition,
            offset,
            kind: if line.deleted { RowKind::Delete } else { RowKind::Live },
            key: Bytes::from(line.id.to_string()),
            version: line.version,
            origin: Origin {
                topic: "acme.raw.things".into(),
                partition,
                offset: line.version.raw_offset,
            },
            body: self.body(partition, line).into(),
            shape: self.shape(),
            is_rewritten: false,
        }
    }

    /// The Avro bytes of a row.
    pub fn body(&self, partition: Partition, line: &Line) -> Vec<u8> {
        let RowVersion {
            version,
            extracted_at,
            raw_offset,
            revision,
        } = line.version;
        let mut body = Vec::new();
        let to = &mut body;
        long(to, line.id);
        option(to, line.parent, long);
        option(to, line.note.as_deref(), text);
        option(to, Some(0.5_f64).filter(|_| !line.deleted), |to, ratio| {
            to.extend(ratio.to_le_bytes())
        });
        option(to, Some(true).filter(|_| !line.deleted), |to, flag| {
            to.push(u8::from(flag))
        });
        option(to, line.at, long);
        option(to, Some(20_000).filter(|_| !line.deleted), long);
        option(to, line.data.as_deref(), text);
        if self.is_second {
            option(to, line.added.as_deref(), text);
        }
        long(to, 1_700_000_000_123_456);
        long(to, version);
        long(to, extracted_at);
        long(to, i64::from(partition));
        long(to, raw_offset);
        long(to, i64::from(revision));
        to.push(u8::from(line.deleted));
        body
    }
}

fn option<T>(to: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => to.push(0),
        Some(value) => {
            to.push(2);
            write(to, value);
        }
    }
}

fn text(to: &mut Vec<u8>, text: &str) {
    long(to, text.len() as i64);
    to.extend(text.as_bytes());
}

fn long(to: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}
