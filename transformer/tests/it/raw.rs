//! Raw records as an extractor writes them.

use bytes::Bytes;
use serde_json::{Value, json};
use zenfloe_keyring::Sealer;
use zenfloe_log::{Append, Cleanup, TopicSpec};
use zenfloe_record::{Headers, Partition, RawHeaders, RawKind, Topic, TopicPartition, partition_of};

use crate::Site;

/// Partitions of tickets and users; groups have one.
pub(crate) const PARTITIONS: Partition = 3;

/// The e-mail address of user N, in any of whose forms nothing may leak.
pub(crate) fn email(id: i64) -> String {
    format!("qanary.{id}@canary-mail.example")
}

pub(crate) fn ticket(id: i64, version: i64) -> Value {
    json!({
        "id": id, "generated_timestamp": version, "status": "open", "priority": "low",
        "subject": format!("write to {} please", email(id)),
        "description": format!("I am {} &amp; angry", email(id).to_uppercase()),
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
        "metric_set": {"id": id * 10, "replies": version, "created_at": "2026-01-02T03:04:05Z"},
        "slas": {"policy_metrics": []},
    })
}

pub(crate) fn user(id: i64) -> Value {
    json!({
        "id": id, "name": format!("Qanary {id}"), "email": email(id), "phone": "+12025550123", "active": true,
        "updated_at": "2026-01-02T03:04:05Z",
        "identities": [
            {"id": id * 100, "user_id": id, "type": "email", "value": email(id)},
            {"id": id * 100 + 1, "user_id": id, "type": "email", "value": format!("second.{}", email(id))},
        ],
    })
}

pub(crate) fn group(id: i64) -> Value {
    json!({"id": id, "name": "Support", "deleted": false, "updated_at": "2026-01-02T03:04:05Z"})
}

/// A sealed record that a test may damage before it is appended.
pub(crate) struct Raw {
    pub(crate) append: Append,
}

impl Site {
    /// Makes the raw topics.
    pub(crate) async fn make_raw(&self) {
        let topics = self.collections.iter().map(|collection| TopicSpec {
            name: Topic::raw(&self.source, &collection.name),
            partitions: if collection.name == "groups" { 1 } else { PARTITIONS },
            // Longer than the age of the records, which are dated 2023.
            cleanup: Cleanup::Delete(std::time::Duration::from_secs(3_000_000_000)),
            max_message_bytes: 1 << 20,
        });
        self.log.ensure(&topics.collect::<Vec<_>>()).await.expect("made");
    }

    /// A sealed record of any text.
    pub(crate) fn sealed(&self, collection: &str, key: &str, kind: RawKind, extracted_at: i64, text: &[u8]) -> Raw {
        let headers = RawHeaders {
            kind,
            extracted_at,
            is_past: extracted_at == 0,
        };
        self.sealed_with(headers, collection, key, text)
    }

    fn sealed_with(&self, headers: RawHeaders, collection: &str, key: &str, text: &[u8]) -> Raw {
        let extracted_at = headers.extracted_at;
        let mut headers = headers.encode();
        let mut sealer = Sealer::new(&self.seal_keys(), &self.source);
        let value = sealer.seal(1_800_000_000_000_000, collection, key.as_bytes(), text, &mut headers);
        let partitions = if collection == "groups" { 1 } else { PARTITIONS };
        Raw {
            append: Append {
                at: TopicPartition::new(
                    Topic::raw(&self.source, collection),
                    partition_of(key.as_bytes(), partitions),
                ),
                timestamp: Some(1_700_000_000_000 + extracted_at),
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: Some(value.into()),
                headers,
            },
        }
    }

    /// A sealed API record; its key is its id.
    pub(crate) fn record(&self, collection: &str, extracted_at: i64, json: &Value) -> Raw {
        let key = json["id"].to_string();
        self.sealed(
            collection,
            &key,
            RawKind::Record,
            extracted_at,
            json.to_string().as_bytes(),
        )
    }

    /// The same, read from the past beside what is live.
    pub(crate) fn past(&self, collection: &str, extracted_at: i64, json: &Value) -> Raw {
        let headers = RawHeaders {
            kind: RawKind::Record,
            extracted_at,
            is_past: true,
        };
        let key = json["id"].to_string();
        self.sealed_with(headers, collection, &key, json.to_string().as_bytes())
    }

    /// Appends records as one page.
    pub(crate) async fn append(&self, page: Vec<Raw>) {
        let mut writer = self.log.writer("page").await.expect("opened");
        let out = page.into_iter().map(|raw| raw.append).collect();
        writer.commit(out, None).await.expect("appended");
    }

    /// A page of tickets, users and a group, told apart by `round`.
    pub(crate) async fn page(&self, round: i64, count: i64) {
        let mut page = Vec::new();
        for id in 1..=count {
            page.push(self.record("tickets", round * 1_000 + id, &ticket(id, 1_700_000_000 + round)));
            page.push(self.record("users", round * 1_000 + id, &user(id)));
        }
        page.push(self.record("groups", round * 1_000, &group(round)));
        self.append(page).await;
    }
}

impl Raw {
    /// Flips a bit of the sealed value.
    pub(crate) fn damaged(mut self) -> Self {
        let mut value = self.append.value.expect("sealed").to_vec();
        value[0] ^= 1;
        self.append.value = Some(value.into());
        self
    }

    /// Without headers but for those named.
    pub(crate) fn with_headers(mut self, headers: Headers) -> Self {
        self.append.headers = headers;
        self
    }
}
