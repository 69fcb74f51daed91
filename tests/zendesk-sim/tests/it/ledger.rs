//! The record of what was served.

use std::time::Duration;

use serde_json::Value;
use zendesk_sim::{Collection, Op};

use crate::desk::{Desk, rows, text};

const TICKETS: &str = "/api/v2/incremental/tickets/cursor?start_time=0&support_type_scope=all&include=slas";

#[tokio::test]
async fn every_version_served_is_known_with_what_became_of_it() {
    let desk = Desk::new();
    desk.page(TICKETS).await;
    assert!(
        desk.sim
            .served_versions(Collection::Tickets)
            .iter()
            .all(|served| !served.is_taken && served.times == 1)
    );
    let again = desk.page(TICKETS).await;
    assert!(
        desk.sim
            .served_versions(Collection::Tickets)
            .iter()
            .all(|served| !served.is_taken && served.times == 2)
    );
    let id = desk.a_live_ticket();
    desk.sim.apply(Op::SystemUpdate { id }).expect("a ticket");
    desk.sim.advance(Duration::from_secs(100));
    desk.page(&text(&again["after_url"])).await;
    let served = desk.sim.served_versions(Collection::Tickets);
    assert_eq!(served.len(), desk.truth(Collection::Tickets).len() + 1);
    let of: Vec<_> = served
        .iter()
        .filter(|served| served.id == id)
        .map(|served| (served.times, served.is_taken))
        .collect();
    assert_eq!(of, [(2, true), (1, false)]);
}

#[tokio::test]
async fn distinct_states_of_list_rows_are_known() {
    let desk = Desk::new();
    let list = "/api/v2/groups?page[size]=2&exclude_deleted=false";
    let first = desk.page(list).await;
    desk.page(&text(&first["links"]["next"])).await;
    let id = rows(&first, "groups")[0]["id"].as_i64().expect("an id");
    desk.page(list).await;
    desk.sim.apply(Op::RenameGroup { id }).expect("a group");
    desk.page(list).await;
    let states = desk.sim.served_states(Collection::Groups);
    let of: Vec<_> = states
        .iter()
        .filter(|state| state.id == id)
        .map(|state| (state.number, state.times, state.is_taken))
        .collect();
    assert_eq!(of, [(0, 2, true), (1, 1, false)]);
    let last: Value =
        serde_json::from_str(&states.iter().rfind(|state| state.id == id).expect("a state").json).expect("JSON");
    assert!(text(&last["name"]).ends_with(" II"));
    assert_eq!(states.len(), 5);
}

#[tokio::test]
async fn clocks_are_known_as_they_were_served() {
    let desk = Desk::new();
    let page = desk.page(TICKETS).await;
    let served = rows(&page, "tickets");
    desk.sim.advance(Duration::from_secs(86_400));
    for slas in desk.sim.served_slas() {
        let row = served.iter().find(|row| row["id"] == slas.id).expect("it was served");
        let json: Value = serde_json::from_str(&slas.json.expect("it has not changed")).expect("JSON");
        assert_eq!(json, row["slas"]);
        assert_eq!(slas.version, row["generated_timestamp"]);
    }
    let truth = desk.truth(Collection::Tickets);
    assert!(
        served
            .iter()
            .all(|row| truth[&row["id"].as_i64().expect("an id")]["slas"] == row["slas"])
    );
}

#[tokio::test]
async fn requests_are_logged() {
    let desk = Desk::new();
    desk.page(TICKETS).await;
    desk.get("/api/v2/nonsense.json").await;
    let requests = desk.sim.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.path.as_str(), request.status, request.rows))
        .collect();
    assert_eq!(
        seen,
        [
            ("/api/v2/incremental/tickets/cursor", 200, 300),
            ("/api/v2/nonsense", 404, 0)
        ]
    );
    assert!(requests[0].query.contains("include=slas") && requests[0].bytes > 100_000);
    desk.sim.clear_requests();
    assert!(desk.sim.requests().is_empty());
}

#[tokio::test]
async fn what_a_client_puts_together_is_the_truth() {
    let desk = Desk::new();
    let target = "/api/v2/incremental/tickets/cursor?start_time=0&support_type_scope=all&include=metric_sets,slas";
    let page = desk.page(target).await;
    let truth = desk.truth(Collection::Tickets);
    for row in rows(&page, "tickets") {
        assert_eq!(row, &truth[&row["id"].as_i64().expect("an id")]);
    }
    let page = desk
        .page("/api/v2/incremental/users/cursor?start_time=0&include=identities")
        .await;
    let truth = desk.truth(Collection::Users);
    for row in rows(&page, "users") {
        let mut row = row.clone();
        let of = rows(&page, "identities")
            .iter()
            .filter(|identity| identity["user_id"] == row["id"])
            .cloned();
        let of: Vec<Value> = of.collect();
        row["identities"] = of.into();
        assert_eq!(row, truth[&row["id"].as_i64().expect("an id")]);
    }
}
