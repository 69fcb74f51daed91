//! The whole account, undisturbed.

use serde_json::Value;
use zendesk_sim::Collection;
use zenfloe_log::Record;
use zenfloe_record::{KnownValue, Owner};

use super::proof::is_read_again;
use super::{Desk, SPEED, still};

#[tokio::test]
async fn the_whole_account_arrives_as_it_was_sent() {
    let mut desk = Desk::start(still(1_300, 1), SPEED);
    desk.page = 1_000;
    assert!(desk.pass().await.is_complete);
    desk.prove_complete().await;
    // Nothing has changed, so even what changes silently is the same.
    for collection in Collection::ALL {
        let mut raw = desk.bench.topics.raw(collection.name()).await;
        raw.retain(|raw| !is_read_again(raw));
        assert_eq!(
            raw.len(),
            desk.simulator.records(collection).count(),
            "{}",
            collection.name()
        );
        for (raw, truth) in by_id(raw.iter().map(|raw| raw.json.as_str()).collect())
            .into_iter()
            .zip(by_id(
                desk.simulator.records(collection).map(|truth| truth.json).collect(),
            ))
        {
            assert_eq!(raw, truth, "{}", collection.name());
        }
    }
    let requests = desk.simulator.requests();
    let asked = |path: &str| requests.iter().filter(|request| request.path.ends_with(path)).count();
    assert_eq!(
        asked("/incremental/tickets/cursor"),
        3,
        "two pages, and one to begin the live track"
    );
    assert_eq!(asked("/incremental/users/cursor"), 1);
    assert_eq!(asked("/incremental/organizations"), 1);
    assert!(
        requests
            .iter()
            .all(|request| request.status == 200 && request.unknown_includes.is_empty())
    );

    let before: Vec<_> = counts(&desk).await;
    assert!(desk.pass().await.is_complete);
    assert_eq!(counts(&desk).await, before, "a second pass finds nothing new");
    desk.prove_complete().await;
}

async fn counts(desk: &Desk) -> Vec<usize> {
    let mut counts = Vec::new();
    for collection in Collection::ALL {
        counts.push(desk.bench.topics.raw(collection.name()).await.len());
    }
    counts
}

fn by_id(records: Vec<impl AsRef<str>>) -> Vec<Value> {
    let mut records: Vec<Value> = records
        .iter()
        .map(|json| serde_json::from_str(json.as_ref()).expect("JSON"))
        .collect();
    for record in records.iter_mut().filter_map(Value::as_object_mut) {
        // The truth about an event tells of its conversation as well.
        record.remove("side_conversations");
    }
    records.sort_by_key(|record| record["id"].to_string());
    records
}

/// What a history load of 3,000 tickets may ask of each endpoint: the plan of CATALOG, row by row.
fn planned(desk: &Desk) -> std::collections::BTreeMap<String, (usize, usize)> {
    use Collection::{
        Activities, AuditLogs, GroupMemberships, Groups, OrganizationMemberships, Organizations, SatisfactionRatings,
        SideConversations, SlaPolicies, TicketEvents, TicketForms, TicketMetricEvents, TicketSkips, Tickets, Users,
    };
    let rows = |collection| desk.simulator.with_account(|account| account.len(collection));
    // A long past has a page that shows how long it is, and the present one of its own; a time export repeats the second
    // at which a page ended.
    let export = |collection, more: usize| {
        let pages = rows(collection).div_ceil(1_000);
        (pages, pages + more)
    };
    let list = |collection| {
        (
            rows(collection).div_ceil(100).max(1),
            rows(collection).div_ceil(100).max(1),
        )
    };
    let of_one = |path: &str| (format!("/api/v2/{path}"), (1, 1));
    let mut plan = std::collections::BTreeMap::from([
        ("/api/v2/incremental/tickets/cursor".to_owned(), export(Tickets, 2)),
        ("/api/v2/incremental/ticket_events".to_owned(), export(TicketEvents, 3)),
        (
            "/api/v2/incremental/ticket_metric_events".to_owned(),
            export(TicketMetricEvents, 3),
        ),
        ("/api/v2/incremental/users/cursor".to_owned(), export(Users, 0)),
        ("/api/v2/incremental/organizations".to_owned(), export(Organizations, 0)),
        (
            "/api/v2/tickets/side_conversations/events".to_owned(),
            export(SideConversations, 1),
        ),
        of_one("ticket_fields"),
        of_one("organization_fields"),
        of_one("user_fields"),
    ]);
    let lists = [
        ("groups", Groups),
        ("group_memberships", GroupMemberships),
        ("organization_memberships", OrganizationMemberships),
        ("ticket_forms", TicketForms),
        ("slas/policies", SlaPolicies),
        ("skips", TicketSkips),
        ("satisfaction_ratings", SatisfactionRatings),
        ("audit_logs", AuditLogs),
        ("activities", Activities),
    ];
    plan.extend(lists.map(|(path, collection)| (format!("/api/v2/{path}"), list(collection))));
    // One request for each ticket that has a side conversation, and for no other.
    for truth in desk.simulator.records(SideConversations) {
        let event: Value = serde_json::from_str(&truth.json).expect("JSON");
        plan.insert(
            format!("/api/v2/tickets/{}/side_conversations", event["ticket_id"]),
            (1, 1),
        );
    }
    plan
}

