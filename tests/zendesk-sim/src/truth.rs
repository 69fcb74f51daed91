//! What the account really holds, for row-by-row comparison.

use std::sync::Arc;

use crate::account::Account;
use crate::beside::Moment;
use crate::model::{Collection, Status};
use crate::record::Form;
use crate::server::Shared;
use crate::table::Table;

/// The latest state of one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Truth {
    /// The record's id.
    pub id: i64,
    /// Its version in whole seconds since 1970 ([`Collection::version_field`]); none of lists.
    pub version: Option<i64>,
    /// The record itself says that it is deleted.
    pub is_deleted: bool,
    /// The record has disappeared silently; `json` is its last state.
    pub is_removed: bool,
    /// It hangs on a ticket that is scrubbed: nobody who was told so keeps anything of it.
    pub is_wiped: bool,
    /// The record with its sideloads (`metric_set` and `slas` of tickets, `identities` of users, the creator
    /// of ticket fields, the side conversation with the newest of its events), the SLA clocks as they were last served.
    pub json: String,
}

/// The records of a collection by id, those that have disappeared behind the others.
///
/// Rows are read as they are asked for: stop the changes first.
pub struct Records {
    shared: Arc<Shared>,
    collection: Collection,
    ids: std::vec::IntoIter<i64>,
    removed: std::vec::IntoIter<(i64, String)>,
}

impl Records {
    pub(crate) fn new(shared: Arc<Shared>, collection: Collection) -> Self {
        let (ids, removed) = {
            let account = shared.read();
            let removed = account.removed.get(&collection).into_iter().flatten();
            let removed: Vec<_> = removed.map(|(id, json)| (*id, json.clone())).collect();
            (account.ids(collection), removed)
        };
        Self {
            shared,
            collection,
            ids: ids.into_iter(),
            removed: removed.into_iter(),
        }
    }

    fn present(&self, id: i64) -> Option<Truth> {
        let account = self.shared.read();
        let served_at = self
            .shared
            .ledger()
            .slas_served_at(id, account.version(Collection::Tickets, id));
        let mut json = Vec::new();
        let as_of = served_at.unwrap_or_else(|| account.now());
        account
            .write_record(&mut json, self.collection, id, &Form::WHOLE, as_of)
            .then(|| Truth {
                id,
                version: account.version(self.collection, id),
                is_deleted: account.is_deleted(self.collection, id),
                is_removed: false,
                is_wiped: account.is_wiped(self.collection, id),
                json: String::from_utf8(json).expect("JSON is text"),
            })
    }
}

impl Iterator for Records {
    type Item = Truth;

    fn next(&mut self) -> Option<Truth> {
        while let Some(id) = self.ids.next() {
            if let Some(truth) = self.present(id) {
                return Some(truth);
            }
        }
        self.removed.next().map(|(id, json)| Truth {
            id,
            version: None,
            is_deleted: false,
            is_removed: true,
            is_wiped: false,
            json,
        })
    }
}

impl Account {
    /// The ids of all rows, in order.
    pub(crate) fn ids(&self, collection: Collection) -> Vec<i64> {
        match collection {
            Collection::Tickets => self.tickets.ids(),
            Collection::TicketEvents => self.events.ids(),
            Collection::Users => self.users.ids(),
            Collection::Organizations => self.organizations.ids(),
            Collection::Groups => self.groups.ids(),
            Collection::GroupMemberships => self.group_memberships.ids(),
            Collection::OrganizationMemberships => self.organization_memberships.ids(),
            Collection::TicketFields => self.ticket_fields.ids(),
            Collection::OrganizationFields => self.organization_fields.ids(),
            Collection::UserFields => self.user_fields.ids(),
            Collection::TicketForms => self.forms.ids(),
            Collection::SlaPolicies => self.policies.ids(),
            Collection::TicketSkips => self.skips.ids(),
            Collection::SatisfactionRatings => self.ratings.ids(),
            Collection::AuditLogs => self.audits.ids(),
            Collection::Activities => self.activities.ids(),
            Collection::TicketMetricEvents => self.metric_events.ids(),
            Collection::SideConversations => self.side_events.ids(),
            Collection::Brands
            | Collection::Macros
            | Collection::Triggers
            | Collection::Views
            | Collection::Schedules => self.setups.get(&collection).map(Table::ids).unwrap_or_default(),
            Collection::ConversationLogs => self.entries(),
        }
    }

    /// A record's version, where the collection has one.
    pub(crate) fn version(&self, collection: Collection, id: i64) -> Option<i64> {
        match collection {
            Collection::Tickets => self.tickets.get(id).map(|row| row.generated_at),
            Collection::TicketEvents => self.events.get(id).map(|row| row.at),
            Collection::Users => self.users.get(id).map(|row| row.updated_at),
            Collection::Organizations => self.organizations.get(id).map(|row| row.updated_at),
            Collection::SatisfactionRatings => self.ratings.get(id).map(|row| row.updated_at),
            Collection::AuditLogs => self.audits.get(id).map(|row| row.at),
            Collection::Activities => self.activities.get(id).map(|row| row.at),
            Collection::TicketMetricEvents => self.metric_events.get(id).map(|row| row.at),
            Collection::SideConversations => self.side_events.get(id).map(|row| row.at),
            _ => None,
        }
    }

    /// Claims that a record hangs on a ticket that is scrubbed.
    fn is_wiped(&self, collection: Collection, id: i64) -> bool {
        let ticket = match collection {
            Collection::TicketEvents => self.events.get(id).map(|row| row.ticket),
            Collection::TicketSkips => self.skips.get(id).map(|row| row.ticket),
            Collection::SatisfactionRatings => self.ratings.get(id).map(|row| row.ticket),
            Collection::SideConversations => self.side_events.get(id).map(|row| row.ticket),
            Collection::TicketMetricEvents => self.metric_events.get(id).map(|row| row.ticket),
            Collection::Activities => self.activities.get(id).map(|row| row.ticket),
            _ => None,
        };
        let ticket = ticket.and_then(|ticket| self.tickets.get(ticket));
        ticket.is_some_and(|ticket| ticket.is_scrubbed)
    }

    /// Claims that a record says of itself that it is deleted.
    pub(crate) fn is_deleted(&self, collection: Collection, id: i64) -> bool {
        match collection {
            Collection::Tickets => self.tickets.get(id).is_some_and(|row| row.status == Status::Deleted),
            Collection::Users => self.users.get(id).is_some_and(|row| !row.is_active),
            Collection::Organizations => self.organizations.get(id).is_some_and(|row| row.deleted_at.is_some()),
            Collection::Groups => self.groups.get(id).is_some_and(|row| row.is_deleted),
            Collection::TicketForms => self.forms.get(id).is_some_and(|row| row.deleted_at.is_some()),
            Collection::Brands => {
                let row = self.setups.get(&collection).and_then(|rows| rows.get(id));
                row.is_some_and(|row| row.deleted_at.is_some())
            }
            Collection::TicketMetricEvents => {
                let row = self.metric_events.get(id);
                row.is_some_and(|row| matches!(row.what, Moment::Breach { is_void: true }))
            }
            _ => false,
        }
    }
}
