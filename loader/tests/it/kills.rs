//! Loaders that are killed wherever they wait, sessions that are lost, partitions that move. Rows are counted in append
//! mode, where nothing hides a double.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use fastrand::Rng;
use tokio_util::sync::CancellationToken;
use zenfloe_destination::Mode;
use zenfloe_destination::contract::Line;
use zenfloe_loader::{Drained, run};
use zenfloe_log::LogError;
use zenfloe_log::fated::{Call, Fate, FatedLog};
use zenfloe_record::RowVersion;

use crate::bench::{Bench, fired, until};

/// A future that is dropped after some polls.
struct Killed<F> {
    inner: Pin<Box<F>>,
    polls: u32,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

/// Records of few keys, as they come; the version's offset is the record's number.
fn lines(rng: &mut Rng, numbers: std::ops::Range<i64>) -> Vec<Line> {
    let line = |number| {
        let mut line = Line::new(rng.i64(0..40), number);
        (line.version.version, line.deleted) = (rng.i64(0..9), rng.u8(0..9) == 0);
        line
    };
    numbers.map(line).collect()
}

/// A topic that is written in commits of a few records, and what was written.
async fn filled(rng: &mut Rng, mode: Mode, count: i64) -> (Bench, Vec<Line>) {
    let mut bench = Bench::new(mode).await;
    bench.config.flush_rows = rng.usize(5..60);
    bench.config.flush_interval = Duration::from_millis(rng.u64(1..40));
    bench.is_spooled = rng.bool();
    let all = lines(rng, 0..count);
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let (commit, after) = rest.split_at(rng.usize(1..30).min(rest.len()));
        bench.append(commit).await;
        rest = after;
    }
    (bench, all)
}

/// Each record's number exactly once.
fn expect_each_once(bench: &Bench, count: i64, seed: u64) {
    let found = bench.query("SELECT _raw_offset FROM things ORDER BY _raw_offset");
    let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    assert_eq!(found, expected, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_wait_nothing_is_lost_or_doubled() {
    let mut kills_of_all = 0;
    for seed in 0..25 {
        let mut rng = Rng::with_seed(seed);
        let (bench, _) = filled(&mut rng, Mode::Append, 300).await;
        let mut kills = 0;
        loop {
            match rng.u8(0..5) {
                0 => bench.faults.crash_before(rng.u64(1..10)),
                1 => bench.faults.lose_commit_reply(),
                _ => {}
            }
            let loading = Killed {
                inner: Box::pin(bench.load()),
                polls: rng.u32(1..14),
            };
            match loading.await {
                Some(ended) => {
                    assert!(ended.expect("nothing needs a person").is_complete, "seed {seed}");
                    break;
                }
                None => kills += 1,
            }
        }
        expect_each_once(&bench, 300, seed);
        kills_of_all += kills;
    }
    assert!(kills_of_all >= 25, "only {kills_of_all} kills: the seeds prove little");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loaders_that_come_and_go_share_the_partitions() {
    for seed in 0..6 {
        let mut rng = Rng::with_seed(1_000 + seed);
        let bench = Arc::new(filled(&mut rng, Mode::Append, 200).await.0);
        let caught_up = CancellationToken::new();
        let spawn = |member: String, stop: CancellationToken| {
            let parts = bench.parts(&member, &caught_up);
            tokio::spawn(run(parts, stop))
        };
        let mut running = vec![spawn("m0".into(), CancellationToken::new())];
        let mut written = 200;
        for round in 1..8 {
            let stop = CancellationToken::new();
            let comes = spawn(format!("m{round}"), stop.clone());
            let more = rng.i64(1..60);
            bench.append(&lines(&mut rng, written..written + more)).await;
            written += more;
            tokio::time::sleep(Duration::from_millis(rng.u64(0..30))).await;
            match rng.u8(0..3) {
                // Killed, told to stop, or stays.
                0 => comes.abort(),
                1 => {
                    stop.cancel();
                    comes.await.expect("no panic").expect("nothing needs a person");
                }
                _ => running.push(comes),
            }
        }
        caught_up.cancel();
        for ended in running {
            let drained = ended.await.expect("no panic").expect("nothing needs a person");
            assert_eq!(
                drained,
                Drained {
                    is_complete: true,
                    abandoned: Vec::new()
                },
                "seed {seed}"
            );
        }
        expect_each_once(&bench, written, seed);
    }
}

/// Loaders that know nothing of each other and each own every partition: the positions decide.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_of_another_group_do_not_double() {
    for seed in 0..4 {
        let mut rng = Rng::with_seed(2_000 + seed);
        let bench = Arc::new(filled(&mut rng, Mode::Append, 250).await.0);
        let rivals = ["a", "b", "c"].map(|name| {
            let mut parts = bench.parts(name, &fired());
            parts.name = format!("rival_{name}");
            tokio::spawn(run(parts, CancellationToken::new()))
        });
        for rival in rivals {
            assert!(
                rival
                    .await
                    .expect("no panic")
                    .expect("nothing needs a person")
                    .is_complete
            );
        }
        expect_each_once(&bench, 250, seed);
    }
}

#[tokio::test]
async fn a_stop_flushes_what_is_in_hand() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(1, 1), Line::new(2, 1)]).await;
    let stop = CancellationToken::new();
    let loading = tokio::spawn(run(bench.parts("one", &CancellationToken::new()), stop.clone()));
    until("both rows are read", async || {
        bench
            .progress
            .snapshot()
            .tables
            .get("things")
            .is_some_and(|shown| shown.records == 2)
    })
    .await;
    assert_eq!(
        bench.progress.snapshot().tables["things"].flushes,
        0,
        "the tick is far away"
    );
    stop.cancel();
    let drained = loading.await.expect("no panic").expect("nothing needs a person");
    assert_eq!(drained, Drained::default());
    assert_eq!(bench.query("SELECT count(*) FROM things"), ["2"]);
}

