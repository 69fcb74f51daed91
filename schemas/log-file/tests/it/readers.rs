//! Readers that others wait for, and what others see of the file.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use zenfloe_log::{Append, Assign, Class, Limit, Log, Read, Reader, ReaderSpec, Start};
use zenfloe_log_file::{Config, FileLog};
use zenfloe_record::TopicPartition;
use zenfloe_registry::{FileRegistry, Registry};

use crate::processes::{append, lane, values};

async fn shared(log: &FileLog, member: Option<&str>) -> Box<dyn Reader> {
    let spec = ReaderSpec {
        group: "g".into(),
        member: member.map(str::to_owned),
        assign: Assign::Shared(vec!["t".into()]),
    };
    log.reader(spec).await.expect("a reader")
}

async fn event(reader: &mut dyn Reader, wait: Duration) -> Read {
    let limit = Limit {
        wait,
        ..Limit::default()
    };
    reader.read(limit).await.expect("a read")
}

/// A process that says nothing any more (here: one that does not look after its log) loses its partitions in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_member_is_taken_over_from_after_its_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let config = Config {
        session: Duration::from_millis(600),
        ..Config::new(&path)
    };
    let log = FileLog::open(config).await.expect("it opens");
    let at = lane(&log).await;
    // A member as another process on another machine's processes would have left it.
    let other = Connection::open(&path).expect("SQLite");
    other
        .execute_batch(
            "INSERT INTO log_groups VALUES ('g', 1);
             INSERT INTO log_members (grp, topics, process, seen_ms, session_ms)
                VALUES ('g', '[\"t\"]', '', CAST(unixepoch('subsec') * 1000 AS INTEGER), 1500);
             INSERT INTO log_owners SELECT 'g', log_lanes.id, log_members.id, 1 FROM log_lanes, log_members;",
        )
        .expect("a member");
    let mut reader = shared(&log, None).await;
    let begun = Instant::now();
    loop {
        match event(&mut *reader, Duration::from_millis(100)).await {
            Read::Assigned(new) => break assert_eq!(new, [at]),
            _ => assert!(begun.elapsed() < Duration::from_secs(60), "never taken over"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_given_up_comes_back_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let log = FileLog::open(Config::new(&path)).await.expect("it opens");
    let at = lane(&log).await;
    let mut reader = shared(&log, None).await;
    assert!(matches!(
        event(&mut *reader, Duration::from_secs(10)).await,
        Read::Assigned(_)
    ));
    reader.begin(&[(at.clone(), Start::Committed)]).await.expect("begun");
    // As after a long sleep of the machine, when another process has cleared it away.
    let other = Connection::open(&path).expect("SQLite");
    other
        .execute_batch(
            "DELETE FROM log_members; DELETE FROM log_owners; UPDATE log_groups SET generation = generation + 1;",
        )
        .expect("cleared away");
    match event(&mut *reader, Duration::from_secs(10)).await {
        Read::Revoked(lost) => assert_eq!(lost, std::slice::from_ref(&at)),
        other => panic!("{other:?}"),
    }
    match event(&mut *reader, Duration::from_secs(10)).await {
        Read::Assigned(new) => assert_eq!(new, std::slice::from_ref(&at)),
        other => panic!("{other:?}"),
    }
}

/// A waiting reader hears of a commit at once, and of another process's soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_readers_are_woken() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::new(folder.path().join("log.sqlite"));
    let log = FileLog::open(config.clone()).await.expect("it opens");
    let other = FileLog::open(config).await.expect("it opens again");
    let at = lane(&log).await;
    let spec = ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Exact(vec![at.clone()]),
    };
    let mut reader = log.reader(spec).await.expect("a reader");
    reader.begin(&[(at.clone(), Start::Earliest)]).await.expect("begun");
    for (number, log) in [&log, &other].into_iter().enumerate() {
        let (log, out) = (log.clone(), vec![append(&at, number)]);
        let writing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            log.writer("w").await.expect("a writer").commit(out, None).await
        });
        match event(&mut *reader, Duration::from_secs(60)).await {
            Read::Batch(batch) => assert_eq!(values(&batch.records), [number.to_string()]),
            other => panic!("{other:?}"),
        }
        writing.await.expect("ended").expect("committed");
    }
}

#[tokio::test]
async fn others_read_the_file_while_it_is_open_and_the_registry_lives_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let registry = FileRegistry::open(&path).await.expect("the registry first");
    let log = FileLog::open(Config::new(&path)).await.expect("then the log");
    let at = lane(&log).await;
    let out: Vec<Append> = (0..3).map(|number| append(&at, number)).collect();
    log.writer("w")
        .await
        .expect("a writer")
        .commit(out, None)
        .await
        .expect("committed");
    let id = registry
        .register("t-value", r#"{"type":"record","name":"r","fields":[]}"#)
        .await
        .expect("registered");
    FileRegistry::open(&path)
        .await
        .expect("again")
        .schema(id)
        .await
        .expect("known");

    let reader = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("SQLite");
    let select = "SELECT topic, partition, \"offset\", CAST(value AS TEXT), time > '2020' FROM log ORDER BY 3";
    let mut statement = reader.prepare(select).expect("the view");
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, bool>(4)?,
        ))
    });
    let rows: Vec<_> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    let expected = |number: i64| (at.topic.to_string(), 0, number, number.to_string(), true);
    assert_eq!(rows, (0..3).map(expected).collect::<Vec<_>>());
}

/// Stages that start at once find or make one file.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_may_make_the_file_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("made/log.sqlite");
        let mut all = tokio::task::JoinSet::new();
        for number in 0..6 {
            let path = path.clone();
            all.spawn(async move {
                if number % 3 == 0 {
                    FileRegistry::open(path)
                        .await
                        .expect("the registry")
                        .ping()
                        .await
                        .expect("it answers");
                } else {
                    let log = FileLog::open(Config::new(path)).await.expect("the log");
                    lane(&log).await;
                }
            });
        }
        all.join_all().await;
    }
}

/// Another program may hold the file's lock for longer than one waits.
#[tokio::test]
async fn a_busy_file_is_no_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let config = Config {
        busy: Duration::from_millis(100),
        ..Config::new(&path)
    };
    let log = FileLog::open(config).await.expect("it opens");
    let at = lane(&log).await;
    let mut writer = log.writer("w").await.expect("a writer");
    let other = Connection::open(&path).expect("SQLite");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let error = writer.commit(vec![append(&at, 1)], None).await.expect_err("it is busy");
    assert_eq!(error.class(), Class::Retry, "{error}");
    assert_eq!(log.scan(&at, 0).await.expect("readers need no lock").0, []);
    other.execute_batch("ROLLBACK").expect("given back");
    writer
        .commit(vec![append(&at, 1)], None)
        .await
        .expect("the same call again");
    assert_eq!(values(&log.scan(&at, 0).await.expect("a scan").0), ["1"]);
}

#[tokio::test]
async fn a_membership_of_another_log_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = FileLog::open(Config::new(folder.path().join("log.sqlite")))
        .await
        .expect("it opens");
    let at = lane(&log).await;
    let done = zenfloe_log::Done {
        by: zenfloe_log::Membership(std::sync::Arc::new(7)),
        positions: [(at, 0)].into_iter().collect(),
    };
    let mut writer = log.writer("w").await.expect("a writer");
    assert!(writer.commit(Vec::new(), Some(done)).await.is_err());
    let foreign = TopicPartition::new("t", 5);
    let spec = ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Exact(vec![foreign]),
    };
    assert!(log.reader(spec).await.is_err(), "a partition that does not exist");
}
