//! Several processes on one file, some of them killed.
//!
//! The other processes are this test binary again, told by a variable to be one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use zenfloe_log::{
    Append, Assign, Class, Cleanup, Done, Limit, Log, Read, Reader, ReaderSpec, Record, Start, TopicSpec,
};
use zenfloe_log_file::{Config, FileLog};
use zenfloe_record::{Headers, TopicPartition};

const ROLE: &str = "ZENFLOE_LOG_FILE_TEST_ROLE";
const FILE: &str = "ZENFLOE_LOG_FILE_TEST_PATH";

pub(crate) fn append(at: &TopicPartition, number: usize) -> Append {
    Append {
        at: at.clone(),
        timestamp: None,
        key: Bytes::from_static(b"key"),
        value: Some(number.to_string().into()),
        headers: Headers::new(),
    }
}

pub(crate) fn values(records: &[Record]) -> Vec<String> {
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    records
        .iter()
        .map(|record| record.value.as_ref().map_or_else(|| "-".to_owned(), text))
        .collect()
}

fn spec(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        partitions,
        cleanup: Cleanup::Delete(Duration::from_secs(86_400)),
        max_message_bytes: 1 << 20,
    }
}

/// Makes topic `t` of one partition.
pub(crate) async fn lane(log: &FileLog) -> TopicPartition {
    log.ensure(&[spec("t", 1)]).await.expect("made");
    TopicPartition::new("t", 0)
}

fn another(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "processes::the_other_process", "--nocapture"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// The body of the other processes; as a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(FILE)) else {
        return;
    };
    let log = FileLog::open(Config::new(path)).await.expect("it opens");
    match role.as_str() {
        "extract" => extract(log).await,
        "copy" => copy(log).await,
        other => panic!("no role {other}"),
    }
}

/// Appends pages with their cursor until it is killed.
async fn extract(log: FileLog) {
    let at = lane(&log).await;
    log.ensure(&[spec("state", 1)]).await.expect("made");
    let state = TopicPartition::new("state", 0);
    let mut writer = log.writer("extract").await.expect("a writer");
    loop {
        let mut cursor = cursor(&log, &state).await;
        let mut out: Vec<Append> = (cursor..cursor + 25).map(|number| append(&at, number)).collect();
        cursor += 25;
        out.push(append(&state, cursor));
        writer.commit(out, None).await.expect("committed");
        println!("{cursor}");
    }
}

async fn cursor(log: &FileLog, state: &TopicPartition) -> usize {
    let (records, _) = log.scan(state, 0).await.expect("a scan");
    values(&records)
        .last()
        .map_or(0, |cursor| cursor.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_moment_loses_nothing_that_it_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let log = FileLog::open(Config::new(&path)).await.expect("it opens");
    let at = lane(&log).await;
    log.ensure(&[spec("state", 1)]).await.expect("made");
    let state = TopicPartition::new("state", 0);
    let mut rng = Rng::with_seed(1);
    let mut before = 0;
    for round in 0..12 {
        let mut child = another("extract", &path);
        // Seen from here, another process: it has got further before it is killed.
        until(|| async { cursor(&log, &state).await > before }).await;
        tokio::time::sleep(Duration::from_micros(rng.u64(0..60_000))).await;
        let confirmed = cursor(&log, &state).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        let found = cursor(&log, &state).await;
        assert!(found >= confirmed, "round {round}: {confirmed} was there");
        let (records, _) = log.scan(&at, 0).await.expect("a scan");
        let expected: Vec<String> = (0..found).map(|number| number.to_string()).collect();
        assert_eq!(
            values(&records),
            expected,
            "round {round}: every record before the cursor, once"
        );
        before = found;
    }
    drop(log);
    let log = FileLog::open(Config::new(&path)).await.expect("it opens again");
    assert_eq!(cursor(&log, &state).await, before);
}

async fn until<F: Future<Output = bool>>(mut look: impl FnMut() -> F) {
    for _ in 0..6_000 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come true");
}

/// Copies `from` to `to` as a member of a group until it is killed.
async fn copy(log: FileLog) {
    let id = format!("copy-{}", std::process::id());
    let mut writer = log.writer(&id).await.expect("a writer");
    let spec = ReaderSpec {
        group: "g".into(),
        member: None,
        assign: Assign::Shared(vec!["from".into()]),
    };
    let mut reader = log.reader(spec).await.expect("a reader");
    let mut owned = Vec::new();
    loop {
        let limit = Limit {
            records: 20,
            ..Limit::default()
        };
        match reader.read(limit).await.expect("a read") {
            Read::Assigned(new) => {
                begin(&mut *reader, &new).await;
                owned.extend(new);
            }
            Read::Revoked(lost) => owned.retain(|at| !lost.contains(at)),
            Read::Batch(batch) if batch.records.is_empty() => {}
            Read::Batch(batch) => {
                let done = Done {
                    by: reader.membership(),
                    positions: batch.positions,
                };
                let out = batch.records.into_iter().map(copied).collect();
                match writer.commit(out, Some(done)).await {
                    Ok(()) => {}
                    Err(error) if error.class() == Class::Reread => begin(&mut *reader, &owned).await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

async fn begin(reader: &mut dyn Reader, partitions: &[TopicPartition]) {
    let starts: Vec<_> = partitions.iter().map(|at| (at.clone(), Start::Committed)).collect();
    reader.begin(&starts).await.expect("begun");
}

fn copied(record: Record) -> Append {
    Append {
        at: TopicPartition::new("to", record.at.partition),
        timestamp: Some(record.timestamp),
        key: record.key,
        value: record.value,
        headers: record.headers,
    }
}

/// Members of one group in processes that are killed: each partition is taken over, nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_members_are_taken_over_from() {
    const EACH: usize = 600;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.sqlite");
    let log = FileLog::open(Config::new(&path)).await.expect("it opens");
    log.ensure(&[spec("from", 3), spec("to", 3)]).await.expect("made");
    let from = zenfloe_log::partitions_of("from", 3);
    let to = zenfloe_log::partitions_of("to", 3);
    let mut writer = log.writer("producer").await.expect("a writer");
    let mut rng = Rng::with_seed(2);
    let mut children = vec![another("copy", &path), another("copy", &path)];
    for start in (0..EACH).step_by(50) {
        let out = from
            .iter()
            .flat_map(|at| (start..start + 50).map(|number| append(at, number)))
            .collect();
        writer.commit(out, None).await.expect("committed");
        tokio::time::sleep(Duration::from_millis(rng.u64(0..80))).await;
        if rng.bool() {
            let victim = rng.usize(0..children.len());
            children[victim].kill().expect("killed");
            children[victim].wait().expect("ended");
            children[victim] = another("copy", &path);
        }
    }
    let arrived = || async {
        let mut arrived = 0;
        for at in &to {
            arrived += log.scan(at, 0).await.expect("a scan").0.len();
        }
        arrived >= 3 * EACH
    };
    until(arrived).await;
    for mut child in children {
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let expected: Vec<String> = (0..EACH).map(|number| number.to_string()).collect();
    for at in &to {
        assert_eq!(values(&log.scan(at, 0).await.expect("a scan").0), expected, "{at}");
    }
}
