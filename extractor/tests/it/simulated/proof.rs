//! What the raw topics must hold, by the simulator's own account of what it has served.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zendesk_sim::{Collection, ServedState};

use super::Desk;
use crate::topics::Raw;

/// Rows younger than this have not settled when they are served.
const SETTLED_AFTER: i64 = 61;

impl Desk {
    /// Every version that was served is in raw exactly once, and every list's states in their order; what has
    /// disappeared is told, and the newest states are the account's own.
    ///
    /// Contract: nothing changes, and the extractor has seen every list twice since the last change.
    pub(crate) async fn prove_complete(&self) {
        self.prove_exactly_once().await;
        for collection in self.selected() {
            let raws = self.bench.topics.raw(collection.name()).await;
            match collection {
                Collection::TicketEvents => self.prove_comments(&raws),
                Collection::SideConversations => self.prove_side_conversations(&raws),
                _ => {}
            }
            let newest = newest(raws.into_iter().filter(|raw| !is_read_again(raw)).collect());
            let mut present = BTreeSet::new();
            for truth in self.simulator.records(collection) {
                let what = format!("{} {}", collection.name(), truth.id);
                let Some(held) = newest.get(&truth.id) else {
                    assert!(truth.is_removed, "{what} is lost");
                    // It came and went between two looks, or was served: then its states are proven above.
                    continue;
                };
                assert_eq!(held.is_delete, truth.is_removed, "{what}: its end is told");
                if !truth.is_removed {
                    assert_eq!(lasting(&held.json), lasting(&truth.json), "{what}");
                    present.insert(truth.id);
                }
            }
            for (id, held) in &newest {
                assert!(
                    present.contains(id) || held.is_delete,
                    "{} {id} is invented",
                    collection.name()
                );
            }
        }
    }

    /// Of every comment the account's text of today was read last, redacted ones included; what hangs on a scrubbed
    /// ticket is the transformer's business.
    fn prove_comments(&self, raws: &[Raw]) {
        let mut read: BTreeMap<i64, String> = BTreeMap::new();
        for raw in raws
            .iter()
            .filter(|raw| !is_read_again(raw))
            .chain(raws.iter().filter(|raw| is_read_again(raw)))
        {
            read.extend(comments(&raw.json));
        }
        for truth in self
            .simulator
            .records(Collection::TicketEvents)
            .filter(|truth| !truth.is_wiped)
        {
            for (id, body) in comments(&truth.json) {
                assert!(
                    read.get(&id) == Some(&body),
                    "comment {id} of event {}: not its text of today",
                    truth.id
                );
            }
        }
    }

    /// Of every side conversation the account's state of today was read last.
    fn prove_side_conversations(&self, raws: &[Raw]) {
        let mut read = BTreeMap::new();
        for raw in raws.iter().filter(|raw| is_read_again(raw)) {
            read.insert(raw.key.clone(), talk_of(&raw.json));
        }
        for truth in self.simulator.records(Collection::SideConversations) {
            let talk = talk_of(&truth.json);
            if let Some(key) = talk["id"].as_str() {
                assert!(
                    read.get(key) == Some(&talk),
                    "side conversation {key}: not its state of today"
                );
            }
        }
    }

    /// No version is in raw twice, none that was not served, and all behind which the extractor has gone on.
    pub(crate) async fn prove_exactly_once(&self) {
        for collection in self.selected() {
            if collection.has_versions() {
                self.prove_versions(collection).await;
            } else {
                self.prove_states(collection).await;
            }
        }
    }

    fn selected(&self) -> Vec<Collection> {
        let only = &self.bench.config.collections.only;
        let is_selected = |collection: &Collection| only.is_empty() || only.contains(collection.name());
        Collection::ALL.into_iter().filter(is_selected).collect()
    }

