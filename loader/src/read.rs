//! What a clean record says.

use bytes::Bytes;
use zenfloe_destination::RowKind;
use zenfloe_log::Record;
use zenfloe_record::{CleanHeaders, CleanKey, CleanKind, Fence, Origin, Reason, RowVersion, header};
use zenfloe_registry::split;

/// A record before its schema is known.
pub(crate) enum Content {
    Row(Unshaped),
    Fence(Fence),
    /// A tombstone: compaction's business, no row's.
    Nothing,
    /// Neither, and why; never a value.
    Unreadable(Reason, String),
}

/// A row whose schema is a number still.
pub(crate) struct Unshaped {
    pub(crate) kind: RowKind,
    pub(crate) key: Bytes,
    pub(crate) version: RowVersion,
    pub(crate) origin: Origin,
    pub(crate) schema_id: u32,
    pub(crate) body: Bytes,
    pub(crate) is_rewritten: bool,
}

pub(crate) fn content(record: &Record) -> Content {
    let Some(value) = &record.value else {
        return Content::Nothing;
    };
    let headers = match CleanHeaders::decode(&record.headers) {
        Ok(headers) => headers,
        Err(error) => return Content::Unreadable(Reason::Headers, error.to_string()),
    };
    let kind = match headers.kind {
        CleanKind::Row => RowKind::Live,
        CleanKind::Delete => RowKind::Delete,
        CleanKind::Fence => return fence(value),
    };
    match split(value) {
        Ok((schema_id, body)) => Content::Row(Unshaped {
            kind,
            key: record.key.slice_ref(CleanKey::row_key(&record.key)),
            version: headers.version,
            origin: headers.origin,
            schema_id,
            body: value.slice_ref(body),
            is_rewritten: record.headers.get(header::REWRITTEN).is_some(),
        }),
        Err(error) => Content::Unreadable(Reason::Headers, error.to_string()),
    }
}

fn fence(value: &[u8]) -> Content {
    match Fence::decode(value) {
        Ok(fence) => Content::Fence(fence),
        Err(error) => Content::Unreadable(Reason::NotJson, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use zenfloe_record::{Headers, TopicPartition};

    use super::*;

    fn record(value: Option<&[u8]>, headers: Headers) -> Record {
        Record {
            at: TopicPartition::new("acme.clean.things", 0),
            offset: 7,
            timestamp: 0,
            key: Bytes::from_static(b"42\x001/2/3/4"),
            value: value.map(Bytes::copy_from_slice),
            headers,
        }
    }

    fn headers(kind: CleanKind) -> Headers {
        let origin = Origin {
            topic: "acme.raw.things".into(),
            partition: 0,
            offset: 3,
        };
        let version = RowVersion {
            version: 1,
            extracted_at: 2,
            raw_offset: 3,
            revision: 4,
        };
        CleanHeaders { kind, version, origin }.encode()
    }

    #[test]
    fn rows_are_taken_apart_without_a_copy() {
        let record = record(Some(b"\0\0\0\0\x05avro"), headers(CleanKind::Delete));
        let Content::Row(row) = content(&record) else {
            panic!("it is a row")
        };
        assert_eq!(
            (row.kind, &*row.key, row.schema_id, &*row.body),
            (RowKind::Delete, &b"42"[..], 5, &b"avro"[..])
        );
        assert!(!row.is_rewritten);
        let value = record.value.expect("given");
        assert_eq!(row.body.as_ptr(), value[5..].as_ptr());
    }

    #[test]
    fn what_an_erasure_wrote_anew_is_told() {
        let anew = headers(CleanKind::Row).with(header::REWRITTEN, "1");
        let Content::Row(row) = content(&record(Some(b"\0\0\0\0\x05avro"), anew)) else {
            panic!("it is a row")
        };
        assert!(row.is_rewritten);
    }

    #[test]
    fn what_is_no_row_is_told() {
        let fence = br#"{"scope":{"column":"user_id","value":"7"},"before":5}"#;
        assert!(matches!(
            content(&record(Some(fence), headers(CleanKind::Fence))),
            Content::Fence(_)
        ));
        assert!(matches!(content(&record(None, Headers::new())), Content::Nothing));
        let reason = |value: &[u8], headers| match content(&record(Some(value), headers)) {
            Content::Unreadable(reason, detail) => (reason, detail),
            _ => panic!("it is not readable"),
        };
        assert_eq!(reason(b"{", headers(CleanKind::Fence)).0, Reason::NotJson);
        assert_eq!(reason(b"\0\0\0\0\x05avro", Headers::new()).0, Reason::Headers);
        let (why, detail) = reason(b"secret", headers(CleanKind::Row));
        assert_eq!(why, Reason::Headers);
        assert!(detail.contains("6 bytes") && !detail.contains("secret"), "{detail}");
        let newer = headers(CleanKind::Row).with(header::KIND, "summary");
        assert_eq!(reason(b"\0\0\0\0\x05avro", newer).1, "header `zf.kind` cannot be read");
    }
}