/// Requests for each thousand tickets, by collection: one for tickets with metrics and clocks, one for each thousand
/// events with comments and attachments, none for a ticket alone.
#[tokio::test]
async fn a_thousand_tickets_cost_as_many_requests_as_planned() {
    let mut desk = Desk::start(still(3_000, 5), SPEED);
    desk.page = 1_000;
    desk.pass().await;
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for request in desk.simulator.requests() {
        *counts.entry(request.path).or_default() += 1;
    }
    let plan = planned(&desk);
    for (path, count) in &counts {
        println!("{path:<60} {:>8.2} per 1,000 tickets", *count as f64 / 3.0);
        let (least, most) = *plan.get(path).unwrap_or_else(|| panic!("{path} is in no plan"));
        assert!(
            (least..=most).contains(count),
            "{path}: {count} requests, {least} to {most} planned"
        );
    }
    assert_eq!(
        counts.len(),
        plan.len(),
        "everything that is on by default was asked for"
    );
    let heavy = [
        "/api/v2/incremental/tickets/cursor",
        "/api/v2/incremental/ticket_events",
    ];
    let asked: usize = heavy.iter().map(|path| counts[*path]).sum();
    let events = desk
        .simulator
        .with_account(|account| account.len(Collection::TicketEvents));
    let floor = 3.0 + events as f64 / 1_000.0;
    println!("{asked} requests for 3,000 tickets with {events} events; {floor:.0} pages hold them");
    assert!(asked as f64 <= floor + 6.0);
}

/// A poll that finds little asks for one page of each export and of each short list.
#[tokio::test]
async fn a_poll_of_a_quiet_account_costs_as_many_requests_as_planned() {
    let mut desk = Desk::start(still(1_000, 7), SPEED);
    desk.page = 1_000;
    desk.pass().await;
    desk.settle();
    desk.simulator.clear_requests();
    desk.pass().await;
    let requests = desk.simulator.requests();
    let asked = |path: &str| requests.iter().filter(|request| request.path.contains(path)).count();
    assert_eq!(
        asked("/incremental/"),
        5,
        "four of the exports' bucket, one of the users' own"
    );
    assert_eq!(asked("side_conversations"), 1, "nothing happened in any");
    let long = asked("memberships") + asked("skips") + asked("satisfaction_ratings");
    println!(
        "{} requests, {long} of them for lists that grow with the account",
        requests.len()
    );
    assert!(requests.len() - long <= 19, "{} requests", requests.len());
}

#[tokio::test]
async fn a_redacted_comment_is_read_again_once() {
    let desk = Desk::start(still(200, 6), SPEED);
    desk.pass().await;
    let before = desk.bench.topics.raw("ticket_events").await.len();
    let mut redacted = 0;
    for (number, truth) in desk.simulator.records(Collection::Tickets).enumerate().take(40) {
        let op = zendesk_sim::Op::RedactComment {
            id: truth.id,
            seed: number as u64,
        };
        redacted += usize::from(desk.simulator.apply(op).is_ok());
    }
    assert!(redacted > 5, "{redacted} comments redacted");
    desk.settle();
    desk.simulator.clear_requests();
    desk.pass().await;
    desk.pass().await;
    let requests = desk.simulator.requests();
    let threads = requests
        .iter()
        .filter(|request| request.path.ends_with("/comments"))
        .count();
    assert_eq!(threads, redacted, "one request for each ticket");
    assert!(desk.bench.topics.raw("ticket_events").await.len() >= before + 2 * redacted);
    desk.prove_complete().await;
}

