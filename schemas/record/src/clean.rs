use std::sync::Arc;

use crate::headers::{Headers, header};
use crate::{Malformed, Offset, Partition, RowVersion};

/// The raw record that something comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
}

impl Origin {
    /// The header form `topic/partition/offset` (topic names hold no `/`).
    pub fn encode(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }

    /// Reads the header form.
    pub fn decode(text: &str) -> Result<Self, Malformed> {
        let bad = Malformed::Value("origin");
        let parsed = text.rsplit_once('/').and_then(|(rest, offset)| {
            let (topic, partition) = rest.rsplit_once('/')?;
            Some(Self {
                topic: topic.into(),
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        });
        parsed.ok_or(bad)
    }
}

/// What a clean record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanKind {
    /// A row in Avro, Confluent wire format.
    Row,
    /// A row that is gone: its key and version alone are set, `_deleted` is true.
    Delete,
    /// A [`Fence`](crate::Fence): rows of a parent that are gone by absence.
    Fence,
}

/// The headers of a clean record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanHeaders {
    /// What the record says.
    pub kind: CleanKind,
    /// Its place among the states of its row.
    pub version: RowVersion,
    /// The raw record that it was made from.
    pub origin: Origin,
}

impl CleanHeaders {
    /// Writes them.
    pub fn encode(&self) -> Headers {
        let kind: &[u8] = match self.kind {
            CleanKind::Row => b"row",
            CleanKind::Delete => b"delete",
            CleanKind::Fence => b"fence",
        };
        Headers::new()
            .with(header::KIND, kind)
            .with(header::ROW_VERSION, self.version.encode())
            .with(header::ORIGIN, self.origin.encode())
    }

    /// Reads them.
    pub fn decode(headers: &Headers) -> Result<Self, Malformed> {
        let kind = match headers.text(header::KIND)? {
            "row" => CleanKind::Row,
            "delete" => CleanKind::Delete,
            "fence" => CleanKind::Fence,
            _ => return Err(Malformed::Header(header::KIND)),
        };
        Ok(Self {
            kind,
            version: RowVersion::decode(headers.text(header::ROW_VERSION)?)
                .map_err(|_| Malformed::Header(header::ROW_VERSION))?,
            origin: Origin::decode(headers.text(header::ORIGIN)?).map_err(|_| Malformed::Header(header::ORIGIN))?,
        })
    }
}

/// The byte between a row key and a row version in the key of a replayed row, and between the parts of a row key.
const VERSION_MARK: u8 = 0;

/// Joins the parts of a primary key to the row key that clean topics and batches use.
///
/// A single part stands as it is (`42`); several are joined by the unit separator `\x1f`.
/// Fences begin with `\x1e` so that none equals a row's key.
pub fn row_key<'p>(parts: impl IntoIterator<Item = &'p str>) -> Vec<u8> {
    let mut key = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            key.push(0x1f);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// The Kafka key of a clean record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanKey;

impl CleanKey {
    /// The key of a live row: the row key itself, so that compaction keeps the newest.
    pub fn live(row_key: &[u8]) -> Vec<u8> {
        row_key.to_vec()
    }

    /// The key of a row from replay, import or retry: row key, NUL, row version, so that
    /// compaction never puts an older row in a newer one's place.
    pub fn versioned(row_key: &[u8], version: &RowVersion) -> Vec<u8> {
        let mut key = row_key.to_vec();
        key.push(VERSION_MARK);
        key.extend_from_slice(version.encode().as_bytes());
        key
    }

    /// The row key within either form.
    pub fn row_key(kafka_key: &[u8]) -> &[u8] {
        match kafka_key.iter().position(|byte| *byte == VERSION_MARK) {
            Some(mark) => &kafka_key[..mark],
            None => kafka_key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fixed_and_give_the_row_key_back() {
        let key = row_key(["42", "first_reply_time"]);
        assert_eq!(key, b"42\x1ffirst_reply_time");
        let version = RowVersion {
            version: 1,
            extracted_at: 2,
            raw_offset: 3,
            revision: 4,
        };
        assert_eq!(CleanKey::versioned(b"42", &version), b"42\x001/2/3/4");
        assert_eq!(CleanKey::row_key(&CleanKey::versioned(&key, &version)), key);
        assert_eq!(CleanKey::row_key(&CleanKey::live(&key)), key);
    }

    #[test]
    fn headers_are_read_back() {
        let headers = CleanHeaders {
            kind: CleanKind::Row,
            version: RowVersion {
                version: 9,
                extracted_at: 8,
                raw_offset: 7,
                revision: 1,
            },
            origin: Origin {
                topic: "acme.raw.tickets".into(),
                partition: 3,
                offset: 7,
            },
        };
        assert_eq!(headers.origin.encode(), "acme.raw.tickets/3/7");
        assert_eq!(CleanHeaders::decode(&headers.encode()), Ok(headers));
    }
}
