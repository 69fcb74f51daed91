//! Checklist 1, 3, 4, 11, 14.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;
use zendesk_sim::{Collection, Op};

use crate::desk::{Desk, NOW, ids, rows, text};

const TICKETS: &str = "/api/v2/incremental/tickets/cursor";
const ALL: &str = "/api/v2/incremental/tickets/cursor?start_time=0&support_type_scope=all";

#[tokio::test]
async fn every_ticket_comes_once_in_order_of_time_and_id() {
    let desk = Desk::new();
    let pages = desk.pages_by_cursor(&format!("{ALL}&per_page=37")).await;
    let served: Vec<(i64, i64)> = pages
        .iter()
        .flat_map(|page| rows(page, "tickets"))
        .map(|row| {
            (
                row["generated_timestamp"].as_i64().expect("a time"),
                row["id"].as_i64().expect("an id"),
            )
        })
        .collect();
    assert!(served.is_sorted_by(|a, b| a < b), "strictly");
    let mut ids: Vec<i64> = served.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, desk.truth(Collection::Tickets).into_keys().collect::<Vec<_>>());
    assert!(pages.len() > 8 && pages.iter().all(|page| rows(page, "tickets").len() <= 37));
}

#[tokio::test]
async fn the_cursor_is_time_and_id_and_keeps_parameters() {
    let desk = Desk::new();
    let page = desk.page(&format!("{ALL}&per_page=5&include=metric_sets,slas")).await;
    let last = rows(&page, "tickets").last().expect("a row").clone();
    let plain = BASE64.decode(text(&page["after_cursor"])).expect("base64");
    let expected = format!("{}.0||{}|", last["generated_timestamp"], last["id"]);
    assert_eq!(String::from_utf8(plain).expect("text"), expected);
    let url = text(&page["after_url"]);
    assert!(
        url.starts_with(&format!("{}{TICKETS}.json?cursor=", desk.sim.url())),
        "{url}"
    );
    for kept in ["per_page=5", "include=metric_sets,slas", "support_type_scope=all"] {
        assert!(url.contains(kept), "{url} has no {kept}");
    }
    assert!(!url.contains("start_time"));
    assert!(page["before_url"].is_null() && page["before_cursor"].is_null());
    assert_eq!(page["end_of_stream"], false);
}

#[tokio::test]
async fn the_last_cursor_serves_the_next_poll() {
    let desk = Desk::new();
    let last = desk.pages_by_cursor(ALL).await.pop().expect("a page");
    let cursor = text(&last["after_cursor"]);
    let poll = format!("{TICKETS}?support_type_scope=all&cursor={cursor}");
    let quiet = desk.page(&poll).await;
    assert_eq!(
        (ids(&quiet, "tickets").len(), text(&quiet["after_cursor"])),
        (0, cursor)
    );
    let id = desk.a_live_ticket();
    desk.sim.apply(Op::SystemUpdate { id }).expect("a ticket");
    desk.sim.advance(Duration::from_secs(61));
    let busy = desk.page(&poll).await;
    assert_eq!(ids(&busy, "tickets"), [id]);
    assert_ne!(busy["after_cursor"], quiet["after_cursor"]);
}

#[tokio::test]
async fn the_last_minute_is_hidden() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    desk.sim.apply(Op::UpdateTicket { id, seed: 3 }).expect("a ticket");
    let since = format!("{TICKETS}?support_type_scope=all&start_time={}", NOW - 61);
    for (seconds, visible) in [(0, false), (60, false), (1, true)] {
        desk.sim.advance(Duration::from_secs(seconds));
        let page = desk.page(&since).await;
        assert_eq!(ids(&page, "tickets").contains(&id), visible, "{seconds} s more");
    }
}

#[tokio::test]
async fn users_are_not_hidden_and_come_by_their_own_time() {
    let desk = Desk::new();
    let id = *desk.truth(Collection::Users).keys().next().expect("a user");
    desk.sim.apply(Op::UpdateUser { id, seed: 3 }).expect("a user");
    let page = desk
        .page(&format!(
            "/api/v2/incremental/users/cursor.json?start_time={}",
            NOW - 100
        ))
        .await;
    assert_eq!(ids(&page, "users"), [id]);
    let all = desk.page("/api/v2/incremental/users/cursor?start_time=0").await;
    let times: Vec<_> = rows(&all, "users").iter().map(|row| text(&row["updated_at"])).collect();
    assert!(times.is_sorted());
    assert_eq!(all["end_of_stream"], true);
}

#[tokio::test]
async fn a_start_in_the_last_minute_is_refused() {
    let desk = Desk::new();
    for path in [
        TICKETS,
        "/api/v2/incremental/users/cursor",
        "/api/v2/incremental/organizations",
    ] {
        let reply = desk.get(&format!("{path}?start_time={}", NOW - 59)).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, "StartTimeTooRecent".into()),
            "{path}"
        );
        assert_eq!(
            desk.get(&format!("{path}?start_time={}", NOW - 60)).await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(desk.get(TICKETS).await.status, 400, "neither start nor cursor");
}

#[tokio::test]
async fn an_unknown_cursor_is_refused() {
    let desk = Desk::new();
    let reply = desk.get(&format!("{TICKETS}?cursor=nonsense")).await;
    assert_eq!((reply.status, reply.code()), (400, "InvalidCursor".into()));
}

