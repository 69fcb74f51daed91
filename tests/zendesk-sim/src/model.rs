//! What an account holds. How it looks as JSON is the business of `record`.

use serde::{Deserialize, Serialize};

use crate::table::Timed;

/// The collections that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are Zendesk's")]
pub enum Collection {
    Tickets,
    TicketEvents,
    Users,
    Organizations,
    Groups,
    GroupMemberships,
    OrganizationMemberships,
    TicketFields,
    OrganizationFields,
    UserFields,
    TicketForms,
    SlaPolicies,
    TicketSkips,
    SatisfactionRatings,
    AuditLogs,
    Activities,
    TicketMetricEvents,
    /// Their events, which are what is exported.
    SideConversations,
    Brands,
    Macros,
    Triggers,
    Views,
    /// Their entries.
    ConversationLogs,
    Schedules,
}

impl Collection {
    /// Collections that few clients read.
    pub const MORE: [Self; 6] = [
        Self::Brands,
        Self::Macros,
        Self::Triggers,
        Self::Views,
        Self::ConversationLogs,
        Self::Schedules,
    ];

    /// Every collection but those few clients read.
    pub const ALL: [Self; 18] = [
        Self::Tickets,
        Self::TicketEvents,
        Self::Users,
        Self::Organizations,
        Self::Groups,
        Self::GroupMemberships,
        Self::OrganizationMemberships,
        Self::TicketFields,
        Self::OrganizationFields,
        Self::UserFields,
        Self::TicketForms,
        Self::SlaPolicies,
        Self::TicketSkips,
        Self::SatisfactionRatings,
        Self::AuditLogs,
        Self::Activities,
        Self::TicketMetricEvents,
        Self::SideConversations,
    ];

    /// The key of the rows in an answer.
    pub(crate) fn envelope(self) -> &'static str {
        match self {
            Self::TicketSkips => "skips",
            Self::SideConversations => "events",
            named => named.name(),
        }
    }

    /// Zendesk's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::TicketEvents => "ticket_events",
            Self::Users => "users",
            Self::Organizations => "organizations",
            Self::Groups => "groups",
            Self::GroupMemberships => "group_memberships",
            Self::OrganizationMemberships => "organization_memberships",
            Self::TicketFields => "ticket_fields",
            Self::OrganizationFields => "organization_fields",
            Self::UserFields => "user_fields",
            Self::TicketForms => "ticket_forms",
            Self::SlaPolicies => "sla_policies",
            Self::TicketSkips => "ticket_skips",
            Self::SatisfactionRatings => "satisfaction_ratings",
            Self::AuditLogs => "audit_logs",
            Self::Activities => "activities",
            Self::TicketMetricEvents => "ticket_metric_events",
            Self::SideConversations => "side_conversations",
            Self::Brands => "brands",
            Self::Macros => "macros",
            Self::Triggers => "triggers",
            Self::Views => "views",
            Self::ConversationLogs => "conversation_logs",
            Self::Schedules => "schedules",
        }
    }

    /// The id of a record's key: the key itself, or what a UUID ends with.
    pub fn id_of(key: &str) -> Option<i64> {
        crate::ids::id_of(key)
    }

    /// Claims that records have a version of Zendesk's own; of the others every state is told apart.
    pub fn has_versions(self) -> bool {
        self.version_field().is_some()
    }

    /// The field that holds a record's version, a time.
    pub fn version_field(self) -> Option<&'static str> {
        match self {
            Self::Tickets => Some("generated_timestamp"),
            Self::TicketEvents => Some("timestamp"),
            Self::Users | Self::Organizations | Self::SatisfactionRatings | Self::Activities => Some("updated_at"),
            Self::AuditLogs | Self::SideConversations => Some("created_at"),
            Self::TicketMetricEvents => Some("time"),
            _ => None,
        }
    }

    /// Claims that it is a list that is asked for what has changed since a time.
    pub(crate) fn is_window(self) -> bool {
        matches!(self, Self::SatisfactionRatings | Self::AuditLogs | Self::Activities)
    }

    /// Returns the collection of a name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain(Self::MORE);
        all.find(|collection| collection.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    New,
    Open,
    Pending,
    Hold,
    Solved,
    Closed,
    Deleted,
}

impl Status {
    pub(crate) const LIVE: [Self; 6] = [
        Self::New,
        Self::Open,
        Self::Pending,
        Self::Hold,
        Self::Solved,
        Self::Closed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Hold => "hold",
            Self::Solved => "solved",
            Self::Closed => "closed",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Solved | Self::Closed | Self::Deleted)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Web,
    Email,
    Api,
    Voice,
}

