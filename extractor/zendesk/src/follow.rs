//! What is read for some records of a collection, one request each, and the form in which it is published.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use zenfloe_catalog::{Collection, Condition, Endpoint, Expected, Follow, Path, Step};

use crate::envelope::{record_key, text_at};
use crate::{RawRecord, scan};

/// The parent that a record wants read, by the value that the request names; `None` when it wants nothing.
pub fn wanted_by(follow: &Follow, record: &RawRecord) -> Option<String> {
    let has = |field: &String| scan::find(&record.json, [field.as_str()]).is_some();
    let is_wanted = !follow.unless.as_ref().is_some_and(has)
        && follow.only.as_ref().is_none_or(|only| is_so(only, &record.json))
        && (follow.when.is_empty() || follow.when.iter().any(|path| holds(path, &record.json)));
    let parent = is_wanted.then(|| scan::find(&record.json, [follow.parent.as_str()]).and_then(scan::text_of));
    // The value becomes a part of an address.
    let is_plain = |text: &String| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    parent.flatten().filter(is_plain)
}

/// Joins the values of parents that one request can name; by themselves where it names one alone.
pub fn requests_for(follow: &Follow, parents: &[String]) -> Vec<String> {
    match follow.many {
        Some(_) => parents
            .chunks(follow.page_size.max(1) as usize)
            .map(|some| some.join(","))
            .collect(),
        None => parents.to_vec(),
    }
}

/// The collection whose pages are what is read for a parent, or for many ([`requests_for`]).
pub fn collection_of(collection: &Collection, follow: &Follow, parent: &str) -> Collection {
    let parents = follow.many.iter().map(|name| (name.clone(), parent.to_owned()));
    Collection {
        name: format!("{} ({})", collection.name, follow.envelope),
        endpoint: Endpoint {
            path: follow.path.replace(&format!("{{{}}}", follow.parent), parent),
            paging: follow.paging,
            window: None,
            envelope: follow.envelope.clone(),
            page_size: follow.page_size,
            params: follow.params.clone().into_iter().chain(parents).collect(),
            include: follow.include.clone(),
            ends_by_next_page: false,
            ends_by_short_page: false,
            settles_after: None,
            bucket: follow.bucket,
            ..collection.endpoint.clone()
        },
        sideloads: Vec::new(),
        follows: Vec::new(),
        ..collection.clone()
    }
}

/// The row of an answer as it is published: an object with the parent's value, what is copied out of the row, and the
/// row itself, byte for byte, alone in an array. A row of many parents tells its own.
pub fn published(collection: &Collection, follow: &Follow, parent: &str, row: &[u8]) -> RawRecord {
    let mut json = Vec::with_capacity(row.len() + 128);
    if follow.many.is_none() {
        member(&mut json, follow.parent_as.as_ref().unwrap_or(&follow.parent));
        let is_number = parent.parse::<i64>().is_ok_and(|number| number.to_string() == parent);
        let quote: &[u8] = if is_number { b"" } else { b"\"" };
        json.extend([quote, parent.as_bytes(), quote].concat());
    }
    for (name, path) in &follow.copy {
        if let Some(value) = value_at(path, row) {
            member(&mut json, name);
            json.extend_from_slice(value);
        }
    }
    if let Some(mark) = &follow.mark {
        member(&mut json, mark);
        json.extend_from_slice(b"true");
    }
    if let Some(into) = &follow.into {
        member(&mut json, into);
        json.push(b'[');
        json.extend_from_slice(row);
        json.push(b']');
    }
    if json.is_empty() {
        json.push(b'{');
    }
    json.push(b'}');
    let json = Bytes::from(json);
    let partition_key = text_at(&json, &collection.record.partition_key).unwrap_or_default();
    RawRecord {
        key: record_key(&json, &collection.record.key),
        partition_key: partition_key.into_bytes(),
        json,
    }
}

