//! What becomes of records, case by case.

use serde_json::{Value, json};
use zenfloe_normalize::{Choice, Given, Output, Plan};
use zenfloe_record::{CleanKind, RawKind, Reason};

use crate::judge::{GIVEN, check, collection, decoded, plan, run};

fn ticket(change: impl FnOnce(&mut Value)) -> Value {
    let mut ticket = json!({
        "id": 42, "status": "open", "subject": "Hello", "generated_timestamp": 1_790_000_000,
        "updated_at": "2026-09-01T00:00:00Z", "priority": null,
    });
    change(&mut ticket);
    ticket
}

/// Table, kind, and the fields that are not null.
type Shown = (String, CleanKind, Vec<(String, String)>);

fn rows(name: &str, json: &str, given: &Given) -> Vec<Shown> {
    let plan = plan(name);
    let out = run(&plan, json.as_bytes(), given).unwrap_or_else(|fault| panic!("{fault}"));
    let table = |index: usize| &collection(name).tables[index];
    out.rows
        .iter()
        .map(|row| {
            let body = &out.bytes[row.body.clone()];
            (
                plan.tables()[row.table].name.clone(),
                row.kind,
                decoded(table(row.table), body),
            )
        })
        .collect()
}

/// The value of one column of the first row.
fn cell(name: &str, json: &str, column: &str) -> Option<String> {
    let (_, _, fields) = rows(name, json, &GIVEN).swap_remove(0);
    fields
        .into_iter()
        .find(|(held, _)| held == column)
        .map(|(_, value)| value)
}

#[track_caller]
fn refused(name: &str, json: &[u8], reason: Reason, detail: &str) {
    let plan = plan(name);
    let mut out = Output::new();
    let mut guard = crate::judge::Marker(crate::judge::oracle());
    let fault = plan
        .run(json, &GIVEN, &mut guard, &mut out)
        .expect_err("a record that is refused");
    assert_eq!((fault.reason, fault.detail.as_str()), (reason, detail));
    assert!(
        out.rows.is_empty() && out.bytes.is_empty() && out.fences.is_empty(),
        "nothing is left behind"
    );
}

#[test]
fn sideloads_absent_null_and_there() {
    let tables = |record: &Value| -> Vec<String> {
        rows("tickets", &record.to_string(), &GIVEN)
            .into_iter()
            .map(|(table, ..)| table)
            .collect()
    };
    assert_eq!(tables(&ticket(|_| ())), ["tickets"]);
    let both = ticket(|ticket| {
        ticket["metric_set"] =
            json!({"id": 7, "replies": 2, "reply_time_in_minutes": {"calendar": 5, "business": null}});
        ticket["slas"] = Value::Null;
    });
    assert_eq!(tables(&both), ["tickets", "ticket_metrics", "ticket_slas"]);
    check("tickets", &both, both.to_string().as_bytes(), 1_790_000_000_000_000);
}

