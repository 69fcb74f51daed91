//! Custom fields: columns that are known at run time alone.

use serde_json::{Value, json};
use zenfloe_catalog::{Action, Class, Collection, Column, ColumnType, Path, Step, avro_schema};
use zenfloe_normalize::{Choice, Output, Plan};

use crate::judge::{GIVEN, collection, decoded_by, run};

fn with(fields: &[(i64, ColumnType)]) -> Collection {
    let mut tickets = collection("tickets").clone();
    for (id, kind) in fields {
        let element = Step::Element {
            key: "id".into(),
            value: id.to_string(),
        };
        tickets.tables[0].columns.push(Column {
            name: format!("custom_{id}"),
            path: Path {
                from_record: false,
                from_above: false,
                steps: vec![Step::Key("custom_fields".into()), element, Step::Key("value".into())],
            },
            r#type: *kind,
            op: None,
            of: None,
            changes: Default::default(),
            custom: None,
            class: Class::None,
            class_by: None,
            action: Action::Clear,
            doc: "A field.".into(),
        });
    }
    tickets
}

fn ran(tickets: &Collection, fields: &str) -> Output {
    let plan = Plan::compile(tickets, &Choice::default()).expect("a plan");
    let json = format!(r#"{{"id": 1, "generated_timestamp": 5, "custom_fields": {fields}, "fields": {fields}}}"#);
    run(&plan, json.as_bytes(), &GIVEN).expect("rows")
}

/// The custom columns of the ticket's row, and the fields that have none.
#[track_caller]
fn check(known: &[(i64, ColumnType)], fields: &str, expected: &[(&str, &str)], undefined: &[&str]) {
    let tickets = with(known);
    let out = ran(&tickets, fields);
    let table = &tickets.tables[0];
    let schema = avro_schema(table, &table.columns.iter().collect::<Vec<_>>());
    let shown = decoded_by(&schema, &out.bytes[out.rows[0].body.clone()]);
    let own: Vec<_> = shown
        .iter()
        .filter(|(name, _)| name.starts_with("custom_"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(own, expected, "{fields}");
    assert_eq!(out.undefined_fields(), undefined, "{fields}");
    assert_eq!(out.unknown_fields().count(), 0, "{fields}");
}

const KNOWN: [(i64, ColumnType); 2] = [(7, ColumnType::String), (9, ColumnType::Long)];

#[test]
fn values_are_found_by_the_id_of_their_field() {
    check(
        &KNOWN,
        r#"[{"id": 7, "value": "a"}, {"value": 5, "id": 9}]"#,
        &[("custom_7", "a"), ("custom_9", "5")],
        &[],
    );
    check(
        &KNOWN,
        r#"[{"id": "7", "value": "a", "more": [{"id": 9}]}]"#,
        &[("custom_7", "a")],
        &[],
    );
    check(
        &KNOWN,
        r#"[{"id": 7, "value": "a"}, {"id": 7, "value": "b"}]"#,
        &[("custom_7", "a")],
        &[],
    );
    check(
        &KNOWN,
        r#"[{"id": 9, "value": ""}, {"id": 7, "value": ""}]"#,
        &[("custom_7", "")],
        &[],
    );
    check(
        &KNOWN,
        r#"[{"id": null, "value": 1}, 5, [], {}, {"value": 1}]"#,
        &[],
        &[],
    );
    check(&KNOWN, "null", &[], &[]);
    check(&KNOWN, "[]", &[], &[]);
}

#[test]
fn fields_with_a_value_and_without_a_column_are_told_once() {
    let fields =
        r#"[{"id": 8, "value": "x"}, {"id": 7, "value": null}, {"id": 10, "value": null}, {"id": 8, "value": 1}]"#;
    check(&KNOWN, fields, &[], &["8"]);
    check(&[], fields, &[], &["8"]);
    let mut users = collection("users").clone();
    users.tables.truncate(1);
    let plan = Plan::compile(&users, &Choice::default()).expect("a plan");
    let user = json!({"id": 1, "updated_at": "2026-01-01T00:00:00Z", "user_fields": {"tier": "gold", "none": null}});
    let out = run(&plan, user.to_string().as_bytes(), &GIVEN).expect("a row");
    assert_eq!(out.undefined_fields(), ["tier"]);
}

#[test]
fn a_member_that_stands_twice_counts_as_its_last_one() {
    let plan = Plan::compile(&with(&KNOWN), &Choice::default()).expect("a plan");
    let json =
        br#"{"id": 1, "generated_timestamp": 5, "custom_fields": [{"id": 7, "value": "a"}], "custom_fields": []}"#;
    let out = run(&plan, json, &GIVEN).expect("rows");
    let schema = &plan.tables()[0].schema;
    let shown = decoded_by(schema, &out.bytes[out.rows[0].body.clone()]);
    assert!(shown.iter().all(|(name, _)| name != "custom_7"), "{shown:?}");
}

#[test]
fn what_is_no_array_is_refused() {
    let plan = Plan::compile(&with(&KNOWN), &Choice::default()).expect("a plan");
    let record: Value = json!({"id": 1, "generated_timestamp": 5, "custom_fields": {"7": "a"}});
    let refused = run(&plan, record.to_string().as_bytes(), &GIVEN).expect_err("an object");
    assert!(refused.detail.contains("`custom_fields`"), "{refused}");
}
