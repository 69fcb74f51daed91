//! The destination contract over SQLite files, and what is SQLite's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use zenfloe_destination::contract::{self, Line, Sample, Subject};
use zenfloe_destination::{Class, Cover, Destination, Faults, Flush, Mode, Target, TopicRef};
use zenfloe_sqlite::{Config, Sqlite};

struct File(PathBuf);

impl File {
    fn config(&self) -> Config {
        Config {
            path: self.0.clone(),
            busy: Duration::from_secs(15),
        }
    }
}

#[async_trait]
impl Subject for File {
    async fn open(&self, faults: Arc<Faults>) -> Arc<dyn Destination> {
        Arc::new(Sqlite::with_faults(self.config(), faults))
    }

    async fn select(&self, table: &str, columns: &[&str]) -> Vec<Vec<Option<String>>> {
        let db = rusqlite::Connection::open(&self.0).expect("readable while it is written");
        let list = columns
            .iter()
            .map(|column| format!("\"{column}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let mut statement = db
            .prepare(&format!("SELECT {list} FROM \"{table}\" ORDER BY {list}"))
            .expect("the table is there");
        let is_boolean: Vec<bool> = columns
            .iter()
            .map(|column| declared(&db, table, column) == "BOOLEAN")
            .collect();
        let rows = statement.query_map([], |row| {
            let cell = |at: usize| match row.get_ref(at).expect("a column") {
                ValueRef::Null => None,
                ValueRef::Integer(flag) if is_boolean[at] => Some((flag == 1).to_string()),
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Real(number) => Some(number.to_string()),
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(_) => panic!("no column holds bytes"),
            };
            Ok((0..columns.len()).map(cell).collect())
        });
        rows.expect("a query").collect::<Result<_, _>>().expect("rows")
    }
}

/// The type that a column was declared with.
fn declared(db: &rusqlite::Connection, table: &str, column: &str) -> String {
    let query = "SELECT type FROM pragma_table_info(?1) WHERE name = ?2";
    db.query_row(query, [table, column], |row| row.get(0))
        .expect("the column is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    contract::all(&File(folder.path().join("deep").join("warehouse.sqlite"))).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_stops_and_a_busy_one_is_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("text");
    std::fs::write(&text, "no database at all, ".repeat(100)).expect("writable");
    let config = |path: PathBuf| Config {
        path,
        busy: Duration::from_millis(20),
    };
    let error = Sqlite::new(config(text)).open().await.expect_err("it is no database");
    assert_eq!(error.class(), Class::Stop, "{error}");
    let error = Sqlite::new(config(folder.path().to_owned()))
        .open()
        .await
        .expect_err("it is a folder");
    assert_eq!(error.class(), Class::Stop, "{error}");

    let path = folder.path().join("busy.sqlite");
    let sqlite = Sqlite::new(config(path.clone()));
    sqlite.open().await.expect("a new file");
    let other = rusqlite::Connection::open(path).expect("another process");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    let (target, topic) = place();
    let error = sqlite
        .positions(&target, &topic, &[0])
        .await
        .expect_err("the file is locked");
    assert_eq!(error.class(), Class::Retry, "{error}");
    other.execute_batch("ROLLBACK").expect("it was begun");
    sqlite.positions(&target, &topic, &[0]).await.expect("the file is free");
}

fn place() -> (Target, TopicRef) {
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

#[tokio::test]
async fn columns_are_described_and_fences_find_rows_by_an_index() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = File(folder.path().join("w.sqlite"));
    let (sqlite, sample) = (Sqlite::new(file.config()), Sample::new("things"));
    let (target, topic) = place();
    sqlite.prepare(&target, &sample.shape()).await.expect("a new table");
    sqlite.positions(&target, &topic, &[0]).await.expect("entered");
    let scope = zenfloe_record::FenceScope {
        column: "parent_id".into(),
        value: "7".into(),
    };
    let fence = zenfloe_record::Fence { scope, before: Some(5) };
    let rows = vec![sample.row_at(0, 0, &Line::new(1, 9).of(7))];
    let cover = Cover {
        partition: 0,
        from: 0,
        to: 2,
    };
    let flush = Flush::new(target, topic, vec![cover], rows, vec![fence]);
    sqlite.flush(Arc::new(flush)).await.expect("in order");

    let db = rusqlite::Connection::open(&file.0).expect("readable");
    let text = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).expect("one row");
    assert_eq!(
        text("SELECT comment FROM _zenfloe_columns WHERE column_name = 'note'"),
        "A text. [text: redact]"
    );
    assert_eq!(
        text("SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'things_by%'"),
        "things_by_parent_id"
    );
    assert_eq!(
        text("SELECT typeof(id) || typeof(at) || typeof(received_at) FROM things"),
        "integernulltext"
    );
    assert_eq!(text("PRAGMA journal_mode"), "wal");
}
