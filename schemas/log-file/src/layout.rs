//! The tables, and opening the file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use zenfloe_log::LogError;

use crate::fault::{Fault, damaged};
use crate::{Config, Durability};

/// Marks the file as ours: "ZFLG". See <https://sqlite.org/fileformat2.html#application_id>.
const APPLICATION: i32 = 0x5a46_4c47;
/// Changes when a release can no longer read what an earlier one wrote.
const FORMAT: &str = "1";

/// Bytes: records of some KB fit, and a small commit does not write much.
const PAGE: u32 = 8192;

/// A record's place is its partition's number and its offset in one integer, so that records of a partition lie side by
/// side and need no further index. `records::place` and the view agree.
const TABLES: &str = "
CREATE TABLE log_about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE log_topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, uid TEXT NOT NULL, partitions INTEGER NOT NULL,
    retention_ms INTEGER, -- NULL: compacted
    max_bytes INTEGER NOT NULL
);
CREATE TABLE log_lanes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL REFERENCES log_topics, part INTEGER NOT NULL,
    start INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, compacted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, part)
);
CREATE TABLE log_records (place INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key BLOB NOT NULL, value BLOB, headers BLOB);
CREATE TABLE log_newest (
    lane INTEGER NOT NULL, key BLOB NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (lane, key)
) WITHOUT ROWID;
CREATE TABLE log_writers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE log_groups (name TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE log_members (
    id INTEGER PRIMARY KEY AUTOINCREMENT, grp TEXT NOT NULL, name TEXT, topics TEXT NOT NULL, process TEXT NOT NULL,
    seen_ms INTEGER NOT NULL, session_ms INTEGER NOT NULL
);
CREATE TABLE log_owners (
    grp TEXT NOT NULL, lane INTEGER NOT NULL, member INTEGER NOT NULL, granted INTEGER NOT NULL, PRIMARY KEY (grp, lane)
) WITHOUT ROWID;
CREATE TABLE log_committed (
    grp TEXT NOT NULL, lane INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (grp, lane)
) WITHOUT ROWID;
CREATE VIEW log AS
    SELECT t.name AS topic, l.part AS partition, r.place & 0xffffffffff AS \"offset\",
        strftime('%Y-%m-%d %H:%M:%f', r.at_ms / 1000.0, 'unixepoch') AS time, r.key, r.value, r.headers
    FROM log_records r JOIN log_lanes l ON l.id = r.place >> 40 JOIN log_topics t ON t.id = l.topic;";

/// Opens the file for writing; file, folder and tables are made where they are missing.
pub(crate) fn open(config: &Config) -> Result<Connection, LogError> {
    let path = &config.path;
    let mut session = connect(config).map_err(|fault| fault.at(path))?;
    make(&mut session, path).map_err(|fault| fault.at(path))?;
    Ok(session)
}

/// Opens one more connection for reading.
pub(crate) fn open_to_read(config: &Config) -> Result<Connection, Fault> {
    let session = connect(config)?;
    session.execute_batch("PRAGMA query_only=ON;")?;
    Ok(session)
}

fn connect(config: &Config) -> Result<Connection, Fault> {
    let session = zenfloe_wal::open(&config.path, PAGE, config.busy)?;
    session.set_prepared_statement_cache_capacity(64);
    let synchronous = match config.durability {
        Durability::Power => "FULL",
        Durability::Process => "NORMAL",
    };
    // A checkpoint every 32 MiB.
    session.execute_batch(&format!(
        "PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=4000;
         PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;"
    ))?;
    Ok(session)
}

fn make(session: &mut Connection, path: &Path) -> Result<(), Fault> {
    let transaction = session.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != 0 && application != APPLICATION {
        return Err(damaged(path, "it is another program's file").into());
    }
    let is_made = "SELECT count(*) FROM sqlite_schema WHERE name = 'log_about'";
    if transaction.query_row(is_made, [], |row| row.get::<_, i64>(0))? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO log_about VALUES ('format', ?1)", [FORMAT])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
    }
    let select = "SELECT value FROM log_about WHERE name = 'format'";
    let format: Option<String> = transaction.query_row(select, [], |row| row.get(0)).optional()?;
    match format.as_deref() {
        Some(FORMAT) => Ok(transaction.commit()?),
        found => Err(damaged(
            path,
            &format!("format {}, this release reads {FORMAT}", found.unwrap_or("unknown")),
        )
        .into()),
    }
}
