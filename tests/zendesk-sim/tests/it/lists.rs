//! Checklist 5 and 13: both paginations, and lists that forget silently.

use std::collections::BTreeSet;

use zendesk_sim::{AccountSpec, Collection, Op, SimConfig};

use crate::desk::{Desk, config, ids, rows, spec, text};

const LISTS: [&str; 5] = [
    "groups",
    "group_memberships",
    "organization_memberships",
    "ticket_fields",
    "organization_fields",
];

async fn walk(desk: &Desk, first: &str, name: &str) -> (Vec<i64>, serde_json::Value) {
    let mut seen = Vec::new();
    let mut next = first.to_owned();
    loop {
        let page = desk.page(&next).await;
        seen.extend(ids(&page, name));
        if page["meta"]["has_more"] == false {
            return (seen, page);
        }
        next = text(&page["links"]["next"]);
    }
}

#[tokio::test]
async fn pages_by_cursor_hold_every_row_once() {
    let desk = Desk::new();
    for name in LISTS {
        let first = format!("/api/v2/{name}?page[size]=3&exclude_deleted=false&creator=true");
        let (seen, last) = walk(&desk, &first, name).await;
        let collection = Collection::named(name).expect("a collection");
        let unique: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(unique, desk.truth(collection).into_keys().collect(), "{name}");
        assert_eq!(unique.len(), seen.len(), "{name}");
        assert!(last["links"]["next"].is_string(), "{name}: there on the last page too");
        assert!(last["meta"]["after_cursor"].is_string(), "{name}");
        let url = text(&last["links"]["next"]);
        assert!(url.contains(&format!("/api/v2/{name}.json?page[after]=")), "{url}");
    }
}

#[tokio::test]
async fn a_page_can_be_left_backwards() {
    let desk = Desk::new();
    let first = desk.page("/api/v2/ticket_fields?page[size]=4").await;
    let second = desk.page(&text(&first["links"]["next"])).await;
    let back = desk.page(&text(&second["links"]["prev"])).await;
    assert_eq!(ids(&back, "ticket_fields"), ids(&first, "ticket_fields"));
}

#[tokio::test]
async fn an_empty_list_has_no_cursors() {
    let spec = AccountSpec {
        organizations: 0,
        ..spec(10)
    };
    let desk = Desk::with(SimConfig { spec, ..config() });
    let page = desk.page("/api/v2/organization_memberships?page[size]=100").await;
    assert_eq!(page["meta"]["has_more"], false);
    assert!(page["meta"]["after_cursor"].is_null() && page["links"]["next"].is_null());
}

#[tokio::test]
async fn faulty_parameters_are_refused() {
    let desk = Desk::new();
    let check = async |query: &str, code: &str| {
        let reply = desk.get(&format!("/api/v2/groups?{query}")).await;
        assert_eq!((reply.status, reply.code()), (400, code.to_owned()), "{query}");
    };
    check("page[size]=101", "InvalidPaginationParameter").await;
    check("page[size]=0", "InvalidPaginationParameter").await;
    check("page[size]=ten", "InvalidPaginationParameter").await;
    check(
        "page[size]=5&page[after]=a&page[before]=b",
        "InvalidPaginationParameter",
    )
    .await;
    check("page[size]=5&page[after]=nonsense", "InvalidCursor").await;
    check("page=101&per_page=100", "InvalidPaginationDepth").await;
    check("page=10001&per_page=1", "InvalidPaginationDepth").await;
    assert_eq!(desk.get("/api/v2/groups?page=100&per_page=100").await.status, 200);
}

