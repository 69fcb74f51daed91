//! Our bytes are apache-avro's bytes of the oracle's values, for random records of every table.

use proptest::prelude::*;
use serde_json::Value;
use zenfloe_catalog::{Catalog, Collection, Rows, Step, TimeUnit};

use crate::judge::{GIVEN, check, collection};
use crate::random::records;

/// The version that the catalog says, worked out on the tree of values.
fn version(name: &str, record: &Value) -> i64 {
    let version = &collection(name).record.version;
    let Some(path) = &version.path else {
        return GIVEN.extracted_at;
    };
    let at = |value: &Value, step: &Step| match step {
        Step::Key(key) => value[key].clone(),
        Step::Element { .. } => Value::Null,
    };
    let told = path.steps.iter().fold(record.clone(), |value, step| at(&value, step));
    match version.unit {
        TimeUnit::EpochSeconds => told.as_i64().expect("seconds") * 1_000_000,
        TimeUnit::EpochMillis => told.as_i64().expect("milliseconds") * 1_000,
        TimeUnit::Iso8601 => {
            let text = told.as_str().expect("a time");
            text.parse::<jiff::Timestamp>().expect("a time").as_microsecond()
        }
    }
}

fn check_random(name: &'static str) {
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(record in records(collection(name)))| {
        let version = version(name, &record);
        check(name, &record, record.to_string().as_bytes(), version);
        let spread = serde_json::to_string_pretty(&record).expect("JSON");
        check(name, &record, spread.as_bytes(), version);
    });
}

#[test]
fn rows_of_tickets_are_apache_avros_bytes() {
    check_random("tickets");
}

#[test]
fn rows_of_users_are_apache_avros_bytes() {
    check_random("users");
}

/// Claims that no array of rows stands within another one; those that do have tests of their own.
fn is_flat(collection: &Collection) -> bool {
    let is_nested = |rows: &Rows| matches!(rows, Rows::Each { arrays, .. } if arrays.len() > 1);
    // What is published of a collection that only leads to others tells its version outside its rows.
    !collection.endpoint.only_follows && !collection.tables.iter().any(|table| is_nested(&table.rows))
}

#[test]
fn rows_of_every_other_collection_are_apache_avros_bytes() {
    let names = Catalog::builtin()
        .collections()
        .iter()
        .filter(|collection| is_flat(collection))
        .map(|collection| collection.name.as_str());
    names
        .filter(|name| !["tickets", "users"].contains(name))
        .for_each(check_random);
}