#[test]
fn clocks_are_found_by_their_metric_wherever_the_metric_stands() {
    let record = ticket(|ticket| {
        ticket["slas"] = json!({"policy_metrics": [
            {"breach_at": "2026-01-01T00:00:00Z", "stage": "active", "metric": "agent_work_time", "hours": -2},
            {"metric": "agent_work_time", "stage": "a second one of the same name"},
            {"metric": "unheard_of"}, 5, {"no_metric": 1},
            {"metric": "first_reply_time", "stage": "paused", "days": 1}
        ]});
    });
    check("tickets", &record, record.to_string().as_bytes(), 1_790_000_000_000_000);
    let slas = &rows("tickets", &record.to_string(), &GIVEN)[1].2;
    let find = |name: &str| {
        slas.iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(find("agent_work_time_minutes"), Some("-120"));
    assert_eq!(find("agent_work_time_stage"), Some("active"));
    assert_eq!(find("first_reply_time_minutes"), Some("1440"));
    assert_eq!(find("next_reply_time_stage"), None);
}

#[test]
fn a_deleted_ticket_keeps_its_data_and_a_scrubbed_one_its_key() {
    let deleted = ticket(|ticket| ticket["status"] = "deleted".into());
    let (_, kind, fields) = rows("tickets", &deleted.to_string(), &GIVEN).swap_remove(0);
    assert_eq!(kind, CleanKind::Row);
    assert!(fields.contains(&("_deleted".into(), "true".into())));
    assert!(fields.contains(&("subject".into(), "r:Hello".into())));
    let scrubbed = ticket(|ticket| {
        ticket["status"] = "deleted".into();
        ticket["subject"] = "SCRUBBED".into();
    });
    check(
        "tickets",
        &scrubbed,
        scrubbed.to_string().as_bytes(),
        1_790_000_000_000_000,
    );
    let wiped = rows("tickets", &scrubbed.to_string(), &GIVEN);
    let tables: Vec<_> = wiped.iter().map(|(table, kind, _)| (table.as_str(), *kind)).collect();
    assert_eq!(
        tables,
        [
            ("tickets", CleanKind::Delete),
            ("ticket_metrics", CleanKind::Delete),
            ("ticket_slas", CleanKind::Delete)
        ],
        "rows of sideloads that are not served any more are wiped as well"
    );
    assert_eq!(wiped[2].2.len(), 1 + 7, "the key, and what every row carries");
}

fn user(identities: Value) -> Value {
    json!({"id": "7", "updated_at": "2026-09-01T00:00:00Z", "active": true, "email": "Ann@Example.com",
        "photo": null, "identities": identities})
}

#[test]
fn a_set_stands_behind_its_fence() {
    let fences = |record: &Value, given: &Given| {
        run(&plan("users"), record.to_string().as_bytes(), given)
            .expect("rows")
            .fences
    };
    let record = user(json!([{"id": 1, "user_id": 7, "type": "email", "value": "Ann@Example.com"}]));
    let fence = &fences(&record, &GIVEN)[0];
    assert_eq!(
        (
            fence.table,
            fence.fence.scope.column.as_str(),
            fence.fence.scope.value.as_str()
        ),
        (1, "user_id", "7")
    );
    assert_eq!(fence.fence.before, Some(GIVEN.extracted_at));
    assert_eq!(fences(&user(json!([])), &GIVEN).len(), 1, "an empty set is one");
    assert!(fences(&user(Value::Null), &GIVEN).is_empty(), "no set is none");
    let imported = Given {
        extracted_at: 0,
        ..GIVEN
    };
    assert!(fences(&record, &imported).is_empty(), "an imported set has no time");
    let mut erased = user(json!([]));
    erased["permanently_deleted"] = true.into();
    assert_eq!(
        fences(&erased, &GIVEN)[0].fence.before,
        None,
        "what is erased is covered for ever"
    );
}

#[test]
fn an_identity_joins_with_the_column_of_its_class() {
    let identities = json!([
        {"id": 1, "user_id": 7, "type": "email", "value": "ann@example.com"},
        {"value": "ann@example.com", "id": 2, "user_id": 7, "type": "twitter"},
        {"id": 3, "user_id": 7, "value": "ann@example.com"}]);
    let record = user(identities);
    check("users", &record, record.to_string().as_bytes(), 1_788_220_800_000_000);
    let rows = rows("users", &record.to_string(), &GIVEN);
    let value = |row: usize, name: &str| {
        rows[row]
            .2
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(value(1, "value"), value(0, "email"));
    assert_ne!(value(2, "value"), value(0, "email"));
    assert_eq!(value(3, "value"), value(2, "value"));
}

#[test]
fn versions() {
    let version = |name: &str, record: &Value, given: &Given| {
        run(&plan(name), record.to_string().as_bytes(), given)
            .map(|out| out.rows[0].version.version)
            .map_err(|fault| fault.reason)
    };
    let imported = Given {
        extracted_at: 0,
        ..GIVEN
    };
    let updated = 1_788_220_800_000_000;
    assert_eq!(version("tickets", &ticket(|_| ()), &GIVEN), Ok(1_790_000_000_000_000));
    let old = ticket(|ticket| ticket["generated_timestamp"] = Value::Null);
    assert_eq!(version("tickets", &old, &imported), Ok(updated));
    let timeless = json!({"id": 1});
    assert_eq!(version("tickets", &timeless, &imported), Err(Reason::MissingKey));
    let group = json!({"id": 1, "updated_at": "2026-09-01T00:00:00Z"});
    assert_eq!(
        version("groups", &group, &GIVEN),
        Ok(GIVEN.extracted_at),
        "lists are of their extraction"
    );
    assert_eq!(
        version("groups", &group, &imported),
        Ok(updated),
        "imported ones are not"
    );
    assert_eq!(version("groups", &timeless, &imported), Ok(0));
    let absurd = ticket(|ticket| ticket["generated_timestamp"] = json!(999_999_999_999_999_i64));
    assert_eq!(version("tickets", &absurd, &GIVEN), Err(Reason::AbsurdDate));
}

#[test]
fn a_notice_of_deletion_leaves_key_and_version() {
    let given = Given {
        kind: RawKind::Delete,
        ..GIVEN
    };
    let gone = rows("group_memberships", "{\"id\":5}", &given);
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].1, gone[0].2.len()), (CleanKind::Delete, 1 + 7));
    assert!(gone[0].2.contains(&("_deleted".into(), "true".into())));
    assert!(gone[0].2.contains(&("_version".into(), GIVEN.extracted_at.to_string())));
    let of_tickets: Vec<_> = rows("tickets", "{\"id\":5}", &given)
        .into_iter()
        .map(|(table, ..)| table)
        .collect();
    assert_eq!(of_tickets, ["tickets", "ticket_metrics", "ticket_slas"]);
}

