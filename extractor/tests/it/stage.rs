//! What the stage promises, against an account in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytesize::ByteSize;
use tokio_util::sync::CancellationToken;
use zenfloe_extractor::{Drained, Mode, StageError, Status, check, run, selected};
use zenfloe_log::LogError;
use zenfloe_log::fated::{Call, Fate, FatedLog, RefusedCommits};
use zenfloe_record::{Reason, Stage};
use zenfloe_zendesk::{Clock, Fault, Place, Unavailability};

use crate::Bench;
use crate::account::{Account, PAGE};

const ALL: [(&str, i64); 8] = [
    ("group_memberships", 7),
    ("groups", 4),
    ("organization_fields", 2),
    ("organization_memberships", 5),
    ("organizations", 8),
    ("ticket_fields", 5),
    ("tickets", 11),
    ("users", 10),
];

/// Collections that are on by default and that this account has no rows of.
const EMPTY: [&str; 10] = [
    "ticket_events",
    "user_fields",
    "ticket_forms",
    "sla_policies",
    "ticket_skips",
    "satisfaction_ratings",
    "audit_logs",
    "activities",
    "ticket_metric_events",
    "side_conversations",
];

/// What an account of `counts` rows looks like in a raw topic.
fn expected(count: i64) -> Vec<(String, String)> {
    let mut rows: Vec<_> = (1..=count)
        .map(|id| (id.to_string(), Account::json(1_700_000_000 + id, id, "first")))
        .collect();
    rows.sort();
    rows
}

async fn assert_complete(bench: &Bench) {
    for (collection, count) in ALL {
        assert_eq!(bench.topics.contents(collection).await, expected(count), "{collection}");
    }
}

#[tokio::test]
async fn a_pass_publishes_everything_once_and_in_order() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    let drained = bench.once(account.clone()).await.expect("an undisturbed pass");
    assert_eq!(
        drained,
        Drained {
            is_complete: true,
            abandoned: vec![]
        }
    );
    assert_complete(&bench).await;

    let requests = account.requests();
    let last = |name: &str| {
        requests
            .iter()
            .rposition(|(held, _)| held == name)
            .expect("it was asked for")
    };
    let first = |name: &str| {
        requests
            .iter()
            .position(|(held, _)| held == name)
            .expect("it was asked for")
    };
    for before in ["users", "organizations", "ticket_fields", "organization_fields"] {
        assert!(last(before) < first("tickets"), "{before} before tickets");
    }
    let pages: usize = ALL.iter().map(|(_, count)| (*count as usize).div_ceil(PAGE)).sum();
    assert_eq!(
        requests.len(),
        pages + 1 + EMPTY.len(),
        "the fewest requests, one to begin the live track of tickets, and one for each empty collection"
    );

    for (collection, count) in ALL {
        let cursor = bench.topics.cursor(collection).await.expect("it was kept");
        assert_eq!(cursor.records, count as u64, "{collection}");
        assert!(cursor.completed_at.is_some());
        let raw = bench.topics.raw(collection).await;
        assert!(raw.iter().all(|record| record.extracted_at <= cursor.extracted_at));
        let shown = &bench.progress.snapshot().collections[collection];
        assert_eq!((shown.records, shown.records_ever), (count as u64, count as u64));
        assert!(matches!(shown.status, Status::Waiting { .. }));
    }
}