/// A ticket. Its texts and custom values are functions of the seeds.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: i64,
    pub(crate) ordinal: u64,
    pub(crate) seed: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// Moves with every change, `updated_at` with those that make an event.
    pub(crate) generated_at: i64,
    pub(crate) status: Status,
    pub(crate) status_before_deletion: Status,
    /// 0 for none, then low to urgent.
    pub(crate) priority: u8,
    /// 0 for none, then question, incident, problem, task.
    pub(crate) kind: u8,
    pub(crate) channel: Channel,
    pub(crate) requester: i64,
    /// The person behind `requester`.
    pub(crate) requester_index: u32,
    pub(crate) assignee: Option<i64>,
    pub(crate) group: Option<i64>,
    pub(crate) organization: Option<i64>,
    pub(crate) followers: Vec<i64>,
    pub(crate) problem: Option<i64>,
    pub(crate) due_at: Option<i64>,
    /// Custom fields that were changed after the creation: field id and new seed.
    pub(crate) changed_fields: Vec<(i64, u64)>,
    pub(crate) has_policy: bool,
    pub(crate) by_ai_agent: bool,
    pub(crate) is_archived: bool,
    pub(crate) is_scrubbed: bool,
    pub(crate) metrics: Metrics,
    /// The thread and the audits, oldest first.
    pub(crate) history: Vec<Happening>,
}

impl Timed for Ticket {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.generated_at
    }
}

impl Ticket {
    /// Claims that it began in messaging: every eighth.
    pub(crate) fn is_messaging(&self) -> bool {
        crate::ids::mix(self.seed ^ 0x3e55).is_multiple_of(8)
    }

    /// Comments of the thread, the description included.
    pub(crate) fn comments(&self) -> usize {
        let is_comment = |happening: &&Happening| matches!(happening.what, What::Comment { .. });
        self.history.iter().filter(is_comment).count()
    }
}

/// What is measured about a ticket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Metrics {
    pub(crate) reopens: u32,
    pub(crate) replies: u32,
    pub(crate) assignee_stations: u32,
    pub(crate) group_stations: u32,
    pub(crate) first_reply_at: Option<i64>,
    pub(crate) first_solved_at: Option<i64>,
    pub(crate) solved_at: Option<i64>,
    pub(crate) status_updated_at: i64,
    pub(crate) assignee_updated_at: Option<i64>,
    pub(crate) requester_updated_at: i64,
    pub(crate) initially_assigned_at: Option<i64>,
    pub(crate) assigned_at: Option<i64>,
    pub(crate) latest_comment_at: i64,
}

/// One entry of a ticket's history; entries of one time and one updater are one audit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happening {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) updater: i64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Comment {
        seed: u64,
        is_public: bool,
        is_redacted: bool,
        /// Its files were taken away.
        is_without_files: bool,
    },
    Status {
        from: Status,
        to: Status,
    },
    Priority {
        from: u8,
        to: u8,
    },
    Assignee {
        to: i64,
    },
    CustomField {
        field: i64,
    },
    Deleted,
    Restored,
    /// A comment's text was taken away.
    Redacted {
        comment: i64,
    },
    /// A comment's file was taken away.
    RedactedFile {
        comment: i64,
        file: i64,
    },
    /// A clock of the ticket's policy moved: an event without parts.
    SlaClock,
}

/// What happened at once to one ticket, by one updater.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    pub(crate) at: i64,
    /// -1 for Zendesk itself.
    pub(crate) updater: i64,
}

impl Timed for Event {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.at
    }
}

/// What a user may do; each may do what the ones before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Asks.
    EndUser,
    /// Answers; reads lists.
    Agent,
    /// Reads incremental exports as well.
    Admin,
}

impl Role {
    /// Zendesk's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EndUser => "end-user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityKind {
    Email,
    PhoneNumber,
    Twitter,
}

/// One address of a user.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) kind: IdentityKind,
    pub(crate) value: String,
    pub(crate) is_primary: bool,
    pub(crate) created_at: i64,
}

/// A user. What is not here is a function of the person's index.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) index: u32,
    pub(crate) role: Role,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) name: String,
    /// Rises with every change of the user's own values.
    pub(crate) revision: u32,
    pub(crate) organization: Option<i64>,
    pub(crate) default_group: Option<i64>,
    pub(crate) is_active: bool,
    pub(crate) is_permanently_deleted: bool,
    pub(crate) is_suspended: bool,
    pub(crate) identities: Vec<Identity>,
}

impl Timed for User {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: i64,
    pub(crate) ordinal: u64,
    pub(crate) seed: u64,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) group: Option<i64>,
}

impl Timed for Organization {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    pub(crate) is_deleted: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Timed for Group {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}

/// A user in a group or in an organization.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) id: i64,
    pub(crate) user: i64,
    /// The group's or the organization's id.
    pub(crate) of: i64,
    pub(crate) is_default: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Timed for Membership {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}

/// A form of tickets, an SLA policy, a brand or a rule. What is not here is a function of the ordinal.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) id: i64,
    pub(crate) ordinal: u64,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) deleted_at: Option<i64>,
}

impl Timed for Setup {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}

/// An agent passed over a ticket.
#[derive(Debug, Clone)]
pub(crate) struct Skip {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    pub(crate) user: i64,
    pub(crate) seed: u64,
    pub(crate) at: i64,
}

impl Timed for Skip {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.at
    }
}

impl Timed for crate::fields::Field {
    fn id(&self) -> i64 {
        self.id
    }
    fn time(&self) -> i64 {
        self.updated_at
    }
}
