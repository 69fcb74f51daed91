//! Raw records, transformed again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_record::CleanKey;
use zenfloe_transformer::{From, Replay, ReplayProgress, Replayed, StageError, replay, run};

use crate::clean::Clean;
use crate::flaky::{flaky, stopping};
use crate::{Site, caught_up};

fn what(from: From) -> Replay {
    Replay {
        collections: Vec::new(),
        from,
        is_dry_run: false,
    }
}

impl Site {
    async fn replay(&self, what: Replay) -> Result<Replayed, StageError> {
        replay(self.parts(), what, ReplayProgress::default(), CancellationToken::new()).await
    }

    /// Live and replayed rows.
    async fn both(&self) -> (Vec<Clean>, Vec<Clean>) {
        let (live, versioned) = self.clean().await.into_iter().partition(Clean::is_live);
        (live, versioned)
    }
}

fn essences(rows: &[Clean]) -> BTreeSet<impl Ord + std::fmt::Debug + Clone> {
    let set: BTreeSet<_> = rows.iter().map(Clean::essence).collect();
    assert_eq!(set.len(), rows.len(), "nothing doubled");
    set
}

#[tokio::test(start_paused = true)]
async fn a_replay_from_the_beginning_gives_the_same_rows_while_live_goes_on() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 10).await;
    site.transform().await;
    let before = site.clean().await;
    let done = CancellationToken::new();
    let live = run(
        site.parts_over(site.log.clone(), "t0", done.clone()),
        CancellationToken::new(),
    );
    let progress = ReplayProgress::default();
    let script = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let again = replay(
            site.parts(),
            what(From::All),
            progress.clone(),
            CancellationToken::new(),
        );
        let (again, ()) = tokio::join!(again, site.page(2, 10));
        let again = again.expect("the same configuration");
        assert!(again.is_complete && !again.is_resumed);
        assert_eq!((again.revision, again.records), (1, 21));
        done.cancel();
    };
    let (live, ()) = tokio::join!(live, script);
    assert!(live.expect("no error").is_complete);
    assert!(progress.snapshot().iter().all(|span| span.left() == 0));
    let (live, versioned) = site.both().await;
    assert_eq!(live.len(), before.len() * 2);
    assert_eq!(essences(&versioned), essences(&before));
    for row in &versioned {
        assert_eq!(row.kafka_key, CleanKey::versioned(row.row_key(), &row.version));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_under_a_new_revision_ends_where_it_began() {
    let mut site = Site::new();
    site.make_raw().await;
    site.page(1, 6).await;
    site.transform().await;
    site.config.exclude.insert("users.notes".into());
    site.page(2, 6).await;
    site.transform().await;
    let again = site.replay(what(From::All)).await.expect("the newest configuration");
    assert!(again.is_complete);
    assert_eq!(
        again.records, 13,
        "the second page was made under this revision already"
    );
    let (_, versioned) = site.both().await;
    assert!(versioned.iter().all(|row| row.version.revision == 2));
    let from: BTreeSet<_> = versioned.iter().map(|row| row.origin.encode()).collect();
    let (live, _) = site.both().await;
    let old: BTreeSet<_> = live
        .iter()
        .filter(|row| row.version.revision == 1)
        .map(|row| row.origin.encode())
        .collect();
    assert_eq!(from, old);
    // One that begins within the revision goes up to where live transformation stands.
    let again = site
        .replay(what(From::Time(1_700_000_000_000 + 2_000)))
        .await
        .expect("the newest");
    assert_eq!(again.records, 13);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_and_writes_nothing() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 6).await;
    site.transform().await;
    let before = site.clean().await;
    let dry = Replay {
        collections: vec!["users".into()],
        is_dry_run: true,
        ..what(From::All)
    };
    let told = site.replay(dry).await.expect("the same configuration");
    let left: u64 = told.spans.iter().map(zenfloe_transformer::Span::left).sum();
    assert!(told.spans.iter().all(|span| span.topic == "acme.raw.users"));
    assert!((6..=9).contains(&left), "six records and at most three markers: {left}");
    assert_eq!(site.clean().await, before);
    assert!(
        site.records("acme.rules")
            .await
            .iter()
            .all(|record| record.key != "replay")
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_begins_at_an_offset_or_a_time() {
    let site = Site::new();
    site.make_raw().await;
    site.page(1, 6).await;
    site.page(2, 6).await;
    site.transform().await;
    let groups = |from| Replay {
        collections: vec!["groups".into()],
        ..what(from)
    };
    for (from, records) in [
        (From::Offset(0), 2),
        (From::Offset(1), 1),
        (From::Offset(99), 0),
        (From::Time(1_700_000_000_000 + 1_500), 1),
        (From::Time(1_900_000_000_000), 0),
    ] {
        let again = site.replay(groups(from)).await.expect("the same configuration");
        assert!(again.is_complete);
        assert_eq!(again.records, records, "{from:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_replay_goes_on_and_writes_nothing_twice() {
    for seed in 0..20 {
        let mut site = Site::new();
        site.config.batch_records = 3;
        site.make_raw().await;
        site.page(1, 12).await;
        site.transform().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut kills = 0;
        loop {
            let log = flaky(site.log.clone(), random.u64(..), random.u32(20..70), 4);
            let parts = site.parts_over(log.clone(), "r", caught_up());
            let again = replay(
                parts,
                what(From::All),
                ReplayProgress::default(),
                CancellationToken::new(),
            );
            tokio::select! {
                biased;
                () = log.fate().killed() => kills += 1,
                again = again => {
                    assert!(again.expect("no error").is_complete);
                    break;
                }
            }
            assert!(kills < 200, "seed {seed}: it never ends");
        }
        println!("seed {seed}: {kills} kills");
        let (live, versioned) = site.both().await;
        // A kill after the last commit starts a second replay; each position is made once per replay.
        let made: BTreeSet<_> = versioned.iter().map(Clean::essence).collect();
        assert_eq!(made, live.iter().map(Clean::essence).collect(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_words_take_a_stopped_replay_up_and_others_begin_anew() {
    let mut site = Site::new();
    site.config.batch_records = 2;
    site.make_raw().await;
    site.page(1, 12).await;
    site.transform().await;
    let stopped = || {
        let stop = CancellationToken::new();
        // A call between the first batch and the last.
        let log = stopping(site.log.clone(), 45, stop.clone());
        replay(
            site.parts_over(log, "r", caught_up()),
            what(From::All),
            ReplayProgress::default(),
            stop,
        )
    };
    let first = stopped().await.expect("no error");
    assert!(!first.is_complete && (1..25).contains(&first.records), "{first:?}");
    let second = site.replay(what(From::All)).await.expect("no error");
    assert!(second.is_complete && second.is_resumed);
    assert_eq!(first.records + second.records, 25);
    let (live, versioned) = site.both().await;
    assert_eq!(essences(&versioned), essences(&live));
    let third = stopped().await.expect("no error");
    assert!(!third.is_complete && third.records > 0, "{third:?}");
    let other = site.replay(what(From::Offset(0))).await.expect("no error");
    assert!(other.is_complete && !other.is_resumed);
    assert_eq!(other.records, 25);
}

#[tokio::test(start_paused = true)]
async fn a_replay_under_another_configuration_than_the_one_in_force_is_refused() {
    let mut site = Site::new();
    site.make_raw().await;
    let error = site.replay(what(From::All)).await.expect_err("no transformer has run");
    assert!(matches!(error, StageError::NotNewest { newest: 0, .. }), "{error}");
    site.page(1, 2).await;
    site.transform().await;
    site.config.exclude.insert("users.notes".into());
    let error = site.replay(what(From::All)).await.expect_err("another configuration");
    assert!(
        matches!(
            error,
            StageError::NotNewest {
                ours: None,
                newest: 1,
                ..
            }
        ),
        "{error}"
    );
    let unknown = Replay {
        collections: vec!["grups".into()],
        ..what(From::All)
    };
    let error = site.replay(unknown).await.expect_err("no such collection");
    assert!(error.to_string().contains("`grups`"), "{error}");
    assert!(site.log.topic("acme.raw.groups").await.expect("answers").is_some());
}