#[tokio::test]
async fn a_long_history_is_filled_behind_what_changes_now() {
    let bench = Bench::new();
    let mut config = bench.config.clone();
    config.collections.only.insert("tickets".into());
    config
        .since
        .insert("tickets".into(), "2023-11-14T22:13:22Z".parse().expect("a time"));
    let bench = Bench { config, ..bench };
    let account = Arc::new(Account::with(&[("tickets", 14)]));
    account.put("tickets", 14, 1_900_000_000, "of today");
    // The first page of history, the live track, and two pages more of history: then the process ends.
    account.halt_at(Some(4));
    assert!(bench.killed(&account).await);
    let places: Vec<_> = account.requests().into_iter().map(|(_, place)| place).collect();
    assert_eq!(places[0], Place::since(1_700_000_002));
    assert!(
        matches!(places[1], Place::Start { since, .. } if since > 1_799_999_000),
        "{places:?}"
    );
    assert!(
        matches!(places[2], Place::Past { .. }) && matches!(places[3], Place::Past { .. }),
        "{places:?}"
    );
    let published = bench.topics.contents("tickets").await;
    assert!(
        published.iter().any(|(key, _)| key == "14"),
        "what is live does not wait"
    );
    assert!(
        !published.iter().any(|(key, _)| key == "12"),
        "history has not come so far"
    );
    assert!(bench.progress.snapshot().collections["tickets"].past.is_some());

    // A ticket changes before history has come to it: it is read once, as it is now.
    account.put("tickets", 13, 1_900_000_001, "changed");
    account.halt_at(None);
    bench.once(account.clone()).await.expect("a pass");
    let mut rows: Vec<_> = expected(12).into_iter().filter(|(key, _)| key != "1").collect();
    rows.push(("13".into(), Account::json(1_900_000_001, 13, "changed")));
    rows.push(("14".into(), Account::json(1_900_000_000, 14, "of today")));
    rows.sort();
    assert_eq!(bench.topics.contents("tickets").await, rows);
    let raw = bench.topics.raw("tickets").await;
    let is_past = |key: &str| raw.iter().find(|raw| raw.key == key).map(|raw| raw.is_past);
    assert_eq!(
        (is_past("12"), is_past("13"), is_past("14")),
        (Some(true), Some(false), Some(false))
    );
    assert!(bench.progress.snapshot().collections["tickets"].past.is_none());
    let kept = bench.topics.cursor("tickets").await.expect("it was kept");
    assert!(kept.place.expect("a place").get("past").is_none(), "the past is over");
}

#[tokio::test]
async fn a_second_pass_publishes_what_changed_alone() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    bench.once(account.clone()).await.expect("an undisturbed pass");
    account.put("tickets", 4, 1_900_000_500, "second");
    account.put("groups", 2, 1_700_000_002, "second");
    bench.once(account.clone()).await.expect("an undisturbed pass");
    let extra = |collection: &'static str, count: i64, id: i64, time: i64| {
        let bench = &bench;
        async move {
            let mut rows = expected(count);
            rows.push((id.to_string(), Account::json(time, id, "second")));
            rows.sort();
            assert_eq!(bench.topics.contents(collection).await, rows, "{collection}");
        }
    };
    extra("tickets", 11, 4, 1_900_000_500).await;
    extra("groups", 4, 2, 1_700_000_002).await;
    for (collection, count) in ALL.iter().filter(|(name, _)| !["tickets", "groups"].contains(name)) {
        assert_eq!(
            bench.topics.contents(collection).await,
            expected(*count),
            "{collection}"
        );
    }
    // A later state is never older than an earlier one.
    let raw = bench.topics.raw("groups").await;
    let times: Vec<_> = raw
        .iter()
        .filter(|record| record.key == "2")
        .map(|record| record.extracted_at)
        .collect();
    assert!(times[0] < times[1]);
}

#[tokio::test]
async fn a_kill_at_any_request_loses_and_doubles_nothing() {
    let mut at = 0;
    loop {
        let bench = Bench::new();
        let account = Arc::new(Account::with(&ALL));
        account.halt_at(Some(at));
        if !bench.killed(&account).await {
            break;
        }
        let before = account.requests();
        account.halt_at(None);
        bench.once(account.clone()).await.expect("an undisturbed pass");
        assert_complete(&bench).await;
        // Requests under way at the kill, one per lane, are made again, and nothing else: a poll of what was
        // complete before asks for a new place.
        let again = account.requests();
        let mut pages: BTreeMap<String, u32> = BTreeMap::new();
        let is_export = |name: &str| ["tickets", "organizations", "users"].contains(&name);
        for (name, place) in before.iter().chain(&again).filter(|(name, _)| is_export(name)) {
            *pages.entry(format!("{name} {place:?}")).or_default() += 1;
        }
        let repeated = pages.values().filter(|count| **count > 1).count();
        assert!(repeated <= 3, "kill at {at}: {pages:?}");
        at += 1;
    }
    assert!(at > 20, "every request was a place to be killed at");
}

