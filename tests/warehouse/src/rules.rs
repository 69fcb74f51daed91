//! What the catalog does not say of its tables: which values a column may have, what a view adds, which tables the
//! views in Fivetran's shape read beyond those that are on by default.

/// Texts that a column may have: table, column, texts. Sets that Zendesk may extend are warned about only.
pub const VALUES: [Values; 12] = [
    closed(
        "tickets",
        "status",
        &["new", "open", "pending", "hold", "solved", "closed", "deleted"],
    ),
    closed("tickets", "priority", &["urgent", "high", "normal", "low"]),
    closed("tickets", "type", &["problem", "incident", "question", "task"]),
    closed("users", "role", &["end-user", "agent", "admin"]),
    closed("ticket_slas", "first_reply_time_stage", STAGES),
    closed("ticket_slas", "next_reply_time_stage", STAGES),
    closed("ticket_slas", "periodic_update_time_stage", STAGES),
    closed("ticket_slas", "pausable_update_time_stage", STAGES),
    closed("ticket_slas", "requester_wait_time_stage", STAGES),
    closed("ticket_slas", "agent_work_time_stage", STAGES),
    closed("ticket_slas", "total_resolution_time_stage", STAGES),
    open("ticket_comments", "type", &["Comment", "VoiceComment"]),
];

const STAGES: &[&str] = &["active", "paused", "achieved"];

/// See [`VALUES`].
#[derive(Debug)]
pub struct Values {
    /// The table.
    pub table: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The texts; null is always allowed.
    pub texts: &'static [&'static str],
    /// Another text fails the test.
    pub is_closed: bool,
}

const fn closed(table: &'static str, column: &'static str, texts: &'static [&'static str]) -> Values {
    Values {
        table,
        column,
        texts,
        is_closed: true,
    }
}

const fn open(table: &'static str, column: &'static str, texts: &'static [&'static str]) -> Values {
    Values {
        table,
        column,
        texts,
        is_closed: false,
    }
}

/// The table whose `id` a column of this name holds.
#[must_use]
pub fn refers_to(column: &str) -> Option<&'static str> {
    Some(match column {
        "ticket_id" | "problem_id" => "tickets",
        "user_id" | "requester_id" | "submitter_id" | "assignee_id" | "author_id" | "updater_id" => "users",
        "organization_id" => "organizations",
        "group_id" | "default_group_id" => "groups",
        "comment_id" => "ticket_comments",
        _ => return None,
    })
}

/// Tables whose rows come out of the record that they refer to: a row without it is a fault, not a delay.
pub const OF_ONE_RECORD: [(&str, &str); 4] = [
    ("attachments", "comment_id"),
    ("ticket_metrics", "ticket_id"),
    ("ticket_slas", "ticket_id"),
    ("user_identities", "user_id"),
];

/// Columns that a view adds to its table's: table, column, what it is.
pub const ADDED: [(&str, &str, &str); 8] = [
    ("tickets", "is_solved", "The ticket is solved or closed. [none: clear]"),
    ("tickets", "is_assigned", "An agent works on it. [none: clear]"),
    ("tickets", "tag_count", "Number of tags. [none: clear]"),
    (
        "ticket_metrics",
        "full_resolution_hours",
        "Hours to the last solution, calendar hours. [none: clear]",
    ),
    (
        "ticket_metrics",
        "first_reply_hours",
        "Hours to the first reply, calendar hours. [none: clear]",
    ),
    (
        "ticket_slas",
        "is_breached",
        "A clock that still runs or pauses is past its breach. [none: clear]",
    ),
    ("users", "is_agent", "The user is an agent or an admin. [none: clear]"),
    (
        "ticket_fields",
        "column_name",
        "The column of `tickets` that holds the field's values, where it has one. [none: clear]",
    ),
];

/// Tables that grow all day: when nothing arrives in them, the pipeline stands still.
pub const BUSY: [&str; 4] = ["tickets", "ticket_metrics", "ticket_events", "ticket_comments"];

/// Tables that the views in Fivetran's shape read and that are not on by default, or not collected at all.
pub const FOR_FIVETRAN: [&str; 3] = ["brands", "schedule_holidays", "schedules"];
