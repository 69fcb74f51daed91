//! Checklist 7 and 14: buckets, their headers and their refusals.

use std::time::Duration;

use zendesk_sim::{Bucket, Limits, Plan, SimConfig};

use crate::desk::{Desk, config};

const TICKETS: &str = "/api/v2/incremental/tickets/cursor?start_time=0&per_page=1";
const USERS: &str = "/api/v2/incremental/users/cursor?start_time=0&per_page=1";
const ORGANIZATIONS: &str = "/api/v2/incremental/organizations?start_time=0&per_page=1";

fn limited(limits: Limits) -> Desk {
    Desk::with(SimConfig { limits, ..config() })
}

#[tokio::test]
async fn headers_tell_both_buckets() {
    let desk = limited(Limits::of(Plan::Professional));
    let reply = desk.get(TICKETS).await;
    let expected = [
        ("x-rate-limit", "400"),
        ("x-rate-limit-remaining", "399"),
        ("ratelimit-limit", "400"),
        ("ratelimit-remaining", "399"),
        ("ratelimit-reset", "60"),
        (
            "zendesk-ratelimit-incremental-exports",
            "total=10; remaining=9; resets=60",
        ),
    ];
    for (name, value) in expected {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    desk.sim.advance(Duration::from_secs(22));
    let reply = desk.get(ORGANIZATIONS).await;
    let shared = Some("total=10; remaining=8; resets=38");
    assert_eq!(
        reply.header("zendesk-ratelimit-incremental-exports"),
        shared,
        "one bucket for all of them"
    );
    let reply = desk.get(USERS).await;
    assert_eq!(
        reply.header("zendesk-ratelimit-incremental-exports-cursor"),
        Some("total=20; remaining=19; resets=60")
    );
    assert!(reply.header("zendesk-ratelimit-incremental-exports").is_none());
    assert_eq!(reply.header("x-rate-limit-remaining"), Some("397"));
}

#[tokio::test]
async fn beyond_the_limit_requests_are_refused_until_the_window_ends() {
    let desk = limited(Limits::of(Plan::Team));
    for _ in 0..10 {
        assert_eq!(desk.get(TICKETS).await.status, 200);
    }
    desk.sim.advance(Duration::from_secs(45));
    let reply = desk.get(ORGANIZATIONS).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("15")));
    assert_eq!(reply.json()["error"], "APIRateLimitExceeded");
    assert_eq!(desk.get(USERS).await.status, 200, "a bucket of its own");
    assert_eq!(desk.get("/api/v2/groups").await.status, 200);
    desk.sim.advance(Duration::from_secs(15));
    assert_eq!(desk.get(ORGANIZATIONS).await.status, 200);
    let refused = desk
        .sim
        .requests()
        .iter()
        .filter(|request| request.is_avoidable_refusal())
        .count();
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn the_account_has_a_limit_for_everything() {
    let desk = limited(Limits::of(Plan::Essential));
    for _ in 0..10 {
        assert_eq!(desk.get("/api/v2/groups").await.status, 200);
    }
    let reply = desk.get(USERS).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("60")));
    assert_eq!(reply.header("x-rate-limit-remaining"), Some("0"));
}

#[tokio::test]
async fn others_use_the_account_too() {
    let desk = limited(Limits::of(Plan::Team));
    desk.sim.consume(Bucket::Account, 150);
    assert_eq!(
        desk.get("/api/v2/groups").await.header("x-rate-limit-remaining"),
        Some("49")
    );
}

#[tokio::test]
async fn high_volume_raises_the_limits() {
    let desk = limited(Limits::of(Plan::Professional).with_high_volume());
    let reply = desk.get(TICKETS).await;
    assert_eq!(reply.header("x-rate-limit"), Some("2500"));
    assert_eq!(
        reply.header("zendesk-ratelimit-incremental-exports"),
        Some("total=30; remaining=29; resets=60")
    );
    let users = desk.get(USERS).await;
    assert_eq!(
        users.header("zendesk-ratelimit-incremental-exports-cursor"),
        Some("total=60; remaining=59; resets=60")
    );
}

#[tokio::test]
async fn refusals_can_come_without_retry_after() {
    let desk = limited(Limits {
        tells_retry_after: false,
        ..Limits::of(Plan::Essential)
    });
    desk.sim.consume(Bucket::Account, 10);
    let reply = desk.get(TICKETS).await;
    assert_eq!(
        (reply.status, reply.header("retry-after"), reply.header("x-rate-limit")),
        (429, None, None)
    );
    assert_eq!(reply.header("ratelimit-reset"), Some("2027-01-15T08:01:00Z"));
}

#[tokio::test]
async fn without_limits_nothing_is_told_and_nothing_refused() {
    let desk = Desk::new();
    for _ in 0..30 {
        let reply = desk.get(TICKETS).await;
        assert_eq!((reply.status, reply.header("x-rate-limit")), (200, None));
    }
}
