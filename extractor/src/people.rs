//! The people and organizations that pages speak of, for the source's people topic.
//!
//! Every value of everyone is published with the page that it came in, changed or not: reading back what is known
//! already would cost more than what compaction removes. What the transformer makes of them it alone knows.

use serde::Deserialize;
use serde_json::Value;
use zenfloe_record::{KnownKind, KnownValue, Owner};

/// A user or an organization, as far as it identifies; whatever has another type than expected says nothing.
#[derive(Deserialize)]
struct Somebody {
    id: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    alias: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    phone: Value,
    #[serde(default)]
    external_id: Value,
    #[serde(default)]
    identities: Value,
}

/// The values of a record's owner; none for records of other collections, and for one that nobody can read.
pub(crate) fn values(collection: &str, json: &[u8]) -> Vec<KnownValue> {
    if !Owner::are(collection) {
        return Vec::new();
    }
    let Ok(somebody) = serde_json::from_slice::<Somebody>(json) else {
        return Vec::new();
    };
    let Some(id) = number(&somebody.id) else {
        return Vec::new();
    };
    let is_user = collection == "users";
    let of = if is_user {
        Owner::User(id)
    } else {
        Owner::Organization(id)
    };
    let mut values = Values { of, all: Vec::new() };
    values.add(KnownKind::Name, &somebody.name);
    values.add(KnownKind::ExternalId, &somebody.external_id);
    if is_user {
        values.add(KnownKind::Name, &somebody.alias);
        values.add(KnownKind::Email, &somebody.email);
        values.add(KnownKind::Phone, &somebody.phone);
        for identity in somebody.identities.as_array().into_iter().flatten() {
            values.add(kind_of(&identity["type"]), &identity["value"]);
        }
    }
    values.all
}

struct Values {
    of: Owner,
    all: Vec<KnownValue>,
}

impl Values {
    fn add(&mut self, kind: KnownKind, value: &Value) {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        let known = KnownValue {
            of: self.of,
            kind,
            value: text,
        };
        if !known.value.is_empty() && !self.all.contains(&known) {
            self.all.push(known);
        }
    }
}

/// What an identity of this type is; the catalog's `user_identities.value` tells the same classes.
fn kind_of(identity: &Value) -> KnownKind {
    match identity.as_str() {
        Some("email" | "google") => KnownKind::Email,
        Some("phone_number" | "agent_forwarding") => KnownKind::Phone,
        _ => KnownKind::Handle,
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(collection: &str, json: &str) -> Vec<(String, String)> {
        let values = values(collection, json.as_bytes()).into_iter();
        values
            .map(|known| {
                (
                    format!("{}{}", known.of.prefix(), known.kind.as_str()),
                    known.value.clone(),
                )
            })
            .collect()
    }

    #[test]
    fn every_value_of_a_user_is_one() {
        let user = r#"{"id":42,"name":" Ann Lee ","alias":"Annie","email":"ann@example.com","phone":"+12025550123",
            "external_id":7,"notes":"x","identities":[{"type":"email","value":"ann@example.com"},
            {"type":"email","value":"lee@example.com"},{"type":"twitter","value":"annlee"},
            {"type":"phone_number","value":"+12025550124"},{"type":"email","value":null},7]}"#;
        let expected = [
            ("user/42/name", "Ann Lee"),
            ("user/42/external_id", "7"),
            ("user/42/name", "Annie"),
            ("user/42/email", "ann@example.com"),
            ("user/42/phone", "+12025550123"),
            ("user/42/email", "lee@example.com"),
            ("user/42/handle", "annlee"),
            ("user/42/phone", "+12025550124"),
        ];
        let expected: Vec<_> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(shown("users", user), expected);
    }

    #[test]
    fn organizations_have_names_and_others_nothing() {
        let organization = r#"{"id":"9","name":"Bluewater Freight","email":"x@y.z","external_id":"b-1"}"#;
        let expected = [
            ("organization/9/name", "Bluewater Freight"),
            ("organization/9/external_id", "b-1"),
        ];
        let expected: Vec<_> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(shown("organizations", organization), expected);
        assert!(shown("tickets", r#"{"id":1,"name":"Ann"}"#).is_empty());
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"id":null,"name":"Ann"}"#,
            r#"{"id":1,"name":["Ann"],"identities":{}}"#,
        ] {
            assert!(shown("users", bad).is_empty(), "{bad}");
        }
    }
}
