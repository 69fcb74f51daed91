//! Topics that appear, ticks, and ends.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_destination::Mode;
use zenfloe_destination::contract::{Line, Sample};
use zenfloe_loader::{Drained, run};

use crate::bench::{Bench, fired, until};

#[tokio::test]
async fn topics_that_appear_later_are_loaded() {
    let mut bench = Bench::new(Mode::Upsert).await;
    bench.log.delete("acme.clean.things");
    bench.config.flush_interval = Duration::from_millis(10);
    let (stop, caught_up) = (CancellationToken::new(), CancellationToken::new());
    let loading = tokio::spawn(run(bench.parts("one", &caught_up), stop));
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.make_topic("things").await;
    bench.append(&[Line::new(1, 1)]).await;
    let rows = |table: &'static str| {
        let progress = bench.progress.clone();
        async move || {
            progress
                .snapshot()
                .tables
                .get(table)
                .is_some_and(|shown| shown.rows == 1)
        }
    };
    until("the first table", rows("things")).await;
    bench.make_topic("others").await;
    bench.append_as(&Sample::new("others"), &[Line::new(1, 1)]).await;
    until("the second table", rows("others")).await;
    // One that appears with the end is not forgotten.
    bench.make_topic("lasts").await;
    bench.append_as(&Sample::new("lasts"), &[Line::new(1, 1)]).await;
    caught_up.cancel();
    assert!(
        loading
            .await
            .expect("no panic")
            .expect("nothing needs a person")
            .is_complete
    );
    assert_eq!(bench.query("SELECT id FROM lasts"), ["1"]);
}

#[tokio::test]
async fn all_tables_flush_with_the_tick() {
    let mut bench = Bench::new(Mode::Upsert).await;
    bench.config.flush_interval = Duration::from_millis(100);
    bench.make_topic("others").await;
    bench.append(&[Line::new(1, 1)]).await;
    bench.append_as(&Sample::new("others"), &[Line::new(1, 1)]).await;
    let stop = CancellationToken::new();
    let loading = tokio::spawn(run(bench.parts("one", &CancellationToken::new()), stop.clone()));
    until("both tables", async || {
        let shown = bench.progress.snapshot();
        ["things", "others"]
            .iter()
            .all(|table| shown.tables.get(*table).is_some_and(|shown| shown.rows == 1))
    })
    .await;
    stop.cancel();
    assert!(
        !loading
            .await
            .expect("no panic")
            .expect("nothing needs a person")
            .is_complete
    );
}

#[tokio::test]
async fn without_any_topic_the_end_is_reached_at_once() {
    let bench = Bench::new(Mode::Upsert).await;
    bench.log.delete("acme.clean.things");
    let drained = run(bench.parts("one", &fired()), CancellationToken::new())
        .await
        .expect("nothing to do");
    assert_eq!(
        drained,
        Drained {
            is_complete: true,
            abandoned: Vec::new()
        }
    );
}

#[tokio::test]
async fn much_in_hand_is_flushed_before_the_tick() {
    let mut bench = Bench::new(Mode::Upsert).await;
    bench.config.flush_size = bytesize::ByteSize::kib(64);
    let lines: Vec<_> = (0..400).map(|id| Line::new(id, 1).note("x".repeat(1_000))).collect();
    for some in lines.chunks(50) {
        bench.append(some).await;
    }
    let stop = CancellationToken::new();
    let loading = tokio::spawn(run(bench.parts("one", &CancellationToken::new()), stop.clone()));
    until("most of it", async || {
        bench
            .progress
            .snapshot()
            .tables
            .get("things")
            .is_some_and(|shown| shown.rows >= 350)
    })
    .await;
    stop.cancel();
    loading.await.expect("no panic").expect("nothing needs a person");
    assert_eq!(bench.query("SELECT count(*) FROM things"), ["400"]);
}
