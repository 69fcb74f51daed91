//! The simulator's own endpoints.

use serde_json::{Value, json};
use zendesk_sim::{Canary, Collection, Fault, FaultKind, LoggedRequest, ServedState, ServedVersion, Truth};

use crate::desk::{Desk, Reply};

async fn get(desk: &Desk, target: &str) -> Reply {
    let reply = Reply::of(desk.request(target)).await;
    assert_eq!(reply.status, 200, "{target}: {}", reply.text);
    reply
}

async fn lines<T: serde::de::DeserializeOwned>(desk: &Desk, target: &str) -> Vec<T> {
    let reply = get(desk, target).await;
    reply
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect()
}

#[tokio::test]
async fn the_account_is_changed_and_told() {
    let desk = Desk::new();
    let id = desk.a_live_ticket();
    let ops = json!([{"op": "update_ticket", "id": id, "seed": 4}, {"op": "create_user", "seed": 5}]);
    let ids = desk.post("/_sim/ops", &ops).await.json();
    assert_eq!(ids["ids"][0], id);
    let refused = desk.post("/_sim/ops", &json!({"op": "delete_ticket", "id": 1})).await;
    assert_eq!(
        (refused.status, refused.json()),
        (409, json!({"error": "after 0 changes: there is no ticket 1"}))
    );
    assert_eq!(desk.post("/_sim/ops", &json!({"op": "nonsense"})).await.status, 400);
    let changes = desk.post("/_sim/changes?n=25", &Value::Null).await.json();
    assert_eq!(changes["ops"].as_array().map(Vec::len), Some(25));
    let summary = get(&desk, "/_sim/").await.json();
    assert_eq!(
        (&summary["changes"], &summary["rows"]["organizations"].is_u64()),
        (&json!(27), &true)
    );
}

#[tokio::test]
async fn truth_and_directory_are_streamed() {
    let desk = Desk::new();
    for collection in Collection::ALL {
        let told: Vec<Truth> = lines(&desk, &format!("/_sim/truth/{}", collection.name())).await;
        assert_eq!(told, desk.sim.records(collection).collect::<Vec<_>>());
    }
    let told: Vec<Canary> = lines(&desk, "/_sim/directory").await;
    assert_eq!(told, desk.sim.directory());
    assert_eq!(Reply::of(desk.request("/_sim/truth/nonsense")).await.status, 404);
}

#[tokio::test]
async fn what_was_served_is_told() {
    let desk = Desk::new();
    desk.page("/api/v2/incremental/tickets/cursor?start_time=0&include=slas")
        .await;
    desk.page("/api/v2/groups?page[size]=100").await;
    let versions: Vec<ServedVersion> = lines(&desk, "/_sim/served/tickets").await;
    assert_eq!(versions, desk.sim.served_versions(Collection::Tickets));
    let states: Vec<ServedState> = lines(&desk, "/_sim/served/groups").await;
    assert_eq!(states, desk.sim.served_states(Collection::Groups));
    assert_eq!(lines::<Value>(&desk, "/_sim/slas").await.len(), versions.len());
    let requests: Vec<LoggedRequest> = lines(&desk, "/_sim/requests").await;
    assert_eq!(requests.len(), 2);
    let deleted = desk.http.delete(format!("{}/_sim/requests", desk.sim.url()));
    assert_eq!(Reply::of(deleted).await.status, 200);
    assert!(desk.sim.requests().is_empty());
}

#[tokio::test]
async fn faults_time_and_rates_are_set() {
    let desk = Desk::new();
    let fault = json!({"path": "groups", "times": 2, "kind": {"fault": "status", "status": 502}});
    assert_eq!(desk.post("/_sim/faults", &fault).await.status, 200);
    let kind = FaultKind::Status {
        status: 502,
        retry_after: None,
    };
    assert_eq!(desk.sim.faults(), [Fault::new("groups", 2, kind)]);
    assert_eq!(
        get(&desk, "/_sim/faults").await.json(),
        serde_json::to_value(desk.sim.faults()).expect("data")
    );
    assert_eq!(desk.get("/api/v2/groups").await.status, 502);
    let deleted = desk.http.delete(format!("{}/_sim/faults", desk.sim.url()));
    assert_eq!(Reply::of(deleted).await.status, 200);
    assert_eq!(desk.get("/api/v2/groups").await.status, 200);
    assert_eq!(desk.post("/_sim/clock?advance=90", &Value::Null).await.status, 200);
    assert_eq!(get(&desk, "/_sim").await.json()["now"], crate::desk::NOW + 90);
    assert_eq!(
        desk.post("/_sim/consume?bucket=account&requests=5", &Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(desk.post("/_sim/revoke", &Value::Null).await.status, 200);
    assert_eq!(desk.post("/_sim/rate", &json!({"per_second": 500.0})).await.status, 200);
    while desk.sim.with_account(|account| account.script().is_empty()) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(desk.post("/_sim/rate", &json!({"per_second": 0})).await.status, 200);
    assert_eq!(desk.post("/_sim/rate", &json!({"per_second": -1})).await.status, 400);
}
