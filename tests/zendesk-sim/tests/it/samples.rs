//! Records carry every field that answers of real accounts show.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zendesk_sim::Collection;

use crate::desk::Desk;

/// Samples by collection: the files, and under which names records stand in them.
const SAMPLES: [(Collection, &[&str], &[&str]); 8] = [
    (
        Collection::Tickets,
        &[
            "ticket.json",
            "tickets.json",
            "ticket_show_many.json",
            "ticket_custom_field.json",
        ],
        &["ticket", "tickets"],
    ),
    (Collection::Users, &["user.json", "users.json"], &["user", "users"]),
    (
        Collection::Organizations,
        &[
            "organization.json",
            "organizations.json",
            "organizations_test_list_all.json",
            "organizations_test_show_single.json",
        ],
        &["organization", "organizations"],
    ),
    (Collection::Groups, &["group.json", "groups.json"], &["group", "groups"]),
    (
        Collection::GroupMemberships,
        &["group_memberships.json"],
        &["group_memberships"],
    ),
    (
        Collection::OrganizationMemberships,
        &["organization_memberships.json"],
        &["organization_memberships"],
    ),
    (
        Collection::TicketFields,
        &["ticket_field.json", "ticket_fields.json"],
        &["ticket_field", "ticket_fields"],
    ),
    (
        Collection::OrganizationFields,
        &["organization_fields.json"],
        &["organization_fields"],
    ),
];

/// Fields that all samples show and real accounts nevertheless leave out at times.
const AT_TIMES: [(Collection, &str); 1] = [(Collection::GroupMemberships, "updated_at")];

fn folders() -> [PathBuf; 2] {
    let samples = Path::new("../../../shared/zendesk/samples");
    assert!(
        samples.is_dir(),
        "the API samples are missing: put the folder `shared/zendesk/samples` beside the project's root, at {}",
        samples.display()
    );
    [
        samples.join("go-zendesk/fixture/GET"),
        samples.join("node-zendesk/test/fixtures"),
    ]
}

fn sample(file: &str) -> Value {
    let path = folders()
        .into_iter()
        .map(|folder| folder.join(file))
        .find(|path| path.is_file());
    let path = path.unwrap_or_else(|| panic!("the sample {file} is missing from shared/zendesk/samples"));
    serde_json::from_slice(&std::fs::read(path).expect("a readable file")).expect("JSON")
}

/// The field sets of all records under one of the names, wherever they stand.
fn collect(value: &Value, names: &[&str], found: &mut Vec<BTreeSet<String>>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, names, found)),
        Value::Object(members) => {
            for (name, member) in members {
                if names.contains(&name.as_str()) {
                    let records = member.as_array().map_or(std::slice::from_ref(member), Vec::as_slice);
                    let records = records
                        .iter()
                        .filter_map(Value::as_object)
                        .filter(|record| record.contains_key("id"));
                    found.extend(records.map(|record| record.keys().cloned().collect()));
                }
                collect(member, names, found);
            }
        }
        _ => {}
    }
}

#[test]
fn records_carry_the_fields_of_the_samples() {
    let desk = Desk::new();
    for (collection, files, names) in SAMPLES {
        let mut shown = Vec::new();
        files.iter().for_each(|file| collect(&sample(file), names, &mut shown));
        let first = shown
            .first()
            .unwrap_or_else(|| panic!("no sample of {}", collection.name()))
            .clone();
        let always = shown.iter().fold(first, |common, fields| &common & fields);
        let ever: BTreeSet<String> = shown.into_iter().flatten().collect();
        let mut served_ever = BTreeSet::new();
        for record in desk.truth(collection).values() {
            let fields: BTreeSet<String> = record.as_object().expect("a record").keys().cloned().collect();
            let missing = always
                .difference(&fields)
                .find(|field| !AT_TIMES.contains(&(collection, field)));
            assert_eq!(missing, None, "a record of {}", collection.name());
            served_ever.extend(fields);
        }
        let missing: Vec<_> = ever.difference(&served_ever).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", collection.name());
    }
}

#[test]
fn parts_of_records_carry_the_fields_of_the_samples() {
    let desk = Desk::new();
    let check = |collection, part: &str, files: &[&str]| {
        let mut shown = BTreeSet::new();
        for file in files {
            parts(&sample(file), part, &mut shown);
        }
        let mut served = BTreeSet::new();
        desk.truth(collection)
            .values()
            .for_each(|record| parts(record, part, &mut served));
        let missing: Vec<_> = shown.difference(&served).collect();
        assert!(!shown.is_empty() && missing.is_empty(), "{part}: {missing:?}");
    };
    check(Collection::Users, "photo", &["users.json"]);
    check(Collection::Tickets, "source", &["ticket.json", "tickets.json"]);
    check(Collection::Tickets, "from", &["ticket.json"]);
    check(Collection::Tickets, "to", &["ticket.json"]);
    check(
        Collection::TicketFields,
        "system_field_options",
        &["ticket_fields.json"],
    );
    check(
        Collection::OrganizationFields,
        "relationship_filter",
        &["organization_fields.json"],
    );
}

/// The keys of every object, or of every object in an array, that stands under a name.
fn parts(value: &Value, part: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| parts(one, part, found)),
        Value::Object(members) => {
            for (name, member) in members {
                if name == part {
                    let objects = member.as_array().map_or(std::slice::from_ref(member), Vec::as_slice);
                    found.extend(
                        objects
                            .iter()
                            .filter_map(Value::as_object)
                            .flat_map(|object| object.keys().cloned()),
                    );
                }
                parts(member, part, found);
            }
        }
        _ => {}
    }
}
