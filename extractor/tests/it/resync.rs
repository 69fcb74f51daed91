//! A history that is asked for again, and a source that is forgotten.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use zenfloe_catalog::Catalog;
use zenfloe_extractor::{Forgotten, Mode, Resync, StageError, forget, resync, run, standing};

use crate::Bench;
use crate::account::Account;

async fn ask(bench: &Bench, collection: &str) -> Result<Resync, StageError> {
    let topics = &bench.topics;
    resync(
        &*topics.log,
        &topics.source,
        &bench.config,
        Catalog::builtin(),
        collection,
    )
    .await
}

#[tokio::test]
async fn a_history_is_published_again_with_later_times_and_once() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&[("tickets", 11), ("groups", 4), ("users", 5)]));
    assert_eq!(ask(&bench, "tickets").await.expect("a known name"), Resync::NotBegun);
    bench.once(account.clone()).await.expect("a pass");
    let before = bench.topics.raw("tickets").await;
    for collection in ["tickets", "groups"] {
        assert_eq!(ask(&bench, collection).await.expect("a known name"), Resync::Asked);
    }
    bench.once(account.clone()).await.expect("a pass");
    let after = bench.topics.raw("tickets").await;
    assert_eq!(after.len(), 22, "every ticket once more");
    for old in &before {
        let again = after.iter().filter(|new| new.key == old.key && new.json == old.json);
        let times: Vec<_> = again.map(|new| new.extracted_at).collect();
        assert!(times.len() == 2 && times[0] < times[1], "{times:?}");
    }
    assert_eq!(bench.topics.raw("groups").await.len(), 8, "a list too");
    assert_eq!(bench.topics.raw("users").await.len(), 5, "and nothing else");
    // It was asked for once.
    bench.once(account).await.expect("a pass");
    assert_eq!(bench.topics.raw("tickets").await.len(), 22);
    assert_eq!(bench.topics.raw("groups").await.len(), 8);

    assert!(matches!(
        ask(&bench, "nonsense").await,
        Err(StageError::NoSuchCollection { .. })
    ));
    assert!(matches!(
        ask(&bench, "brands").await,
        Err(StageError::NotSelected { .. })
    ));
}

#[tokio::test]
async fn a_running_extractor_takes_the_request() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&[("tickets", 5)]));
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(bench.parts(account, Mode::Interval), stop.clone()));
    let until = async |count: usize| {
        while bench.topics.raw_or_none("tickets").await.len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    until(5).await;
    while ask(&bench, "tickets").await.expect("a known name") == Resync::NotBegun {}
    until(10).await;
    stop.cancel();
    running.await.expect("no panic").expect("stopped as asked");
    assert_eq!(bench.topics.raw("tickets").await.len(), 10);
}

#[tokio::test]
async fn a_forgotten_source_begins_anew() {
    let bench = Bench::new();
    let (log, source) = (&*bench.topics.log, &bench.topics.source);
    assert_eq!(forget(log, source).await.expect("nothing to do"), Forgotten::default());
    let account = Arc::new(Account::with(&[("groups", 4)]));
    bench.once(account.clone()).await.expect("a pass");
    assert!(forget(log, source).await.expect("forgotten").records > 1);
    let now = bench.clock.now();
    let told = standing(log, source, &bench.config, Catalog::builtin(), now).await;
    let told = told.expect("readable").expect("the topic is there");
    assert_eq!(told.collections["groups"].records, 0);
    bench.once(account).await.expect("a pass");
    assert_eq!(bench.topics.raw("groups").await.len(), 8, "what is published stays");
}
