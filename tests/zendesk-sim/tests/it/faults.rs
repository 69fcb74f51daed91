//! Checklist 7: everything that goes wrong, by script.

use std::time::{Duration, Instant};

use zendesk_sim::{Collection, Fault, FaultKind};

use crate::desk::{Desk, Reply, basic, ids, rows, text};

const TICKETS: &str = "/api/v2/incremental/tickets/cursor?start_time=0&support_type_scope=all";
const GROUPS: &str = "/api/v2/groups?page[size]=100";

fn desk(path: &str, kind: FaultKind) -> Desk {
    let desk = Desk::new();
    desk.sim.add_fault(Fault::new(path, 1, kind));
    desk
}

/// Sends the request again and again, as one that fails.
async fn fails(desk: &Desk, target: &str) -> bool {
    let admin = basic(zendesk_sim::Credentials::EMAIL, zendesk_sim::Credentials::TOKEN);
    match desk.request(target).header("authorization", admin).send().await {
        Err(_) => true,
        Ok(answer) => answer.bytes().await.is_err(),
    }
}

#[tokio::test]
async fn error_statuses_come_with_their_bodies() {
    let check = async |status: u16, retry_after: Option<u32>, kind: &str| {
        let desk = desk("tickets", FaultKind::Status { status, retry_after });
        let reply = desk.get(TICKETS).await;
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.header("retry-after").map(str::to_owned),
            retry_after.map(|seconds| seconds.to_string())
        );
        assert!(
            reply
                .header("content-type")
                .is_some_and(|found| found.starts_with(kind)),
            "{status}"
        );
        assert_eq!(desk.get(TICKETS).await.status, 200, "once");
    };
    check(429, Some(7), "application/json").await;
    check(429, None, "application/json").await;
    check(500, None, "text/html").await;
    check(502, None, "text/html").await;
    check(503, Some(30), "text/html").await;
    check(504, None, "text/plain").await;
    check(409, None, "application/json").await;
}

#[tokio::test]
async fn a_fault_means_some_requests_and_wears_out() {
    let desk = Desk::new();
    let kind = FaultKind::Status {
        status: 500,
        retry_after: None,
    };
    desk.sim.add_fault(Fault::new("groups", 2, kind).after(1));
    let mut statuses = Vec::new();
    for target in [TICKETS, GROUPS, GROUPS, TICKETS, GROUPS, GROUPS] {
        statuses.push(desk.get(target).await.status);
    }
    assert_eq!(statuses, [200, 200, 500, 200, 500, 200]);
    assert!(desk.sim.faults().is_empty());
    let spoilt = desk.sim.requests().iter().filter(|request| request.is_fault).count();
    assert_eq!(spoilt, 2);
}

#[tokio::test]
async fn big_pages_take_too_long() {
    let desk = Desk::new();
    desk.sim.add_fault(Fault::new(
        "tickets",
        u32::MAX,
        FaultKind::TooHeavyAbove { per_page: 250 },
    ));
    let mut statuses = Vec::new();
    for size in ["", "&per_page=1000", "&per_page=500", "&per_page=250", "&per_page=100"] {
        statuses.push(desk.get(&format!("{TICKETS}{size}")).await.status);
    }
    assert_eq!(statuses, [504, 504, 504, 200, 200]);
    desk.sim.clear_faults();
    assert_eq!(desk.get(TICKETS).await.status, 200);
}

#[tokio::test]
async fn connections_drop_and_bodies_end_early() {
    for kind in [FaultKind::DropConnection, FaultKind::TruncateBody] {
        let desk = desk("tickets", kind.clone());
        assert!(fails(&desk, TICKETS).await, "{kind:?}");
        assert!(!fails(&desk, TICKETS).await, "{kind:?}: once");
        assert!(
            desk.sim
                .served_versions(Collection::Tickets)
                .iter()
                .all(|served| served.times == 1)
        );
    }
}

