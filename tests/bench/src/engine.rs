//! The engines' own bulk paths, from values that are decoded already.
//!
//! *Plain* is the fastest that the engine offers into an empty table; *guarded* heeds versions as a pipeline must that
//! may see a row twice or in the wrong order.

use std::path::Path;

use anyhow::Context as _;
use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use rusqlite::types::Value;
use tokio_postgres::{Client, NoTls};

use crate::load::{BATCH, batches};
use crate::meter::{Spent, Watch};
use crate::rows::{COLUMNS, NOW, NUMBERS, TEXTS, TIMES, number, text};

/// Which of the engine's ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into an empty table, in one transaction.
    Plain,
    /// A guarded upsert, a transaction per batch.
    Guarded,
}

/// Name and PostgreSQL type of each column but the key.
fn columns() -> Vec<(String, &'static str)> {
    let texts = (0..TEXTS).map(|n| (format!("text_{n}"), "text"));
    let numbers = (0..NUMBERS).map(|n| (format!("number_{n}"), "bigint"));
    let times = (0..TIMES).map(|n| (format!("time_{n}"), "timestamptz"));
    let meta = [
        ("received_at", "timestamptz"),
        ("_version", "timestamptz"),
        ("_extracted_at", "timestamptz"),
        ("_raw_partition", "int"),
        ("_raw_offset", "bigint"),
        ("_revision", "int"),
        ("_deleted", "boolean"),
    ];
    let meta = meta.map(|(name, kind)| (name.to_owned(), kind));
    texts.chain(numbers).chain(times).chain(meta).collect()
}

fn upsert_tail() -> String {
    let sets: Vec<String> = columns()
        .iter()
        .map(|(name, _)| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "ON CONFLICT (id) DO UPDATE SET {} WHERE (excluded._version, excluded._extracted_at, excluded._raw_offset,
        excluded._revision) >= (t._version, t._extracted_at, t._raw_offset, t._revision)",
        sets.join(", ")
    )
}

/// Loads rows into a new SQLite file.
pub(crate) async fn sqlite(path: &Path, rows: i64, way: Way) -> anyhow::Result<Spent> {
    let db = rusqlite::Connection::open(path)?;
    // As the destination sets them.
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY",
    )?;
    let rest: String = columns().iter().map(|(name, _)| format!(", {name}")).collect();
    db.execute_batch(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY{rest})"))?;
    let marks = vec!["?"; COLUMNS].join(", ");
    let tail = if way == Way::Guarded {
        upsert_tail()
    } else {
        String::new()
    };
    let mut statement = db.prepare(&format!("INSERT INTO t VALUES ({marks}) {tail}"))?;
    let mut watch = Watch::new(None);
    for ids in batches(rows) {
        let is_last = ids.end == rows;
        let is_first = ids.start == 0;
        let made: Vec<Vec<Value>> = ids.map(sqlite_row).collect();
        let work = async {
            if is_first || way == Way::Guarded {
                db.execute_batch("BEGIN IMMEDIATE")?;
            }
            for row in &made {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
            if is_last || way == Way::Guarded {
                db.execute_batch("COMMIT")?;
            }
            anyhow::Ok(())
        };
        watch.time(work).await?;
    }
    Ok(watch.spent())
}

fn sqlite_row(id: i64) -> Vec<Value> {
    let mut row = vec![Value::Integer(id)];
    row.extend((0..TEXTS).map(|n| Value::Text(text(id, n))));
    row.extend((0..NUMBERS).map(|n| Value::Integer(number(id, n))));
    row.extend((0..TIMES + 3).map(|_| Value::Text("2026-01-31 23:59:59.000001".into())));
    row.extend([0, id, 1, 0].map(Value::Integer));
    row
}

/// Loads rows into a new table of a PostgreSQL database; `server` is the server's first process.
pub(crate) async fn postgres(url: &str, server: u32, rows: i64, way: Way) -> anyhow::Result<Spent> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let rest: String = columns()
        .iter()
        .map(|(name, kind)| format!(", {name} {kind}"))
        .collect();
    let make = format!(
        "CREATE TABLE t (id bigint{rest}, PRIMARY KEY (id)); CREATE TEMP TABLE s (id bigint{rest}) ON COMMIT DELETE ROWS;
        SET jit = off"
    );
    client.batch_execute(&make).await?;
    let mut watch = Watch::new(Some(server));
    match way {
        Way::Plain => plain(&client, rows, &mut watch).await?,
        Way::Guarded => guarded(&client, rows, &mut watch).await?,
    }
    let found: i64 = client.query_one("SELECT count(*) FROM t", &[]).await?.get(0);
    anyhow::ensure!(found == rows, "{found} rows of {rows}");
    Ok(watch.spent())
}

/// One COPY of everything.
async fn plain(client: &Client, rows: i64, watch: &mut Watch) -> anyhow::Result<()> {
    let copy = "COPY t FROM STDIN (FORMAT binary)";
    let sink = watch.time(client.copy_in::<_, Bytes>(copy)).await?;
    let mut sink = std::pin::pin!(sink);
    let mut head = Some(());
    for ids in batches(rows) {
        let is_last = ids.end == rows;
        let batch = postgres_rows(ids, head.take().is_some(), is_last);
        watch.time(sink.send(batch)).await?;
    }
    let copied = watch.time(sink.as_mut().finish()).await?;
    i64::try_from(copied)
        .ok()
        .filter(|n| *n == rows)
        .context("all rows were copied")?;
    Ok(())
}

/// COPY of a batch into a temporary table, and one upsert from there.
async fn guarded(client: &Client, rows: i64, watch: &mut Watch) -> anyhow::Result<()> {
    let upsert = format!("INSERT INTO t SELECT * FROM s {}", upsert_tail());
    for ids in batches(rows) {
        let batch = postgres_rows(ids, true, true);
        let work = async {
            client.batch_execute("BEGIN").await?;
            let sink = client.copy_in::<_, Bytes>("COPY s FROM STDIN (FORMAT binary)").await?;
            let mut sink = std::pin::pin!(sink);
            sink.feed(batch).await?;
            sink.as_mut().finish().await?;
            client.batch_execute(&upsert).await?;
            client.batch_execute("COMMIT").await
        };
        watch.time(work).await?;
    }
    Ok(())
}

/// Rows as COPY reads them, with the stream's head and end where they are wanted.
fn postgres_rows(ids: std::ops::Range<i64>, with_head: bool, with_end: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(3_000 * BATCH as usize);
    if with_head {
        out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    }
    for id in ids {
        out.put_i16(COLUMNS as i16);
        eight(&mut out, id);
        for n in 0..TEXTS {
            let text = text(id, n);
            out.put_i32(text.len() as i32);
            out.put_slice(text.as_bytes());
        }
        (0..NUMBERS).for_each(|n| eight(&mut out, number(id, n)));
        // Microseconds since 2000.
        (0..TIMES + 3).for_each(|_| eight(&mut out, NOW - 946_684_800_000_000));
        four(&mut out, 0);
        eight(&mut out, id);
        four(&mut out, 1);
        out.put_i32(1);
        out.put_u8(0);
    }
    if with_end {
        out.put_i16(-1);
    }
    out.freeze()
}

fn eight(out: &mut BytesMut, number: i64) {
    out.put_i32(8);
    out.put_i64(number);
}

fn four(out: &mut BytesMut, number: i32) {
    out.put_i32(4);
    out.put_i32(number);
}