#[tokio::test]
async fn a_chain_of_kills_gets_there_in_the_end() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    let mut kills = 0;
    loop {
        account.halt_at(Some(5));
        // A pass of lists is begun anew after it was completed, so that a limit of five requests would
        // never do: the lists that are through are switched off.
        if !bench.killed(&account).await {
            break;
        }
        kills += 1;
        let mut bench_config = bench.config.clone();
        for collection in ALL.into_iter().map(|(name, _)| name).chain(EMPTY) {
            let is_done = bench
                .topics
                .cursor(collection)
                .await
                .is_some_and(|cursor| cursor.completed_at.is_some());
            if is_done {
                bench_config.collections.off.insert(collection.into());
            }
        }
        let next = Bench {
            config: bench_config,
            ..bench_of(&bench)
        };
        account.halt_at(Some(4));
        if !next.killed(&account).await {
            break;
        }
        assert!(kills < 100, "it comes further each time");
    }
    account.halt_at(None);
    bench.once(account).await.expect("an undisturbed pass");
    assert_complete(&bench).await;
}

/// Another process over the same log.
fn bench_of(bench: &Bench) -> Bench {
    let topics = crate::Topics {
        log: bench.topics.log.clone(),
        source: bench.topics.source.clone(),
        keys: bench.topics.keys.clone(),
    };
    Bench {
        topics,
        config: bench.config.clone(),
        progress: Default::default(),
        clock: bench.clock.clone(),
    }
}

#[tokio::test]
async fn what_two_lists_miss_is_deleted_and_returns_when_it_returns() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&[("groups", 8), ("users", 1)]));
    let deletion = ("-5".to_owned(), r#"{"id":5}"#.to_owned());
    bench.once(account.clone()).await.expect("a pass");
    account.remove("groups", 5);
    bench.once(account.clone()).await.expect("a pass");
    assert_eq!(
        bench.topics.contents("groups").await,
        expected(8),
        "one look is not enough"
    );
    bench.once(account.clone()).await.expect("a pass");
    let mut rows = expected(8);
    rows.insert(0, deletion.clone());
    assert_eq!(bench.topics.contents("groups").await, rows);
    bench.once(account.clone()).await.expect("a pass");
    assert_eq!(bench.topics.contents("groups").await, rows, "it is told once");
    account.put("groups", 5, 1_700_000_005, "first");
    bench.once(account.clone()).await.expect("a pass");
    rows.push(("5".into(), Account::json(1_700_000_005, 5, "first")));
    rows.sort();
    assert_eq!(bench.topics.contents("groups").await, rows);
    let raw = bench.topics.raw("groups").await;
    let deleted = raw
        .iter()
        .find(|record| record.is_delete)
        .expect("the deletion")
        .extracted_at;
    let newest = raw
        .iter()
        .filter(|record| record.key == "5")
        .map(|record| record.extracted_at)
        .max();
    assert!(newest > Some(deleted), "what returns wins again");
}

#[tokio::test]
async fn a_list_that_shrank_much_waits_for_a_word() {
    let mut bench = Bench::new();
    let account = Arc::new(Account::with(&[("groups", 20)]));
    bench.once(account.clone()).await.expect("a pass");
    (1..=10).for_each(|id| account.remove("groups", id));
    for _ in 0..3 {
        bench.once(account.clone()).await.expect("a pass");
    }
    assert_eq!(bench.topics.contents("groups").await.len(), 20);
    assert_eq!(bench.progress.snapshot().collections["groups"].held_deletions, 10);
    bench.config.accept_shrunk.insert("groups".into());
    bench.once(account).await.expect("a pass");
    let contents = bench.topics.contents("groups").await;
    assert_eq!(contents.iter().filter(|(key, _)| key.starts_with('-')).count(), 10);
}

#[tokio::test]
async fn what_is_too_large_leaves_a_letter_with_its_request() {
    let mut bench = Bench::new();
    bench.config.max_message = ByteSize::kib(4);
    let account = Arc::new(Account::with(&[("tickets", 2), ("groups", 1)]));
    // Random letters, so that compression does not make it small.
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
    account.put("tickets", 2, 1_700_000_002, &noise);
    bench.once(account.clone()).await.expect("a pass");
    bench.once(account).await.expect("a pass");
    assert_eq!(bench.topics.contents("tickets").await, expected(1));
    let letters = bench.topics.letters("tickets").await;
    let [(letter, value)] = letters.as_slice() else {
        panic!("one letter, not {}", letters.len())
    };
    assert_eq!((letter.stage, letter.reason), (Stage::Extract, Reason::TooLarge));
    assert_eq!(&*letter.origin.topic, "acme.raw.tickets");
    assert_eq!(
        (&value["key"], &value["request"]),
        (&"2".into(), &"/api/v2/tickets".into())
    );
    assert!(value["size"].as_u64() > Some(10_000), "{value}");
    assert_eq!(bench.progress.snapshot().collections["tickets"].dead_letters, 1);
}

