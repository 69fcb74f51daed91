//! What is measured about a ticket. Like the ticket, it is a function of the last change alone.

use serde::Serialize;

use super::Link;
use crate::ids::{self, Kind, mix};
use crate::model::{Status, Ticket};
use crate::stamp::Stamp;

/// A metric set as it stands in a ticket and in the answer's own array.
#[derive(Serialize)]
pub(crate) struct MetricSetJson {
    url: Link,
    id: i64,
    ticket_id: i64,
    created_at: Stamp,
    /// Moves with comments, not with status or stations.
    updated_at: Stamp,
    group_stations: u32,
    assignee_stations: u32,
    reopens: u32,
    replies: u32,
    assignee_updated_at: Option<Stamp>,
    requester_updated_at: Stamp,
    status_updated_at: Stamp,
    initially_assigned_at: Option<Stamp>,
    assigned_at: Option<Stamp>,
    solved_at: Option<Stamp>,
    latest_comment_added_at: Stamp,
    custom_status_updated_at: Stamp,
    reply_time_in_minutes: Span,
    first_resolution_time_in_minutes: Span,
    full_resolution_time_in_minutes: Span,
    agent_wait_time_in_minutes: Span,
    requester_wait_time_in_minutes: Span,
    on_hold_time_in_minutes: Span,
    reply_time_in_seconds: Seconds,
}

#[derive(Serialize)]
struct Span {
    calendar: Option<i64>,
    business: Option<i64>,
}

impl Span {
    fn new(minutes: Option<i64>) -> Self {
        // Offices are open for two fifths of the time.
        Self {
            calendar: minutes,
            business: minutes.map(|minutes| minutes * 2 / 5),
        }
    }
}

/// Without `business`, and filled for messaging alone.
#[derive(Serialize)]
struct Seconds {
    calendar: Option<i64>,
}

impl MetricSetJson {
    pub(crate) fn new(ticket: &Ticket) -> Self {
        let metrics = &ticket.metrics;
        let id = ids::id(Kind::MetricSet, ticket.ordinal);
        let since_creation = |at: Option<i64>| Span::new(at.map(|at| (at - ticket.created_at) / 60));
        let waited = mix(ticket.seed ^ 0x3a17) as i64 & 0x7fff;
        let worked_on = metrics.replies > 0;
        Self {
            url: Link("ticket_metrics", id),
            id,
            ticket_id: ticket.id,
            created_at: Stamp(ticket.created_at),
            updated_at: Stamp(metrics.latest_comment_at),
            group_stations: metrics.group_stations,
            assignee_stations: metrics.assignee_stations,
            reopens: metrics.reopens,
            replies: metrics.replies,
            assignee_updated_at: metrics.assignee_updated_at.map(Stamp),
            requester_updated_at: Stamp(metrics.requester_updated_at),
            status_updated_at: Stamp(metrics.status_updated_at),
            initially_assigned_at: metrics.initially_assigned_at.map(Stamp),
            assigned_at: metrics.assigned_at.map(Stamp),
            solved_at: metrics.solved_at.map(Stamp),
            latest_comment_added_at: Stamp(metrics.latest_comment_at),
            custom_status_updated_at: Stamp(metrics.status_updated_at),
            reply_time_in_minutes: since_creation(metrics.first_reply_at),
            first_resolution_time_in_minutes: since_creation(metrics.first_solved_at),
            full_resolution_time_in_minutes: since_creation(metrics.solved_at),
            agent_wait_time_in_minutes: Span::new(worked_on.then_some(waited / 3)),
            requester_wait_time_in_minutes: Span::new(worked_on.then_some(waited)),
            on_hold_time_in_minutes: Span::new(Some(if ticket.status == Status::Hold { waited / 7 } else { 0 })),
            reply_time_in_seconds: Seconds { calendar: None },
        }
    }
}
