//! Letters about records that cannot be transformed.

use bytes::Bytes;
use zenfloe_log::{Append, Record};
use zenfloe_record::{Headers, Letter, Origin, Reason, Stage, TopicPartition, header, partition_of};

use crate::topics::Written;

/// What a message may cost besides key, value and headers.
pub(crate) const MESSAGE_OVERHEAD: usize = 256;

/// The letter about a raw record. Its value is the record's, sealed as it was; where the dead topic does not
/// take so much, it stays in the raw topic alone.
pub(crate) fn letter(written: &Written, record: &Record, reason: Reason, detail: String) -> Append {
    let letter = Letter {
        stage: Stage::Transform,
        reason,
        detail,
        origin: origin(record),
    };
    let headers = record
        .headers
        .clone()
        .with(header::KEY, record.key.as_ref())
        .with(header::TIMESTAMP, record.timestamp.to_string());
    // A value that is absent becomes an empty one: a letter without value says that it is settled.
    let value = record.value.clone().unwrap_or_default();
    let whole = append(written, &letter, letter.encode(&headers), value);
    if whole.size() + MESSAGE_OVERHEAD <= written.limit(&written.dead) {
        return whole;
    }
    let short = Letter {
        detail: format!(
            "{}; {} bytes, more than the dead topic takes: the value stands in the raw topic alone",
            letter.detail,
            record.value.as_ref().map_or(0, Bytes::len)
        ),
        ..letter
    };
    let slim = Headers::new()
        .with(header::KEY, record.key.as_ref())
        .with(header::TIMESTAMP, record.timestamp.to_string());
    append(written, &short, short.encode(&slim), Bytes::new())
}

fn append(written: &Written, letter: &Letter, headers: Headers, value: Bytes) -> Append {
    let key = letter.key();
    Append {
        at: TopicPartition::new(written.dead.clone(), partition_of(&key, written.dead_partitions)),
        timestamp: None,
        key: key.into(),
        value: Some(value),
        headers,
    }
}

/// Where a raw record stands.
pub(crate) fn origin(record: &Record) -> Origin {
    Origin {
        topic: record.at.topic.clone(),
        partition: record.at.partition,
        offset: record.offset,
    }
}
