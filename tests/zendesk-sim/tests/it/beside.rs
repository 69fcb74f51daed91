//! What stands beside tickets, and how it is asked for: lists of what has changed, moments of clocks, side conversations.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use zendesk_sim::{Bucket, Collection, Limits, Op, Plan, SimConfig};

use crate::desk::{Desk, NOW, config, ids, rows, text};

const EVENTS: &str = "/api/v2/tickets/side_conversations/events";

fn keys(page: &Value, envelope: &str) -> BTreeSet<String> {
    rows(page, envelope).iter().map(|row| text(&row["id"])).collect()
}

async fn walk(desk: &Desk, first: &str, envelope: &str) -> Vec<i64> {
    let mut page = desk.page(first).await;
    let mut all = ids(&page, envelope);
    while page["meta"]["has_more"] == true {
        page = desk.page(&text(&page["links"]["next"])).await;
        all.extend(ids(&page, envelope));
    }
    all
}

#[tokio::test]
async fn ratings_are_found_by_the_day_of_their_offer() {
    let desk = Desk::new();
    let all = walk(
        &desk,
        "/api/v2/satisfaction_ratings?page[size]=7",
        "satisfaction_ratings",
    )
    .await;
    assert_eq!(all.len(), desk.truth(Collection::SatisfactionRatings).len());
    desk.sim.advance(Duration::from_secs(10));
    let mut offered = desk.truth(Collection::SatisfactionRatings).into_keys();
    let rated = offered.find(|id| desk.sim.apply(Op::RateTicket { id: *id, seed: 9 }).is_ok());
    let rated = rated.expect("one that may still be given");
    let target = format!("/api/v2/satisfaction_ratings?page[size]=100&start_time={NOW}");
    assert_eq!(
        ids(&desk.page(&target).await, "satisfaction_ratings"),
        [0; 0],
        "{rated} was offered before"
    );
    let target = "/api/v2/satisfaction_ratings?page[size]=100&start_time=0";
    let newest = walk(&desk, target, "satisfaction_ratings").await;
    assert!(newest.contains(&rated));
}

