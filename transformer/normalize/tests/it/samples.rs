//! Answers of the API that this project did not write: every record of our collections becomes rows.

use std::io::Read;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;
use zenfloe_normalize::{Output, Plan};

use crate::judge::{GIVEN, Marker, collection, decoded, oracle, plan};

/// Keys of envelopes and `result_type`s, with their collections.
const KINDS: [(&str, &str, &str); 18] = [
    ("tickets", "ticket", "tickets"),
    ("users", "user", "users"),
    ("organizations", "organization", "organizations"),
    ("groups", "group", "groups"),
    ("group_memberships", "group_membership", "group_memberships"),
    (
        "organization_memberships",
        "organization_membership",
        "organization_memberships",
    ),
    ("ticket_fields", "ticket_field", "ticket_fields"),
    ("organization_fields", "organization_field", "organization_fields"),
    ("user_fields", "user_field", "user_fields"),
    ("ticket_forms", "ticket_form", "ticket_forms"),
    ("sla_policies", "sla_policy", "sla_policies"),
    ("brands", "brand", "brands"),
    ("macros", "macro", "macros"),
    ("automations", "automation", "automations"),
    ("triggers", "trigger", "triggers"),
    ("views", "view", "views"),
    ("locales", "locale", "locales"),
    ("targets", "target", "targets"),
];

fn folder() -> PathBuf {
    let folder = PathBuf::from("../../../shared/zendesk/samples");
    assert!(
        folder.is_dir(),
        "put the API samples at `../shared/zendesk/samples`, beside the project's folder"
    );
    folder
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// The records of our collections in an answer.
fn records(answer: &Value, found: &mut Vec<(&'static str, Value)>) {
    // A comment is published within its ticket, as when a thread is read again.
    for comment in answer["comments"].as_array().into_iter().flatten() {
        let record = serde_json::json!({
            "ticket_id": 42, "id": comment["audit_id"], "created_at": comment["created_at"], "comments": [comment],
        });
        found.push(("ticket_events", record));
    }
    for (many, one, collection) in KINDS {
        let held = answer[many].as_array().into_iter().flatten().chain(answer.get(one));
        found.extend(
            held.filter(|record| record.is_object())
                .map(|record| (collection, record.clone())),
        );
        let results = ["results", "result"]
            .into_iter()
            .filter_map(|key| answer[key].as_array())
            .flatten();
        found.extend(
            results
                .filter(|result| result["result_type"] == one)
                .map(|record| (collection, record.clone())),
        );
    }
}

/// Answers in a file: the file itself, or the responses of recorded requests, which may be compressed.
fn answers(path: &Path) -> Vec<Value> {
    let file: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    let Value::Array(requests) = file else {
        return vec![file];
    };
    requests.iter().map(|request| unpacked(&request["response"])).collect()
}

fn unpacked(response: &Value) -> Value {
    let Some(parts) = response.as_array() else {
        return response.clone();
    };
    let hex: String = parts.iter().filter_map(Value::as_str).collect();
    let packed = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal digits");
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut json)
        .expect("gzip");
    serde_json::from_slice(&json).expect("JSON")
}

fn all() -> Vec<(&'static str, Value)> {
    let (mut paths, mut found) = (Vec::new(), Vec::new());
    files(&folder(), &mut paths);
    paths.sort();
    for path in paths {
        answers(&path).iter().for_each(|answer| records(answer, &mut found));
    }
    found
}

/// Shows the rows with `cargo test -p zenfloe-normalize samples -- --nocapture`.
#[test]
fn every_sample_becomes_the_rows_that_the_oracle_says() {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for (name, record) in all() {
        *counts.entry(name).or_default() += 1;
        let plan = plan(name);
        let mut out = Output::new();
        let json = record.to_string();
        let end = plan.run(json.as_bytes(), &GIVEN, &mut Marker(oracle()), &mut out);
        end.unwrap_or_else(|fault| panic!("{name}: {fault}\n{record}"));
        show(name, &plan, &out);
        let version = out.rows[0].version.version;
        crate::judge::check(name, &record, json.as_bytes(), version);
    }
    println!("{counts:?}");
    assert_eq!(
        counts.len(),
        KINDS.len() + 1,
        "every collection has a sample: {counts:?}"
    );
    assert!(counts["organizations"] >= 72, "{counts:?}");
}

fn show(name: &str, plan: &Plan, out: &Output) {
    for row in &out.rows {
        let name_of_table = &plan.tables()[row.table].name;
        let tables = &collection(name).tables;
        let table = tables
            .iter()
            .find(|table| table.name == *name_of_table)
            .expect("of the collection");
        let fields = decoded(table, &out.bytes[row.body.clone()]);
        let shown: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        println!("{}: {}", plan.tables()[row.table].name, shown.join(" "));
    }
}
