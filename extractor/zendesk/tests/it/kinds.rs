//! Windows, pages by number, whole lists, and what is read for one record.

use zenfloe_zendesk::{Note, Page, Place, Source, collection_of};

use crate::server::{Reply, Server};
use crate::{client, collection};

const NOON: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
/// That noon, whole seconds since 1970.
const NOW: i64 = 1_795_608_000;

/// Reads pages of a collection from one place on, one for each reply.
async fn read(name: &str, from: Place, replies: Vec<Reply>) -> (Vec<Page>, Vec<String>) {
    let count = replies.len();
    let server = Server::start(replies).await;
    let client = client(&server);
    let mut pages: Vec<Page> = Vec::new();
    for _ in 0..count {
        let after = pages.last().map_or(from.clone(), |page| page.next.clone());
        pages.push(client.page(collection(name), &after).await.expect("a page"));
    }
    let targets = server.requests().into_iter().map(|request| request.target);
    (pages, targets.collect())
}

fn at_noon(body: &str) -> Reply {
    Reply::json(body).header("date", NOON)
}

#[tokio::test]
async fn a_window_is_asked_for_from_its_overlap_on() {
    let more = r#"{"satisfaction_ratings":[{"id":1,"updated_at":"2026-11-25T11:00:00Z"}],"meta":{"has_more":true,"after_cursor":"a"}}"#;
    let last = r#"{"satisfaction_ratings":[{"id":2,"updated_at":"2026-11-25T11:59:30Z"}],"meta":{"has_more":false,"after_cursor":"b"}}"#;
    let replies = vec![at_noon(more), at_noon(last), at_noon(last)];
    let (pages, targets) = read("satisfaction_ratings", Place::since(1_700_000_000), replies).await;
    let overlap = 30 * 86_400;
    assert_eq!(
        targets,
        [
            "/api/v2/satisfaction_ratings?start_time=1700000000&page%5Bsize%5D=100".to_owned(),
            "/api/v2/satisfaction_ratings?page%5Bafter%5D=a&start_time=1700000000&page%5Bsize%5D=100".to_owned(),
            format!(
                "/api/v2/satisfaction_ratings?start_time={}&page%5Bsize%5D=100",
                NOW - 61 - overlap
            ),
        ]
    );
    let counts: Vec<_> = pages
        .iter()
        .map(|page| (page.records.len(), page.is_caught_up))
        .collect();
    assert_eq!(
        counts,
        [(1, false), (0, true), (0, true)],
        "what is half a minute old waits"
    );
    assert_eq!(pages[1].reached, Some((NOW - 61) * 1_000_000));
}

#[tokio::test]
async fn audit_logs_are_asked_for_between_two_times_of_one_name() {
    let last = r#"{"audit_logs":[{"id":1,"created_at":"2026-11-25T11:00:00Z"}],"meta":{"has_more":false}}"#;
    let (pages, targets) = read("audit_logs", Place::start(), vec![at_noon(last)]).await;
    let twice = targets[0].matches("filter%5Bcreated_at%5D%5B%5D=").count();
    assert_eq!((twice, pages[0].records.len()), (2, 1), "{targets:?}");
    assert!(targets[0].contains("=1970-01-01T00%3A00%3A00Z&"), "{targets:?}");
    assert!(targets[0].contains("sort=created_at"), "{targets:?}");
}

#[tokio::test]
async fn a_refused_cursor_of_a_window_begins_the_pass_again() {
    let midway = Place::Window {
        delivered_to: Some(1_700_000_000),
        to: Some(NOW - 61),
        after: Some("old".into()),
        since: 0,
    };
    let refusal = Reply::status(400, r#"{"errors":[{"code":"InvalidCursor"}]}"#);
    let (pages, _) = read("activities", midway, vec![refusal]).await;
    assert_eq!(pages[0].notes, [Note::CursorRefused { since: None }]);
    let begin = Place::Window {
        delivered_to: Some(1_700_000_000),
        to: None,
        after: None,
        since: 0,
    };
    assert_eq!(pages[0].next, begin);
}

#[tokio::test]
async fn pages_by_number_and_whole_lists_are_asked_for_plainly() {
    let more = r#"{"sla_policies":[{"id":1}],"next_page":"https://x","count":2}"#;
    let last = r#"{"sla_policies":[{"id":2}],"next_page":null,"count":2}"#;
    let (pages, targets) = read("sla_policies", Place::start(), vec![at_noon(more), at_noon(last)]).await;
    assert_eq!(
        targets,
        [
            "/api/v2/slas/policies?per_page=100",
            "/api/v2/slas/policies?page=2&per_page=100"
        ]
    );
    assert!(pages[1].is_caught_up && pages[1].next == Place::start());
    let whole = r#"{"schedules":[{"id":1}]}"#;
    let (pages, targets) = read("schedules", Place::start(), vec![at_noon(whole)]).await;
    assert_eq!(
        (targets[0].as_str(), pages[0].is_caught_up),
        ("/api/v2/business_hours/schedules", true)
    );
}

#[tokio::test]
async fn what_is_read_for_a_record_has_an_address_of_its_own() {
    let thread = r#"{"comments":[{"id":7,"audit_id":9}],"meta":{"has_more":false}}"#;
    let server = Server::start(vec![at_noon(thread)]).await;
    let events = collection("ticket_events");
    let asked = collection_of(events, &events.follows[0], "42");
    let page = client(&server).page(&asked, &Place::start()).await.expect("a page");
    assert_eq!(
        server.requests()[0].target,
        "/api/v2/tickets/42/comments?page%5Bsize%5D=100"
    );
    assert!(page.notes.is_empty(), "no sideload is missed where none was asked for");
}

#[tokio::test]
async fn a_short_page_of_calls_is_the_last_one() {
    let row = |id: u32| {
        format!(
            r#"{{"id":{id},"updated_at":"2026-11-25T10:{:02}:{:02}Z"}}"#,
            id / 60,
            id % 60
        )
    };
    let page = |rows: std::ops::Range<u32>, end: i64| {
        let rows: Vec<String> = rows.map(row).collect();
        at_noon(&format!(
            r#"{{"calls":[{}],"next_page":"https://x","end_time":{end}}}"#,
            rows.join(",")
        ))
    };
    let ten = NOW - 2 * 3_600;
    let (pages, targets) = read(
        "talk_calls",
        Place::start(),
        vec![page(0..1_000, ten + 999), page(999..1_005, ten + 1_004)],
    )
    .await;
    let shown: Vec<_> = pages
        .iter()
        .map(|page| (page.records.len(), page.is_caught_up))
        .collect();
    assert_eq!(
        shown,
        [(1_000, false), (5, true)],
        "the boundary second comes again, and the second page is short"
    );
    assert!(targets[1].contains(&format!("start_time={}", ten + 999)), "{targets:?}");
}
