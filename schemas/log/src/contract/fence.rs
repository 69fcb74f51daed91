//! One living writer per id.

use std::sync::Arc;

use tokio::task::JoinSet;
use zenfloe_record::TopicPartition;

use super::bench::{append, commit, numbered, texts, values};
use super::{Bench, Case};
use crate::{Class, Log, LogError};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_newer_writer_fences_the_older_one,
        a_fenced_commit_moves_no_position,
        writers_of_other_ids_live_on,
        writers_of_one_id_take_turns_without_a_gap,
    ]
}

async fn a_newer_writer_fences_the_older_one(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let mut older = bench.writer("w").await;
    commit(&mut *older, vec![append(&at, "", "of the older")], None)
        .await
        .expect("it lives");
    let another = bench.subject.open().await;
    let mut newer = another.writer(&bench.name("w")).await.expect("a writer");
    for _ in 0..2 {
        let refused = commit(&mut *older, vec![append(&at, "", "nothing")], None)
            .await
            .expect_err("fenced");
        assert!(matches!(refused, LogError::Fenced { .. }), "{refused}");
        assert_eq!(refused.class(), Class::Fenced);
        assert!(refused.to_string().contains(&bench.name("w")), "{refused}");
    }
    commit(&mut *newer, vec![append(&at, "", "of the newer")], None)
        .await
        .expect("it lives");
    assert_eq!(bench.settled(&at).await, ["of the older", "of the newer"]);
}

async fn a_fenced_commit_moves_no_position(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    bench.put(numbered(&at, 0..10)).await;
    let mut older = bench.writer("w").await;
    let mut follower = bench.shared("g", None, &["t"]).await;
    let batch = follower.take(bench, 10).await;
    let _newer = bench.writer("w").await;
    let refused = follower
        .commit(&mut *older, Vec::new(), &batch)
        .await
        .expect_err("fenced");
    assert!(matches!(refused, LogError::Fenced { .. }), "{refused}");
    follower.rewind().await;
    assert_eq!(
        values(&follower.take(bench, 10).await.records),
        texts(0..10),
        "from the beginning"
    );
    let next = bench.committed("g", std::slice::from_ref(&at)).await.get(&at);
    assert!(next.is_none_or(|next| next == 0), "{next:?}");
}

async fn writers_of_other_ids_live_on(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let (mut one, mut other) = (bench.writer("one").await, bench.writer("other").await);
    for round in 0..3 {
        commit(&mut *one, vec![append(&at, "", format!("one {round}"))], None)
            .await
            .expect("it lives");
        commit(&mut *other, vec![append(&at, "", format!("other {round}"))], None)
            .await
            .expect("it lives");
    }
    let mut found = bench.settled(&at).await;
    found.sort();
    assert_eq!(found, ["one 0", "one 1", "one 2", "other 0", "other 1", "other 2"]);
}

/// Fence first, read second: whoever opens the writer goes on where its predecessor truly was.
async fn writers_of_one_id_take_turns_without_a_gap(bench: &Bench<'_>) {
    let at = Arc::new(bench.lane("t").await);
    let id: Arc<str> = bench.name("w").into();
    let mut rivals = JoinSet::new();
    for rival in 0..3 {
        let log = bench.subject.open().await;
        rivals.spawn(rival_turns(log, id.clone(), at.clone(), rival));
    }
    let turns: usize = rivals.join_all().await.into_iter().sum();
    let records = bench.records(&at, turns).await;
    assert_eq!(values(&records), texts(0..turns), "no number is missing or there twice");
}

/// Appends the number after the last one, some times; returns how often it got through.
async fn rival_turns(log: Arc<dyn Log>, id: Arc<str>, at: Arc<TopicPartition>, seed: u64) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut turns = 0;
    for _ in 0..8 {
        let mut writer = log.writer(&id).await.expect("a writer");
        for _ in 0..rng.usize(1..4) {
            let (records, _) = log.scan(&at, 0).await.expect("a scan");
            let number = records.len().to_string();
            match commit(&mut *writer, vec![append(&at, "", number)], None).await {
                Ok(()) => turns += 1,
                Err(error) if error.class() == Class::Fenced => break,
                Err(error) => panic!("{error}"),
            }
            wait_for(&*log, &at, records.len() + 1).await;
        }
    }
    turns
}

/// What one has committed oneself may show a moment later.
async fn wait_for(log: &dyn Log, at: &TopicPartition, count: usize) {
    for _ in 0..2_000 {
        let (records, _) = log.scan(at, 0).await.expect("a scan");
        if records.len() >= count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{at}: a committed record does not show");
}
