//! Retention and compaction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use zenfloe_log::{Append, Assign, Cleanup, Limit, Log, LogError, Read, ReaderSpec, Record, Start, TopicSpec};
use zenfloe_log_file::{Cleaned, Config, FileLog};
use zenfloe_record::{Headers, TopicPartition};

use crate::processes::values;

const HOUR: Duration = Duration::from_secs(3_600);

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as i64
}

async fn topic(log: &FileLog, cleanup: Cleanup) -> TopicPartition {
    let spec = TopicSpec {
        name: "t".into(),
        partitions: 1,
        cleanup,
        max_message_bytes: 1 << 20,
    };
    log.ensure(&[spec]).await.expect("made");
    TopicPartition::new("t", 0)
}

fn aged(at: &TopicPartition, key: &str, value: &str, age: Duration) -> Append {
    Append {
        at: at.clone(),
        timestamp: Some(now_ms() - age.as_millis() as i64),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::new(),
    }
}

async fn commit(log: &FileLog, out: Vec<Append>) {
    log.writer("w")
        .await
        .expect("a writer")
        .commit(out, None)
        .await
        .expect("committed");
}

async fn all(log: &FileLog, at: &TopicPartition) -> Vec<Record> {
    let from = log.bounds(at).await.expect("bounds").start;
    log.scan(at, from).await.expect("a scan").0
}

#[tokio::test]
async fn old_records_expire_by_their_timestamps_and_only_from_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = FileLog::open(Config::new(folder.path().join("log.sqlite")))
        .await
        .expect("it opens");
    let at = topic(&log, Cleanup::Delete(2 * HOUR)).await;
    // More than one step's worth of old records, then fresh ones, one of them with an old timestamp.
    let old = (0..1_300)
        .map(|number| aged(&at, "", &number.to_string(), 3 * HOUR))
        .collect();
    commit(&log, old).await;
    let fresh = vec![
        aged(&at, "", "a", HOUR),
        aged(&at, "", "b", 3 * HOUR),
        aged(&at, "", "c", Duration::ZERO),
    ];
    commit(&log, fresh).await;

    // The background may have done some of it.
    let cleaned = log.clean().await.expect("cleaned");
    assert!(cleaned.expired <= 1_300 && cleaned.superseded == 0, "{cleaned:?}");
    let bounds = log.bounds(&at).await.expect("bounds");
    assert_eq!((bounds.start, bounds.end), (1_300, 1_303));
    assert_eq!(values(&all(&log, &at).await), ["a", "b", "c"]);
    assert_eq!(
        log.clean().await.expect("cleaned"),
        Cleaned::default(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn a_reader_that_is_overtaken_by_retention_hears_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = FileLog::open(Config::new(folder.path().join("log.sqlite")))
        .await
        .expect("it opens");
    let at = topic(&log, Cleanup::Delete(2 * HOUR)).await;
    let spec = ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Exact(vec![at.clone()]),
    };
    let mut reader = log.reader(spec).await.expect("a reader");
    reader.begin(&[(at.clone(), Start::Committed)]).await.expect("begun");
    commit(&log, vec![aged(&at, "", "old", 3 * HOUR), aged(&at, "", "new", HOUR)]).await;
    log.clean().await.expect("cleaned");
    let error = reader.read(Limit::default()).await.expect_err("a record is missing");
    assert!(
        matches!(
            error,
            LogError::OutOfRange {
                wanted: 0,
                start: 1,
                end: 2,
                ..
            }
        ),
        "{error}"
    );
    reader.begin(&[(at, Start::Earliest)]).await.expect("whatever expired");
    match reader.read(Limit::default()).await.expect("a read") {
        Read::Batch(batch) => assert_eq!(values(&batch.records), ["new"]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_last_record_of_a_key_stays_and_fresh_ones_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        compact_after: HOUR,
        ..Config::new(folder.path().join("log.sqlite"))
    };
    let log = FileLog::open(config).await.expect("it opens");
    let at = topic(&log, Cleanup::Compact).await;
    let old = |number: usize| aged(&at, &format!("key {}", number % 7), &number.to_string(), 2 * HOUR);
    commit(&log, (0..1_400).map(old).collect()).await;
    let tombstone = Append {
        value: None,
        ..aged(&at, "key 0", "", 2 * HOUR)
    };
    let nameless = |value| aged(&at, "", value, 2 * HOUR);
    let fresh = |value| aged(&at, "key 1", value, Duration::ZERO);
    commit(
        &log,
        vec![tombstone, nameless("x"), nameless("y"), fresh("f1"), fresh("f2")],
    )
    .await;

    let cleaned = log.clean().await.expect("cleaned");
    assert!(cleaned.expired == 0 && cleaned.superseded <= 1_394, "{cleaned:?}");
    let expected = [
        "1394", "1395", "1396", "1397", "1398", "1399", "-", "x", "y", "f1", "f2",
    ];
    let records = all(&log, &at).await;
    assert_eq!(values(&records), expected);
    assert_eq!(
        log.bounds(&at).await.expect("bounds").start,
        0,
        "a compacted topic's beginning never expires"
    );
    assert_eq!(log.clean().await.expect("cleaned"), Cleaned::default());

    // A reader walks over the gaps to the end.
    let spec = ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Exact(vec![at.clone()]),
    };
    let mut reader = log.reader(spec).await.expect("a reader");
    reader.begin(&[(at.clone(), Start::Committed)]).await.expect("begun");
    match reader.read(Limit::default()).await.expect("a read") {
        Read::Batch(batch) => {
            assert_eq!(batch.records, records);
            assert_eq!(batch.positions.get(&at), Some(1_405));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_happens_by_itself_while_others_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        clean_every: Duration::from_millis(50),
        ..Config::new(folder.path().join("log.sqlite"))
    };
    let log = FileLog::open(config).await.expect("it opens");
    let at = topic(&log, Cleanup::Delete(HOUR)).await;
    for _ in 0..20 {
        commit(
            &log,
            (0..200)
                .map(|number| aged(&at, "", &number.to_string(), 2 * HOUR))
                .collect(),
        )
        .await;
    }
    for _ in 0..1_000 {
        let bounds = log.bounds(&at).await.expect("bounds");
        if bounds.start == 4_000 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("old records stay");
}
