//! Libraries that are hard to replace, slow to build or dangerous stay behind one door.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Package};

use crate::tree::{area, folder, metadata};

/// A library and the crates that may use it.
struct Door {
    library: &'static str,
    homes: &'static [&'static str],
}

const fn door(library: &'static str, homes: &'static [&'static str]) -> Door {
    Door { library, homes }
}

/// Key bytes are held by one crate. The oracle computes tokens a second time, from the written rules alone.
const KEYS: [Door; 4] = [
    door("aes-gcm", &["schemas/keyring"]),
    door("hkdf", &["schemas/keyring", "tests/oracle"]),
    door("hmac", &["schemas/keyring", "tests/oracle"]),
    door("zeroize", &["schemas/keyring"]),
];

/// The rest of the product's doors; what tests use is theirs to choose.
const DOORS: [Door; 11] = [
    // Besides keys, only passwords are kept out of sight: those of the API, and of what others talk to.
    door(
        "secrecy",
        &[
            "schemas/keyring",
            "extractor/zendesk",
            "schemas/log-kafka",
            "schemas/registry",
            "loader/postgres",
            "loader/snowflake",
        ],
    ),
    // librdkafka is C, and its habits are learned in one place.
    door("rdkafka", &["schemas/log-kafka"]),
    door("schema_registry_converter", &["schemas/registry"]),
    // The API clients; the registry's client, whose library is built on it.
    door(
        "reqwest",
        &["extractor/zendesk", "schemas/registry", "loader/snowflake"],
    ),
    // Signing keys, as all keys.
    door("ring", &["schemas/keyring"]),
    door("pkcs8", &["schemas/keyring"]),
    // Slow to build: whoever does not load into Snowflake builds none of them.
    door("arrow-array", &["loader/snowflake"]),
    door("parquet", &["loader/snowflake"]),
    door("object_store", &["loader/snowflake"]),
    door("tokio-postgres", &["loader/postgres"]),
    // The embedded log, the embedded registry inside its file, the embedded destination.
    door(
        "rusqlite",
        &["schemas/wal", "schemas/log-file", "schemas/registry", "loader/sqlite"],
    ),
];

fn uses(package: &Package, library: &str, in_tests_too: bool) -> bool {
    package
        .dependencies
        .iter()
        .any(|held| held.name == library && (in_tests_too || held.kind != DependencyKind::Development))
}

fn check(door: &Door, users: &BTreeSet<String>) {
    let Door { library, homes } = door;
    let strange: Vec<_> = users.iter().filter(|user| !homes.contains(&user.as_str())).collect();
    assert!(
        strange.is_empty(),
        "`{library}` is used by {strange:?}; its home is {homes:?}"
    );
    assert!(!users.is_empty(), "`{library}` is used nowhere: drop the rule");
}

#[test]
fn key_bytes_are_held_by_one_crate() {
    let metadata = metadata();
    for door in &KEYS {
        let users = metadata
            .packages
            .iter()
            .filter(|package| uses(package, door.library, true));
        check(door, &users.map(folder).collect());
    }
}

#[test]
fn guarded_libraries_are_used_where_they_belong() {
    let metadata = metadata();
    for door in &DOORS {
        let users = metadata
            .packages
            .iter()
            .filter(|package| area(package) != "tests" && uses(package, door.library, false));
        check(door, &users.map(folder).collect());
    }
}
