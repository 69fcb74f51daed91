//! A commit is all or nothing.

use std::time::Duration;

use tokio::time::timeout;
use zenfloe_record::TopicPartition;

use super::bench::{append, commit, numbered, texts, values};
use super::{Bench, Case};
use crate::Append;

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_commit_is_seen_whole,
        records_and_cursor_go_together,
        records_and_positions_go_together,
        a_commit_that_is_dropped_happens_whole_or_not_at_all,
    ]
}

async fn a_commit_is_seen_whole(bench: &Bench<'_>) {
    const SIZE: usize = 1_000;
    let at = bench.lane("t").await;
    let (log, seen_at) = (bench.subject.open().await, at.clone());
    let watcher = tokio::spawn(async move {
        let mut seen = vec![0];
        while *seen.last().expect("never empty") < 5 * SIZE {
            let (records, _) = log.scan(&seen_at, 0).await.expect("a scan");
            seen.push(records.len());
            tokio::task::yield_now().await;
        }
        seen
    });
    for round in 0..5 {
        bench.put(numbered(&at, round * SIZE..(round + 1) * SIZE)).await;
    }
    let seen = watcher.await.expect("the watcher ends");
    assert!(
        seen.iter().all(|count| count % SIZE == 0),
        "parts of a commit were seen: {seen:?}"
    );
    assert_eq!(values(&bench.records(&at, 5 * SIZE).await), texts(0..5 * SIZE));
}

/// Records of a page, and the number behind its last one in the state topic.
fn page(raw: &TopicPartition, state: &TopicPartition, from: usize) -> Vec<Append> {
    let mut out = numbered(raw, from..from + 40);
    out.push(append(state, "cursor", (from + 40).to_string()));
    out
}

/// What the newest cursor says, checked against the records.
async fn progress(bench: &Bench<'_>, raw: &TopicPartition, state: &TopicPartition) -> usize {
    let (cursors, _) = bench.log.scan(state, 0).await.expect("a scan");
    let cursor = values(&cursors)
        .last()
        .map_or(0, |cursor| cursor.parse().expect("a number"));
    let (records, _) = bench.log.scan(raw, 0).await.expect("a scan");
    assert_eq!(
        values(&records),
        texts(0..cursor),
        "every record before the cursor, once"
    );
    cursor
}

async fn records_and_cursor_go_together(bench: &Bench<'_>) {
    let (raw, state) = (bench.lane("raw").await, bench.lane("state").await);
    for round in 0..5 {
        let mut writer = bench.writer("w").await;
        assert_eq!(progress(bench, &raw, &state).await, round * 40);
        commit(&mut *writer, page(&raw, &state, round * 40), None)
            .await
            .expect("committed");
    }
}

async fn records_and_positions_go_together(bench: &Bench<'_>) {
    let (from, to) = (bench.lane("from").await, bench.lane("to").await);
    bench.put(numbered(&from, 0..30)).await;
    let mut writer = bench.writer("w").await;
    let mut follower = bench.shared("g", None, &["from"]).await;
    let batch = follower.take(bench, 30).await;
    let out = values(&batch.records)
        .into_iter()
        .map(|value| append(&to, "", value))
        .collect();
    follower.commit(&mut *writer, out, &batch).await.expect("committed");

    let next = batch.positions.get(&from).expect("a position for what was read");
    assert!(next > batch.records[29].offset);
    bench.until_committed("g", &from, next).await;
    assert_eq!(values(&bench.records(&to, 30).await), texts(0..30));

    follower.reader.close().await.expect("closed");
    let mut follower = bench.shared("g", None, &["from"]).await;
    bench.put(numbered(&from, 30..31)).await;
    assert_eq!(
        values(&follower.take(bench, 1).await.records),
        ["30"],
        "what is committed is not read again"
    );
}

async fn a_commit_that_is_dropped_happens_whole_or_not_at_all(bench: &Bench<'_>) {
    let (raw, state) = (bench.lane("raw").await, bench.lane("state").await);
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..25 {
        let mut writer = bench.writer("w").await;
        let cursor = progress(bench, &raw, &state).await;
        let patience = Duration::from_micros(rng.u64(0..20_000));
        // Dropped in the middle, as by a stage that is told to stop.
        let _ = timeout(patience, writer.commit(page(&raw, &state, cursor), None)).await;
    }
    let mut writer = bench.writer("w").await;
    let cursor = progress(bench, &raw, &state).await;
    commit(&mut *writer, page(&raw, &state, cursor), None)
        .await
        .expect("committed");
    bench.records(&raw, cursor + 40).await;
}