/// Counts a reader's signs of life.
#[derive(Default)]
struct Signs(AtomicU32);

impl Fate for Signs {
    async fn meet<T: Send>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, LogError>> + Send,
    ) -> Result<T, LogError> {
        if call == Call::Stay {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        made.await
    }
}

#[tokio::test]
async fn a_destination_that_is_away_is_waited_for_until_the_stop_and_the_group_knows() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.append(&[Line::new(1, 1)]).await;
    bench.load_all().await;
    bench.append(&[Line::new(1, 2)]).await;
    let holder = rusqlite::Connection::open(bench.path()).expect("another process");
    let stop = CancellationToken::new();
    let mut parts = bench.parts("one", &fired());
    let config = zenfloe_sqlite::Config {
        path: bench.path(),
        busy: Duration::from_millis(1),
    };
    parts.destination = Arc::new(zenfloe_sqlite::Sqlite::new(config));
    let log = FatedLog::new(parts.log.clone(), Signs::default());
    parts.log = log.clone();
    holder.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    let loading = tokio::spawn(run(parts, stop.clone()));
    until("the loader waits", async || {
        bench.progress.snapshot().waiting_for.is_some() && log.fate().0.load(Ordering::Relaxed) > 1
    })
    .await;
    stop.cancel();
    let drained = loading.await.expect("no panic").expect("waiting needs no person");
    assert!(!drained.is_complete);
    holder.execute_batch("ROLLBACK").expect("it was begun");
    bench.load_all().await;
    assert_eq!(bench.query("SELECT note FROM things"), ["v2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_versions_survive_kills_in_upsert_mode() {
    for seed in 0..6 {
        let mut rng = Rng::with_seed(3_000 + seed);
        let (bench, lines) = filled(&mut rng, Mode::Upsert, 200).await;
        loop {
            let polls = rng.u32(1..14);
            let loading = Killed {
                inner: Box::pin(bench.load()),
                polls,
            };
            if let Some(ended) = loading.await {
                assert!(ended.expect("nothing needs a person").is_complete, "seed {seed}");
                break;
            }
        }
        let mut newest: BTreeMap<i64, RowVersion> = BTreeMap::new();
        for line in lines {
            let held = newest.entry(line.id).or_insert(line.version);
            *held = line.version.max(*held);
        }
        let found = bench.query("SELECT id, _raw_offset FROM things ORDER BY id");
        let expected: Vec<String> = newest
            .iter()
            .map(|(id, version)| format!("{id}|{}", version.raw_offset))
            .collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}
