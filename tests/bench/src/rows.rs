//! Rows of 40 columns, 2.6 KB of Avro each.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use zenfloe_destination::{ColumnType, META, Row, RowKind, TableShape};
use zenfloe_record::{CleanHeaders, CleanKind, Headers, Origin, RowVersion, row_key};

pub(crate) const TEXTS: usize = 20;
pub(crate) const NUMBERS: usize = 8;
pub(crate) const TIMES: usize = 4;
/// Columns of a row: the key, the rest, and what every row carries.
pub(crate) const COLUMNS: usize = 1 + TEXTS + NUMBERS + TIMES + META.len();
/// Microseconds since 1970.
pub(crate) const NOW: i64 = 1_790_000_000_000_000;

/// The schema: a key, texts, numbers, times, and what every row carries.
pub(crate) fn schema() -> String {
    let mut fields = vec![json!({"name": "id", "type": "long"})];
    let mut optional = |name: String, plain: Value| {
        fields.push(json!({"name": name, "type": ["null", plain], "default": null}));
    };
    (0..TEXTS).for_each(|n| optional(format!("text_{n}"), json!("string")));
    (0..NUMBERS).for_each(|n| optional(format!("number_{n}"), json!("long")));
    let time = || json!({"type": "long", "logicalType": "timestamp-micros"});
    (0..TIMES).for_each(|n| optional(format!("time_{n}"), time()));
    for (name, kind) in META {
        let plain = match kind {
            ColumnType::Timestamp => time(),
            ColumnType::Int => json!("int"),
            ColumnType::Long => json!("long"),
            _ => json!("boolean"),
        };
        fields.push(json!({"name": name, "type": plain}));
    }
    json!({"type": "record", "name": "things", "zenfloe.table": "things", "zenfloe.key": ["id"], "fields": fields})
        .to_string()
}

/// The row as the loader has it.
pub(crate) fn row(id: i64, shape: &Arc<TableShape>) -> Row {
    Row {
        partition: 0,
        offset: id,
        kind: RowKind::Live,
        key: key(id),
        version: version(id),
        origin: origin(id),
        body: body(id, &[]),
        shape: shape.clone(),
        is_rewritten: false,
    }
}

/// The row's key.
pub(crate) fn key(id: i64) -> Bytes {
    row_key([id.to_string().as_str()]).into()
}

/// The headers of its clean record.
pub(crate) fn headers(id: i64) -> Headers {
    CleanHeaders {
        kind: CleanKind::Row,
        version: version(id),
        origin: origin(id),
    }
    .encode()
}

fn version(id: i64) -> RowVersion {
    RowVersion {
        version: NOW,
        extracted_at: NOW,
        raw_offset: id,
        revision: 1,
    }
}

fn origin(id: i64) -> Origin {
    Origin {
        topic: "acme.raw.things".into(),
        partition: 0,
        offset: id,
    }
}

/// The Avro record after `prefix`.
pub(crate) fn body(id: i64, prefix: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(2_700);
    out.extend_from_slice(prefix);
    long(&mut out, id);
    for n in 0..TEXTS {
        out.push(2);
        let text = text(id, n);
        long(&mut out, text.len() as i64);
        out.extend_from_slice(text.as_bytes());
    }
    for n in 0..NUMBERS + TIMES {
        out.push(2);
        long(&mut out, number(id, n));
    }
    for number in [NOW, NOW, NOW, 0, id, 1] {
        long(&mut out, number);
    }
    out.push(0);
    out.into()
}

/// 125 bytes.
pub(crate) fn text(id: i64, n: usize) -> String {
    format!("{id:08}{n:02}{}", "lorem ipsum dolor sit amet, ".repeat(4) + "end")
}

pub(crate) fn number(id: i64, n: usize) -> i64 {
    if n < NUMBERS {
        id * 31 + n as i64
    } else {
        NOW - id * 1_000_000
    }
}

/// Avro's variable length, zigzag.
fn long(to: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_40_columns_and_the_schema_reads_it() {
        let shape = TableShape::parse(1, &schema()).expect("legal");
        assert_eq!((shape.columns.len(), COLUMNS), (40, 40));
        let schema = apache_avro::Schema::parse_str(&schema()).expect("a schema");
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
            .build()
            .expect("a reader");
        let body = body(41, &[]);
        let mut left: &[u8] = &body;
        let read = reader.read_value(&mut left).expect("a row");
        assert!(left.is_empty() && (2_500..2_800).contains(&body.len()));
        let apache_avro::types::Value::Record(fields) = read else {
            panic!("not a record");
        };
        assert_eq!(fields.len(), COLUMNS);
        assert_eq!(fields[0].1, apache_avro::types::Value::Long(41));
    }
}
