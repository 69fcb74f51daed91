//! Files that are no log, or no longer a whole one.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use zenfloe_log::{Class, Log, LogError};
use zenfloe_log_file::{Config, FileLog};
use zenfloe_record::TopicPartition;

use crate::processes::{append, lane};

async fn refused(path: &Path) -> String {
    let error = FileLog::open(Config::new(path)).await.err().expect("it cannot be used");
    assert_eq!(error.class(), Class::Stop, "{error}");
    let said = error.to_string();
    assert!(said.contains(&path.display().to_string()), "it names the file: {said}");
    said
}

/// A log of some records, closed.
async fn closed_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let log = FileLog::open(Config::new(&path)).await.expect("it opens");
    let at = lane(&log).await;
    let out = (0..5_000).map(|number| append(&at, number)).collect();
    log.writer("w")
        .await
        .expect("a writer")
        .commit(out, None)
        .await
        .expect("committed");
    drop(log);
    // The keeper may hold the file a moment longer; this writes everything into it.
    let session = Connection::open(&path).expect("SQLite");
    session
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
    (folder, path)
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    std::fs::write(
        &path,
        "not a database, but longer than a header of one hundred bytes ".repeat(20),
    )
    .expect("written");
    let said = refused(&path).await;
    assert!(
        said.contains("damaged or no log") && said.contains("move it away"),
        "{said}"
    );
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let other = Connection::open(&path).expect("SQLite");
    other
        .execute_batch("PRAGMA application_id=7; CREATE TABLE a (b);")
        .expect("another program");
    assert!(refused(&path).await.contains("another program"));
}

#[tokio::test]
async fn another_releases_log_is_refused() {
    let (_folder, path) = closed_log().await;
    let session = Connection::open(&path).expect("SQLite");
    session
        .execute("UPDATE log_about SET value = '99'", [])
        .expect("another format");
    assert!(refused(&path).await.contains("format 99"));
}

#[tokio::test]
async fn a_damaged_page_is_told_when_it_is_met() {
    let (_folder, path) = closed_log().await;
    let length = std::fs::metadata(&path).expect("it is there").len();
    let mut file = OpenOptions::new().write(true).open(&path).expect("writable");
    file.seek(SeekFrom::Start(8_192 * 12)).expect("within");
    file.write_all(&vec![0xa5; usize::try_from(length).expect("small") - 8_192 * 12])
        .expect("damaged");
    drop(file);
    let error = match FileLog::open(Config::new(&path)).await {
        Err(error) => error,
        Ok(log) => log
            .scan(&TopicPartition::new("t", 0), 0)
            .await
            .expect_err("pages are missing"),
    };
    assert!(matches!(error, LogError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_file_that_may_not_be_made_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    refused(&file.join("log.sqlite")).await;
    let taken = folder.path().join("folder.sqlite");
    std::fs::create_dir(&taken).expect("a folder");
    refused(&taken).await;
}