#[tokio::test]
async fn a_newer_extractor_ends_the_older_one() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    let older = tokio::spawn(run(
        bench.parts(account.clone(), Mode::Interval),
        CancellationToken::new(),
    ));
    while bench
        .progress
        .snapshot()
        .collections
        .get("users")
        .is_none_or(|shown| shown.completed_at.is_none())
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.once(account).await.expect("the newer one is not disturbed");
    assert_complete(&bench).await;
    // The older one notices at its next commit.
    let ended = tokio::time::timeout(Duration::from_secs(20), older)
        .await
        .expect("it ends");
    let error = ended.expect("no panic").expect_err("it was replaced");
    assert!(error.is_fenced(), "{error}");
}

#[tokio::test]
async fn a_collection_that_is_forbidden_stops_nothing_else() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    account.fail(
        "organizations",
        Fault::NotAvailable {
            why: Unavailability::Role,
            said: "Forbidden".into(),
        },
    );
    let drained = bench.once(account).await.expect("the others are read");
    assert!(drained.is_complete);
    for (collection, count) in ALL {
        let count = if collection == "organizations" { 0 } else { count };
        assert_eq!(bench.topics.contents(collection).await, expected(count), "{collection}");
    }
    let status = bench.progress.snapshot().collections["organizations"].status.clone();
    let Status::NotAvailable { why, remedy } = status else {
        panic!("{status:?}")
    };
    assert!(
        why.contains("missing role") && remedy.contains("collections.off"),
        "{why}; {remedy}"
    );
}

#[tokio::test]
async fn failures_are_retried_and_refused_credentials_stop() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    for collection in ["users", "groups", "users", "tickets", "users"] {
        account.fail(
            collection,
            Fault::Unavailable {
                status: 500,
                after: None,
            },
        );
    }
    account.fail(
        "tickets",
        Fault::RateLimited {
            after: Some(Duration::from_secs(30)),
        },
    );
    account.fail("users", Fault::TokenRefused);
    bench.once(account.clone()).await.expect("all of it passes");
    assert_complete(&bench).await;

    account.fail(
        "users",
        Fault::Unauthorized {
            said: "Couldn't authenticate you".into(),
        },
    );
    let error = bench.once(account.clone()).await.expect_err("a person is needed");
    assert!(matches!(error, StageError::Source(_)), "{error}");

    for _ in 0..40 {
        account.fail(
            "users",
            Fault::Broken {
                what: "it is HTML".into(),
            },
        );
    }
    let error = bench
        .once(account)
        .await
        .expect_err("a single pass does not wait for ever");
    assert!(matches!(error, StageError::GaveUp { .. }), "{error}");
}

