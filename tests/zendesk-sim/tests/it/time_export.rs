//! Checklist 2: the exact rule of the end.

use std::collections::BTreeSet;

use serde_json::Value;
use zendesk_sim::{Collection, Op, SimConfig};

use crate::desk::{Desk, NOW, config, ids, rows, text};

const ORGANIZATIONS: &str = "/api/v2/incremental/organizations";

/// Follows `next_page` to the end; panics where it would go in circles.
async fn walk(desk: &Desk, per_page: u32) -> Vec<Value> {
    let mut pages = vec![
        desk.page(&format!("{ORGANIZATIONS}?start_time=0&per_page={per_page}"))
            .await,
    ];
    while pages.last().is_some_and(|page| page["end_of_stream"] == false) {
        assert!(pages.len() < 500, "it goes in circles");
        let next = text(&pages.last().expect("there is one")["next_page"]);
        pages.push(desk.page(&next).await);
    }
    pages
}

#[tokio::test]
async fn following_the_end_misses_nothing() {
    let desk = Desk::new();
    for per_page in [1, 5, 7, 1_000] {
        let pages = walk(&desk, per_page).await;
        let seen: BTreeSet<i64> = pages.iter().flat_map(|page| ids(page, "organizations")).collect();
        let all: BTreeSet<i64> = desk.truth(Collection::Organizations).into_keys().collect();
        assert_eq!(seen, all, "{per_page} a page");
    }
}

#[tokio::test]
async fn the_rows_of_the_end_come_again() {
    let desk = Desk::new();
    let pages = walk(&desk, 7).await;
    let mixed = pages
        .windows(2)
        .find(|pair| rows(&pair[0], "organizations").len() == 7)
        .expect("a full page");
    let (end, last) = (
        &mixed[0]["end_time"],
        rows(&mixed[0], "organizations").last().expect("a row"),
    );
    assert!(ids(&mixed[1], "organizations").contains(&last["id"].as_i64().expect("an id")));
    let url = text(&mixed[0]["next_page"]);
    assert!(
        url.contains(&format!("start_time={end}")) && url.contains("per_page=7"),
        "{url}"
    );
    assert_eq!(mixed[0]["count"], 7);
}

#[tokio::test]
async fn a_page_of_one_second_is_expanded_and_ends_behind_it() {
    let desk = Desk::new();
    let pages = walk(&desk, 5).await;
    let expanded = pages
        .iter()
        .find(|page| rows(page, "organizations").len() > 5)
        .expect("a fifth came at once");
    let times: BTreeSet<String> = rows(expanded, "organizations")
        .iter()
        .map(|row| text(&row["updated_at"]))
        .collect();
    assert_eq!((times.len(), rows(expanded, "organizations").len()), (1, 12));
    let next = desk.page(&text(&expanded["next_page"])).await;
    let first = text(&rows(&next, "organizations")[0]["updated_at"]);
    assert!(Some(&first) > times.iter().next(), "the second is over");
    let ids = ids(expanded, "organizations");
    assert!(!ids.is_sorted(), "inside a second nothing is ordered");
}

#[tokio::test]
async fn the_last_second_is_repeated_by_every_poll() {
    let desk = Desk::new();
    let last = walk(&desk, 1_000).await.pop().expect("a page");
    assert_eq!(last["end_of_stream"], true);
    let again = desk.page(&text(&last["next_page"])).await;
    assert_eq!(rows(&again, "organizations").len(), 1);
    assert_eq!(
        (&again["end_time"], &again["end_of_stream"]),
        (&last["end_time"], &Value::Bool(true))
    );
    let empty = desk.page(&format!("{ORGANIZATIONS}?start_time={}", NOW - 60)).await;
    assert!(empty["end_time"].is_null() && text(&empty["next_page"]).contains(&(NOW - 60).to_string()));
}

#[tokio::test]
async fn a_legacy_server_stalls_inside_a_second() {
    let desk = Desk::with(SimConfig {
        legacy_stall: true,
        ..config()
    });
    let mut start = 0;
    for _ in 0..50 {
        let page = desk
            .page(&format!("{ORGANIZATIONS}?start_time={start}&per_page=5"))
            .await;
        assert!(rows(&page, "organizations").len() <= 5, "never expanded");
        let end = page["end_time"].as_i64().expect("an end");
        if end == start {
            assert_eq!(page["end_of_stream"], false);
            return;
        }
        start = end;
    }
    panic!("it never stalled");
}

#[tokio::test]
async fn deleted_organizations_are_renamed_and_exported_again() {
    let desk = Desk::new();
    let live = desk
        .truth(Collection::Organizations)
        .into_values()
        .find(|row| row["deleted_at"].is_null())
        .expect("a live one");
    let (id, name) = (live["id"].as_i64().expect("an id"), text(&live["name"]));
    desk.sim.apply(Op::DeleteOrganization { id }).expect("an organization");
    let page = desk.page(&format!("{ORGANIZATIONS}?start_time={}", NOW - 60)).await;
    let row = &rows(&page, "organizations")[0];
    assert_eq!(
        (text(&row["name"]), row["deleted_at"] == row["updated_at"]),
        (format!("{id}_deleted_{name}"), true)
    );
    assert!(
        !ids(&desk.page("/api/v2/organizations").await, "organizations").contains(&id),
        "lists drop it"
    );
    let held = desk
        .truth(Collection::OrganizationMemberships)
        .into_values()
        .filter(|row| row["organization_id"] == id);
    assert_eq!(held.count(), 0, "its memberships are gone");
}

#[tokio::test]
async fn the_time_exports_of_tickets_and_users_follow_the_same_rule() {
    let desk = Desk::new();
    for (name, collection) in [("tickets", Collection::Tickets), ("users", Collection::Users)] {
        let mut seen = BTreeSet::new();
        let mut next = format!("/api/v2/incremental/{name}.json?start_time=0&per_page=20&support_type_scope=all");
        loop {
            let page = desk.page(&next).await;
            seen.extend(ids(&page, name));
            if page["end_of_stream"] == true {
                break;
            }
            next = text(&page["next_page"]);
        }
        assert_eq!(seen, desk.truth(collection).into_keys().collect(), "{name}");
    }
}
