//! Checklist 6 and 12.

use std::time::Duration;

use serde_json::Value;
use zendesk_sim::{Collection, SimConfig};

use crate::desk::{Desk, config, ids, rows, text};

const ALL: &str = "/api/v2/incremental/tickets/cursor?start_time=0&support_type_scope=all";

#[tokio::test]
async fn metric_sets_stand_in_the_ticket_and_beside_it() {
    let desk = Desk::new();
    let page = desk.page(&format!("{ALL}&include=metric_sets")).await;
    let (tickets, sets) = (rows(&page, "tickets"), rows(&page, "metric_sets"));
    assert_eq!(tickets.len(), sets.len());
    for (ticket, set) in tickets.iter().zip(sets) {
        assert_eq!((&ticket["metric_set"], &ticket["id"]), (set, &set["ticket_id"]));
    }
    let plain = desk.page(ALL).await;
    assert!(plain.get("metric_sets").is_none() && rows(&plain, "tickets")[0].get("metric_set").is_none());
}

#[tokio::test]
async fn every_clock_has_one_unit() {
    let desk = Desk::new();
    let page = desk.page(&format!("{ALL}&include=slas")).await;
    let mut stages = std::collections::BTreeSet::new();
    let mut without = 0;
    for ticket in rows(&page, "tickets") {
        let metrics = rows(&ticket["slas"], "policy_metrics");
        without += usize::from(metrics.is_empty());
        for metric in metrics {
            let units = ["minutes", "hours", "days"]
                .iter()
                .filter(|unit| metric[**unit].is_i64())
                .count();
            assert_eq!(units, 1, "{metric}");
            assert_eq!(metric["breach_at"].is_string(), metric["stage"] == "active", "{metric}");
            stages.insert(text(&metric["stage"]));
        }
    }
    assert!(without > 0, "some tickets have no policy");
    assert_eq!(stages.into_iter().collect::<Vec<_>>(), ["achieved", "active", "paused"]);
}

#[tokio::test]
async fn clocks_move_without_any_update() {
    let desk = Desk::new();
    let target = format!("{ALL}&include=slas");
    let before = desk.page(&target).await;
    desk.sim.advance(Duration::from_secs(7_200));
    let after = desk.page(&target).await;
    let without_slas = |page: &Value| {
        let mut rows = rows(page, "tickets").to_vec();
        rows.iter_mut()
            .for_each(|row| drop(row.as_object_mut().expect("a ticket").remove("slas")));
        rows
    };
    assert_eq!(without_slas(&before), without_slas(&after));
    let minutes = |page: &Value| {
        let clocks = rows(page, "tickets")
            .iter()
            .flat_map(|row| rows(&row["slas"], "policy_metrics").to_vec());
        let active = clocks.filter(|clock| clock["stage"] == "active" && clock["minutes"].is_i64());
        active
            .map(|clock| clock["minutes"].as_i64().expect("a number"))
            .collect::<Vec<_>>()
    };
    let (before, after) = (minutes(&before), minutes(&after));
    assert!(!before.is_empty() && before.iter().all(|left| after.contains(&(left - 120))));
    assert!(before.iter().any(|left| *left < 0), "breached ones are negative");
}

#[tokio::test]
async fn some_accounts_show_clocks_on_show_many_alone() {
    let desk = Desk::with(SimConfig {
        exports_slas: false,
        ..config()
    });
    let page = desk.page(&format!("{ALL}&include=metric_sets,slas")).await;
    assert!(
        rows(&page, "tickets")
            .iter()
            .all(|row| row.get("slas").is_none() && row["metric_set"].is_object())
    );
    let id = desk.a_live_ticket();
    let many = desk
        .page(&format!("/api/v2/tickets/show_many?ids={id}&include=slas"))
        .await;
    assert!(rows(&many, "tickets")[0]["slas"].is_object());
}

#[tokio::test]
async fn identities_stand_beside_the_users() {
    let desk = Desk::new();
    let page = desk
        .page("/api/v2/incremental/users/cursor?start_time=0&include=identities")
        .await;
    let truth = desk.truth(Collection::Users);
    let expected: usize = truth.values().map(|user| rows(user, "identities").len()).sum();
    assert_eq!(rows(&page, "identities").len(), expected);
    let of: Vec<i64> = rows(&page, "identities")
        .iter()
        .map(|row| row["user_id"].as_i64().expect("a user"))
        .collect();
    assert!(of.iter().all(|user| ids(&page, "users").contains(user)));
    assert!(
        rows(&page, "users").iter().all(|row| row.get("identities").is_none()),
        "never within the user"
    );
    let kinds: std::collections::BTreeSet<String> =
        rows(&page, "identities").iter().map(|row| text(&row["type"])).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["email", "phone_number", "twitter"]
    );
    let one = desk
        .page("/api/v2/incremental/users/cursor?start_time=0&per_page=1&include=identities")
        .await;
    assert!(one["identities"].is_array(), "an empty set is there too");
}

#[tokio::test]
async fn related_records_stand_beside_the_rows() {
    let desk = Desk::new();
    let page = desk
        .page(&format!(
            "{ALL}&per_page=20&include=users,groups,organizations,dates,comment_count"
        ))
        .await;
    let users = ids(&page, "users");
    for ticket in rows(&page, "tickets") {
        assert!(users.contains(&ticket["requester_id"].as_i64().expect("a requester")));
        assert!(ticket["dates"].is_object() && ticket["comment_count"].as_u64() >= Some(1));
    }
    let held = desk
        .page("/api/v2/group_memberships?page[size]=10&include=users,groups")
        .await;
    assert!(!ids(&held, "users").is_empty() && !ids(&held, "groups").is_empty());
}

#[tokio::test]
async fn unknown_names_are_ignored_and_remembered() {
    let desk = Desk::new();
    let page = desk
        .page(&format!("{ALL}&include=metric_sets,last_audits,nonsense"))
        .await;
    assert!(page["metric_sets"].is_array() && page.get("nonsense").is_none());
    let last = desk.sim.requests().pop().expect("a request");
    assert_eq!(last.unknown_includes, ["last_audits", "nonsense"]);
}
