//! How records look as JSON: every field that Zendesk shows, and one that nobody knows.

use serde::{Serialize, Serializer};

use crate::account::Account;
use crate::model::Collection;

mod beside;
pub(crate) mod event;
pub(crate) mod field;
mod group;
mod identity;
mod log;
mod membership;
mod metric_set;
pub(crate) mod organization;
mod setup;
mod sla;
pub(crate) mod ticket;
mod user;

pub(crate) use identity::{IdentityJson, identities};
pub(crate) use metric_set::MetricSetJson;

/// Where records say that they live, whatever address they are asked at.
const HOME: &str = "https://simulated.zendesk.com/api/v2";

/// Which optional parts a record carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// `generated_timestamp`, which exports alone show.
    pub(crate) generated: bool,
    pub(crate) metric_set: bool,
    pub(crate) slas: bool,
    pub(crate) dates: bool,
    pub(crate) comment_count: bool,
    pub(crate) incident_count: bool,
    /// `permanently_deleted`, which exports alone show.
    pub(crate) permanently_deleted: bool,
    /// The identities within the user: Zendesk never sends it so, the truth is told so.
    pub(crate) identities: bool,
    /// Who made a ticket field.
    pub(crate) creator: bool,
    /// Comments within the events, instead of a mark.
    pub(crate) comment_events: bool,
    /// The side conversation within its newest event: Zendesk never sends it so, the truth is told so.
    pub(crate) conversations: bool,
}

impl Form {
    /// What a client of the exports and full lists puts together of one record.
    pub(crate) const WHOLE: Self = Self {
        generated: true,
        metric_set: true,
        slas: true,
        dates: false,
        comment_count: false,
        incident_count: false,
        permanently_deleted: true,
        identities: true,
        creator: true,
        comment_events: true,
        conversations: true,
    };
}

impl Account {
    /// Returns a record as it is now, with its sideloads.
    pub fn json(&self, collection: Collection, id: i64) -> Option<String> {
        let mut out = Vec::new();
        let is_there = self.write_record(&mut out, collection, id, &Form::WHOLE, self.now());
        is_there.then(|| String::from_utf8(out).expect("JSON is text"))
    }

    /// Appends a record as it looks at a time (whole seconds since 1970); returns false where there is none.
    pub(crate) fn write_record(
        &self,
        out: &mut Vec<u8>,
        collection: Collection,
        id: i64,
        form: &Form,
        now: i64,
    ) -> bool {
        match collection {
            Collection::Tickets => self.tickets.get(id).map(|row| self.write_ticket(out, row, form, now)),
            Collection::TicketEvents => {
                let row = self.events.get(id);
                row.map(|row| self.write_event(out, row, form.comment_events))
            }
            Collection::Users => self.users.get(id).map(|row| self.write_user(out, row, form)),
            Collection::Organizations => self.organizations.get(id).map(|row| self.write_organization(out, row)),
            Collection::Groups => self.groups.get(id).map(|row| self.write_group(out, row)),
            Collection::GroupMemberships => self
                .group_memberships
                .get(id)
                .map(|row| write_json(out, &membership::GroupMembershipJson::new(row))),
            Collection::OrganizationMemberships => {
                let row = self.organization_memberships.get(id);
                row.map(|row| self.write_organization_membership(out, row))
            }
            Collection::TicketFields => self
                .ticket_fields
                .get(id)
                .map(|row| self.write_ticket_field(out, row, form)),
            Collection::UserFields => {
                let row = self.user_fields.get(id);
                row.map(|row| write_json(out, &field::KeyedFieldJson::new("user_fields", row)))
            }
            Collection::TicketForms => self.forms.get(id).map(|row| self.write_form(out, row)),
            Collection::SlaPolicies => self.policies.get(id).map(|row| self.write_policy(out, row)),
            Collection::TicketSkips => self.skips.get(id).map(|row| self.write_skip(out, row)),
            Collection::SatisfactionRatings => self.ratings.get(id).map(|row| self.write_rating(out, row)),
            Collection::AuditLogs => self.audits.get(id).map(|row| self.write_audit(out, row)),
            Collection::Activities => self.activities.get(id).map(|row| self.write_activity(out, row)),
            Collection::TicketMetricEvents => {
                let row = self.metric_events.get(id);
                row.map(|row| self.write_metric_event(out, row))
            }
            Collection::Brands
            | Collection::Macros
            | Collection::Triggers
            | Collection::Views
            | Collection::Schedules => {
                let row = self.setups.get(&collection).and_then(|rows| rows.get(id));
                row.map(|row| self.write_setup(out, collection, row))
            }
            Collection::ConversationLogs => self.write_entry(out, id),
            Collection::SideConversations => {
                let row = self.side_events.get(id);
                row.map(|row| self.write_side_event(out, row, form))
            }
            Collection::OrganizationFields => {
                let row = self.organization_fields.get(id);
                row.map(|row| write_json(out, &field::KeyedFieldJson::new("organization_fields", row)))
            }
        }
        .is_some()
    }
}

/// Appends a value as JSON.
pub(crate) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("plain data goes into memory");
}

/// A record's own address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link(pub(crate) &'static str, pub(crate) i64);

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{HOME}/{}/{}.json", self.0, self.1))
    }
}