#[tokio::test]
async fn clocks_that_exports_leave_out_are_asked_for_a_hundred_at_once() {
    let config = zendesk_sim::SimConfig {
        exports_slas: false,
        ..still(250, 8)
    };
    let desk = Desk::start(config, SPEED);
    desk.pass().await;
    let asked = |desk: &Desk| {
        let requests = desk.simulator.requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with("show_many"))
            .count()
    };
    let pages = desk.simulator.requests();
    let pages = pages
        .iter()
        .filter(|request| request.path.ends_with("tickets/cursor") && request.rows > 0);
    assert_eq!(asked(&desk), pages.count(), "one for each page of a hundred");
    let raw = desk.bench.topics.raw("tickets").await;
    let clocks: std::collections::BTreeMap<String, Value> = raw
        .iter()
        .filter(|raw| is_read_again(raw))
        .map(|raw| (raw.key.clone(), serde_json::from_str(&raw.json).expect("JSON")))
        .collect();
    let mut read = 0;
    for truth in desk.simulator.records(Collection::Tickets) {
        let ticket: Value = serde_json::from_str(&truth.json).expect("JSON");
        let held = clocks.get(&truth.id.to_string());
        assert_eq!(held.is_some(), !truth.is_deleted, "ticket {}", truth.id);
        if let Some(held) = held {
            assert_eq!(
                (&held["slas"], &held["updated_at"]),
                (&ticket["slas"], &ticket["updated_at"])
            );
            read += 1;
        }
    }
    assert!(read > 200, "{read} tickets with clocks");
    let before = asked(&desk);
    desk.pass().await;
    assert_eq!(asked(&desk), before, "nothing has changed");
    let id = *clocks
        .keys()
        .next()
        .expect("one")
        .parse::<i64>()
        .as_ref()
        .expect("an id");
    desk.simulator
        .apply(zendesk_sim::Op::SystemUpdate { id })
        .expect("a ticket");
    desk.settle();
    desk.pass().await;
    assert_eq!(asked(&desk), before + 1, "the clocks of what has changed alone");
}

#[tokio::test]
async fn every_change_arrives_once() {
    let desk = Desk::start(still(400, 2), SPEED);
    desk.pass().await;
    for round in 0..4 {
        desk.change(120, round);
        desk.pass().await;
        desk.prove_exactly_once().await;
    }
    // The second complete look that tells what has disappeared.
    desk.pass().await;
    desk.prove_complete().await;
}

#[tokio::test]
async fn what_changes_in_the_last_minute_waits_and_is_not_forgotten() {
    let desk = Desk::start(still(300, 3), SPEED);
    desk.pass().await;
    for round in 0..12 {
        desk.simulator.apply_random(30, 100 + round);
        desk.simulator.advance(std::time::Duration::from_secs(17));
        desk.pass().await;
        desk.prove_exactly_once().await;
    }
    desk.settle();
    desk.pass().await;
    desk.pass().await;
    desk.prove_complete().await;
}

#[tokio::test]
async fn everyone_is_told_of_before_the_first_ticket_and_nobody_in_clear_text() {
    let desk = Desk::start(still(200, 4), SPEED);
    desk.pass().await;
    let (records, known) = desk.bench.topics.people().await;
    let completed: Vec<_> = records
        .iter()
        .filter_map(|record| KnownValue::complete_of(&record.key))
        .collect();
    assert_eq!(completed.len(), 2, "{completed:?}");
    for truth in desk.simulator.records(Collection::Users) {
        let user: Value = serde_json::from_str(&truth.json).expect("JSON");
        let held: Vec<_> = known.iter().filter(|known| known.of == Owner::User(truth.id)).collect();
        for name in ["name", "email", "phone", "alias", "external_id"] {
            let value = user[name].as_str();
            assert!(
                value.is_none_or(|value| held.iter().any(|known| known.value == value.trim())),
                "`{name}` of user {}",
                truth.id
            );
        }
    }
    assert!(known.iter().any(|known| matches!(known.of, Owner::Organization(_))));
    for canary in desk.simulator.directory() {
        let needle = canary.value.as_bytes();
        let is_in = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let leaks = |record: &Record| is_in(&record.key) || record.value.as_deref().is_some_and(is_in);
        assert!(!records.iter().any(leaks), "a {}", canary.class.name());
    }
}
