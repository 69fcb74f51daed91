use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Malformed;

/// Whose a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The user of this id.
    User(i64),
    /// The organization of this id.
    Organization(i64),
}

/// What a value of somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownKind {
    /// A name or alias.
    Name,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A name in a social network or messenger.
    Handle,
    /// The customer's own id.
    ExternalId,
}

/// A value that somebody has, or has had: one record of a source's people topic.
///
/// The topic is compacted, and each value of an owner is a record of its own, so that who writes never reads back and
/// what somebody was called before stays known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownValue {
    /// Whose it is.
    pub of: Owner,
    /// What it is.
    pub kind: KnownKind,
    /// The value as Zendesk gave it.
    pub value: String,
}

impl Owner {
    /// Claims that the records of a collection are owners.
    pub fn are(collection: &str) -> bool {
        matches!(collection, "users" | "organizations")
    }

    /// What the Kafka keys of all values of the owner begin with.
    pub fn prefix(self) -> String {
        match self {
            Self::User(id) => format!("user/{id}/"),
            Self::Organization(id) => format!("organization/{id}/"),
        }
    }

    /// The owner that a Kafka key of the topic speaks of; `None` for other records.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let (kind, rest) = std::str::from_utf8(key).ok()?.split_once('/')?;
        let id = rest.split('/').next()?.parse().ok()?;
        match kind {
            "user" => Some(Self::User(id)),
            "organization" => Some(Self::Organization(id)),
            _ => None,
        }
    }
}

impl KnownKind {
    /// The name in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Handle => "handle",
            Self::ExternalId => "external_id",
        }
    }
}

impl KnownValue {
    /// What the value is sealed for.
    pub const PURPOSE: &'static str = "people";

    /// The Kafka key; `digest` is a keyed one of [`KnownValue::digested`], as the value itself is personal.
    pub fn key(&self, digest: &[u8; 32]) -> Vec<u8> {
        let mut key = format!("{}{}/", self.of.prefix(), self.kind.as_str());
        for byte in &digest[..16] {
            key.push_str(&format!("{byte:02x}"));
        }
        key.into_bytes()
    }

    /// What the key's digest is of.
    pub fn digested(&self) -> Vec<u8> {
        format!("{}\0{}", self.kind.as_str(), self.value).into_bytes()
    }

    /// The value before it is sealed.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise")
    }

    /// Reads an opened value.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(value).map_err(|_| Malformed::Value("a record of the people topic"))
    }

    /// The key of the record which says that all of a collection's people have been written once.
    pub fn complete_key(collection: &str) -> String {
        format!("complete/{collection}")
    }

    /// The collection that such a key is of.
    pub fn complete_of(key: &[u8]) -> Option<&str> {
        std::str::from_utf8(key).ok()?.strip_prefix("complete/")
    }
}

/// Prints no value.
impl fmt::Debug for KnownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "KnownValue({:?}, {}, {} bytes)",
            self.of,
            self.kind.as_str(),
            self.value.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_form() {
        let known = KnownValue {
            of: Owner::User(42),
            kind: KnownKind::Email,
            value: "ann@example.com".into(),
        };
        let key = known.key(&[0xab; 32]);
        assert_eq!(key, format!("user/42/email/{}", "ab".repeat(16)).as_bytes());
        assert_eq!(Owner::of_key(&key), Some(Owner::User(42)));
        assert!(key.starts_with(known.of.prefix().as_bytes()));
        let written = known.encode();
        assert_eq!(
            written,
            br#"{"of":{"user":42},"kind":"email","value":"ann@example.com"}"#
        );
        assert_eq!(KnownValue::decode(&written), Ok(known.clone()));
        assert_eq!(known.digested(), b"email\0ann@example.com");
        assert!(!format!("{known:?}").contains("ann@"));
        assert!(KnownValue::decode(b"{}").is_err());
    }

    #[test]
    fn marks_of_a_complete_pass_are_nobodys() {
        let key = KnownValue::complete_key("users");
        assert_eq!(KnownValue::complete_of(key.as_bytes()), Some("users"));
        assert_eq!(Owner::of_key(key.as_bytes()), None);
        assert_eq!(KnownValue::complete_of(b"user/42/name/00"), None);
        assert_eq!(Owner::of_key(b"organization/-7/name/00"), Some(Owner::Organization(-7)));
    }
}
