//! The contract that every registry passes.
//!
//! A registry's tests implement [`Subject`] and call [`all`]. Subjects are named after the case and a random number, so
//! that a shared registry serves.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Class, Registry, RegistryError};

/// The registry under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Opens the registry as one more process would, with nothing remembered.
    async fn open(&self) -> Arc<dyn Registry>;

    /// Stops the registry and starts it again on what it has stored.
    async fn restart(&self);

    /// Schemas as the product writes them, which must come back with everything in them.
    fn schemas(&self) -> Vec<String>;
}

/// Runs every case, one after the other.
pub async fn all(subject: &dyn Subject) {
    it_answers(subject).await;
    a_schema_has_one_id(subject).await;
    every_schema_keeps_its_id(subject).await;
    what_can_read_everything_is_taken(subject).await;
    what_cannot_is_refused(subject).await;
    all_earlier_versions_count(subject).await;
    several_may_register_at_once(subject).await;
    what_is_no_schema_is_refused(subject).await;
    an_unknown_id_is_an_error(subject).await;
    schemas_come_back_whole(subject).await;
    ids_survive_a_restart(subject).await;
}

fn named(case: &str) -> String {
    println!("case {case}");
    crate::subject(&format!("contract.{case}.{:08x}", fastrand::u32(..)))
}

/// A schema of these fields: name, type, and a default where there is one.
fn record(fields: &[(&str, Value, Option<Value>)]) -> String {
    let field = |(name, kind, default): &(&str, Value, Option<Value>)| match default {
        Some(default) => json!({ "name": name, "type": kind, "default": default }),
        None => json!({ "name": name, "type": kind }),
    };
    let fields: Vec<Value> = fields.iter().map(field).collect();
    json!({ "type": "record", "name": "row", "namespace": "zenfloe", "fields": fields }).to_string()
}

fn id() -> (&'static str, Value, Option<Value>) {
    ("id", json!("long"), None)
}

fn nullable(name: &'static str, kind: &str) -> (&'static str, Value, Option<Value>) {
    (name, json!(["null", kind]), Some(Value::Null))
}

fn same(one: &str, other: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("a schema is JSON");
    parsed(one) == parsed(other)
}

async fn it_answers(subject: &dyn Subject) {
    subject.open().await.ping().await.expect("it answers");
}

async fn a_schema_has_one_id(subject: &dyn Subject) {
    let name = named("one_id");
    let registry = subject.open().await;
    let first = registry.register(&name, &record(&[id()])).await.expect("registered");
    assert_eq!(registry.register(&name, &record(&[id()])).await.expect("found"), first);
    let another = subject.open().await;
    assert_eq!(
        another.register(&name, &record(&[id()])).await.expect("found"),
        first,
        "to every process"
    );
    assert!(same(&another.schema(first).await.expect("known"), &record(&[id()])));
}

async fn every_schema_keeps_its_id(subject: &dyn Subject) {
    let name = named("keeps_its_id");
    let registry = subject.open().await;
    let schemas = [
        record(&[id()]),
        record(&[id(), nullable("a", "string")]),
        record(&[id(), nullable("a", "string"), nullable("b", "long")]),
    ];
    let mut ids = Vec::new();
    for schema in &schemas {
        ids.push(registry.register(&name, schema).await.expect("compatible"));
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    for registry in [registry, subject.open().await] {
        for (schema, id) in schemas.iter().zip(&ids) {
            assert_eq!(
                registry.register(&name, schema).await.expect("found"),
                *id,
                "its own, not the newest"
            );
            assert!(same(&registry.schema(*id).await.expect("known"), schema));
        }
    }
}

/// What a new version may do.
async fn what_can_read_everything_is_taken(subject: &dyn Subject) {
    let registry = subject.open().await;
    let before = record(&[id(), ("n", json!("int"), None), nullable("a", "string")]);
    let cases = [
        (
            "column_added",
            record(&[
                id(),
                ("n", json!("int"), None),
                nullable("a", "string"),
                nullable("b", "double"),
            ]),
        ),
        ("column_dropped", record(&[id(), ("n", json!("int"), None)])),
        (
            "type_widened",
            record(&[id(), ("n", json!("long"), None), nullable("a", "string")]),
        ),
        (
            "made_nullable",
            record(&[("id", json!(["null", "long"]), None), ("n", json!("int"), None)]),
        ),
    ];
    for (case, after) in cases {
        let name = named(case);
        registry.register(&name, &before).await.expect("the first one");
        registry
            .register(&name, &after)
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
    }
}

/// What a new version may not do.
async fn what_cannot_is_refused(subject: &dyn Subject) {
    let registry = subject.open().await;
    let before = record(&[id(), ("n", json!("long"), None), nullable("a", "string")]);
    let cases = [
        (
            "column_without_default",
            record(&[id(), ("n", json!("long"), None), ("b", json!("string"), None)]),
        ),
        ("type_changed", record(&[id(), ("n", json!("boolean"), None)])),
        ("type_narrowed", record(&[id(), ("n", json!("int"), None)])),
        (
            "null_forbidden",
            record(&[id(), ("n", json!("long"), None), ("a", json!("string"), None)]),
        ),
    ];
    for (case, after) in cases {
        let name = named(case);
        let first = registry.register(&name, &before).await.expect("the first one");
        refused(&*registry, &name, &after).await;
        refused(&*subject.open().await, &name, &after).await;
        assert_eq!(
            registry.register(&name, &before).await.expect("found"),
            first,
            "{case}: the subject lives on"
        );
    }
}

async fn refused(registry: &dyn Registry, name: &str, schema: &str) {
    let error = registry
        .register(name, schema)
        .await
        .expect_err("it cannot read what was written");
    assert_eq!(error.class(), Class::Stop);
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains(name) && said.contains("BACKWARD_TRANSITIVE"), "{said}");
}

