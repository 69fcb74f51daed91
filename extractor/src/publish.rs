//! Makes log records of API records: sealed, keyed, on their partition.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use zenfloe_catalog::{Collection, Path, Step};
use zenfloe_keyring::{SealKeys, Sealer};
use zenfloe_log::Append;
use zenfloe_record::{
    Headers, KnownValue, Letter, Micros, Origin, Owner, Partition, RawHeaders, RawKind, Reason, SourceName, Stage,
    Topic, TopicPartition, header, partition_of,
};
use zenfloe_zendesk::RawRecord;

use crate::import::BadLine;
use crate::{people, state, vault};

/// Where the records of a collection go.
pub(crate) struct Target<'c> {
    pub(crate) collection: &'c Collection,
    pub(crate) topic: Arc<str>,
    pub(crate) partitions: Partition,
    /// The largest message that the topic takes.
    pub(crate) max_message_bytes: usize,
}

/// When a record was served, and when it is sealed.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) extracted_at: Micros,
    pub(crate) now: Micros,
    /// What is published was imported, or read from the past beside what is live.
    pub(crate) is_past: bool,
}

/// Makes the records of one source.
pub(crate) struct Publisher {
    source: SourceName,
    seal_keys: SealKeys,
    sealer: Sealer,
    people_at: TopicPartition,
    dead: Arc<str>,
    dead_partitions: Partition,
}

/// What a letter about a record that is too large says.
#[derive(Serialize)]
struct TooLarge<'r> {
    key: &'r str,
    size: usize,
    limit: usize,
    request: &'r str,
}

/// What a message costs besides key, value and headers.
const MESSAGE_OVERHEAD: usize = 128;
/// What a letter has besides the line that it holds.
const LETTER_OVERHEAD: usize = 4 << 10;
/// A header's own framing.
const HEADER_OVERHEAD: usize = 8;

impl Publisher {
    pub(crate) fn new(source: &SourceName, seal_keys: &SealKeys, dead_partitions: Partition) -> Self {
        Self {
            sealer: Sealer::new(seal_keys, source),
            seal_keys: seal_keys.clone(),
            people_at: TopicPartition::new(Topic::people(source), 0),
            dead: Topic::dead(source),
            dead_partitions,
            source: source.clone(),
        }
    }

    /// Appends what a record tells of whom it is.
    pub(crate) fn people(&mut self, target: &Target<'_>, record: &RawRecord, times: Times, out: &mut Vec<Append>) {
        for known in people::values(&target.collection.name, &record.json) {
            let digest = self
                .seal_keys
                .record_key(&self.source, KnownValue::PURPOSE, &known.digested());
            let key = known.key(&digest);
            let mut headers = Headers::new();
            let value = self
                .sealer
                .seal(times.now, KnownValue::PURPOSE, &key, &known.encode(), &mut headers);
            out.push(Append {
                at: self.people_at.clone(),
                timestamp: None,
                key: key.into(),
                value: Some(fitted(value)),
                headers,
            });
        }
    }

    /// The record that says that everyone of a collection has been published once; none for collections of nobody.
    pub(crate) fn people_are_complete(&self, collection: &str) -> Option<Append> {
        Owner::are(collection).then(|| Append {
            at: self.people_at.clone(),
            timestamp: None,
            key: KnownValue::complete_key(collection).into(),
            value: Some(Bytes::from_static(b"{}")),
            headers: Headers::new(),
        })
    }

    /// The record itself, or the letter that stands for it (`true`) where it is too large for its topic.
    pub(crate) fn record(
        &mut self,
        target: &Target<'_>,
        record: &RawRecord,
        times: Times,
        request: &str,
    ) -> (Append, bool) {
        let partition = partition_of(&record.partition_key, target.partitions);
        let append = self.raw(target, RawKind::Record, &record.key, &record.json, partition, times);
        if size_of(&append) <= target.max_message_bytes {
            return (append, false);
        }
        (
            self.letter(target, record, partition, size_of(&append), times, request),
            true,
        )
    }

    /// The record that tells of a row's end; it goes where the row's records went.
    pub(crate) fn deletion(&mut self, target: &Target<'_>, key: &str, partition: Partition, times: Times) -> Append {
        let value = key_object(&target.collection.record.key, key).to_string();
        self.raw(
            target,
            RawKind::Delete,
            key.as_bytes(),
            value.as_bytes(),
            partition,
            times,
        )
    }

    fn raw(
        &mut self,
        target: &Target<'_>,
        kind: RawKind,
        key: &[u8],
        value: &[u8],
        partition: Partition,
        times: Times,
    ) -> Append {
        let mut headers = RawHeaders {
            kind,
            extracted_at: times.extracted_at,
            is_past: times.is_past,
        }
        .encode();
        let value = self
            .sealer
            .seal(times.now, &target.collection.name, key, value, &mut headers);
        Append {
            at: TopicPartition::new(target.topic.clone(), partition),
            timestamp: None,
            key: Bytes::copy_from_slice(key),
            value: Some(fitted(value)),
            headers,
        }
    }