#[tokio::test]
async fn audit_logs_want_beginning_and_end_under_one_name() {
    let desk = Desk::new();
    let filter = |times: &[&str]| {
        let times: String = times
            .iter()
            .map(|time| format!("&filter[created_at][]={time}"))
            .collect();
        format!("/api/v2/audit_logs?sort=created_at&page[size]=5{times}")
    };
    assert_eq!(desk.get(&filter(&["2026-01-01T00:00:00Z"])).await.status, 400);
    let all = walk(
        &desk,
        &filter(&["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]),
        "audit_logs",
    )
    .await;
    let known: Vec<i64> = desk.truth(Collection::AuditLogs).into_keys().collect();
    assert_eq!(all, known, "oldest first");
    let none = desk
        .page(&filter(&["2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]))
        .await;
    assert!(rows(&none, "audit_logs").is_empty());
    let newest = desk.page("/api/v2/audit_logs?page[size]=5").await;
    assert_eq!(
        ids(&newest, "audit_logs")[0],
        known[known.len() - 1],
        "newest first, unless it is asked for"
    );
}

#[tokio::test]
async fn notices_are_served_for_thirty_days() {
    let desk = Desk::new();
    let target = "/api/v2/activities?page[size]=100&since=1970-01-01T00:00:00Z";
    let first = walk(&desk, target, "activities").await;
    assert_eq!(first.len(), desk.truth(Collection::Activities).len());
    assert!(!first.is_empty() && first.is_sorted_by(|a, b| a > b), "newest first");
    desk.sim.advance(Duration::from_secs(31 * 86_400));
    assert!(walk(&desk, target, "activities").await.is_empty());
    assert_eq!(desk.truth(Collection::Activities).len(), first.len(), "they were there");
}

#[tokio::test]
async fn moments_of_clocks_are_a_time_export_and_void_breaches_are_marked() {
    let desk = Desk::new();
    let page = desk
        .page("/api/v2/incremental/ticket_metric_events?start_time=0&per_page=1000")
        .await;
    let all = rows(&page, "ticket_metric_events");
    assert!(page["end_of_stream"].is_boolean() && all.len() >= 600, "{}", all.len());
    let kinds: BTreeSet<String> = all.iter().map(|row| text(&row["type"])).collect();
    let expected = ["activate", "apply_sla", "breach", "fulfill", "update_status"];
    assert_eq!(kinds, expected.map(str::to_owned).into());
    let void = all.iter().filter(|row| row["deleted"] == true).count();
    assert!(void > 0);
    let live = desk
        .page("/api/v2/incremental/ticket_metric_events?start_time=0&per_page=1000&exclude_deleted=true")
        .await;
    assert!(
        rows(&live, "ticket_metric_events")
            .iter()
            .all(|row| row["deleted"] != true)
    );
}

#[tokio::test]
async fn events_of_side_conversations_come_late_and_end_without_a_next_page() {
    let desk = Desk::new();
    let first = desk.page(&format!("{EVENTS}?start_time=0")).await;
    assert!(first["end_of_stream"].is_null() && first["next_page"].is_null());
    assert_eq!(first["end_time"], NOW, "later than the newest event");
    let known = keys(&first, "events");
    assert_eq!(known.len(), desk.truth(Collection::SideConversations).len());
    let small = desk.page(&format!("{EVENTS}?start_time=0&per_page=2")).await;
    assert!(text(&small["next_page"]).contains("start_time="));
    for seed in 0..20 {
        let id = desk.a_live_ticket();
        let op = Op::StartSideConversation { id, seed };
        desk.sim.apply(op).expect("a ticket");
    }
    let seen = |page: Value| keys(&page, "events").difference(&known).count();
    let at_once = seen(desk.page(&format!("{EVENTS}?start_time=0")).await);
    assert!(at_once < 20, "{at_once} at once");
    desk.sim.advance(Duration::from_secs(240));
    assert_eq!(seen(desk.page(&format!("{EVENTS}?start_time=0")).await), 20);
}

#[tokio::test]
async fn side_conversations_are_read_by_ticket_and_not_of_deleted_ones() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    let target = format!("/api/v2/tickets/{id}/side_conversations?per_page=2");
    let before = desk.page(&target).await["count"].as_u64().expect("a count");
    let mut talk = 0;
    for seed in 0..3 {
        talk = desk
            .sim
            .apply(Op::StartSideConversation { id, seed })
            .expect("a ticket");
    }
    desk.sim
        .apply(Op::CloseSideConversation { id: talk })
        .expect("it is open");
    let mut page = desk.page(&target).await;
    assert_eq!(page["count"], before + 3);
    while let Some(next) = page["next_page"].as_str() {
        page = desk.page(next).await;
    }
    let last = rows(&page, "side_conversations").last().expect("one").clone();
    assert_eq!(Collection::id_of(&text(&last["id"])), Some(talk));
    assert_eq!(last["state"], "closed");
    desk.sim.apply(Op::DeleteTicket { id }).expect("a ticket");
    assert_eq!(desk.get(&target).await.status, 404);
}

#[tokio::test]
async fn events_of_side_conversations_have_a_bucket_of_ten_minutes() {
    let desk = Desk::with(SimConfig {
        limits: Limits::of(Plan::Enterprise),
        ..config()
    });
    let target = format!("{EVENTS}?start_time=0");
    desk.sim.consume(Bucket::SideConversationEvents, 600);
    assert_eq!(desk.get(&target).await.status, 429);
    desk.sim.advance(Duration::from_secs(61));
    let reply = desk.get(&target).await;
    assert_eq!(reply.status, 429, "a minute is not enough");
    desk.sim.advance(Duration::from_secs(540));
    assert_eq!(desk.get(&target).await.status, 200);
}
