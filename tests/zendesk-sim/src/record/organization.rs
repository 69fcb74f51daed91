//! Organizations.

use std::borrow::Cow;

use serde::Serialize;

use super::user::KeyedValues;
use super::{Link, write_json};
use crate::account::Account;
use crate::cast::Cast;
use crate::ids::mix;
use crate::model::Organization;
use crate::stamp::Stamp;
use crate::text::Prose;

const FIRST: [&str; 8] = [
    "Northwind",
    "Bluefield",
    "Harbour",
    "Quarry",
    "Larch",
    "Meridian",
    "Saltmarsh",
    "Tinder",
];
const SECOND: [&str; 7] = [
    "Logistics",
    "Foods",
    "Instruments",
    "Textiles",
    "Energy",
    "Press",
    "Robotics",
];

#[derive(Serialize)]
struct OrganizationJson<'a> {
    url: Link,
    id: i64,
    name: &'a str,
    shared_tickets: bool,
    shared_comments: bool,
    external_id: Option<String>,
    created_at: Stamp,
    updated_at: Stamp,
    domain_names: Vec<String>,
    details: Option<String>,
    notes: Option<String>,
    group_id: Option<i64>,
    tags: Vec<Cow<'a, str>>,
    organization_fields: KeyedValues<'a>,
    ticket_restriction: &'static str,
    children_count: u32,
    deleted_at: Option<Stamp>,
    /// Stands in no documentation and gives someone away.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_hint: Option<String>,
}

/// The name that an organization begins with; one in nine gives someone away.
pub(crate) fn first_name(cast: &Cast, ordinal: u64) -> String {
    let mixed = mix(ordinal) as usize;
    let name = format!(
        "{} {} {ordinal}",
        FIRST[mixed % FIRST.len()],
        SECOND[mixed / 8 % SECOND.len()]
    );
    match ordinal % 9 {
        4 => format!("{name} ({})", cast.email(person(cast, ordinal))),
        _ => name,
    }
}

/// The customer's own id of an organization, where it has one.
pub(crate) fn external_id(cast: &Cast, organization: &Organization) -> Option<String> {
    let ordinal = organization.ordinal;
    ordinal.is_multiple_of(3).then(|| cast.organization_reference(ordinal))
}

/// Someone who has to do with an organization.
fn person(cast: &Cast, ordinal: u64) -> u32 {
    u32::try_from(mix(ordinal) % u64::from(cast.population.max(1))).expect("below the population")
}

impl Account {
    /// Appends an organization.
    pub(crate) fn write_organization(&self, out: &mut Vec<u8>, row: &Organization) {
        let note = |share: u64| {
            let is_there = mix(row.seed ^ share).is_multiple_of(share);
            is_there.then(|| Prose::new(&self.cast, mix(row.seed ^ share)).note())
        };
        let is_tagged = row.seed.is_multiple_of(11);
        let json = OrganizationJson {
            url: Link("organizations", row.id),
            id: row.id,
            name: &row.name,
            shared_tickets: row.seed.is_multiple_of(4),
            shared_comments: row.seed.is_multiple_of(8),
            external_id: external_id(&self.cast, row),
            created_at: Stamp(row.created_at),
            updated_at: Stamp(row.updated_at),
            domain_names: vec![format!("org-{}.example", row.ordinal)],
            details: note(3),
            notes: note(2),
            group_id: row.group,
            tags: if is_tagged {
                vec![self.cast.email(person(&self.cast, row.ordinal)).into()]
            } else {
                Vec::new()
            },
            organization_fields: KeyedValues {
                fields: self.organization_fields.iter().collect(),
                seed: row.seed,
                as_of: row.updated_at,
                cast: &self.cast,
            },
            ticket_restriction: "organization",
            children_count: 0,
            deleted_at: row.deleted_at.map(Stamp),
            contact_hint: note(7),
        };
        write_json(out, &json);
    }
}