    /// A secret of our own for the state topic.
    pub(crate) fn secret(&mut self, at: &TopicPartition, key: &str, secret: &[u8], now: Micros) -> Append {
        let mut append = state::record(at, key, None);
        let sealed = self
            .sealer
            .seal(now, vault::PURPOSE, key.as_bytes(), secret, &mut append.headers);
        append.value = Some(fitted(sealed));
        append
    }

    /// The letter about a line of a file that is no record; `place` names file and line.
    pub(crate) fn bad_line(&mut self, target: &Target<'_>, bad: &BadLine, place: &str, times: Times) -> Append {
        let letter = Letter {
            stage: Stage::Extract,
            reason: bad.reason,
            detail: format!("{place}: {}", bad.what),
            origin: Origin {
                topic: target.topic.clone(),
                partition: 0,
                offset: -1,
            },
        };
        let mut key = letter.key();
        key.extend_from_slice(format!("/{place}").as_bytes());
        let is_small = bad.text.len() + LETTER_OVERHEAD <= target.max_message_bytes;
        let value: &[u8] = if is_small { &bad.text } else { b"" };
        self.dead_letter(target, &letter, key, b"", value, times)
    }

    fn letter(
        &mut self,
        target: &Target<'_>,
        record: &RawRecord,
        partition: Partition,
        size: usize,
        times: Times,
        request: &str,
    ) -> Append {
        let letter = Letter {
            stage: Stage::Extract,
            reason: Reason::TooLarge,
            detail: format!(
                "a message of {size} bytes; the topic takes {}",
                target.max_message_bytes
            ),
            // The record was never written, so it has no offset.
            origin: Origin {
                topic: target.topic.clone(),
                partition,
                offset: -1,
            },
        };
        let mut key = letter.key();
        key.push(b'/');
        key.extend_from_slice(&record.key);
        let text = String::from_utf8_lossy(&record.key);
        let value = TooLarge {
            key: &text,
            size,
            limit: target.max_message_bytes,
            request,
        };
        let value = serde_json::to_vec(&value).expect("strings and numbers serialise");
        self.dead_letter(target, &letter, key, &record.key, &value, times)
    }

    /// A letter under `key`, with what it holds of the record `of`, sealed.
    fn dead_letter(
        &mut self,
        target: &Target<'_>,
        letter: &Letter,
        key: Vec<u8>,
        of: &[u8],
        value: &[u8],
        times: Times,
    ) -> Append {
        let mut headers = RawHeaders {
            kind: RawKind::Record,
            extracted_at: times.extracted_at,
            is_past: times.is_past,
        }
        .encode();
        headers.push(header::KEY, of);
        let value = self
            .sealer
            .seal(times.now, &target.collection.name, of, value, &mut headers);
        Append {
            at: TopicPartition::new(self.dead.clone(), partition_of(&key, self.dead_partitions)),
            timestamp: None,
            key: key.into(),
            value: Some(fitted(value)),
            headers: letter.encode(&headers),
        }
    }
}

/// Gives back what compression did not need: a page is held until it is committed.
fn fitted(sealed: Vec<u8>) -> Bytes {
    sealed.into_boxed_slice().into()
}

fn size_of(append: &Append) -> usize {
    let headers: usize = headers_of(&append.headers);
    MESSAGE_OVERHEAD + append.key.len() + append.value.as_ref().map_or(0, Bytes::len) + headers
}

fn headers_of(headers: &Headers) -> usize {
    headers
        .iter()
        .map(|(name, value)| HEADER_OVERHEAD + name.len() + value.len())
        .sum()
}

/// The fields of a key as they stand in a record: `{"id":42}`.
fn key_object(paths: &[Path], key: &str) -> Value {
    let mut object = Map::new();
    for (path, part) in paths.iter().zip(key.split('\x1f')) {
        let value = match part.parse::<i64>() {
            Ok(number) if number.to_string() == part => Value::from(number),
            _ => Value::from(part),
        };
        insert(&mut object, &path.steps, value);
    }
    Value::Object(object)
}

fn insert(object: &mut Map<String, Value>, steps: &[Step], value: Value) {
    match steps {
        [Step::Key(key)] => {
            object.insert(key.clone(), value);
        }
        [Step::Key(key), rest @ ..] => {
            if let Value::Object(inner) = object.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
        // Keys of records do not stand in arrays.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_the_record_had_them() {
        let path = |text| Path::parse(text).expect("a path");
        assert_eq!(key_object(&[path("id")], "42").to_string(), r#"{"id":42}"#);
        assert_eq!(key_object(&[path("id")], "01AB").to_string(), r#"{"id":"01AB"}"#);
        assert_eq!(key_object(&[path("id")], "007").to_string(), r#"{"id":"007"}"#);
        let two = key_object(&[path("ticket.id"), path("name")], "7\x1fx");
        assert_eq!(two.to_string(), r#"{"name":"x","ticket":{"id":7}}"#);
    }
}