/// A whole set as it is published: an object with the parent's value and all rows, byte for byte, in an array.
pub fn published_set(collection: &Collection, follow: &Follow, parent: &str, rows: &[RawRecord]) -> RawRecord {
    let joined = rows.iter().map(|row| row.json.as_ref()).collect::<Vec<_>>().join(&b',');
    let mut set = published(
        collection,
        &Follow {
            copy: BTreeMap::new(),
            ..follow.clone()
        },
        parent,
        &joined,
    );
    set.key = record_key(&set.json, &collection.record.key);
    set
}

/// Begins the next member of the object, or the object with it.
fn member(json: &mut Vec<u8>, name: &str) {
    json.push(if json.is_empty() { b'{' } else { b',' });
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
}

fn value_at<'r>(path: &Path, row: &'r [u8]) -> Option<&'r [u8]> {
    let keys = path.steps.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Element { .. } => None,
    });
    scan::find(row, keys)
}

/// Claims that a field of a record is what it must be.
fn is_so(condition: &Condition, json: &[u8]) -> bool {
    let found = value_at(&condition.path, json);
    match (&condition.is, found) {
        (Expected::Bool(wanted), Some(found)) => found == if *wanted { &b"true"[..] } else { b"false" },
        (Expected::Text(wanted), Some(found)) => scan::text_of(found).as_ref() == Some(wanted),
        (Expected::Present, Some(found)) => found != b"null",
        (_, None) => false,
    }
}

/// Claims that something stands at a path, selectors included.
fn holds(path: &Path, json: &[u8]) -> bool {
    // Most records hold nothing of the kind, which their bytes tell at once.
    let is_there = |step: &Step| {
        let text = match step {
            Step::Key(text) | Step::Element { value: text, .. } => text,
        };
        memchr::memmem::find(json, text.as_bytes()).is_some()
    };
    path.steps.iter().all(is_there)
        && serde_json::from_slice::<Value>(json).is_ok_and(|record| find(&path.steps, &record).is_some())
}

