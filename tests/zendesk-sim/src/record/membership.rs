//! Memberships of groups and organizations.

use serde::Serialize;

use super::{Link, write_json};
use crate::account::Account;
use crate::model::Membership;
use crate::stamp::Stamp;

#[derive(Serialize)]
pub(super) struct GroupMembershipJson {
    url: Link,
    id: i64,
    user_id: i64,
    group_id: i64,
    default: bool,
    created_at: Stamp,
    /// Some rows have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Stamp>,
}

impl GroupMembershipJson {
    pub(super) fn new(row: &Membership) -> Self {
        Self {
            url: Link("group_memberships", row.id),
            id: row.id,
            user_id: row.user,
            group_id: row.of,
            default: row.is_default,
            created_at: Stamp(row.created_at),
            updated_at: (row.id % 5 != 0).then_some(Stamp(row.updated_at)),
        }
    }
}

#[derive(Serialize)]
struct OrganizationMembershipJson<'a> {
    url: Link,
    id: i64,
    user_id: i64,
    organization_id: i64,
    /// True or null.
    default: Option<bool>,
    created_at: Stamp,
    organization_name: Option<&'a str>,
    updated_at: Stamp,
    view_tickets: bool,
}

impl Account {
    /// Appends a membership of an organization, with the organization's present name.
    pub(super) fn write_organization_membership(&self, out: &mut Vec<u8>, row: &Membership) {
        let json = OrganizationMembershipJson {
            url: Link("organization_memberships", row.id),
            id: row.id,
            user_id: row.user,
            organization_id: row.of,
            default: row.is_default.then_some(true),
            created_at: Stamp(row.created_at),
            organization_name: self.organizations.get(row.of).map(|of| of.name.as_str()),
            updated_at: Stamp(row.updated_at),
            view_tickets: row.id % 3 == 0,
        };
        write_json(out, &json);
    }
}