#[test]
fn strings_of_numbers_times_and_truths_are_read() {
    let ticket = |field: &str| format!("{{\"id\":\"42\",\"generated_timestamp\":\"1790000000\",{field}}}");
    for (field, column, expected) in [
        ("\"group_id\":\"39771850850017\"", "group_id", "39771850850017"),
        ("\"is_public\":\"true\"", "is_public", "true"),
        (
            "\"due_at\":\"2026-01-01T02:00:00.5+02:00\"",
            "due_at",
            "1767225600500000",
        ),
        ("\"type\":5", "type", "5"),
        ("\"external_id\":99", "id", "42"),
        ("\"subject\":12.50", "subject", "r:12.50"),
        (
            "\"subject\":{\"a\": [\"b\", 1.50]}",
            "subject",
            "{\"r:a\":[\"r:b\",1.50]}",
        ),
        ("\"tags\": [ \"a b\" , \"c\" ]", "tags", "[\"r:a b\",\"r:c\"]"),
        ("\"follower_ids\": [ 1 , 2.50 ]", "follower_ids", "[1,2.50]"),
        (
            "\"subject\":\"\\u00c4\\ud83d\\ude00\\n\\/\\u0000\"",
            "subject",
            "r:Ä😀\n/\0",
        ),
        ("\"status\":\"a\\ud83db\"", "status", "a\u{fffd}b"),
        ("\"type\":\"\"", "type", ""),
        ("\"group_id\":\"4\\u0032\"", "group_id", "42"),
        (
            "\"due_at\":\"2026-01-01T00:00:00\\u005a\"",
            "due_at",
            "1767225600000000",
        ),
        ("\"is_public\":\"tru\\u0065\"", "is_public", "true"),
    ] {
        assert_eq!(
            cell("tickets", &ticket(field), column).as_deref(),
            Some(expected),
            "{field}"
        );
    }
    let id_token = cell("tickets", &ticket("\"external_id\":99"), "external_id");
    assert_eq!(
        id_token,
        cell("tickets", &ticket("\"external_id\":\"99\""), "external_id")
    );
    assert_eq!(cell("tickets", &ticket("\"external_id\":\"\""), "external_id"), None);
}

