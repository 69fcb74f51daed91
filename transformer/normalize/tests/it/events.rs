//! Events of tickets: arrays within arrays, rows of the record itself, values treated as their field's own column.

use serde_json::{Value, json};
use zenfloe_catalog::Action;
use zenfloe_normalize::{Choice, Plan};
use zenfloe_record::{CleanKind, RawKind};

use crate::judge::{GIVEN, check, collection, decoded, plan, run};

const SECOND: i64 = 1_790_000_000;

fn event(children: &Value) -> Value {
    json!({
        "id": 90, "ticket_id": 42, "timestamp": SECOND, "created_at": "2026-09-21T14:13:20Z", "updater_id": 7,
        "via": "Web service", "event_type": "Audit", "child_events": children,
        "system": {"client": "Mozilla", "location": "Springfield", "latitude": 39.8, "longitude": -89.6},
        "metadata": {"system": {"ip_address": "203.0.113.9"}},
    })
}

fn comment(id: i64, attachments: &[i64]) -> Value {
    let file = |id: &i64| json!({"id": id, "file_name": "a.png", "content_url": "https://x/token", "size": 5});
    json!({
        "id": id, "event_type": "Comment", "type": "Comment", "body": "hello", "public": true, "author_id": 7,
        "via": {"channel": "email", "source": {"from": {"address": "a@b.example"}, "to": {}, "rel": null}},
        "attachments": attachments.iter().map(file).collect::<Vec<_>>(), "created_at": "2026-09-21T14:13:20Z",
    })
}

/// Table, key and columns.
type Told = (String, String, Vec<(String, String)>);

/// The rows by table and key, and their columns that are not null.
fn rows(record: &Value) -> Vec<Told> {
    let plan = plan("ticket_events");
    let out = run(&plan, record.to_string().as_bytes(), &GIVEN).expect("rows");
    let shown = out.rows.iter().map(|row| {
        let table = &plan.tables()[row.table].name;
        let (_, held) = zenfloe_catalog::Catalog::builtin()
            .table(table)
            .expect("in the catalog");
        let key = String::from_utf8(out.bytes[row.key.clone()].to_vec()).expect("digits");
        (table.clone(), key, decoded(held, &out.bytes[row.body.clone()]))
    });
    shown.collect()
}

/// Compares a record with the way of a tree of values.
fn check_event(record: &Value) {
    check(
        "ticket_events",
        record,
        record.to_string().as_bytes(),
        SECOND * 1_000_000,
    );
}

fn keys(record: &Value) -> Vec<String> {
    rows(record)
        .into_iter()
        .map(|(table, key, _)| format!("{table} {key}"))
        .collect()
}

fn cell(record: &Value, table: &str, key: &str, column: &str) -> Option<String> {
    let found = rows(record)
        .into_iter()
        .find(|(held, id, _)| held == table && id == key);
    let (_, _, cells) = found.expect("the row");
    cells
        .into_iter()
        .find(|(name, _)| name == column)
        .map(|(_, value)| value)
}

#[test]
fn an_event_becomes_rows_of_three_tables() {
    let children = json!([
        {"id": 1, "event_type": "Change", "via": "Rule", "status": "solved", "previous_value": "open"},
        comment(2, &[20, 21]), comment(3, &[]),
        {"id": 4, "event_type": "Push", "attachments": [{"id": 99}]},
    ]);
    let record = event(&children);
    assert_eq!(
        keys(&record),
        [
            "ticket_events 1",
            "ticket_events 2",
            "ticket_events 3",
            "ticket_events 4",
            "ticket_comments 2",
            "ticket_comments 3",
            "attachments 20",
            "attachments 21",
        ]
    );
    assert_eq!(cell(&record, "attachments", "21", "comment_id").as_deref(), Some("2"));
    assert_eq!(cell(&record, "attachments", "21", "ticket_id").as_deref(), Some("42"));
    assert_eq!(cell(&record, "attachments", "21", "content_url"), None);
    assert_eq!(cell(&record, "ticket_events", "2", "via").as_deref(), Some("email"));
    assert_eq!(cell(&record, "ticket_events", "1", "via").as_deref(), Some("Rule"));
    check_event(&record);
    let spread = serde_json::to_string_pretty(&record).expect("JSON");
    check("ticket_events", &record, spread.as_bytes(), SECOND * 1_000_000);
}

#[test]
fn an_event_without_parts_is_a_row_itself() {
    let record = event(&json!([]));
    assert_eq!(keys(&record), ["ticket_events 90"]);
    check_event(&record);
    for children in [json!(null), json!([{"id": 1, "event_type": "Push"}])] {
        let record = event(&children);
        assert!(!keys(&record).contains(&"ticket_events 90".to_owned()));
        check_event(&record);
    }
}

#[test]
fn a_thread_that_is_read_again_gives_comments_alone_and_their_own_version() {
    let record = json!({
        "ticket_id": 42, "id": 90, "created_at": "2026-09-21T14:13:20Z", "comments": [comment(2, &[20])],
    });
    assert_eq!(keys(&record), ["ticket_comments 2", "attachments 20"]);
    assert_eq!(
        cell(&record, "ticket_comments", "2", "ticket_event_id").as_deref(),
        Some("90")
    );
    assert_eq!(cell(&record, "attachments", "20", "comment_id").as_deref(), Some("2"));
    check_event(&record);
}

