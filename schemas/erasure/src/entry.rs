use std::fmt;

use serde::{Deserialize, Serialize};
use zenfloe_record::Micros;

/// What the keys of entries in `.rules` begin with.
pub const KEYS: &str = "erased/";

/// What the keys of requests begin with: what was asked for and is not known yet never takes an entry's place.
pub const REQUESTS: &str = "erase/";

/// Whom or what an entry erases.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A user, by id.
    Person(i64),
    /// A ticket that Zendesk has scrubbed, by id.
    Ticket(i64),
    /// An e-mail address that belongs to no known user, by its mark in hexadecimal.
    Address(String),
}

impl Subject {
    /// The key in `.rules`.
    pub fn key(&self) -> String {
        format!("{KEYS}{self}")
    }

    /// The key of the request for it.
    pub fn request_key(&self) -> String {
        format!("{REQUESTS}{self}")
    }

    /// Reads a request's key; `None`: it is none.
    pub fn parse_request(key: &str) -> Option<Self> {
        Self::named(key.strip_prefix(REQUESTS)?)
    }

    /// Reads the key; `None`: it is none.
    pub fn parse(key: &str) -> Option<Self> {
        Self::named(key.strip_prefix(KEYS)?)
    }

    fn named(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        match kind {
            "person" => id.parse().ok().map(Self::Person),
            "ticket" => id.parse().ok().map(Self::Ticket),
            "address" => Some(Self::Address(id.to_owned())),
            _ => None,
        }
    }
}

/// `person/7`, as destinations keep it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Ticket(id) => write!(f, "ticket/{id}"),
            Self::Address(mark) => write!(f, "address/{mark}"),
        }
    }
}

/// How far an erasure has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is asked for; the subject's own rows are suppressed from here on.
    Asked,
    /// Tokens and marks are known and suppressed.
    Known,
    /// The clean topics are clean, and the person has left `.people`.
    Done,
}

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// Zendesk deleted the user for good, or scrubbed the ticket.
    Zendesk,
    /// `zenfloe erase`.
    Command,
}

/// A token that is no longer to stand anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryToken {
    /// Its class, as placeholders show it.
    pub class: String,
    /// The token.
    pub token: String,
}

/// By what a value of the person is recognised, whatever the token keys have become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryMark {
    /// A keyed digest in hexadecimal.
    pub mark: String,
    /// Of a name: the hint of its first word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u16>,
}

/// One erasure, as `.rules` holds it. Holds nothing that tells who it is but to the holder of the token keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How far it has come.
    pub state: State,
    /// When it was asked for.
    pub asked_at: Micros,
    /// Who asked.
    pub by: Asker,
    /// Texts that the person wrote stay, but for what identifies the person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_texts: bool,
    /// The person's tokens under every version that there was at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<EntryToken>,
    /// The marks of what identifies the person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<EntryMark>,
}

impl Entry {
    /// An erasure that has been asked for.
    pub fn asked(by: Asker, at: Micros) -> Self {
        Self {
            state: State::Asked,
            asked_at: at,
            by,
            keeps_texts: false,
            tokens: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The value in `.rules`.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise")
    }

    /// Reads the value; `None`: another release wrote it.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fixed_and_read_back() {
        for (subject, key) in [
            (Subject::Person(7), "erased/person/7"),
            (Subject::Ticket(-1), "erased/ticket/-1"),
            (Subject::Address("ab".into()), "erased/address/ab"),
        ] {
            assert_eq!(subject.key(), key);
            assert_eq!(Subject::parse(key), Some(subject));
        }
        for bad in ["erased/", "erased/person/x", "erased/cat/1", "revision/1"] {
            assert_eq!(Subject::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn values_are_fixed_and_read_back() {
        let mut entry = Entry::asked(Asker::Zendesk, 5);
        assert_eq!(entry.encode(), br#"{"state":"asked","asked_at":5,"by":"zendesk"}"#);
        entry.state = State::Known;
        entry.keeps_texts = true;
        entry.tokens.push(EntryToken {
            class: "email".into(),
            token: "k1_x".into(),
        });
        entry.marks.push(EntryMark {
            mark: "00".into(),
            first: Some(3),
        });
        assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        assert_eq!(Entry::decode(b"{}"), None);
    }
}
