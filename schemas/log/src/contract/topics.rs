//! Topics are made once and are what they were made.

use std::sync::Arc;

use tokio::task::JoinSet;
use zenfloe_record::TopicPartition;

use super::bench::{append, values};
use super::{Bench, Case};
use crate::{Assign, Class, LogError, ReaderSpec, Start};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_topic_is_made_and_found_again,
        another_partition_count_is_refused,
        several_may_make_the_same_topics_at_once,
        topics_are_listed_by_prefix,
        what_does_not_exist_is_an_error,
        a_commit_with_a_part_that_cannot_be_is_refused_whole,
    ]
}

async fn a_topic_is_made_and_found_again(bench: &Bench<'_>) {
    assert_eq!(bench.log.topic(&bench.name("t")).await.expect("an answer"), None);
    let spec = bench.spec("t", 3);
    bench.log.ensure(std::slice::from_ref(&spec)).await.expect("made");
    let info = bench
        .log
        .topic(&spec.name)
        .await
        .expect("an answer")
        .expect("it exists");
    assert_eq!(info.partitions, 3);
    assert!(!info.id.is_empty());
    assert!(
        info.max_message_bytes
            .is_none_or(|limit| limit == spec.max_message_bytes),
        "{info:?}"
    );

    bench
        .log
        .ensure(&[bench.spec("other", 1), spec.clone()])
        .await
        .expect("found and made");
    let again = bench.subject.open().await.topic(&spec.name).await.expect("an answer");
    assert_eq!(again, Some(info), "another process sees the same");
    for at in crate::partitions_of(&spec.name, 3) {
        let bounds = bench.log.bounds(&at).await.expect("bounds");
        assert_eq!((bounds.start, bounds.end), (0, 0), "{at} is empty");
    }
}

async fn another_partition_count_is_refused(bench: &Bench<'_>) {
    bench.topic("t", 2).await;
    let refused = bench
        .log
        .ensure(&[bench.spec("t", 3)])
        .await
        .expect_err("another count");
    assert_eq!(refused.class(), Class::Stop);
    match refused {
        LogError::PartitionCount { topic, found, wanted } => {
            assert_eq!((topic, found, wanted), (bench.name("t"), 2, 3));
        }
        other => panic!("{other}"),
    }
    let info = bench
        .log
        .topic(&bench.name("t"))
        .await
        .expect("an answer")
        .expect("it exists");
    assert_eq!(info.partitions, 2, "nothing was changed");
}

async fn several_may_make_the_same_topics_at_once(bench: &Bench<'_>) {
    let specs: Arc<Vec<_>> = Arc::new((0..4).map(|number| bench.spec(&format!("t{number}"), 2)).collect());
    let mut makers = JoinSet::new();
    for _ in 0..4 {
        let (log, specs) = (bench.subject.open().await, specs.clone());
        makers.spawn(async move {
            log.ensure(&specs).await.expect("made or found");
            log.topic(&specs[0].name).await.expect("an answer").expect("it exists")
        });
    }
    let found = makers.join_all().await;
    assert!(
        found.iter().all(|info| *info == found[0]),
        "one and the same topic: {found:?}"
    );
}

async fn topics_are_listed_by_prefix(bench: &Bench<'_>) {
    for topic in ["raw.b", "raw.a", "clean.a"] {
        bench.topic(topic, 1).await;
    }
    let look = || async {
        let names = bench.log.topics(&bench.name("raw.")).await.expect("names");
        (names == [bench.name("raw.a"), bench.name("raw.b")]).then_some(())
    };
    bench.eventually("the topics of a prefix, sorted", look).await;
}

async fn what_does_not_exist_is_an_error(bench: &Bench<'_>) {
    let absent = TopicPartition::new(bench.name("absent"), 0);
    let beyond = TopicPartition::new(bench.lane("t").await.topic, 1);
    for at in [&absent, &beyond] {
        let refusals = [
            bench.log.bounds(at).await.expect_err("no bounds"),
            bench.log.scan(at, 0).await.expect_err("no scan"),
            bench.log.offset_at(at, 0).await.expect_err("no offset"),
            start(bench, at).await.expect_err("no reader"),
        ];
        for refusal in refusals {
            assert_eq!(refusal.class(), Class::Stop, "{at}: {refusal}");
        }
    }
    assert!(matches!(bench.log.bounds(&absent).await, Err(LogError::NoTopic { .. })));
}

/// An error at the opening, the beginning or the first read, whichever comes first.
async fn start(bench: &Bench<'_>, at: &TopicPartition) -> Result<(), LogError> {
    let spec = ReaderSpec {
        group: bench.name("g"),
        member: None,
        assign: Assign::Exact(vec![at.clone()]),
    };
    let mut reader = bench.log.reader(spec).await?;
    reader.begin(&[(at.clone(), Start::Earliest)]).await?;
    reader.read(super::bench::soon()).await.map(drop)
}

async fn a_commit_with_a_part_that_cannot_be_is_refused_whole(bench: &Bench<'_>) {
    let at = bench.lane("t").await;
    let absent = TopicPartition::new(bench.name("absent"), 0);
    let beyond = TopicPartition::new(at.topic.clone(), 7);
    for wrong in [absent, beyond] {
        let mut writer = bench.writer("w").await;
        let out = vec![append(&at, "a", "nothing"), append(&wrong, "a", "nothing")];
        let refused = writer.commit(out, None).await.expect_err("it cannot be");
        assert_eq!(refused.class(), Class::Stop, "{refused}");
    }
    bench.put(vec![append(&at, "a", "first")]).await;
    assert_eq!(
        values(&bench.records(&at, 1).await),
        ["first"],
        "nothing of the refused commits is there"
    );
}
