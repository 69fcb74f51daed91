//! Rows of 40 columns.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use zenfloe_destination::{Cover, Flush, META, Mode, Row, RowKind, TableShape, Target, TopicRef};
use zenfloe_record::{Origin, RowVersion};

pub(crate) const TEXTS: usize = 20;
pub(crate) const NUMBERS: usize = 8;
pub(crate) const TIMES: usize = 4;

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
            zenfloe_destination::ColumnType::Timestamp => time(),
            zenfloe_destination::ColumnType::Int => json!("int"),
            zenfloe_destination::ColumnType::Long => json!("long"),
            _ => json!("boolean"),
        };
        fields.push(json!({"name": name, "type": plain}));
    }
    json!({"type": "record", "name": "things", "zenfloe.table": "things", "zenfloe.key": ["id"], "fields": fields})
        .to_string()
}

pub(crate) fn shape() -> TableShape {
    TableShape::parse(1, &schema()).expect("legal")
}

pub(crate) const NOW: i64 = 1_790_000_000_000_000;

/// A row of about 2.6 KB after `prefix`.
pub(crate) fn row(id: i64, prefix: &[u8]) -> Bytes {
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

pub(crate) fn make_all(count: i64) {
    let bytes: usize = (0..count).map(|id| row(id, &[]).len()).sum();
    println!(
        "{count} rows, {} columns, {} bytes each",
        shape().columns.len(),
        bytes / count as usize
    );
}

pub(crate) fn place() -> (Target, TopicRef) {
    let target = Target {
        table: "things".into(),
        mode: Mode::Upsert,
    };
    let topic = TopicRef {
        name: "acme.clean.things".into(),
        id: "1".into(),
    };
    (target, topic)
}

/// All rows as flushes of so many.
pub(crate) fn flushes(count: i64, each: i64) -> Vec<Arc<Flush>> {
    let (shape, (target, topic)) = (Arc::new(shape()), place());
    let origin: Arc<str> = "acme.raw.things".into();
    let row = |id: i64| Row {
        partition: 0,
        offset: id,
        kind: RowKind::Live,
        key: id.to_string().into(),
        version: version(id),
        origin: Origin {
            topic: origin.clone(),
            partition: 0,
            offset: id,
        },
        body: row(id, &[]),
        shape: shape.clone(),
    };
    let flush = |from: i64| {
        let to = (from + each).min(count);
        let cover = Cover { partition: 0, from, to };
        Arc::new(Flush::new(
            target.clone(),
            topic.clone(),
            vec![cover],
            (from..to).map(row).collect(),
            Vec::new(),
        ))
    };
    (0..count).step_by(each as usize).map(flush).collect()
}

pub(crate) fn version(id: i64) -> RowVersion {
    RowVersion {
        version: NOW,
        extracted_at: NOW,
        raw_offset: id,
        revision: 1,
    }
}

fn long(to: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}
