//! Records between the log's types and librdkafka's.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};
use zenfloe_log::{Append, Record};
use zenfloe_record::{Headers, TopicPartition};

/// Topic names as shared strings, so that a record costs no allocation for its topic.
#[derive(Default)]
pub(crate) struct Names(Vec<Arc<str>>);

impl Names {
    /// The shared form of a name.
    pub(crate) fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(held) = self.0.iter().find(|held| &***held == name) {
            return held.clone();
        }
        let shared: Arc<str> = name.into();
        self.0.push(shared.clone());
        shared
    }
}

/// Copies a message out of librdkafka's buffers, so that these can go.
pub(crate) fn record(message: &BorrowedMessage<'_>, at: TopicPartition) -> Record {
    let headers = message.headers().map_or_else(Headers::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key, header.value.unwrap_or_default()))
            .collect()
    });
    Record {
        at,
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map_or_else(Bytes::new, Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}

/// Headers in librdkafka's form; `None` when there are none.
pub(crate) fn owned_headers(headers: &Headers) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let start = OwnedHeaders::new_with_capacity(headers.len());
    Some(headers.iter().fold(start, |owned, (key, value)| {
        owned.insert(Header {
            key,
            value: Some(value),
        })
    }))
}

/// The bytes of a record's key, value and headers.
pub(crate) fn payload_bytes(append: &Append) -> usize {
    let headers: usize = append
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    append.key.len() + append.value.as_ref().map_or(0, Bytes::len) + headers
}

/// The bytes that a record takes as the only one of its batch, which is what a topic's limit is held against.
///
/// The batch header is 61 bytes, a record's own fields at most 21 and two length fields, a header's at most two.
/// See <https://kafka.apache.org/documentation/#recordbatch>.
pub(crate) fn batch_bytes(append: &Append) -> usize {
    61 + 21 + 10 + payload_bytes(append) + 10 * append.headers.len()
}
