//! Choices of the user.

use std::collections::BTreeSet;

use zenfloe_catalog::Action;
use zenfloe_normalize::{Choice, Plan, PlanError};

use crate::judge::{GIVEN, collection, run};

fn excluded(pairs: &[(&str, &str)]) -> Choice {
    Choice {
        excluded: pairs
            .iter()
            .map(|(table, column)| ((*table).into(), (*column).into()))
            .collect::<BTreeSet<_>>(),
        ..Choice::default()
    }
}

fn treated(table: &str, column: &str, action: Action) -> Choice {
    Choice {
        actions: [((table.to_owned(), column.to_owned()), action)].into(),
        ..Choice::default()
    }
}

const USER: &[u8] = br#"{"id":7,"updated_at":"2026-09-01T10:00:00Z","created_at":"2020-05-05T10:00:00Z","name":"Ann Lee","role":"agent",
    "identities":[{"id":1,"user_id":7,"type":"email","value":"ann@example.com","verified":true}]}"#;

/// The fields of the first row, read by the plan's own schema.
fn fields(choice: &Choice) -> Vec<(String, apache_avro::types::Value)> {
    let plan = Plan::compile(collection("users"), choice).expect("a choice that can be followed");
    let out = run(&plan, USER, &GIVEN).expect("rows");
    let schema = apache_avro::Schema::parse_str(&plan.tables()[0].schema).expect("a schema");
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema)
        .build()
        .expect("a reader");
    let mut body = &out.bytes[out.rows[0].body.clone()];
    let apache_avro::types::Value::Record(fields) = reader.read_value(&mut body).expect("a row") else {
        panic!("a row is a record");
    };
    assert!(body.is_empty());
    fields
}

fn text(choice: &Choice, column: &str) -> Option<String> {
    let (_, value) = fields(choice).into_iter().find(|(name, _)| name == column)?;
    Some(format!("{value:?}"))
}

#[test]
fn what_is_excluded_never_leaves() {
    let choice = excluded(&[("users", "name"), ("user_identities", "*")]);
    let plan = Plan::compile(collection("users"), &choice).expect("a plan");
    assert_eq!(plan.tables().len(), 1);
    assert!(!plan.tables()[0].schema.contains("\"name\": \"name\""));
    let out = run(&plan, USER, &GIVEN).expect("rows");
    assert_eq!((out.rows.len(), out.fences.len()), (1, 0));
    assert_eq!(
        out.unknown_fields().count(),
        0,
        "a field that is left out is not unknown"
    );
    assert_eq!(text(&choice, "name"), None);
    assert!(text(&choice, "role").is_some_and(|role| role.contains("agent")));
}

#[test]
fn actions_are_the_users() {
    assert!(text(&treated("users", "name", Action::Clear), "name").is_some_and(|name| name.contains("Ann Lee")));
    assert!(text(&treated("users", "name", Action::Redact), "name").is_some_and(|name| name.contains("r:Ann Lee")));
    assert!(text(&treated("users", "name", Action::Drop), "name").is_some_and(|name| name.contains("Null")));
    let coarse = text(&treated("users", "created_at", Action::Coarse), "created_at").expect("a column");
    assert!(coarse.contains("1577836800000000"), "the year 2020 begins: {coarse}");
    let plan = Plan::compile(collection("users"), &treated("users", "name", Action::Clear)).expect("a plan");
    let schema: serde_json::Value = serde_json::from_str(&plan.tables()[0].schema).expect("JSON");
    assert_eq!(schema["fields"][2]["zenfloe.action"], "clear");
}

#[test]
fn what_cannot_be_followed_is_refused_by_name() {
    let fault = |choice: &Choice| Plan::compile(collection("users"), choice).expect_err("a faulty choice");
    assert!(matches!(
        fault(&excluded(&[("users", "nmae")])),
        PlanError::Unknown { .. }
    ));
    assert!(matches!(
        fault(&excluded(&[("tickets", "*")])),
        PlanError::Unknown { .. }
    ));
    for choice in [
        excluded(&[("users", "id")]),
        excluded(&[("user_identities", "user_id")]),
        treated("users", "id", Action::Drop),
        treated("users", "active", Action::Token),
        treated("users", "locale_id", Action::Redact),
        treated("users", "role", Action::Token),
        treated("users", "role", Action::Coarse),
        treated("users", "*", Action::Drop),
    ] {
        assert!(matches!(fault(&choice), PlanError::Refused { .. }), "{choice:?}");
    }
}

#[test]
fn the_fingerprint_is_that_of_all_that_shapes_rows() {
    let of = |name: &str, choice: &Choice| Plan::compile(collection(name), choice).expect("a plan").fingerprint();
    let base = of("users", &Choice::default());
    assert_eq!(base, of("users", &Choice::default()));
    let mut seen = BTreeSet::from([base]);
    for choice in [
        excluded(&[("users", "name")]),
        excluded(&[("users", "email")]),
        treated("users", "name", Action::Drop),
        treated("users", "name", Action::Clear),
    ] {
        assert!(seen.insert(of("users", &choice)));
    }
    assert!(seen.insert(of("groups", &Choice::default())));
}
