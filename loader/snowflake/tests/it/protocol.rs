//! What the protocol may do to a session, and what a loader sees of it: nothing.

use std::sync::Arc;
use std::time::Duration;

use snowflake_sim::{Fault, Format, Settings};
use zenfloe_destination::contract::Line;
use zenfloe_destination::{Destination, Faults, Loaded, Mode};

use crate::bench::Bench;
use crate::store::{Store, settings};

/// A statement's part, what befalls it, how often.
type Blow = (&'static str, Fault, u32);

/// Loads two rows while faults wait for the statements of the flush; they are there once.
async fn check(store: &Store, table: &str, faults: &[Blow]) -> Loaded {
    let bench = Bench::new(store, table, Mode::Append, 1).await;
    for (part, fault, times) in faults {
        store.front().fail(part, fault.clone(), 0, *times);
    }
    let loaded = bench.load(0, vec![Line::new(1, 1), Line::new(2, 1)]).await;
    let loaded = loaded.unwrap_or_else(|error| panic!("{table}: {error}"));
    assert_eq!(store.rows(table, &["id"]).await, ["1", "2"], "{table}");
    loaded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_expire_replies_are_lost_statements_take_long() {
    let store = Store::fronted(settings()).await;
    let lost = Fault::LostReply;
    let cases: &[(&str, &[Blow])] = &[
        (
            "p_expired",
            &[("UPDATE", Fault::Expired, 1), ("COMMIT", Fault::Expired, 1)],
        ),
        (
            "p_lost",
            &[
                ("BEGIN", lost.clone(), 1),
                ("INSERT", lost.clone(), 2),
                ("COMMIT", lost.clone(), 3),
            ],
        ),
        (
            "p_slow",
            &[
                ("INSERT", Fault::Slow(3), 2),
                ("RESULT", Fault::Expired, 1),
                ("COMMIT", Fault::Slow(1), 1),
            ],
        ),
        (
            "p_status",
            &[
                ("UPDATE", Fault::Status(429, Some(1)), 1),
                ("COMMIT", Fault::Status(503, None), 3),
            ],
        ),
        ("p_silent", &[("COMMIT", Fault::Silence(Duration::from_millis(300)), 2)]),
        ("p_busy", &[("UPDATE", Fault::Refused("000625", "has locked table"), 4)]),
    ];
    for (table, faults) in cases {
        let loaded = check(&store, table, faults).await;
        assert_eq!((loaded.written, loaded.repeated), (2, false), "{table}");
    }
    assert!(store.front().repeated() >= 6, "lost replies were asked for again");
    // The session is gone before the commit runs: the transaction went with it, and is done again in another one.
    let loaded = check(&store, "p_gone", &[("COMMIT", Fault::Gone, 1)]).await;
    assert!(!loaded.repeated);
    // The commit ran, its answer was lost, and so was the session: another one finds the batch's name.
    let loaded = check(
        &store,
        "p_gone_late",
        &[("COMMIT", Fault::LostReply, 1), ("COMMIT", Fault::Gone, 1)],
    )
    .await;
    assert!(loaded.repeated);
    // A token that cannot be renewed means another sign-in.
    let faults = [
        ("UPDATE", Fault::Expired, 1),
        ("RENEW", Fault::Gone, 1),
        ("LOGIN", Fault::Status(503, None), 1),
    ];
    check(&store, "p_renewal", &faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_come_in_every_form_and_files_by_every_road() {
    let mut store = Store::fronted(settings()).await;
    for (number, format) in [Format::Json, Format::ArrowChunks, Format::Arrow]
        .into_iter()
        .enumerate()
    {
        let has_s3_stage = number != 0;
        store
            .with_front(Settings {
                format,
                has_s3_stage,
                ..settings()
            })
            .await;
        store.config.inline_rows = 0;
        let table = format!("r_{number}");
        let bench = Bench::new(&store, &table, Mode::Upsert, 3).await;
        let mut rng = fastrand::Rng::with_seed(number as u64);
        // No two texts alike, so that the file is as large as they are and goes in parts.
        let mut text = || (0..40_000).map(|_| rng.char('!'..'~')).collect::<String>();
        let lines: Vec<_> = (0..200).map(|id| Line::new(id, 1).note(text())).collect();
        store.front().fail("UPLOAD", Fault::Status(503, None), 1, 1);
        let loaded = bench.load(0, lines.clone()).await.expect("in order");
        assert_eq!(loaded.written, 200, "{format:?}");
        let notes: Vec<_> = lines
            .iter()
            .map(|line| format!("{}|{}", line.id, line.note.as_deref().unwrap_or("-")))
            .collect();
        assert!(
            store.rows(&table, &["id", "note"]).await == notes,
            "{format:?}: every text is what it was"
        );
        bench.prepare().await.expect("nothing to do");
        let positions = bench.snowflake.positions(&bench.target, &bench.topic, &[0, 1, 2]).await;
        assert_eq!(
            positions
                .expect("entered")
                .iter()
                .map(|(_, next)| next)
                .collect::<Vec<_>>(),
            [200, 0, 0]
        );
    }
}

/// A killed loader leaves a transaction behind, which holds the table until the account takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_loader_is_outwaited() {
    let mut store = Store::fronted(settings()).await;
    let idle_transaction = Some(Duration::from_secs(2));
    store
        .with_front(Settings {
            idle_transaction,
            ..settings()
        })
        .await;
    let bench = Bench::new(&store, "p_killed", Mode::Append, 1).await;
    let faults = Faults::none();
    let killed = Bench::of(store.snowflake(faults.clone()), "p_killed", Mode::Append);
    faults.pause_before(4);
    let flush = Arc::new(killed.flush_of(0, vec![Line::new(1, 1)], Vec::new()));
    let begun = tokio::spawn(async move { killed.snowflake.flush(flush).await });
    while !faults.is_paused() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.abort();
    let loaded = bench.load(0, vec![Line::new(1, 1)]).await.expect("after two seconds");
    assert_eq!(loaded.written, 1);
    assert_eq!(store.rows("p_killed", &["id"]).await, ["1"]);
}