fn find<'v>(steps: &[Step], record: &'v Value) -> Option<&'v Value> {
    let found = steps.iter().try_fold(record, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Element { key, value } => {
            let mut elements = at.as_array()?.iter();
            elements.find(|held| held.get(key).and_then(Value::as_str) == Some(value))
        }
    });
    found.filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenfloe_catalog::Catalog;

    fn events() -> (&'static Collection, &'static Follow) {
        let collection = Catalog::builtin().collection("ticket_events").expect("tier 1");
        (collection, &collection.follows[0])
    }

    fn record(json: &str) -> RawRecord {
        RawRecord {
            key: Vec::new(),
            partition_key: Vec::new(),
            json: Bytes::copy_from_slice(json.as_bytes()),
        }
    }

    #[test]
    fn a_redaction_wants_the_thread() {
        let (_, follow) = events();
        let wanted = |json: &str| wanted_by(follow, &record(json));
        let redaction = r#"{"id":1,"ticket_id":42,"child_events":[{"event_type":"Change"},{"event_type":"CommentRedactionEvent","comment_id":7}]}"#;
        assert_eq!(wanted(redaction).as_deref(), Some("42"));
        let quoted =
            r#"{"id":1,"ticket_id":42,"child_events":[{"event_type":"Comment","body":"CommentRedactionEvent"}]}"#;
        assert_eq!(wanted(quoted), None);
        let strange = redaction.replace("42", "\"../users\"");
        assert_eq!(wanted(&strange), None, "a value that is no id asks for nothing");
    }

    #[test]
    fn tickets_without_clocks_are_asked_for_many_at_once() {
        let collection = Catalog::builtin().collection("tickets").expect("tier 1");
        let follow = &collection.follows[0];
        let wanted = |json: &str| wanted_by(follow, &record(json));
        assert_eq!(wanted(r#"{"id":42,"status":"open"}"#).as_deref(), Some("42"));
        assert_eq!(
            wanted(r#"{"id":42,"status":"open","slas":{"policy_metrics":[]}}"#),
            None
        );
        assert_eq!(
            wanted(r#"{"id":42,"status":"open","slas":null}"#),
            None,
            "it says that there are none"
        );
        let ids: Vec<String> = (1..=101).map(|id| id.to_string()).collect();
        let requests = requests_for(follow, &ids);
        assert_eq!((requests.len(), requests[1].as_str()), (2, "101"));
        let asked = collection_of(collection, follow, "7,8").endpoint;
        assert_eq!(
            (asked.path.as_str(), asked.params["ids"].as_str()),
            ("/api/v2/tickets/show_many", "7,8")
        );
        assert_eq!(asked.include, ["slas"]);
        let row = br#"{"id":8,"subject":"x","updated_at":"2026-01-01T00:00:00Z","slas":{"policy_metrics":[]}}"#;
        let made = published(collection, follow, "7,8", row);
        assert_eq!(
            std::str::from_utf8(&made.json).expect("text"),
            r#"{"id":8,"slas":{"policy_metrics":[]},"updated_at":"2026-01-01T00:00:00Z","only_clocks":true}"#
        );
        assert_eq!((made.key, made.partition_key), (b"8".to_vec(), b"8".to_vec()));
    }

    #[test]
    fn conversations_are_asked_for_of_messaging_tickets_alone() {
        let collection = Catalog::builtin().collection("conversation_logs").expect("tier 2");
        let follow = &collection.follows[0];
        let wanted = |json: &str| wanted_by(follow, &record(json));
        assert_eq!(
            wanted(r#"{"id":42,"from_messaging_channel":true}"#).as_deref(),
            Some("42")
        );
        for other in [
            r#"{"id":42,"from_messaging_channel":false}"#,
            r#"{"id":42,"from_messaging_channel":null}"#,
            r#"{"id":42}"#,
        ] {
            assert_eq!(wanted(other), None, "{other}");
        }
        let asked = collection_of(collection, follow, "42").endpoint;
        assert_eq!(
            (asked.path.as_str(), asked.params["sort"].as_str()),
            ("/api/v2/tickets/42/conversation_log", "created_at")
        );
        let made = published(
            collection,
            follow,
            "42",
            br#"{"id":"01J9","created_at":"2026-01-01T00:00:00Z"}"#,
        );
        assert!(made.json.starts_with(br#"{"ticket_id":42,"created_at":"#));
        assert_eq!((made.key, made.partition_key), (b"01J9".to_vec(), b"42".to_vec()));
    }

    #[test]
    fn a_set_is_published_as_one_record() {
        let collection = Catalog::builtin().collection("schedules").expect("tier 2");
        let follow = &collection.follows[0];
        let rows = [record(r#"{"id":1}"#), record(r#"{"id":2}"#)];
        let set = |rows: &[RawRecord]| published_set(collection, follow, "8", rows);
        assert_eq!(&set(&rows).json[..], br#"{"id":8,"holidays":[{"id":1},{"id":2}]}"#);
        assert_eq!(&set(&[]).json[..], br#"{"id":8,"holidays":[]}"#, "an empty set is one");
        assert_eq!(
            (set(&rows).key, set(&rows).partition_key),
            (b"8".to_vec(), b"8".to_vec())
        );
    }

    #[test]
    fn a_row_is_published_within_its_parent() {
        let (collection, follow) = events();
        let row = br#"{"id":7,"audit_id":90, "body":"x","created_at":"2026-01-01T00:00:00Z"}"#;
        let made = published(collection, follow, "42", row);
        assert_eq!(
            std::str::from_utf8(&made.json).expect("text"),
            r#"{"ticket_id":42,"created_at":"2026-01-01T00:00:00Z","id":90,"comments":[{"id":7,"audit_id":90, "body":"x","created_at":"2026-01-01T00:00:00Z"}]}"#
        );
        assert_eq!((made.key, made.partition_key), (b"90".to_vec(), b"42".to_vec()));
        let asked = collection_of(collection, follow, "42");
        assert_eq!(asked.endpoint.path, "/api/v2/tickets/42/comments");
    }
}
