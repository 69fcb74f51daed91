//! The ways in which a file is opened, among others.

use std::sync::Barrier;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use zenfloe_wal::{OpenError, open};

const PAGE: u32 = 8192;
const PATIENT: Duration = Duration::from_secs(30);

#[test]
fn file_and_folder_are_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a/b/file.sqlite");
    let session = open(&path, PAGE, PATIENT).expect("it opens");
    session.execute_batch("CREATE TABLE t (a)").expect("a table");
    let text = |pragma: &str| session.pragma_query_value(None, pragma, |row| row.get::<_, String>(0));
    let number = |pragma: &str| session.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
    assert_eq!(text("journal_mode").expect("SQLite"), "wal");
    assert_eq!(number("page_size").expect("SQLite"), PAGE);
}

#[test]
fn many_open_a_new_file_at_once() {
    for _ in 0..40 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file.sqlite");
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let session = open(&path, PAGE, PATIENT).expect("it opens");
                    session
                        .execute_batch("CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)")
                        .expect("a row");
                });
            }
        });
        let session = open(&path, PAGE, PATIENT).expect("it opens");
        let rows: u32 = session
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(rows, 8);
    }
}

/// A file in rollback mode that another session holds open for writing.
#[test]
fn the_waiting_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file.sqlite");
    let holder = Connection::open(&path).expect("SQLite");
    holder
        .execute_batch("CREATE TABLE t (a); BEGIN EXCLUSIVE")
        .expect("the lock");
    let error = open(&path, PAGE, Duration::from_millis(50)).expect_err("it is held");
    let OpenError::Sqlite(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let error = open(&folder.path().join("file/below/x.sqlite"), PAGE, PATIENT).expect_err("a file is no folder");
    assert!(matches!(error, OpenError::Folder(_)), "{error}");
}
