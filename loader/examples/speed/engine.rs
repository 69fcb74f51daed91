//! The engines' own bulk paths.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use rusqlite::types::Value;
use tokio_postgres::NoTls;

use crate::rows::{NOW, NUMBERS, TEXTS, TIMES, number, shape, text};
use crate::{ROWS, measured};

/// Rows of one transaction: as many as the loader has in hand.
pub(crate) const BATCH: i64 = 2_800;

fn names() -> Vec<String> {
    shape().columns.iter().map(|column| column.name.clone()).collect()
}

fn upsert_tail() -> String {
    let sets: Vec<String> = names()
        .iter()
        .skip(1)
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "ON CONFLICT (id) DO UPDATE SET {} WHERE (excluded._version, excluded._extracted_at, excluded._raw_offset,
        excluded._revision) >= (t._version, t._extracted_at, t._raw_offset, t._revision)",
        sets.join(", ")
    )
}

pub(crate) async fn sqlite(path: &Path) {
    let db = rusqlite::Connection::open(path).expect("a new file");
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000")
        .expect("settings");
    let rest = names()
        .iter()
        .skip(1)
        .map(|name| format!(", {name}"))
        .collect::<String>();
    db.execute_batch(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY{rest})"))
        .expect("a table");
    let marks = vec!["?"; names().len()].join(", ");
    let sql = format!("INSERT INTO t VALUES ({marks}) {}", upsert_tail());
    let batches: Vec<Vec<Vec<Value>>> = (0..ROWS)
        .step_by(BATCH as usize)
        .map(|from| (from..(from + BATCH).min(ROWS)).map(sqlite_row).collect())
        .collect();
    measured("SQLite, own path", async {
        let mut statement = db.prepare(&sql).expect("a statement");
        for batch in &batches {
            db.execute_batch("BEGIN IMMEDIATE").expect("begun");
            for row in batch {
                statement.execute(rusqlite::params_from_iter(row)).expect("written");
            }
            db.execute_batch("COMMIT").expect("committed");
        }
    })
    .await;
}

fn sqlite_row(id: i64) -> Vec<Value> {
    let mut row = vec![Value::Integer(id)];
    row.extend((0..TEXTS).map(|n| Value::Text(text(id, n))));
    row.extend((0..NUMBERS).map(|n| Value::Integer(number(id, n))));
    row.extend((0..TIMES + 3).map(|_| Value::Text("2026-01-31 23:59:59.000001".into())));
    row.extend([0, id, 1, 0].map(Value::Integer));
    row
}

pub(crate) async fn postgres(url: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a session");
    tokio::spawn(connection);
    let columns = "id bigint".to_owned()
        + &(0..TEXTS).map(|n| format!(", text_{n} text")).collect::<String>()
        + &(0..NUMBERS).map(|n| format!(", number_{n} bigint")).collect::<String>()
        + &(0..TIMES)
            .map(|n| format!(", time_{n} timestamptz"))
            .collect::<String>()
        + ", received_at timestamptz, _version timestamptz, _extracted_at timestamptz, _raw_partition int,
           _raw_offset bigint, _revision int, _deleted boolean";
    let make = format!(
        "CREATE TABLE t ({columns}, PRIMARY KEY (id)); CREATE TEMP TABLE s ({columns}) ON COMMIT DELETE ROWS; SET jit = off"
    );
    client.batch_execute(&make).await.expect("tables");
    let upsert = format!("INSERT INTO t SELECT * FROM s {}", upsert_tail());
    let batches: Vec<Bytes> = (0..ROWS)
        .step_by(BATCH as usize)
        .map(|from| postgres_rows(from..(from + BATCH).min(ROWS)))
        .collect();
    measured("PostgreSQL, own path", async {
        for batch in batches {
            client.batch_execute("BEGIN").await.expect("begun");
            let sink = client
                .copy_in::<_, Bytes>("COPY s FROM STDIN (FORMAT binary)")
                .await
                .expect("begun");
            let mut sink = std::pin::pin!(sink);
            sink.feed(batch).await.expect("taken");
            sink.as_mut().finish().await.expect("taken");
            client.batch_execute(&upsert).await.expect("written");
            client.batch_execute("COMMIT").await.expect("committed");
        }
    })
    .await;
}

fn postgres_rows(ids: std::ops::Range<i64>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for id in ids {
        out.put_i16(names_count());
        eight(&mut out, id);
        for n in 0..TEXTS {
            let text = text(id, n);
            out.put_i32(text.len() as i32);
            out.put_slice(text.as_bytes());
        }
        (0..NUMBERS).for_each(|n| eight(&mut out, number(id, n)));
        (0..TIMES + 3).for_each(|_| eight(&mut out, NOW - 946_684_800_000_000));
        four(&mut out, 0);
        eight(&mut out, id);
        four(&mut out, 1);
        out.put_i32(1);
        out.put_u8(0);
    }
    out.put_i16(-1);
    out.freeze()
}

fn names_count() -> i16 {
    (1 + TEXTS + NUMBERS + TIMES + 7) as i16
}

fn eight(out: &mut BytesMut, number: i64) {
    out.put_i32(8);
    out.put_i64(number);
}

fn four(out: &mut BytesMut, number: i32) {
    out.put_i32(4);
    out.put_i32(number);
}