#[test]
fn a_changed_value_is_treated_as_its_fields_column() {
    let value = |child: Value, column: &str| {
        let record = event(&json!([child]));
        check_event(&record);
        cell(&record, "ticket_events", "1", column)
    };
    let change =
        |field: &str, to: Value| json!({"id": 1, "event_type": "Change", field: to, "previous_value": "before"});
    assert_eq!(value(change("priority", "low".into()), "value").as_deref(), Some("low"));
    assert_eq!(
        value(change("priority", "low".into()), "field_name").as_deref(),
        Some("priority")
    );
    assert_eq!(
        value(change("priority", "low".into()), "previous_value").as_deref(),
        Some("before")
    );
    assert_eq!(value(change("assignee_id", 7.into()), "value").as_deref(), Some("7"));
    assert_eq!(value(change("brand_id", "360".into()), "value").as_deref(), Some("360"));
    assert_eq!(value(change("assignee_id", Value::Null), "value"), None);
    assert_eq!(
        value(change("subject", "call me".into()), "value").as_deref(),
        Some("r:call me")
    );
    assert_eq!(
        value(change("tags", json!(["a"])), "value").as_deref(),
        Some("[\"r:a\"]")
    );
    let sender = value(change("recipient", "a@b.example".into()), "value").expect("a token");
    assert!(sender.starts_with("k1_"), "{sender}");
    let custom = change("custom_ticket_fields", json!({"360": "secret"}));
    for column in ["value", "previous_value", "field_name"] {
        assert_eq!(
            value(custom.clone(), column),
            None,
            "{column}: what no column shows is dropped"
        );
    }
    let comment = json!({"id": 1, "event_type": "Comment", "type": "Comment"});
    assert_eq!(value(comment, "field_name"), None, "a comment changes no field");
}

#[test]
fn what_is_tightened_on_the_ticket_is_tightened_in_its_events() {
    let place = |column: &str| ("tickets".to_owned(), column.to_owned());
    let choice = Choice {
        elsewhere: [(place("priority"), Action::Drop)].into(),
        ..Choice::default()
    };
    let plan = Plan::compile(collection("ticket_events"), &choice).expect("a good choice");
    let child = json!({"id": 1, "event_type": "Change", "priority": "low", "previous_value": "high"});
    let out = run(&plan, event(&json!([child])).to_string().as_bytes(), &GIVEN).expect("rows");
    let (_, table) = zenfloe_catalog::Catalog::builtin()
        .table("ticket_events")
        .expect("in the catalog");
    let cells = decoded(table, &out.bytes[out.rows[0].body.clone()]);
    assert!(
        cells
            .iter()
            .all(|(name, _)| name != "value" && name != "previous_value"),
        "{cells:?}"
    );
}

#[test]
fn excluded_tables_give_no_rows_and_hold_up_no_other() {
    for excluded in ["ticket_events", "ticket_comments", "attachments"] {
        let choice = Choice {
            excluded: [(excluded.to_owned(), "*".to_owned())].into(),
            ..Choice::default()
        };
        let plan = Plan::compile(collection("ticket_events"), &choice).expect("a good choice");
        let record = event(&json!([comment(2, &[20])]));
        let out = run(&plan, record.to_string().as_bytes(), &GIVEN).expect("rows");
        let tables: Vec<_> = out
            .rows
            .iter()
            .map(|row| plan.tables()[row.table].name.as_str())
            .collect();
        assert_eq!(tables.len(), 2, "{excluded}: {tables:?}");
        assert!(!tables.contains(&excluded));
    }
}

#[test]
fn of_an_array_that_stands_twice_the_last_counts_with_all_that_is_in_it() {
    let one = event(&json!([comment(2, &[20])])).to_string();
    let twice = one.replacen(
        "\"child_events\"",
        "\"child_events\":[{\"id\":8,\"event_type\":\"Comment\",\"attachments\":[{\"id\":80}]}],\"child_events\"",
        1,
    );
    let plan = plan("ticket_events");
    let out = run(&plan, twice.as_bytes(), &GIVEN).expect("rows");
    assert_eq!(out.rows.len(), 3);
}

#[test]
fn a_scrubbed_ticket_erases_what_hangs_on_it_and_a_deleted_one_nothing() {
    let plan = plan("tickets");
    let record =
        |subject: &str| json!({"id": 42, "status": "deleted", "subject": subject, "generated_timestamp": SECOND});
    let out = run(&plan, record("SCRUBBED").to_string().as_bytes(), &GIVEN).expect("rows");
    let erased: Vec<&str> = plan.erased_tables().collect();
    let fenced: Vec<_> = out
        .fences
        .iter()
        .map(|held| erased[held.table - plan.tables().len()])
        .collect();
    assert_eq!(fenced, erased);
    assert!(erased.contains(&"ticket_comments") && erased.contains(&"attachments"));
    for held in &out.fences {
        assert_eq!((held.fence.before, held.fence.scope.value.as_str()), (None, "42"));
        assert_eq!(held.fence.scope.column, "ticket_id");
    }
    assert!(out.rows.iter().all(|row| row.kind == CleanKind::Delete));
    assert!(
        run(&plan, record("bye").to_string().as_bytes(), &GIVEN)
            .expect("rows")
            .fences
            .is_empty()
    );
    let gone = zenfloe_normalize::Given {
        kind: RawKind::Delete,
        ..GIVEN
    };
    assert!(
        run(&plan, br#"{"id":42,"generated_timestamp":1}"#, &gone)
            .expect("rows")
            .fences
            .is_empty()
    );
}