#[test]
fn the_last_of_two_members_counts() {
    let json = r#"{"id":1,"id":2,"generated_timestamp":1,"via":{"channel":"web","source":{"rel":"x"}},"via":{"channel":"api"},
        "\u0074ype":"task","satisfaction_rating":{"score":"good"},"satisfaction_rating":null}"#;
    let record: Value = serde_json::from_str(json).expect("JSON");
    check("tickets", &record, json.as_bytes(), 1_000_000);
    assert_eq!(cell("tickets", json, "via_source_rel"), None);
    assert_eq!(cell("tickets", json, "type").as_deref(), Some("task"));
    let users =
        r#"{"id":7,"updated_at":"2026-09-01T00:00:00Z","identities":[{"id":1}],"identities":[{"id":2},{"id":3}]}"#;
    let record: Value = serde_json::from_str(users).expect("JSON");
    check("users", &record, users.as_bytes(), 1_788_220_800_000_000);
}

#[test]
fn bad_records_are_refused_with_path_and_type() {
    let ticket = |field: &str| format!("{{\"id\":42,\"generated_timestamp\":1790000000,{field}}}").into_bytes();
    refused("tickets", b"", Reason::NotJson, "not JSON at byte 0");
    refused("tickets", b"{\"id\":1", Reason::NotJson, "not JSON at byte 7");
    refused("tickets", b"{\"id\":1}}", Reason::NotJson, "not JSON at byte 8");
    refused(
        "tickets",
        b"{\"id\":1,\"x\":[1,}]}",
        Reason::NotJson,
        "not JSON at byte 15",
    );
    refused(
        "tickets",
        b"{\"subject\":\"\xff\"}",
        Reason::NotJson,
        "not UTF-8 at byte 12",
    );
    refused(
        "tickets",
        b"[1]",
        Reason::WrongType,
        "the record is an array, not an object",
    );
    refused(
        "tickets",
        b"null",
        Reason::WrongType,
        "the record is null, not an object",
    );
    refused(
        "tickets",
        &ticket("\"x\":0,\"id\":null"),
        Reason::MissingKey,
        "`id` is missing",
    );
    refused(
        "tickets",
        &ticket("\"id\":\"x\""),
        Reason::WrongType,
        "`id` is a text, not a whole number",
    );
    refused(
        "tickets",
        &ticket("\"group_id\":true"),
        Reason::WrongType,
        "`group_id` is a truth value, not a whole number",
    );
    refused(
        "tickets",
        &ticket("\"group_id\":1e99"),
        Reason::WrongType,
        "`group_id` is a number, not a whole number",
    );
    refused(
        "tickets",
        &ticket("\"group_id\":9999999999999999999"),
        Reason::WrongType,
        "`group_id` is outside the range of its type",
    );
    refused(
        "tickets",
        &ticket("\"via\":\"web\""),
        Reason::WrongType,
        "`via` is a text, not an object",
    );
    refused(
        "tickets",
        &ticket("\"via\":{\"source\":[]}"),
        Reason::WrongType,
        "`via.source` is an array, not an object",
    );
    refused(
        "tickets",
        &ticket("\"slas\":{\"policy_metrics\":{}}"),
        Reason::WrongType,
        "`slas.policy_metrics` is an object, not an array",
    );
    refused(
        "tickets",
        &ticket("\"due_at\":\"soon\""),
        Reason::WrongType,
        "`due_at` is a text, not a time",
    );
    let absurd = "`due_at` is a time that no calendar of the years 1 to 9999 has";
    refused(
        "tickets",
        &ticket("\"due_at\":\"12026-01-01T00:00:00Z\""),
        Reason::AbsurdDate,
        absurd,
    );
    refused(
        "tickets",
        &ticket("\"due_at\":\"2026-02-30T00:00:00Z\""),
        Reason::AbsurdDate,
        absurd,
    );
    refused(
        "tickets",
        &ticket("\"type\":{}"),
        Reason::WrongType,
        "`type` is an object, not a text",
    );
    refused(
        "tickets",
        &ticket("\"external_id\":[]"),
        Reason::WrongType,
        "`external_id` is an array, not a text",
    );
    refused(
        "tickets",
        &ticket("\"metric_set\":{\"reply_time_in_minutes\":{\"calendar\":\"x\"}}"),
        Reason::WrongType,
        "`metric_set.reply_time_in_minutes.calendar` is a text, not a whole number",
    );
    refused(
        "users",
        b"{\"id\":7,\"updated_at\":\"2026-09-01T00:00:00Z\",\"identities\":[{\"type\":\"email\"}]}",
        Reason::MissingKey,
        "`identities[].id` is missing",
    );
    refused(
        "users",
        b"{\"id\":7,\"updated_at\":\"2026-09-01T00:00:00Z\",\"identities\":[5]}",
        Reason::WrongType,
        "`identities[]` is a number, not an object",
    );
    refused("users", b"{\"id\":7}", Reason::MissingKey, "`updated_at` is missing");
    let deep = format!("{{\"id\":7,\"x\":{}", "[".repeat(1_000_000));
    refused("users", deep.as_bytes(), Reason::NotJson, "nested too deeply");
}