#[tokio::test]
async fn a_system_update_moves_the_generated_time_alone() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    let before = desk.truth(Collection::Tickets)[&id].clone();
    desk.sim.apply(Op::SystemUpdate { id }).expect("a ticket");
    let after = desk.truth(Collection::Tickets)[&id].clone();
    assert_eq!(before["updated_at"], after["updated_at"]);
    assert_eq!(after["generated_timestamp"], NOW);
    assert!(before["generated_timestamp"].as_i64() < Some(NOW));
}

#[tokio::test]
async fn the_generated_time_is_never_before_the_update() {
    let desk = Desk::new();
    desk.sim.apply_random(500, 5);
    for ticket in desk.truth(Collection::Tickets).values() {
        let updated = seconds_of(&text(&ticket["updated_at"]));
        assert!(
            ticket["generated_timestamp"].as_i64() >= Some(updated),
            "{}",
            ticket["id"]
        );
        assert_eq!(ticket["id"].to_string().len(), 14);
    }
}

/// Whole seconds since 1970 of Zendesk's text (Howard Hinnant's `days_from_civil`).
fn seconds_of(time: &str) -> i64 {
    let (day, clock) = time.trim_end_matches('Z').split_once('T').expect("a time");
    let parts: Vec<i64> = day
        .split('-')
        .chain(clock.split(':'))
        .map(|part| part.parse().expect("digits"))
        .collect();
    let (y, m) = if parts[1] > 2 {
        (parts[0], parts[1] - 3)
    } else {
        (parts[0] - 1, parts[1] + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + parts[2] - 719_469;
    days * 86_400 + parts[3] * 3_600 + parts[4] * 60 + parts[5]
}

#[tokio::test]
async fn deletion_scrubbing_and_restoring_are_exported() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    let state = async || {
        desk.sim.advance(Duration::from_secs(100));
        let since = format!("{TICKETS}?support_type_scope=all&start_time={}", NOW - 60);
        let page = desk.page(&since).await;
        let row = rows(&page, "tickets")
            .iter()
            .find(|row| row["id"] == id)
            .expect("it is exported")
            .clone();
        let field = |name: &str| text(&row[name]);
        (
            field("status"),
            field("subject"),
            field("description"),
            field("updated_at"),
        )
    };
    let status = text(&desk.truth(Collection::Tickets)[&id]["status"]);
    desk.sim.apply(Op::DeleteTicket { id }).expect("a ticket");
    assert_eq!(state().await.0, "deleted");
    assert_eq!(desk.get(&format!("/api/v2/tickets/{id}")).await.status, 404);
    desk.sim.apply(Op::RestoreTicket { id }).expect("it is in the bin");
    assert_eq!(state().await.0, status);
    desk.sim.apply(Op::DeleteTicket { id }).expect("a ticket");
    let deleted = state().await;
    desk.sim.apply(Op::ScrubTicket { id }).expect("it is in the bin");
    let scrubbed = state().await;
    assert_eq!(
        scrubbed,
        ("deleted".into(), "SCRUBBED".into(), "X".into(), deleted.3),
        "the same `updated_at`"
    );
}

#[tokio::test]
async fn deleted_and_ai_tickets_can_be_left_out() {
    let desk = Desk::new();
    let count = async |query: &str| {
        let page = desk.page(&format!("{TICKETS}?start_time=0&{query}")).await;
        let is_deleted = |row: &&serde_json::Value| row["status"] == "deleted";
        let deleted = rows(&page, "tickets").iter().filter(is_deleted).count();
        let by_ai = rows(&page, "tickets")
            .iter()
            .filter(|row| row["support_type"] == "ai_agent")
            .count();
        (rows(&page, "tickets").len(), deleted, by_ai)
    };
    let (all, deleted, by_ai) = count("support_type_scope=all").await;
    assert!(deleted > 0 && by_ai > 0);
    assert_eq!(count("").await.2, 0, "agents' alone unless told otherwise");
    assert_eq!(count("support_type_scope=ai_agent").await.0, by_ai);
    assert_eq!(
        count("support_type_scope=all&exclude_deleted=true").await.0,
        all - deleted
    );
}

#[tokio::test]
async fn archived_tickets_are_exported_and_not_listed() {
    let desk = Desk::new();
    let mut listed = Vec::new();
    let mut next = "/api/v2/tickets?page[size]=100".to_owned();
    loop {
        let page = desk.page(&next).await;
        listed.extend(ids(&page, "tickets"));
        if page["meta"]["has_more"] == false {
            break;
        }
        next = text(&page["links"]["next"]);
    }
    let truth = desk.truth(Collection::Tickets);
    let live = truth.values().filter(|ticket| ticket["status"] != "deleted").count();
    assert!(
        !listed.is_empty() && listed.len() < live,
        "{} of {live} are listed",
        listed.len()
    );
}

#[tokio::test]
async fn bodies_are_compressed_when_asked_and_dated_by_the_account() {
    let desk = Desk::new();
    let plain = desk.request("/_sim/").send().await.expect("an answer");
    assert!(plain.headers().get("content-encoding").is_none());
    let http = reqwest::Client::builder()
        .no_gzip()
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("{}{ALL}", desk.sim.url());
    let admin = crate::desk::basic(zendesk_sim::Credentials::EMAIL, zendesk_sim::Credentials::TOKEN);
    let request = http
        .get(url)
        .header("authorization", admin)
        .header("accept-encoding", "gzip");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["date"], "Fri, 15 Jan 2027 08:00:00 GMT");
    assert!(answer.bytes().await.expect("a body").starts_with(&[0x1f, 0x8b]));
    assert!(desk.page(ALL).await["tickets"].is_array(), "and it can be read");
}
