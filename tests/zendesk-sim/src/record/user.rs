//! Users.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Form, IdentityJson, Link, identities, write_json};
use crate::account::Account;
use crate::cast::Cast;
use crate::fields::{self, Field};
use crate::ids::{self, CUSTOM_ROLE, Kind, mix};
use crate::model::{IdentityKind, Role, User};
use crate::stamp::Stamp;
use crate::text::Prose;

#[derive(Serialize)]
struct UserJson<'a> {
    id: i64,
    url: Link,
    name: &'a str,
    email: Option<&'a str>,
    created_at: Stamp,
    updated_at: Stamp,
    time_zone: &'static str,
    iana_time_zone: &'static str,
    phone: Option<&'a str>,
    shared_phone_number: Option<bool>,
    photo: Option<Photo>,
    remote_photo_url: Option<String>,
    locale_id: i64,
    locale: &'static str,
    organization_id: Option<i64>,
    role: &'static str,
    verified: bool,
    external_id: Option<String>,
    tags: Vec<Cow<'a, str>>,
    alias: Option<String>,
    active: bool,
    shared: bool,
    shared_agent: bool,
    last_login_at: Option<Stamp>,
    two_factor_auth_enabled: Option<bool>,
    signature: Option<String>,
    details: Option<String>,
    notes: Option<String>,
    role_type: Option<i64>,
    custom_role_id: Option<i64>,
    moderator: bool,
    ticket_restriction: Option<&'static str>,
    only_private_comments: bool,
    restricted_agent: bool,
    suspended: bool,
    suspension_details: Option<()>,
    chat_only: bool,
    default_group_id: Option<i64>,
    report_csv: bool,
    is_billing_admin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    permanently_deleted: Option<bool>,
    user_fields: KeyedValues<'a>,
    /// Stands in no documentation and gives someone away.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identities: Option<Vec<IdentityJson<'a>>>,
}

#[derive(Serialize)]
struct Photo {
    #[serde(flatten)]
    picture: Picture,
    thumbnails: [Picture; 1],
}

#[derive(Serialize)]
struct Picture {
    url: Link,
    id: i64,
    file_name: &'static str,
    content_url: String,
    mapped_content_url: String,
    content_type: &'static str,
    size: u32,
    width: u32,
    height: u32,
    inline: bool,
    deleted: bool,
}

/// Values of custom fields under their keys.
pub(super) struct KeyedValues<'a> {
    pub(super) fields: Vec<&'a Field>,
    pub(super) seed: u64,
    /// When the record last changed: nobody has filled in a field that is newer.
    pub(super) as_of: i64,
    pub(super) cast: &'a Cast,
}

impl Serialize for KeyedValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for field in &self.fields {
            if field.created_at > self.as_of {
                map.serialize_entry(&field.key, &())?;
            } else {
                map.serialize_entry(&field.key, &fields::value(field, self.seed, self.cast))?;
            }
        }
        map.end()
    }
}

impl Account {
    /// Appends a user.
    pub(crate) fn write_user(&self, out: &mut Vec<u8>, user: &User, form: &Form) {
        let (cast, index) = (&self.cast, user.index);
        let seed = mix(u64::from(index) << 32 | u64::from(user.revision));
        let is_agent = user.role != Role::EndUser;
        let is_known = !user.is_permanently_deleted;
        let has = |share: u64| is_known && mix(u64::from(index) ^ share << 8).is_multiple_of(share);
        let json = UserJson {
            id: user.id,
            url: Link("users", user.id),
            name: &user.name,
            email: user.primary(IdentityKind::Email),
            created_at: Stamp(user.created_at),
            updated_at: Stamp(user.updated_at),
            time_zone: "Eastern Time (US & Canada)",
            iana_time_zone: "America/New_York",
            phone: user.primary(IdentityKind::PhoneNumber),
            shared_phone_number: user.primary(IdentityKind::PhoneNumber).map(|_| false),
            photo: has(3).then(|| photo(cast, index)),
            remote_photo_url: has(3).then(|| cast.photo_url(index)),
            locale_id: 1,
            locale: "en-US",
            organization_id: user.organization,
            role: user.role.name(),
            verified: user.primary(IdentityKind::Email).is_some(),
            external_id: has(2).then(|| cast.external_id(index)),
            tags: self.user_tags(user),
            alias: has(4).then(|| cast.alias(index)),
            active: user.is_active,
            shared: false,
            shared_agent: false,
            last_login_at: (is_agent && user.is_active).then_some(Stamp(user.updated_at)),
            two_factor_auth_enabled: is_agent.then_some(true),
            signature: (is_agent && is_known).then(|| signature(cast, index)),
            details: (is_known && Cast::is_talked_about(index)).then(|| cast.address(index)),
            notes: has(2).then(|| Prose::new(cast, seed).note()),
            role_type: is_agent.then_some(if user.role == Role::Admin { 4 } else { 0 }),
            custom_role_id: is_agent.then_some(CUSTOM_ROLE),
            moderator: is_agent,
            ticket_restriction: (!is_agent).then_some("requested"),
            only_private_comments: false,
            restricted_agent: !is_agent,
            suspended: user.is_suspended,
            suspension_details: None,
            chat_only: false,
            default_group_id: user.default_group,
            report_csv: is_agent,
            is_billing_admin: user.role == Role::Admin,
            permanently_deleted: form.permanently_deleted.then_some(user.is_permanently_deleted),
            user_fields: KeyedValues {
                fields: if is_known {
                    self.user_fields.iter().collect()
                } else {
                    Vec::new()
                },
                seed,
                as_of: user.updated_at,
                cast,
            },
            contact_hint: has(16).then(|| Prose::new(cast, mix(seed)).note()),
            identities: form.identities.then(|| identities(user).collect()),
        };
        write_json(out, &json);
    }

    fn user_tags(&self, user: &User) -> Vec<Cow<'static, str>> {
        match mix(u64::from(user.index)) % 12 {
            _ if user.is_permanently_deleted => Vec::new(),
            0 => vec!["vip".into(), "newsletter".into()],
            1 => vec![self.cast.second_email(user.index).into()],
            2..5 => vec!["wholesale".into()],
            _ => Vec::new(),
        }
    }
}

fn signature(cast: &Cast, index: u32) -> String {
    format!("Kind regards\n{} | {}", cast.email(index), cast.spoken_phone(index))
}

fn photo(cast: &Cast, index: u32) -> Photo {
    let picture = |place: u64, edge| {
        let id = ids::id(Kind::Photo, u64::from(index) * 2 + place);
        Picture {
            url: Link("attachments", id),
            id,
            file_name: "portrait.jpg",
            content_url: cast.photo_url(index),
            mapped_content_url: cast.photo_url(index),
            content_type: "image/jpeg",
            size: edge * 64,
            width: edge,
            height: edge,
            inline: false,
            deleted: false,
        }
    };
    Photo {
        picture: picture(0, 80),
        thumbnails: [picture(1, 32)],
    }
}
