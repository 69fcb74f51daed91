//! The addresses of users.

use serde::Serialize;

use super::Link;
use crate::ids::BRAND;
use crate::model::{Identity, IdentityKind, User};
use crate::stamp::Stamp;

/// An identity as it stands in the answer's own array.
#[derive(Serialize)]
pub(crate) struct IdentityJson<'a> {
    url: Link,
    id: i64,
    user_id: i64,
    r#type: &'static str,
    value: &'a str,
    verified: bool,
    primary: bool,
    created_at: Stamp,
    updated_at: Stamp,
    verified_at: Option<Stamp>,
    verification_method: &'static str,
    brand_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undeliverable_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliverable_state: Option<&'static str>,
}

/// All identities of a user.
pub(crate) fn identities(user: &User) -> impl Iterator<Item = IdentityJson<'_>> {
    user.identities
        .iter()
        .map(|identity| IdentityJson::new(user.id, identity))
}

impl<'a> IdentityJson<'a> {
    fn new(user_id: i64, identity: &'a Identity) -> Self {
        let is_email = identity.kind == IdentityKind::Email;
        let is_verified = is_email && identity.is_primary;
        Self {
            url: Link("identities", identity.id),
            id: identity.id,
            user_id,
            r#type: match identity.kind {
                IdentityKind::Email => "email",
                IdentityKind::PhoneNumber => "phone_number",
                IdentityKind::Twitter => "twitter",
            },
            value: &identity.value,
            verified: is_verified,
            primary: identity.is_primary,
            created_at: Stamp(identity.created_at),
            updated_at: Stamp(identity.created_at),
            verified_at: is_verified.then_some(Stamp(identity.created_at)),
            verification_method: if is_verified { "low" } else { "none" },
            brand_id: is_email.then_some(BRAND),
            undeliverable_count: is_email.then_some(0),
            deliverable_state: is_email.then_some("deliverable"),
        }
    }
}
