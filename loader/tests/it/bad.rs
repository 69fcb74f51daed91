//! Rows and records that cannot be loaded, parts that are away.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_destination::Mode;
use zenfloe_destination::contract::{Line, Sample};
use zenfloe_loader::run;
use zenfloe_record::{CleanKind, Headers, Letter, Reason, RowVersion, Stage, header};
use zenfloe_registry::split;

use crate::bench::{Bench, Flaky, fired, headers, record, until};

fn absurd(id: i64) -> Line {
    Line {
        at: Some(i64::MAX),
        ..Line::new(id, 1).note("kept as it is")
    }
}

#[tokio::test]
async fn a_refused_row_becomes_one_letter_and_stops_nothing() {
    for is_spooled in [false, true] {
        expect_one_letter(is_spooled).await;
    }
}

async fn expect_one_letter(is_spooled: bool) {
    let bench = Bench {
        is_spooled,
        ..Bench::new(Mode::Upsert).await
    };
    bench.append(&[Line::new(3, 1), absurd(6), Line::new(9, 1)]).await;
    bench.load_all().await;
    assert_eq!(bench.query("SELECT id FROM things ORDER BY id"), ["3", "9"]);
    bench.load_all().await;

    let dead = bench.dead().await;
    let [letter] = dead.as_slice() else {
        panic!("{} letters", dead.len())
    };
    let told = Letter::decode(&letter.headers).expect("a letter");
    assert_eq!((told.stage, told.reason), (Stage::Load, Reason::Refused));
    assert_eq!(
        (&*told.origin.topic, told.origin.partition, told.origin.offset),
        ("acme.clean.things", 0, 1)
    );
    assert_eq!(&*letter.key, b"load/acme.clean.things/0/1");
    assert!(
        told.detail.contains("`at`") && !told.detail.contains("kept"),
        "{}",
        told.detail
    );
    assert_eq!(letter.headers.get(header::KEY), Some(&b"6"[..]));
    assert_eq!(letter.headers.get(header::KIND), Some(&b"row"[..]));
    let (_, body) = split(letter.value.as_ref().expect("the clean row")).expect("framed as it was");
    assert!(body.windows(13).any(|part| part == b"kept as it is"));
    assert_eq!(bench.progress.snapshot().tables["things"].dead_letters, 1);
}

/// Published before the commit: a commit that fails repeats the letter under the same key, and loses none.
#[tokio::test]
async fn letters_of_a_crash_have_one_key() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(3, 1), absurd(6)]).await;
    for n in 1..12 {
        bench.faults.crash_before(n);
        let _ = tokio::time::timeout(Duration::from_millis(n), bench.load()).await;
    }
    bench.load_all().await;
    let dead = bench.dead().await;
    assert!(!dead.is_empty() && dead.iter().all(|letter| letter.key == dead[0].key));
    assert_eq!(bench.query("SELECT id FROM things"), ["3"]);
}

/// A spool cannot leave rows out: what it holds is read again, as often as there are rows that are refused.
#[tokio::test]
async fn refused_rows_of_spools_are_found_among_many_schemas() {
    let mut bench = Bench::new(Mode::Append).await;
    (bench.is_spooled, bench.config.flush_size) = (true, bytesize::ByteSize::b(300));
    let (first, second) = (Sample::new("things"), Sample::second("things"));
    for turn in 0..8 {
        let sample = if turn % 2 == 0 { &first } else { &second };
        let lines = [
            Line::new(turn * 10, 1),
            absurd(turn * 10 + 1),
            Line::new(turn * 10 + 2, 1),
        ];
        bench.append_as(sample, &lines).await;
    }
    bench.load_all().await;
    let expected: Vec<String> = (0..8)
        .flat_map(|turn| [turn * 10, turn * 10 + 2])
        .map(|id| id.to_string())
        .collect();
    assert_eq!(bench.query("SELECT id FROM things ORDER BY id"), expected);
    let keys: std::collections::BTreeSet<_> = bench.dead().await.into_iter().map(|letter| letter.key).collect();
    assert_eq!(keys.len(), 8);
}

#[tokio::test]
async fn records_that_nobody_can_read_become_letters() {
    let bench = Bench::new(Mode::Upsert).await;
    let row = || headers(CleanKind::Row, 0, RowVersion::default());
    bench
        .commit(vec![
            record(bench.at(0), "1", b"secret".to_vec(), Headers::new()),
            record(bench.at(0), "2", b"secret".to_vec(), row()),
            record(
                bench.at(0),
                "3",
                b"{".to_vec(),
                headers(CleanKind::Fence, 0, RowVersion::default()),
            ),
            zenfloe_log::Append {
                value: None,
                ..record(bench.at(0), "4", Vec::new(), Headers::new())
            },
        ])
        .await;
    bench.append(&[Line::new(3, 1)]).await;
    // A row that is cut short.
    let schema = Sample::new("things").schema();
    let id = bench
        .registry
        .register("acme.clean.things-value", &schema)
        .await
        .expect("known");
    let cut = [&zenfloe_registry::header(id)[..], b"\x02"].concat();
    bench.commit(vec![record(bench.at(1), "1", cut, row())]).await;
    bench.load_all().await;
    bench.load_all().await;
    let reasons: Vec<_> = bench
        .dead()
        .await
        .iter()
        .map(|letter| {
            let told = Letter::decode(&letter.headers).expect("a letter");
            assert!(!told.detail.contains("secret"));
            (told.origin.partition, told.origin.offset, told.reason)
        })
        .collect();
    let expected = [
        (0, 0, Reason::Headers),
        (0, 1, Reason::Headers),
        (0, 2, Reason::NotJson),
        (1, 0, Reason::Refused),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(bench.query("SELECT id FROM things"), ["3"]);
}

#[tokio::test]
async fn a_registry_that_is_away_is_waited_for_and_nothing_passes_it() {
    let mut bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(1, 1)]).await;
    let flaky = Arc::new(Flaky {
        inner: bench.registry.clone(),
        failures: u32::MAX.into(),
    });
    bench.registry = flaky.clone();
    let loading = tokio::spawn(run(bench.parts("one", &fired()), CancellationToken::new()));
    until("the loader waits", async || {
        let waits = bench.progress.snapshot().waiting_for;
        waits.is_some_and(|what| what.contains("registry"))
    })
    .await;
    assert_eq!(bench.query("SELECT max(next_offset) FROM _zenfloe_positions"), ["0"]);
    flaky.failures.store(0, std::sync::atomic::Ordering::SeqCst);
    assert!(loading.await.expect("no panic").expect("it came back").is_complete);
    assert_eq!(bench.query("SELECT id FROM things"), ["1"]);
    assert_eq!(bench.progress.snapshot().waiting_for, None);
}

#[tokio::test]
async fn a_schema_that_the_registry_does_not_know_stops_loudly() {
    let bench = Bench::new(Mode::Upsert).await;
    let row = headers(CleanKind::Row, 0, RowVersion::default());
    bench
        .commit(vec![record(bench.at(0), "1", b"\0\0\0\0\x63avro".to_vec(), row)])
        .await;
    let error = bench.load().await.expect_err("the wrong registry").to_string();
    assert!(error.contains("registry"), "{error}");
    assert_eq!(bench.query("SELECT max(next_offset) FROM _zenfloe_positions"), ["0"]);
}