#[test]
fn fields_that_nobody_names_are_counted_by_path() {
    let record = json!({"id": 42, "generated_timestamp": 1, "fields": [], "custom_fields": [], "brand_new": 1,
        "via": {"unheard": 1}, "metric_set": {"ticket_id": 42, "novel": {"a": 1}}, "slas": {"odd": 2}});
    let out = run(&plan("tickets"), record.to_string().as_bytes(), &GIVEN).expect("rows");
    let mut counts: Vec<_> = out.unknown_fields().collect();
    counts.sort();
    assert_eq!(counts, [("brand_new", 1), ("metric_set.novel", 1), ("slas.odd", 1)]);
    let record = user(json!([{"id": 1, "nickname": "x"}, {"id": 2, "nickname": "y"}]));
    let out = run(&plan("users"), record.to_string().as_bytes(), &GIVEN).expect("rows");
    assert_eq!(out.unknown_fields().collect::<Vec<_>>(), [("identities[].nickname", 2)]);
}

#[test]
fn an_output_is_used_again() {
    let plan = plan("tickets");
    let mut out = Output::new();
    let mut guard = crate::judge::Marker(crate::judge::oracle());
    let record = ticket(|ticket| ticket["type"] = "a\u{1}".into()).to_string();
    let broken = record.replace("\"priority\":null", "\"priority\":[]");
    for _ in 0..2 {
        plan.run(record.as_bytes(), &GIVEN, &mut guard, &mut out)
            .expect("a row");
        plan.run(broken.as_bytes(), &GIVEN, &mut guard, &mut out)
            .expect_err("a wrong type");
        plan.run(record.as_bytes(), &GIVEN, &mut guard, &mut out)
            .expect("a row");
        assert_eq!(out.rows.len(), 2);
        assert_eq!(out.bytes[out.rows[0].body.clone()], out.bytes[out.rows[1].body.clone()]);
        assert_eq!(out.rows[1].body.end, out.bytes.len());
        out.clear();
    }
    let half = "{\"id\":1,\"generated_timestamp\":1,\"type\":\"\\ud83d\"}";
    plan.run(half.as_bytes(), &GIVEN, &mut guard, &mut out).expect("a row");
    assert_eq!(out.surrogates_replaced, 1);
}

#[test]
fn columns_of_run_time_are_columns() {
    let mut collection = collection("tickets").clone();
    let mut custom = collection.tables[0].columns[1].clone();
    custom.name = "custom_size".into();
    custom.path = zenfloe_catalog::Path::parse("custom_fields[id=360001].value").expect("a path");
    collection.tables[0].columns.push(custom);
    let plan = Plan::compile(&collection, &Choice::default()).expect("a plan");
    let json = br#"{"id":1,"generated_timestamp":1,"custom_fields":[{"id":5,"value":1},{"value":"XL","id":360001}]}"#;
    let out = run(&plan, json, &GIVEN).expect("a row");
    let fields = decoded(&collection.tables[0], &out.bytes[out.rows[0].body.clone()]);
    assert!(fields.contains(&("custom_size".into(), "XL".into())), "{fields:?}");
}