async fn all_earlier_versions_count(subject: &dyn Subject) {
    let name = named("all_earlier");
    let registry = subject.open().await;
    for compatible in [record(&[id(), nullable("a", "string")]), record(&[id()])] {
        registry.register(&name, &compatible).await.expect("compatible");
    }
    // It could read what the second one wrote, but not what the first one did.
    refused(&*registry, &name, &record(&[id(), nullable("a", "long")])).await;
}

async fn several_may_register_at_once(subject: &dyn Subject) {
    let name = named("at_once");
    let mut all = JoinSet::new();
    for _ in 0..4 {
        let (registry, name) = (subject.open().await, name.clone());
        all.spawn(async move {
            // What collides may be asked again.
            for _ in 0..20 {
                match registry.register(&name, &record(&[id()])).await {
                    Err(error) if error.class() == Class::Retry => {}
                    outcome => return outcome.expect("registered or found"),
                }
            }
            panic!("it was refused 20 times")
        });
    }
    let ids = all.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

async fn what_is_no_schema_is_refused(subject: &dyn Subject) {
    let registry = subject.open().await;
    for text in [
        "",
        "no schema",
        "{}",
        r#"{"type":"record","name":"row"}"#,
        r#"{"type":"no such type"}"#,
    ] {
        let error = registry.register(&named("no_schema"), text).await.expect_err(text);
        assert_eq!(error.class(), Class::Stop, "{error}");
    }
}

async fn an_unknown_id_is_an_error(subject: &dyn Subject) {
    println!("case unknown_id");
    let error = subject
        .open()
        .await
        .schema(1_999_999_999)
        .await
        .expect_err("nobody registered it");
    assert_eq!(error.class(), Class::Stop);
    assert!(matches!(error, RegistryError::Unknown { id: 1_999_999_999 }), "{error}");
}

async fn schemas_come_back_whole(subject: &dyn Subject) {
    let schemas = subject.schemas();
    assert!(!schemas.is_empty(), "the product's schemas");
    let name = named("whole");
    for (number, schema) in schemas.iter().enumerate() {
        let id = subject
            .open()
            .await
            .register(&format!("{number}.{name}"), schema)
            .await
            .expect("registered");
        let back = subject.open().await.schema(id).await.expect("known");
        assert!(same(&back, schema), "schema {number} changed: {back}");
        assert!(back.contains("zenfloe."), "custom properties are there");
    }
}

async fn ids_survive_a_restart(subject: &dyn Subject) {
    let name = named("restart");
    let (old, new) = (record(&[id()]), record(&[id(), nullable("a", "string")]));
    let before = subject.open().await;
    let first = before.register(&name, &old).await.expect("registered");
    subject.restart().await;
    let after = subject.open().await;
    assert_eq!(after.register(&name, &old).await.expect("found"), first);
    assert!(same(&after.schema(first).await.expect("known"), &old));
    let second = after.register(&name, &new).await.expect("compatible");
    assert_ne!(first, second);
    refused(&*after, &name, &record(&[("id", json!("string"), None)])).await;
}