#[tokio::test]
async fn thirty_three_pages_take_the_floor_and_none_is_refused() {
    let mut bench = Bench::new();
    bench.clock = Clock::scaled(Duration::from_secs(1_800_000_000), 60.0);
    bench.config.collections.only.insert("tickets".into());
    // One of the pages begins the live track.
    let rows = i64::try_from(32 * PAGE).expect("a small number");
    let account = Arc::new(Account::with(&[("tickets", rows)]));
    account.limit(10, &bench.clock);
    bench.once(account.clone()).await.expect("a pass");
    let (served, refused) = account.served();
    assert_eq!((served.len(), refused), (33, 0));
    let took = served[32] - served[0];
    assert!((180.0..186.0).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(bench.topics.contents("tickets").await, expected(rows));
}

#[tokio::test]
async fn a_restart_within_a_minute_is_not_refused() {
    let mut bench = Bench::new();
    bench.clock = Clock::scaled(Duration::from_secs(1_800_000_000), 100.0);
    bench.config.collections.only.insert("tickets".into());
    let rows = i64::try_from(20 * PAGE).expect("a small number");
    let account = Arc::new(Account::with(&[("tickets", rows)]));
    account.limit(10, &bench.clock);
    for requests in [4, 3, 4] {
        account.halt_at(Some(requests));
        assert!(bench.killed(&account).await);
    }
    account.halt_at(None);
    bench.once(account.clone()).await.expect("a pass");
    assert_eq!(account.served().1, 0);
    assert_eq!(bench.topics.contents("tickets").await, expected(rows));
}

#[tokio::test]
async fn a_log_that_is_away_is_waited_for() {
    let mut bench = Bench::new();
    let fate = RefusedCommits {
        writers: "",
        left: AtomicU32::new(4),
        error: || LogError::Unavailable {
            what: "the broker is away".into(),
        },
    };
    let log = FatedLog::new(bench.topics.log.clone(), fate);
    bench.topics.log = log.clone();
    bench.once(Arc::new(Account::with(&ALL))).await.expect("a pass");
    assert_eq!(log.fate().left.load(Ordering::Relaxed), 0);
    assert_complete(&bench).await;
}

/// Makes the next commits and says that the writer had lost its place: as if another one had made them meanwhile.
struct Overtaken {
    left: AtomicU32,
}

impl Fate for Overtaken {
    async fn meet<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, LogError>> + Send,
    ) -> Result<T, LogError> {
        let done = made.await?;
        let left = self.left.load(Ordering::Relaxed);
        match call {
            Call::Commit(id) if left > 0 => {
                self.left.store(left - 1, Ordering::Relaxed);
                Err(LogError::Lapsed { id: id.to_owned() })
            }
            _ => Ok(done),
        }
    }
}

#[tokio::test]
async fn a_writer_that_had_lost_its_place_goes_on_from_what_another_one_left() {
    let mut bench = Bench::new();
    let log = FatedLog::new(
        bench.topics.log.clone(),
        Overtaken {
            left: AtomicU32::new(4),
        },
    );
    bench.topics.log = log.clone();
    bench.once(Arc::new(Account::with(&ALL))).await.expect("a pass");
    assert_eq!(log.fate().left.load(Ordering::Relaxed), 0);
    assert_complete(&bench).await;
}

#[tokio::test]
async fn a_stop_gives_up_the_page_under_way_and_says_so() {
    let bench = Bench::new();
    let account = Arc::new(Account::with(&ALL));
    account.halt_at(Some(12));
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(bench.parts(account.clone(), Mode::Interval), stop.clone()));
    account.halted.notified().await;
    stop.cancel();
    let drained = running.await.expect("no panic").expect("a clean end");
    assert!(!drained.is_complete && !drained.abandoned.is_empty(), "{drained:?}");
    account.halt_at(None);
    bench.once(account).await.expect("a pass");
    assert_complete(&bench).await;
}

#[tokio::test]
async fn a_quiet_account_is_not_polled_for_ever_faster() {
    let mut bench = Bench::new();
    bench.config.continuous = true;
    let account = Arc::new(Account::with(&ALL));
    let stop = CancellationToken::new();
    let began = bench.clock.now();
    let running = tokio::spawn(run(bench.parts(account.clone(), bench.config.mode()), stop.clone()));
    bench.clock.sleep_until(began + Duration::from_secs(1_500)).await;
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
    let requests = account.requests();
    let count = |name: &str| requests.iter().filter(|(held, _)| held == name).count();
    for (export, pages) in [("tickets", 5), ("users", 4), ("organizations", 3)] {
        // Once a minute, and a little oftener in the beginning.
        assert!(
            (pages + 5..pages + 40).contains(&count(export)),
            "{export}: {}",
            count(export)
        );
    }
    assert_eq!(count("groups"), 2, "a list keeps its interval");
    assert_complete(&bench).await;
}

#[tokio::test]
async fn a_check_names_what_to_do() {
    let bench = Bench::new();
    let account = Account::with(&ALL);
    account.fail(
        "tickets",
        Fault::NotAvailable {
            why: Unavailability::Scope,
            said: "Forbidden".into(),
        },
    );
    let collections = selected(zenfloe_catalog::Catalog::builtin(), &bench.config).expect("known names");
    let findings = check(&account, &collections).await;
    assert_eq!(findings.len(), 1 + collections.len());
    let bad: Vec<_> = findings.iter().filter(|finding| !finding.is_good()).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].subject, "tickets");
    assert!(
        bad[0].remedy.as_deref().is_some_and(|remedy| remedy.contains("scope")),
        "{:?}",
        bad[0]
    );
}
