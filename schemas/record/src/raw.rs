use crate::headers::{Headers, header};
use crate::{Malformed, Micros};

/// What a raw record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// The record as Zendesk sent it, sideloads attached.
    Record,
    /// The record is gone: missed by two complete lists. The value is a JSON object of the key's fields.
    Delete,
}

/// The headers of a raw record besides its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawHeaders {
    /// What the record says.
    pub kind: RawKind,
    /// When Zendesk served it; 0 for imported files. The message timestamp is our own clock.
    pub extracted_at: Micros,
    /// It was imported, or read from the past beside what is live: a younger state of it may stand before it in the topic.
    pub is_past: bool,
}

impl RawHeaders {
    /// Writes them; the seal's header is added by whoever seals.
    pub fn encode(&self) -> Headers {
        let kind: &[u8] = match self.kind {
            RawKind::Record => b"record",
            RawKind::Delete => b"delete",
        };
        let mut headers = Headers::new()
            .with(header::KIND, kind)
            .with(header::EXTRACTED_AT, self.extracted_at.to_string());
        if self.is_past {
            headers.push(header::PAST, "1");
        }
        headers
    }

    /// Reads them.
    pub fn decode(headers: &Headers) -> Result<Self, Malformed> {
        let kind = match headers.text(header::KIND)? {
            "record" => RawKind::Record,
            "delete" => RawKind::Delete,
            _ => return Err(Malformed::Header(header::KIND)),
        };
        Ok(Self {
            kind,
            extracted_at: headers.number(header::EXTRACTED_AT)?,
            is_past: headers.get(header::PAST).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_back_and_strange_ones_refused() {
        for (kind, is_past) in [
            (RawKind::Record, false),
            (RawKind::Record, true),
            (RawKind::Delete, false),
        ] {
            let raw = RawHeaders {
                kind,
                extracted_at: 7,
                is_past,
            };
            assert_eq!(RawHeaders::decode(&raw.encode()), Ok(raw));
        }
        let strange = Headers::new().with(header::KIND, "x").with(header::EXTRACTED_AT, "7");
        assert_eq!(RawHeaders::decode(&strange), Err(Malformed::Header(header::KIND)));
        let bare = Headers::new().with(header::KIND, "record");
        assert_eq!(
            RawHeaders::decode(&bare),
            Err(Malformed::MissingHeader(header::EXTRACTED_AT))
        );
    }
}
