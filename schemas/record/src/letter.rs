use crate::headers::{Headers, header};
use crate::{Malformed, Origin};

/// The stage that gave up on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The extractor: the record is too large for a message; the value repeats the request.
    Extract,
    /// The transformer: the value is the sealed raw value.
    Transform,
    /// The loader: the value is the clean row.
    Load,
}

impl Stage {
    /// The name in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Transform => "transform",
            Self::Load => "load",
        }
    }
}

/// Why; a closed set, so that a metric label stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Larger than a message of its topic may be.
    TooLarge,
    /// The seal does not open: damaged, or moved to another key.
    Unsealable,
    /// Not JSON, or not UTF-8.
    NotJson,
    /// The primary key or a version is absent.
    MissingKey,
    /// A field holds another type than the catalog says.
    WrongType,
    /// A time or date outside the years 1 to 9999.
    AbsurdDate,
    /// Headers that this release cannot read.
    Headers,
    /// The destination refused this row.
    Refused,
}

impl Reason {
    /// The name in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Unsealable => "unsealable",
            Self::NotJson => "not_json",
            Self::MissingKey => "missing_key",
            Self::WrongType => "wrong_type",
            Self::AbsurdDate => "absurd_date",
            Self::Headers => "headers",
            Self::Refused => "refused",
        }
    }

    const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::Unsealable,
        Self::NotJson,
        Self::MissingKey,
        Self::WrongType,
        Self::AbsurdDate,
        Self::Headers,
        Self::Refused,
    ];
}

/// The headers of a record in the dead topic. Its Kafka key is the origin's text, so that a letter
/// written twice is one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who gave up.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// What was wrong, for people: paths and types, never a value of the record.
    pub detail: String,
    /// The record that was given up.
    pub origin: Origin,
}

impl Letter {
    /// The Kafka key.
    pub fn key(&self) -> Vec<u8> {
        format!("{}/{}", self.stage.as_str(), self.origin.encode()).into_bytes()
    }

    /// Adds the letter's headers to those that the value needs (a seal, the raw or clean headers).
    pub fn encode(&self, value_headers: &Headers) -> Headers {
        let mut headers = value_headers.clone();
        headers.push(header::STAGE, self.stage.as_str());
        headers.push(header::REASON, self.reason.as_str());
        headers.push(header::DETAIL, self.detail.as_str());
        headers.push(header::ORIGIN, self.origin.encode());
        headers
    }

    /// Reads them.
    pub fn decode(headers: &Headers) -> Result<Self, Malformed> {
        let stage = match headers.text(header::STAGE)? {
            "extract" => Stage::Extract,
            "transform" => Stage::Transform,
            "load" => Stage::Load,
            _ => return Err(Malformed::Header(header::STAGE)),
        };
        let reason_text = headers.text(header::REASON)?;
        let reason = Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == reason_text)
            .ok_or(Malformed::Header(header::REASON))?;
        Ok(Self {
            stage,
            reason,
            detail: headers.text(header::DETAIL)?.to_owned(),
            origin: Origin::decode(headers.text(header::ORIGIN)?).map_err(|_| Malformed::Header(header::ORIGIN))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_back_for_every_reason() {
        for reason in Reason::ALL {
            let letter = Letter {
                stage: Stage::Transform,
                reason,
                detail: "`created_at`: expected a time, found a number".into(),
                origin: Origin {
                    topic: "acme.raw.tickets".into(),
                    partition: 1,
                    offset: 2,
                },
            };
            let headers = letter.encode(&Headers::new().with(header::SEAL, vec![0, 1]));
            assert_eq!(Letter::decode(&headers), Ok(letter));
            assert_eq!(headers.get(header::SEAL), Some(&[0, 1][..]));
        }
    }
}