#[tokio::test]
async fn without_a_page_size_pages_go_by_offset() {
    let desk = Desk::new();
    let mut seen = Vec::new();
    let mut next = Some("/api/v2/organization_memberships?per_page=40".to_owned());
    let mut previous = None;
    while let Some(target) = next {
        let page = desk.page(&target).await;
        assert!(page.get("meta").is_none());
        assert_eq!(page["previous_page"].is_string(), previous.is_some());
        seen.extend(ids(&page, "organization_memberships"));
        assert_eq!(page["count"], desk.truth(Collection::OrganizationMemberships).len());
        previous = Some(target);
        next = page["next_page"].as_str().map(str::to_owned);
    }
    assert_eq!(
        seen,
        desk.truth(Collection::OrganizationMemberships)
            .into_keys()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn fields_come_whole_without_a_page_size() {
    let desk = Desk::new();
    let page = desk.page("/api/v2/ticket_fields.json").await;
    assert_eq!(rows(&page, "ticket_fields").len(), 20);
    assert!(page["next_page"].is_null() && page["count"] == 20);
    assert!(
        rows(&page, "ticket_fields")
            .iter()
            .all(|row| row.get("creator_user_id").is_none())
    );
    let with = desk.page("/api/v2/ticket_fields?creator=true").await;
    assert!(
        rows(&with, "ticket_fields")
            .iter()
            .any(|row| row["creator_user_id"].is_i64())
    );
}

#[tokio::test]
async fn deleted_groups_are_shown_on_demand() {
    let desk = Desk::new();
    let id = *desk.truth(Collection::Groups).keys().next().expect("a group");
    desk.sim.apply(Op::DeleteGroup { id }).expect("a group");
    assert!(!ids(&desk.page("/api/v2/groups?page[size]=100").await, "groups").contains(&id));
    let all = desk.page("/api/v2/groups?page[size]=100&exclude_deleted=false").await;
    let row = rows(&all, "groups")
        .iter()
        .find(|row| row["id"] == id)
        .expect("it is shown")
        .clone();
    assert_eq!(row["deleted"], true);
}

#[tokio::test]
async fn some_group_memberships_have_no_update_time() {
    let desk = Desk::new();
    let truth = desk.truth(Collection::GroupMemberships);
    let without = truth.values().filter(|row| row.get("updated_at").is_none()).count();
    assert!(0 < without && without < truth.len() / 2, "{without} of {}", truth.len());
}

#[tokio::test]
async fn what_is_removed_disappears_silently_and_stays_in_the_truth() {
    let desk = Desk::new();
    let id = *desk
        .truth(Collection::GroupMemberships)
        .keys()
        .next()
        .expect("a membership");
    desk.sim.apply(Op::RemoveGroupMembership { id }).expect("a membership");
    let field = *desk
        .truth(Collection::TicketFields)
        .keys()
        .next_back()
        .expect("a field");
    desk.sim
        .apply(Op::RemoveTicketField { id: field })
        .expect("a custom field");
    let (seen, _) = walk(&desk, "/api/v2/group_memberships?page[size]=100", "group_memberships").await;
    assert!(!seen.contains(&id));
    let removed: Vec<i64> = desk
        .sim
        .records(Collection::GroupMemberships)
        .filter(|truth| truth.is_removed)
        .map(|truth| truth.id)
        .collect();
    assert_eq!(removed, [id]);
    let ticket = desk.truth(Collection::Tickets).into_values().next().expect("a ticket");
    assert!(rows(&ticket, "custom_fields").iter().all(|entry| entry["id"] != field));
}

#[tokio::test]
async fn many_tickets_can_be_asked_for_by_id() {
    let desk = Desk::new();
    let truth = desk.truth(Collection::Tickets);
    let live: Vec<String> = truth
        .values()
        .filter(|row| row["status"] != "deleted")
        .take(100)
        .map(|row| row["id"].to_string())
        .collect();
    let deleted = truth
        .values()
        .find(|row| row["status"] == "deleted")
        .expect("a deleted one")["id"]
        .clone();
    let many = |more: &str| {
        let ids = live[1..].join(",");
        format!("/api/v2/tickets/show_many?include=slas&ids={ids},{more}")
    };
    let page = desk.page(&many(&deleted.to_string())).await;
    assert_eq!(ids(&page, "tickets").len(), 99);
    assert!(
        rows(&page, "tickets")
            .iter()
            .all(|row| row["slas"]["policy_metrics"].is_array())
    );
    let reply = desk.get(&many(&format!("{deleted},{}", live[0]))).await;
    assert_eq!(
        (reply.status, text(&reply.json()["error"])),
        (400, "TooManyValues".into())
    );
}
