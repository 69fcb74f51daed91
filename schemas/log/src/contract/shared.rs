//! Readers of one group share the partitions.

use std::collections::BTreeSet;

use tokio::time::Instant;
use zenfloe_record::TopicPartition;

use super::bench::{Follower, append, numbered, soon, texts, values};
use super::places::silent;
use super::{Bench, Case};
use crate::{Class, Read, Start};

pub(super) fn cases() -> Vec<Case> {
    cases![
        one_reader_gets_every_partition_and_nothing_before_it_is_begun,
        two_readers_share_the_partitions,
        a_reader_that_leaves_hands_over,
        the_dead_are_taken_over_from,
        a_commit_for_partitions_that_moved_is_refused_whole,
        a_partition_that_went_and_came_back_is_begun_anew,
        a_member_of_the_same_name_takes_over,
        groups_do_not_disturb_each_other,
    ]
}

fn set(partitions: &[TopicPartition]) -> BTreeSet<TopicPartition> {
    partitions.iter().cloned().collect()
}

async fn one_reader_gets_every_partition_and_nothing_before_it_is_begun(bench: &Bench<'_>) {
    let mut all = bench.topic("a", 3).await;
    all.push(bench.lane("b").await);
    bench
        .put(all.iter().map(|at| append(at, "", at.to_string())).collect())
        .await;
    let mut reader = bench.shared("g", None, &["a", "b"]).await.reader;
    let mut assigned = BTreeSet::new();
    let begun = Instant::now();
    while assigned.len() < 4 {
        assert!(begun.elapsed() < bench.subject.patience(), "{assigned:?}");
        match reader.read(soon()).await.expect("a read") {
            Read::Assigned(new) => assigned.extend(new),
            Read::Batch(batch) => assert!(batch.records.is_empty(), "before it is begun: {batch:?}"),
            Read::Revoked(lost) => panic!("{lost:?}"),
        }
    }
    assert_eq!(assigned, set(&all));
    assert!(silent(&mut *reader).await, "nothing comes before it is begun");
    let starts: Vec<_> = all.iter().map(|at| (at.clone(), Start::Committed)).collect();
    reader.begin(&starts).await.expect("begun");
    let mut found = values(&bench.read(&mut *reader, 4).await);
    found.sort();
    let mut expected: Vec<String> = all.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// Follows both until each has its share.
async fn share_out(bench: &Bench<'_>, all: &[TopicPartition], one: &mut Follower, two: &mut Follower) {
    let begun = Instant::now();
    let is_shared = |one: &Follower, two: &Follower| {
        let each_has_some = !one.owned.is_empty() && !two.owned.is_empty();
        each_has_some && one.owned.is_disjoint(&two.owned) && one.owned.len() + two.owned.len() == all.len()
    };
    while !is_shared(one, two) {
        assert!(
            begun.elapsed() < bench.subject.patience(),
            "{:?} and {:?}",
            one.owned,
            two.owned
        );
        one.step().await;
        two.step().await;
    }
    one.rewind().await;
    two.rewind().await;
}

async fn two_readers_share_the_partitions(bench: &Bench<'_>) {
    let all = bench.topic("t", 4).await;
    let mut one = bench.shared("g", None, &["t"]).await;
    one.until(bench, |owned| *owned == set(&all)).await;
    let mut two = bench.shared("g", None, &["t"]).await;
    share_out(bench, &all, &mut one, &mut two).await;
    assert_eq!((one.owned.len(), two.owned.len()), (2, 2));
    bench
        .put(all.iter().map(|at| append(at, "", at.to_string())).collect())
        .await;
    let mut found = values(&one.take(bench, 2).await.records);
    found.extend(values(&two.take(bench, 2).await.records));
    found.sort();
    assert_eq!(
        found,
        all.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "each record with one of them"
    );
}

async fn a_reader_that_leaves_hands_over(bench: &Bench<'_>) {
    let all = bench.topic("t", 4).await;
    bench.put(all.iter().flat_map(|at| numbered(at, 0..10)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("g", None, &["t"]).await;
    let batch = one.take(bench, 40).await;
    one.commit(&mut *writer, Vec::new(), &batch).await.expect("committed");
    let mut two = bench.shared("g", None, &["t"]).await;
    share_out(bench, &all, &mut one, &mut two).await;
    one.reader.close().await.expect("closed");
    two.until(bench, |owned| *owned == set(&all)).await;
    bench
        .put(all.iter().flat_map(|at| numbered(at, 10..11)).collect())
        .await;
    let records = two.take(bench, 4).await.records;
    assert_eq!(
        values(&records),
        ["10"; 4],
        "nothing that was committed, all that was not"
    );
}

async fn the_dead_are_taken_over_from(bench: &Bench<'_>) {
    let all = bench.topic("t", 2).await;
    bench.put(all.iter().flat_map(|at| numbered(at, 0..10)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("g", None, &["t"]).await;
    let batch = one.take(bench, 20).await;
    one.commit(&mut *writer, Vec::new(), &batch).await.expect("committed");
    bench
        .put(all.iter().flat_map(|at| numbered(at, 10..15)).collect())
        .await;
    one.take(bench, 10).await;
    bench.subject.kill(one.reader).await;
    let mut two = bench.shared("g", None, &["t"]).await;
    let records = two.take(bench, 10).await.records;
    assert_eq!(two.owned, set(&all));
    for at in &all {
        let of_lane: Vec<_> = records.iter().filter(|record| record.at == *at).cloned().collect();
        assert_eq!(values(&of_lane), texts(10..15), "from the committed position on");
    }
}

async fn a_commit_for_partitions_that_moved_is_refused_whole(bench: &Bench<'_>) {
    let (all, to) = (bench.topic("t", 4).await, bench.lane("to").await);
    bench.put(all.iter().flat_map(|at| numbered(at, 0..5)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("g", None, &["t"]).await;
    let batch = one.take(bench, 20).await;
    let done = crate::Done {
        by: one.reader.membership(),
        positions: batch.positions,
    };
    let mut two = bench.shared("g", None, &["t"]).await;
    share_out(bench, &all, &mut one, &mut two).await;
    let refused = super::bench::commit(&mut *writer, vec![append(&to, "", "nothing")], Some(done)).await;
    let refused = refused.expect_err("half of the partitions moved");
    assert_eq!(refused.class(), Class::Reread, "{refused}");
    assert_eq!(bench.settled(&to).await, Vec::<String>::new());
    assert!(
        bench.committed("g", &all).await.iter().all(|(_, next)| next == 0),
        "no position moved"
    );
    // Nothing is lost: both begin again at what is committed.
    let (mine, theirs) = (one.take(bench, 10).await, two.take(bench, 10).await);
    assert_eq!((mine.records.len(), theirs.records.len()), (10, 10));
    let mut other = bench.writer("other").await;
    two.commit(&mut *other, Vec::new(), &theirs)
        .await
        .expect("the new owner commits");
    one.commit(&mut *writer, Vec::new(), &mine)
        .await
        .expect("the writer lives on");
}

/// Owning a partition again is not the same as having owned it all the time: the other one may have moved its position.
async fn a_partition_that_went_and_came_back_is_begun_anew(bench: &Bench<'_>) {
    let (all, to) = (bench.topic("t", 2).await, bench.lane("to").await);
    bench.put(all.iter().flat_map(|at| numbered(at, 0..5)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("g", None, &["t"]).await;
    let batch = one.take(bench, 10).await;
    let done = crate::Done {
        by: one.reader.membership(),
        positions: batch.positions,
    };
    let mut two = bench.shared("g", None, &["t"]).await;
    share_out(bench, &all, &mut one, &mut two).await;
    let theirs = two.take(bench, 5).await;
    let mut other = bench.writer("other").await;
    two.commit(&mut *other, Vec::new(), &theirs).await.expect("committed");
    two.reader.close().await.expect("closed");
    one.until(bench, |owned| *owned == set(&all)).await;

    let late = super::bench::commit(&mut *writer, vec![append(&to, "", "nothing")], Some(done)).await;
    assert_eq!(late.expect_err("it was read before").class(), Class::Reread);
    assert_eq!(bench.settled(&to).await, Vec::<String>::new());
    one.rewind().await;
    let mine = one.take(bench, 5).await;
    assert!(
        mine.records.iter().all(|record| !two.owned.contains(&record.at)),
        "the other's are done"
    );
    one.commit(&mut *writer, Vec::new(), &mine).await.expect("committed");
}

async fn a_member_of_the_same_name_takes_over(bench: &Bench<'_>) {
    let (all, to) = (bench.topic("t", 2).await, bench.lane("to").await);
    bench.put(all.iter().flat_map(|at| numbered(at, 0..5)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("g", Some("pod-0"), &["t"]).await;
    let batch = one.take(bench, 10).await;
    let mut two = bench.shared("g", Some("pod-0"), &["t"]).await;
    two.until(bench, |owned| *owned == set(&all)).await;
    let refused = one.commit(&mut *writer, vec![append(&to, "", "nothing")], &batch).await;
    let class = refused.expect_err("it was replaced").class();
    assert!(matches!(class, Class::Reread | Class::Fenced), "{class:?}");
    assert_eq!(bench.settled(&to).await, Vec::<String>::new());
    let batch = two.take(bench, 10).await;
    let mut other = bench.writer("other").await;
    two.commit(&mut *other, vec![append(&to, "", "done")], &batch)
        .await
        .expect("the new owner commits");
}

async fn groups_do_not_disturb_each_other(bench: &Bench<'_>) {
    let all = bench.topic("t", 2).await;
    bench.put(all.iter().flat_map(|at| numbered(at, 0..5)).collect()).await;
    let mut writer = bench.writer("w").await;
    let mut one = bench.shared("one", None, &["t"]).await;
    let batch = one.take(bench, 10).await;
    one.commit(&mut *writer, Vec::new(), &batch).await.expect("committed");
    let mut two = bench.shared("two", None, &["t"]).await;
    assert_eq!(
        two.take(bench, 10).await.records.len(),
        10,
        "each group reads everything"
    );
    assert_eq!(two.owned, set(&all));
    assert_eq!(one.owned, set(&all));
}
