//! The true rate limits: used to the full, and never passed.

use std::time::Duration;

use zendesk_sim::{Bucket, Limits, Plan, SimConfig};

use super::{Desk, fast};

/// Requests that counted in a bucket: when, in seconds of the account's time.
fn times(desk: &Desk, bucket: Bucket) -> Vec<f64> {
    let requests = desk.simulator.requests();
    let counted = requests.iter().filter(|request| request.bucket == Some(bucket));
    counted.map(|request| request.at_ms as f64 / 1_000.0).collect()
}

fn refusals(desk: &Desk) -> usize {
    let requests = desk.simulator.requests();
    requests.iter().filter(|request| request.is_avoidable_refusal()).count()
}

fn limited(tickets: u32, seed: u64, speed: f64, limits: Limits) -> Desk {
    let config = SimConfig {
        limits,
        ..fast(tickets, seed, speed)
    };
    Desk::start(config, speed)
}

#[tokio::test]
async fn thirty_three_incremental_pages_take_the_floor() {
    let mut desk = limited(1_550, 71, 60.0, Limits::of(Plan::Team));
    desk.page = 50;
    desk.bench.config.collections.only.insert("tickets".into());
    desk.pass().await;
    let times = times(&desk, Bucket::IncrementalExports);
    assert_eq!(refusals(&desk), 0);
    assert_eq!(times.len(), 32, "31 pages, and one to begin the live track");
    // Nine in each minute but the first would be a minute more.
    let took = times[31] - times[0];
    // The account's minutes pass with the machine's: a busy machine takes longer, none is faster.
    println!("{took:.0} s for the floor of 180 s");
    assert!(took >= 179.0, "{took} s for the floor of 180 s");
    desk.prove_exactly_once().await;
}

#[tokio::test]
async fn buckets_are_filled_side_by_side() {
    let mut desk = limited(900, 72, 60.0, Limits::of(Plan::Essential));
    desk.page = 50;
    desk.bench.config.headroom = 0.0;
    desk.pass().await;
    assert_eq!(refusals(&desk), 0);
    let requests = desk.simulator.requests().len() as f64;
    let all = desk.simulator.requests();
    let took = (all[all.len() - 1].at_ms - all[0].at_ms) as f64 / 60_000.0;
    // Ten requests a minute are all that this plan has.
    let floor = ((requests - 1.0) / 10.0).floor();
    println!("{requests} requests took {took:.1} minutes, at least {floor}");
    assert!(took > floor - 1.0, "{requests} requests took {took} minutes");
    desk.prove_exactly_once().await;
}

#[tokio::test]
async fn the_cap_leaves_the_rest_to_others() {
    let mut desk = limited(600, 73, 60.0, Limits::of(Plan::Enterprise));
    desk.page = 50;
    desk.bench.config.account_requests_per_minute = 12;
    desk.pass().await;
    assert_eq!(refusals(&desk), 0);
    let mut times: Vec<_> = desk.simulator.requests().iter().map(|request| request.at_ms).collect();
    times.sort_unstable();
    for window in times.windows(13) {
        assert!(
            window[12] - window[0] >= 59_000,
            "13 requests within {} ms",
            window[12] - window[0]
        );
    }
}

#[tokio::test]
async fn other_integrations_cost_at_most_a_refusal_and_lose_nothing() {
    let mut desk = limited(900, 74, 120.0, Limits::of(Plan::Team));
    desk.page = 50;
    desk.bench
        .config
        .collections
        .only
        .extend(["tickets".into(), "groups".into()]);
    let simulator = &desk.simulator;
    let others = async {
        loop {
            simulator.consume(Bucket::IncrementalExports, 3);
            simulator.consume(Bucket::Account, 20);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        drained = desk.pass() => assert!(drained.is_complete),
        () = others => {}
    }
    let minutes = times(&desk, Bucket::IncrementalExports).len() / 3;
    assert!(refusals(&desk) <= minutes, "{} refusals", refusals(&desk));
    desk.prove_exactly_once().await;
}

#[tokio::test]
async fn a_refusal_that_does_not_say_how_long_passes_too() {
    let limits = Limits {
        tells_retry_after: false,
        ..Limits::of(Plan::Team)
    };
    let mut desk = limited(300, 75, 120.0, limits);
    desk.page = 50;
    // Someone has used the minute up before we come.
    desk.simulator.consume(Bucket::IncrementalExports, 10);
    desk.simulator.consume(Bucket::IncrementalExportsCursor, 20);
    desk.pass().await;
    desk.prove_exactly_once().await;
}