    async fn prove_versions(&self, collection: Collection) {
        let name = collection.name();
        let mut published = BTreeSet::new();
        let raws = self.bench.topics.raw(name).await;
        for raw in raws.into_iter().filter(|raw| !is_read_again(raw)) {
            let version = (id_of(&raw), version_of(collection, &raw.json));
            assert!(published.insert(version), "{name} {version:?} is there twice");
        }
        let served = self.simulator.served_versions(collection);
        let all: BTreeSet<_> = served.iter().map(|served| (served.id, served.version)).collect();
        let invented: Vec<_> = published.difference(&all).collect();
        assert!(invented.is_empty(), "{name}: never served {invented:?}");
        for served in served.iter().filter(|served| served.is_taken) {
            let is_settled = matches!(collection, Collection::Tickets | Collection::TicketEvents)
                || served.last_served_at - served.version >= SETTLED_AFTER;
            let is_there = published.contains(&(served.id, served.version));
            assert!(is_there || !is_settled, "{name}: lost {served:?}");
        }
    }

    async fn prove_states(&self, collection: Collection) {
        let name = collection.name();
        let mut published: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for raw in self.bench.topics.raw(name).await {
            let states = published.entry(id_of(&raw)).or_default();
            states.extend((!raw.is_delete).then_some(raw.json));
        }
        let mut served: BTreeMap<i64, Vec<ServedState>> = BTreeMap::new();
        for state in self.simulator.served_states(collection) {
            served.entry(state.id).or_default().push(state);
        }
        for (id, states) in &published {
            let mut ahead = served.get(id).into_iter().flatten();
            for state in states {
                let is_next = ahead.any(|served| served.json == *state);
                assert!(is_next, "{name} {id}: a state twice, out of order, or never served");
            }
        }
        for state in served.values().flatten().filter(|state| state.is_taken) {
            let is_there = published
                .get(&state.id)
                .is_some_and(|states| states.contains(&state.json));
            assert!(is_there, "{name} {}: state {} is lost", state.id, state.number);
        }
    }
}

/// Claims that it is a comment of a thread that was read again, a side conversation that was read for its events, or the
/// clocks of a ticket that were read by themselves.
pub(crate) fn is_read_again(raw: &Raw) -> bool {
    raw.json.contains("\"only_clocks\":true")
        || raw.json.contains("\"comments\":[")
        || raw.json.contains("\"side_conversations\":[")
}

/// The side conversation in a record.
fn talk_of(json: &str) -> Value {
    let mut record: Value = serde_json::from_str(json).expect("JSON");
    let talk = record.pointer_mut("/side_conversations/0");
    talk.map(Value::take).unwrap_or_default()
}

/// Ids and texts of the comments of an event, or of a thread that was read again.
fn comments(json: &str) -> Vec<(i64, String)> {
    let record: Value = serde_json::from_str(json).expect("JSON");
    let arrays = ["child_events", "comments"]
        .into_iter()
        .filter_map(|array| record[array].as_array());
    let comments = arrays
        .flatten()
        .filter_map(|held| Some((held["id"].as_i64()?, held["body"].as_str()?.to_owned())));
    comments.collect()
}

fn id_of(raw: &Raw) -> i64 {
    Collection::id_of(&raw.key).expect("an id or a UUID")
}

fn newest(raws: Vec<Raw>) -> BTreeMap<i64, Raw> {
    let mut newest = BTreeMap::new();
    for raw in raws {
        newest.insert(id_of(&raw), raw);
    }
    newest
}

fn version_of(collection: Collection, json: &str) -> i64 {
    let record: Value = serde_json::from_str(json).expect("JSON");
    let field = collection.version_field().expect("a collection with versions");
    match &record[field] {
        Value::String(time) => time.parse::<jiff::Timestamp>().expect("a time").as_second(),
        second => second.as_i64().expect("whole seconds"),
    }
}

/// The record without what changes silently in Zendesk: clocks that run, and values of fields that were removed.
fn lasting(json: &str) -> Value {
    let mut record: Value = serde_json::from_str(json).expect("JSON");
    let object = record.as_object_mut().expect("an object");
    for silent in ["slas", "custom_fields", "fields", "organization_fields", "child_events"] {
        object.remove(silent);
    }
    // The truth about an event tells of its conversation as well.
    object.remove("side_conversations");
    record
}