#[tokio::test]
async fn answers_come_late() {
    let desk = desk("groups", FaultKind::Slow { millis: 150 });
    let began = Instant::now();
    assert_eq!(rows(&desk.page(GROUPS).await, "groups").len(), 3);
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn answers_that_are_no_page() {
    let check = async |kind: FaultKind, status: u16, body: &str| {
        let reply = desk("groups", kind).get(GROUPS).await;
        assert_eq!(
            (reply.status, reply.text.starts_with(body)),
            (status, true),
            "{}",
            reply.text
        );
    };
    check(FaultKind::Html { status: 200 }, 200, "<!DOCTYPE html>").await;
    check(FaultKind::Html { status: 404 }, 404, "<!DOCTYPE html>").await;
    check(FaultKind::NoEnvelope, 200, "{}").await;
    let reply = desk("groups", FaultKind::EmptyBody).get(GROUPS).await;
    assert_eq!((reply.status, reply.text.len()), (200, 0));
    let to = "https://elsewhere.example/api/v2/groups".to_owned();
    let reply = desk("groups", FaultKind::Redirect { to: to.clone() }).get(GROUPS).await;
    assert_eq!((reply.status, reply.header("location")), (302, Some(to.as_str())));
}

#[tokio::test]
async fn a_cursor_is_refused_once() {
    let desk = desk("tickets", FaultKind::RefusedCursor);
    let page = desk.page(&format!("{TICKETS}&per_page=5")).await;
    let next = text(&page["after_url"]);
    let reply = desk.get(&next).await;
    assert_eq!((reply.status, reply.code()), (400, "InvalidCursor".into()));
    assert_eq!(desk.get(&next).await.status, 200);
}

#[tokio::test]
async fn a_page_leads_to_itself() {
    let desk = Desk::new();
    desk.sim.add_fault(Fault::new("", u32::MAX, FaultKind::RepeatPage));
    let first = desk.page(&format!("{TICKETS}&per_page=5")).await;
    let second = desk.page(&text(&first["after_url"])).await;
    let third = desk.page(&text(&second["after_url"])).await;
    assert_eq!(
        (&second["after_cursor"], &second["tickets"]),
        (&first["after_cursor"], &third["tickets"])
    );
    assert_eq!(third["end_of_stream"], false);
    let groups = desk.page("/api/v2/groups?page[size]=2").await;
    let again = desk.page(&text(&groups["links"]["next"])).await;
    assert_eq!(
        (&again["meta"]["has_more"], &again["links"]["next"]),
        (&true.into(), &groups["links"]["next"])
    );
    let start = "/api/v2/incremental/organizations?start_time=5&per_page=5";
    let stuck = desk.page(start).await;
    assert_eq!(
        (&stuck["end_time"], &stuck["end_of_stream"]),
        (&5.into(), &false.into())
    );
}

#[tokio::test]
async fn bodies_can_be_huge() {
    let desk = desk("groups", FaultKind::HugeBody { bytes: 5_000_000 });
    let reply = desk.get(GROUPS).await;
    assert!(reply.text.len() > 5_000_000);
    assert_eq!(rows(&reply.json(), "groups").len(), 3);
}

#[tokio::test]
async fn pages_can_hold_rows_of_the_tests_own() {
    let rows_of = |rows: &[&str]| FaultKind::ExtraRows {
        rows: rows.iter().map(|row| (*row).to_owned()).collect(),
    };
    let page = desk("groups", rows_of(&[r#"{"id":1,"name":"a\u0000b"}"#, r#"{"id":2}"#]))
        .page(GROUPS)
        .await;
    assert_eq!(
        (ids(&page, "groups").len(), &ids(&page, "groups")[..2]),
        (5, &[1, 2][..])
    );
    let broken: Reply = desk("groups", rows_of(&[r#"{"id":3,"x":nonsense}"#])).get(GROUPS).await;
    assert!(serde_json::from_str::<serde_json::Value>(&broken.text).is_err());
}
