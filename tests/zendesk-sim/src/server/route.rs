//! Which endpoint a path means.

use super::bucket::Bucket;
use crate::model::Collection;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    ExportByCursor(Collection),
    ExportByTime(Collection),
    List(Collection),
    ShowMany,
    Ticket(i64),
    Comments(i64),
    SideConversations(i64),
    ConversationLog(i64),
    Holidays(i64),
    Me,
    CurrentToken,
    Settings,
    Token,
    Authorize,
    /// The simulator's own, behind `/_sim/`.
    Control,
    Unknown,
}

/// The path without a trailing `.json`.
pub(crate) fn bare(path: &str) -> &str {
    path.strip_suffix(".json").unwrap_or(path)
}

impl Route {
    /// Reads a bare path.
    pub(crate) fn of(path: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["_sim", ..] => Self::Control,
            ["oauth", "tokens"] => Self::Token,
            ["oauth", "authorizations", "new"] => Self::Authorize,
            ["api", "v2", rest @ ..] => Self::of_api(rest),
            _ => Self::Unknown,
        }
    }

    fn of_api(segments: &[&str]) -> Self {
        match segments {
            ["incremental", "tickets", "cursor"] => Self::ExportByCursor(Collection::Tickets),
            ["incremental", "users", "cursor"] => Self::ExportByCursor(Collection::Users),
            ["incremental", "tickets"] => Self::ExportByTime(Collection::Tickets),
            ["incremental", "users"] => Self::ExportByTime(Collection::Users),
            ["incremental", "ticket_events"] => Self::ExportByTime(Collection::TicketEvents),
            ["incremental", "organizations"] => Self::ExportByTime(Collection::Organizations),
            ["incremental", "ticket_metric_events"] => Self::ExportByTime(Collection::TicketMetricEvents),
            ["tickets", "side_conversations", "events"] => Self::ExportByTime(Collection::SideConversations),
            ["tickets", id, "conversation_log"] => id.parse().map_or(Self::Unknown, Self::ConversationLog),
            ["tickets", id, "side_conversations"] => id.parse().map_or(Self::Unknown, Self::SideConversations),
            ["tickets", "show_many"] => Self::ShowMany,
            ["tickets", id, "comments"] => id.parse().map_or(Self::Unknown, Self::Comments),
            ["tickets", id] => id.parse().map_or(Self::Unknown, Self::Ticket),
            ["users", "me"] => Self::Me,
            ["oauth", "tokens", "current"] => Self::CurrentToken,
            ["account", "settings"] => Self::Settings,
            ["slas", "policies"] => Self::List(Collection::SlaPolicies),
            ["business_hours", "schedules"] => Self::List(Collection::Schedules),
            ["business_hours", "schedules", id, "holidays"] => id.parse().map_or(Self::Unknown, Self::Holidays),
            ["skips"] => Self::List(Collection::TicketSkips),
            // Their addresses are others than their names.
            ["ticket_events" | "sla_policies" | "ticket_skips"] => Self::Unknown,
            ["ticket_metric_events" | "side_conversations" | "conversation_logs" | "schedules"] => Self::Unknown,
            [name] => Collection::named(name).map_or(Self::Unknown, Self::List),
            _ => Self::Unknown,
        }
    }

    /// The bucket in which requests count; none for those that count nowhere.
    pub(crate) fn bucket(self) -> Option<Bucket> {
        match self {
            Self::ExportByCursor(Collection::Users) => Some(Bucket::IncrementalExportsCursor),
            Self::ExportByTime(Collection::SideConversations) => Some(Bucket::SideConversationEvents),
            Self::ExportByCursor(_) | Self::ExportByTime(_) => Some(Bucket::IncrementalExports),
            Self::List(Collection::Tickets) => Some(Bucket::TicketsIndex),
            Self::Token | Self::Authorize | Self::Control => None,
            _ => Some(Bucket::Account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let check = |path: &str, route: Route| assert_eq!(Route::of(bare(path)), route, "{path}");
        check(
            "/api/v2/incremental/tickets/cursor.json",
            Route::ExportByCursor(Collection::Tickets),
        );
        check(
            "/api/v2/incremental/organizations",
            Route::ExportByTime(Collection::Organizations),
        );
        check("/api/v2/incremental/organizations/cursor", Route::Unknown);
        check("/api/v2/groups.json", Route::List(Collection::Groups));
        check("/api/v2/tickets/show_many.json", Route::ShowMany);
        check("/api/v2/tickets/17.json", Route::Ticket(17));
        check("/api/v2/audit_logs", Route::List(Collection::AuditLogs));
        check("/api/v2/tickets/17/side_conversations", Route::SideConversations(17));
        check("/api/v2/side_conversations", Route::Unknown);
        check("/api/v2/slas/policies", Route::List(Collection::SlaPolicies));
        check("/api/v2/sla_policies", Route::Unknown);
        check("/oauth/tokens", Route::Token);
        check("/_sim/requests", Route::Control);
        check("/", Route::Unknown);
    }
}
