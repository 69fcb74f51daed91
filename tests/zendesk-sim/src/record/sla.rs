//! SLA clocks: they move with the account's time, without any change of the ticket.

use serde::Serialize;

use crate::model::{Status, Ticket};
use crate::stamp::Stamp;

/// The sideload `slas` of one ticket.
#[derive(Debug, Serialize)]
pub(crate) struct SlasJson {
    policy_metrics: Vec<PolicyMetric>,
}

/// One clock; exactly one of `minutes`, `hours` and `days` is there, negative once breached.
#[derive(Debug, PartialEq, Serialize)]
struct PolicyMetric {
    breach_at: Option<Stamp>,
    stage: &'static str,
    metric: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<i64>,
}

/// Seconds of the units in which clocks are shown.
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// What a clock does.
enum Stage {
    Active,
    /// Stands since a second.
    Paused(i64),
    /// Stopped at a second.
    Achieved(i64),
}

impl SlasJson {
    /// The clocks of a ticket at a time; empty without a policy.
    pub(crate) fn new(ticket: &Ticket, now: i64) -> Self {
        let mut policy_metrics = Vec::new();
        if ticket.has_policy && ticket.status != Status::Deleted {
            let clock = |name, begin, target: i64, unit, stage| metric(name, begin + target * unit, unit, stage, now);
            let weight = i64::from(5 - ticket.priority.max(1));
            policy_metrics.push(clock(
                "first_reply_time",
                ticket.created_at,
                30 * weight,
                MINUTE,
                first_reply(ticket),
            ));
            policy_metrics.push(clock(
                "requester_wait_time",
                ticket.created_at,
                8 * weight,
                HOUR,
                pausable(ticket),
            ));
            policy_metrics.push(clock(
                "total_resolution_time",
                ticket.created_at,
                2 * weight,
                DAY,
                total(ticket),
            ));
            if ticket.metrics.replies > 0 && ticket.status == Status::Open {
                let asked = ticket.metrics.latest_comment_at;
                policy_metrics.push(clock("next_reply_time", asked, 60 * weight, MINUTE, Stage::Active));
            }
            if ticket.priority > 3 {
                policy_metrics.push(clock("agent_work_time", ticket.created_at, 4, HOUR, pausable(ticket)));
            }
        }
        Self { policy_metrics }
    }
}

fn metric(name: &'static str, breach_at: i64, unit: i64, stage: Stage, now: i64) -> PolicyMetric {
    let (stage, at, is_active) = match stage {
        Stage::Active => ("active", now, true),
        Stage::Paused(at) => ("paused", at, false),
        Stage::Achieved(at) => ("achieved", at, false),
    };
    let left = (breach_at - at).div_euclid(unit);
    PolicyMetric {
        breach_at: is_active.then_some(Stamp(breach_at)),
        stage,
        metric: name,
        minutes: (unit == MINUTE).then_some(left),
        hours: (unit == HOUR).then_some(left),
        days: (unit == DAY).then_some(left),
    }
}

fn first_reply(ticket: &Ticket) -> Stage {
    match ticket.metrics.first_reply_at {
        Some(at) => Stage::Achieved(at),
        None => total(ticket),
    }
}

fn total(ticket: &Ticket) -> Stage {
    if ticket.status.is_over() {
        Stage::Achieved(ticket.metrics.status_updated_at)
    } else {
        Stage::Active
    }
}

fn pausable(ticket: &Ticket) -> Stage {
    match ticket.status {
        Status::Pending | Status::Hold => Stage::Paused(ticket.metrics.status_updated_at),
        _ => total(ticket),
    }
}
