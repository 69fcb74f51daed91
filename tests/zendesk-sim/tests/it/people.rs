//! Checklist 10 and 11, and the values that must never leak.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use zendesk_sim::{CanaryClass, Collection, Op};

use crate::desk::{Desk, rows, text};

#[tokio::test]
async fn deleted_users_keep_their_row_and_lose_their_addresses() {
    let desk = Desk::new();
    let truth = desk.truth(Collection::Users);
    let live = truth
        .values()
        .find(|user| user["active"] == true && user["role"] == "end-user")
        .expect("an end user");
    let id = live["id"].as_i64().expect("an id");
    desk.sim.apply(Op::DeleteUser { id }).expect("a user");
    let deleted = desk.truth(Collection::Users)[&id].clone();
    assert_eq!(
        (&deleted["active"], &deleted["permanently_deleted"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    assert!(deleted["email"].is_null() && rows(&deleted, "identities").is_empty());
    desk.sim.apply(Op::PermanentlyDeleteUser { id }).expect("a user");
    let gone = desk.truth(Collection::Users)[&id].clone();
    assert_eq!(
        (&gone["active"], &gone["permanently_deleted"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    for name in [
        "email",
        "phone",
        "alias",
        "notes",
        "details",
        "signature",
        "external_id",
        "photo",
    ] {
        assert!(gone[name].is_null(), "{name}");
    }
    let page = desk.page("/api/v2/users").await;
    assert!(
        rows(&page, "users")
            .iter()
            .all(|row| row["active"] == true && row.get("permanently_deleted").is_none())
    );
}

#[tokio::test]
async fn nulls_stand_where_the_specification_has_none() {
    let desk = Desk::new();
    let has_null = |collection, name: &str| desk.truth(collection).values().any(|row| row[name].is_null());
    for name in [
        "recipient",
        "satisfaction_rating",
        "forum_topic_id",
        "type",
        "priority",
        "assignee_id",
    ] {
        assert!(has_null(Collection::Tickets, name), "{name}");
    }
    for name in [
        "email",
        "alias",
        "last_login_at",
        "signature",
        "details",
        "notes",
        "default_group_id",
        "photo",
    ] {
        assert!(has_null(Collection::Users, name), "{name}");
    }
    assert!(has_null(Collection::TicketFields, "agent_description"));
    assert!(has_null(Collection::OrganizationMemberships, "default") || has_null(Collection::Organizations, "notes"));
}

#[tokio::test]
async fn records_have_fields_that_nobody_knows() {
    let desk = Desk::new();
    let count = |collection, name: &str| {
        desk.truth(collection)
            .values()
            .filter(|row| row.get(name).is_some())
            .count()
    };
    assert!(count(Collection::Tickets, "last_speaker_hint") > 0);
    assert!(count(Collection::Users, "contact_hint") > 0);
    assert!(count(Collection::Organizations, "contact_hint") > 0);
}

/// Every text within a value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
        Value::Object(members) => members.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

fn all_texts(desk: &Desk) -> Vec<String> {
    let mut found = Vec::new();
    for collection in Collection::ALL {
        desk.truth(collection).values().for_each(|row| texts(row, &mut found));
    }
    found
}

#[tokio::test]
async fn every_address_in_any_text_is_in_the_directory() {
    let desk = Desk::new();
    desk.sim.apply_random(500, 9);
    let known: HashSet<String> = desk
        .sim
        .directory()
        .into_iter()
        .map(|canary| canary.value.to_lowercase())
        .collect();
    let mut seen = 0;
    for text in all_texts(&desk) {
        let lower = text.to_lowercase();
        for (end, _) in lower
            .match_indices("@canary-mail.example")
            .map(|(at, found)| (at + found.len(), found))
        {
            let start = lower[..end]
                .rfind(|c: char| !(c.is_alphanumeric() || "@.+_-".contains(c)))
                .map_or(0, |at| at + 1);
            assert!(
                known.contains(&lower[start..end]),
                "an address of {} bytes is unknown",
                end - start
            );
            seen += 1;
        }
    }
    assert!(seen > 500, "{seen} addresses");
}

#[tokio::test]
async fn values_stand_in_texts_in_every_form() {
    let desk = Desk::new();
    let texts = all_texts(&desk);
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    assert!(has("qanary.zfc"), "plain");
    assert!(has("QANARY.ZFC"), "in capitals");
    assert!(has("&amp;step=2"), "escaped for HTML");
    assert!(has(r#"{"from":"qanary"#), "as JSON within a text");
    assert!(has(r"Q\u00e4nary"), "escaped for JSON");
    assert!(has("\"Quill\" zfc"), "and such as JSON must escape");
}

#[tokio::test]
async fn every_class_stands_somewhere() {
    let desk = Desk::new();
    let texts = all_texts(&desk);
    let directory = desk.sim.directory();
    let classes: BTreeSet<CanaryClass> = directory.iter().map(|canary| canary.class).collect();
    assert_eq!(classes.len(), 10);
    for class in classes {
        let of_class = || directory.iter().filter(move |canary| canary.class == class);
        let found = of_class().any(|canary| texts.iter().any(|text| text.contains(&canary.value)));
        assert!(found, "{}", class.name());
    }
    assert!(directory.iter().all(|canary| canary.value.len() >= 6));
}

#[tokio::test]
async fn who_is_in_no_text_stands_in_fields_of_his_own_alone() {
    let desk = Desk::new();
    let mut free = Vec::new();
    for ticket in desk.truth(Collection::Tickets).values() {
        for name in [
            "subject",
            "description",
            "custom_fields",
            "tags",
            "satisfaction_rating",
            "last_speaker_hint",
        ] {
            texts(&ticket[name], &mut free);
        }
    }
    for user in desk.truth(Collection::Users).values() {
        ["notes", "details", "signature", "user_fields", "tags"]
            .iter()
            .for_each(|name| texts(&user[*name], &mut free));
    }
    let free = free.join("\n");
    for canary in desk.sim.directory().iter().filter(|canary| !canary.in_free_text) {
        assert!(
            !free.contains(&canary.value),
            "a value of class {}",
            canary.class.name()
        );
    }
}

#[tokio::test]
async fn renamed_people_are_in_the_directory() {
    let desk = Desk::new();
    for seed in 0..40 {
        let id = *desk.truth(Collection::Users).keys().next().expect("a user");
        desk.sim.apply(Op::UpdateUser { id, seed }).expect("a user");
    }
    let names: HashSet<String> = desk.sim.directory().into_iter().map(|canary| canary.value).collect();
    let unknown = desk
        .truth(Collection::Users)
        .into_values()
        .map(|user| text(&user["name"]))
        .find(|name| !names.contains(name) && name != "Permanently Deleted User");
    assert_eq!(unknown, None);
}
