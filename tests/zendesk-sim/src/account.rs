//! The account: its rows, its time and its history of changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::beside::{Activity, Audit, MetricEvent, Rating, SideConversation, SideEvent};
use crate::cast::Cast;
use crate::clock::Clock;
use crate::directory::Canary;
use crate::fields::Field;
use crate::ids::Counters;
use crate::model::{Collection, Event, Group, Membership, Organization, Setup, Skip, Ticket, User};
use crate::op::Applied;
use crate::spec::AccountSpec;
use crate::table::Table;

/// A Zendesk account in memory.
///
/// Invariant: equal specifications, anchors and scripts give equal accounts.
#[derive(Debug)]
pub struct Account {
    pub(crate) spec: AccountSpec,
    pub(crate) anchor: i64,
    pub(crate) cast: Cast,
    pub(crate) counters: Counters,
    pub(crate) tickets: Table<Ticket>,
    pub(crate) events: Table<Event>,
    /// The event of each happening.
    pub(crate) event_of: HashMap<i64, i64>,
    pub(crate) users: Table<User>,
    pub(crate) organizations: Table<Organization>,
    pub(crate) groups: Table<Group>,
    pub(crate) group_memberships: Table<Membership>,
    pub(crate) organization_memberships: Table<Membership>,
    pub(crate) ticket_fields: Table<Field>,
    pub(crate) organization_fields: Table<Field>,
    pub(crate) user_fields: Table<Field>,
    pub(crate) forms: Table<Setup>,
    pub(crate) policies: Table<Setup>,
    /// Brands and rules.
    pub(crate) setups: BTreeMap<Collection, Table<Setup>>,
    /// The holidays of each schedule, with the day of each.
    pub(crate) holidays: BTreeMap<i64, BTreeMap<i64, i64>>,
    pub(crate) skips: Table<Skip>,
    pub(crate) ratings: Table<Rating>,
    pub(crate) audits: Table<Audit>,
    pub(crate) activities: Table<Activity>,
    pub(crate) metric_events: Table<MetricEvent>,
    pub(crate) side_conversations: Table<SideConversation>,
    pub(crate) side_events: Table<SideEvent>,
    /// The side conversations of each ticket.
    pub(crate) talks_of: BTreeMap<i64, Vec<i64>>,
    pub(crate) agents: Vec<i64>,
    /// Tickets that are deleted and not yet scrubbed.
    pub(crate) bin: BTreeSet<i64>,
    /// Index of the next new person.
    pub(crate) next_person: u32,
    /// Number of the next new ticket.
    pub(crate) next_ticket: u64,
    /// Number of the next new organization.
    pub(crate) next_organization: u64,
    /// The last state of what has disappeared silently.
    pub(crate) removed: BTreeMap<Collection, BTreeMap<i64, String>>,
    /// Values that people were given after the beginning.
    pub(crate) later_canaries: Vec<Canary>,
    pub(crate) script: Vec<Applied>,
    /// Changes never go back in time.
    pub(crate) last_change: i64,
}

impl Account {
    /// The account's time, whole seconds since 1970.
    pub fn now(&self) -> i64 {
        self.spec.clock.now()
    }

    /// The account's clock.
    pub fn clock(&self) -> &Clock {
        &self.spec.clock
    }

    /// Where the seeded history ends, whole seconds since 1970: with the same anchor, the same
    /// specification makes the same account again.
    pub fn anchor(&self) -> i64 {
        self.anchor
    }

    /// What decides every value.
    pub fn seed(&self) -> u64 {
        self.spec.seed
    }

    /// The newest seconds that ticket exports keep back.
    pub fn hidden_window_seconds(&self) -> u32 {
        self.spec.hidden_window_seconds
    }

    /// Every change since the beginning, in order; [`Account::replay`] repeats them.
    pub fn script(&self) -> &[Applied] {
        &self.script
    }

    /// Rows of a collection, deleted ones included.
    pub fn len(&self, collection: Collection) -> usize {
        match collection {
            Collection::Tickets => self.tickets.len(),
            Collection::TicketEvents => self.events.len(),
            Collection::Users => self.users.len(),
            Collection::Organizations => self.organizations.len(),
            Collection::Groups => self.groups.len(),
            Collection::GroupMemberships => self.group_memberships.len(),
            Collection::OrganizationMemberships => self.organization_memberships.len(),
            Collection::TicketFields => self.ticket_fields.len(),
            Collection::OrganizationFields => self.organization_fields.len(),
            Collection::UserFields => self.user_fields.len(),
            Collection::TicketForms => self.forms.len(),
            Collection::SlaPolicies => self.policies.len(),
            Collection::TicketSkips => self.skips.len(),
            Collection::SatisfactionRatings => self.ratings.len(),
            Collection::AuditLogs => self.audits.len(),
            Collection::Activities => self.activities.len(),
            Collection::TicketMetricEvents => self.metric_events.len(),
            Collection::SideConversations => self.side_events.len(),
            Collection::Brands
            | Collection::Macros
            | Collection::Triggers
            | Collection::Views
            | Collection::Schedules => self.setups.get(&collection).map_or(0, Table::len),
            Collection::ConversationLogs => self.ids(collection).len(),
        }
    }

    /// Seconds before this one are shown by ticket exports.
    pub(crate) fn tickets_until(&self) -> i64 {
        self.now() - i64::from(self.spec.hidden_window_seconds)
    }

    pub(crate) fn memberships(&self, collection: Collection) -> &Table<Membership> {
        match collection {
            Collection::GroupMemberships => &self.group_memberships,
            _ => &self.organization_memberships,
        }
    }
}
