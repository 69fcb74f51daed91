//! What changes leave behind, beside the tickets and settings that they change.

use crate::account::Account;
use crate::beside::{Activity, Audit, Given, MetricEvent, Moment, Rating, Said, SideConversation, SideEvent};
use crate::ids::{Kind, mix};
use crate::model::{Collection, Status, Ticket, What};
use crate::op::{Op, OpError, missing, refused};

const DAY: i64 = 86_400;
/// Notices are made of what happened so long before the end of the seeded history, and ever after: older ones are served
/// to nobody, and never were.
const NOTICED: i64 = 20 * DAY;
/// A rating may be given or changed so long after it was offered; the list finds it by the day of its offer alone.
const RATED_WITHIN: i64 = 29 * DAY;
/// Events of side conversations are there to be seen after so long.
const SETTLES_WITHIN: i64 = 240;
/// Every so manieth live ticket of the seeded history has a side conversation.
const TALKS: usize = 50;

impl Account {
    /// Notes what a happening of a ticket leaves behind; its metrics are those before it.
    pub(crate) fn leave_trail(&mut self, ticket: &Ticket, at: i64, updater: i64, what: &What) {
        let is_first = ticket.history.is_empty();
        match *what {
            What::Comment { .. } if is_first => self.begin_clocks(ticket, at),
            What::Comment { is_public, .. } if updater != ticket.requester => {
                self.notice(ticket, at, updater);
                if is_public && ticket.metrics.first_reply_at.is_none() {
                    self.end_reply_clock(ticket, at);
                }
            }
            What::Status { to: Status::Solved, .. } => {
                let instance = ticket.metrics.reopens + 1;
                self.end_clock(ticket, "resolution_time", instance, at);
                self.offer_rating(ticket, at);
            }
            _ => {}
        }
    }

    fn tick(&mut self, ticket: &Ticket, metric: &'static str, what: Moment, instance: u32, at: i64) {
        let id = self.counters.give(Kind::MetricEvent);
        self.metric_events.put(MetricEvent {
            id,
            ticket: ticket.id,
            metric,
            what,
            instance,
            at,
        });
    }

    fn begin_clocks(&mut self, ticket: &Ticket, at: i64) {
        self.tick(ticket, "reply_time", Moment::Activate, 1, at);
        if ticket.has_policy {
            self.tick(ticket, "reply_time", Moment::ApplySla, 1, at);
        }
    }

    /// The first answer ends the clock; a breach that was ahead is void, one that lies behind stays.
    fn end_reply_clock(&mut self, ticket: &Ticket, at: i64) {
        if ticket.has_policy && mix(ticket.seed ^ 0xb4ea).is_multiple_of(3) {
            let is_void = mix(ticket.seed ^ 0xb4eb).is_multiple_of(2);
            self.tick(ticket, "reply_time", Moment::Breach { is_void }, 1, at);
        }
        self.end_clock(ticket, "reply_time", 1, at);
    }

    fn end_clock(&mut self, ticket: &Ticket, metric: &'static str, instance: u32, at: i64) {
        let minutes = (at - ticket.created_at) / 60;
        self.tick(ticket, metric, Moment::Fulfill, instance, at);
        self.tick(ticket, metric, Moment::UpdateStatus { minutes }, instance, at);
    }

    /// Tells the agent whose credentials are used what another one did.
    fn notice(&mut self, ticket: &Ticket, at: i64, updater: i64) {
        let reader = self.agents.first().copied();
        let actor_index = self.users.get(updater).map(|user| user.index);
        let (Some(actor_index), true) = (actor_index, at > self.anchor - NOTICED && reader != Some(updater)) else {
            return;
        };
        let id = self.counters.give(Kind::Activity);
        self.activities.put(Activity {
            id,
            ticket: ticket.id,
            actor: updater,
            actor_index,
            verb: "tickets.comment",
            at,
        });
    }

    /// Every other requester is asked for a rating when the ticket is solved.
    fn offer_rating(&mut self, ticket: &Ticket, at: i64) {
        if mix(ticket.seed ^ at.unsigned_abs()).is_multiple_of(2) {
            return;
        }
        let id = self.counters.give(Kind::SatisfactionRating);
        self.ratings.put(Rating {
            id,
            ticket: ticket.id,
            requester: ticket.requester,
            assignee: ticket.assignee,
            group: ticket.group,
            given: None,
            created_at: at,
            updated_at: at,
        });
    }

    /// Two of three ratings of the seeded history were given within a day.
    pub(crate) fn seed_ratings(&mut self, end: i64) {
        for id in self.ratings.ids() {
            let seed = mix(id.unsigned_abs());
            if seed.is_multiple_of(3) {
                continue;
            }
            self.ratings.change(id, |rating| {
                rating.given = Some(Given::of(seed));
                rating.updated_at = (rating.created_at + 60 + seed as i64 % DAY).min(end);
            });
        }
    }

    pub(crate) fn rate(&mut self, at: i64, id: i64, seed: u64) -> Result<i64, OpError> {
        let rating = self.ratings.get(id).ok_or(missing("rating", id))?;
        if at > rating.created_at + RATED_WITHIN {
            return Err(refused("rating", id, "too old to be changed"));
        }
        self.ratings.change(id, |rating| {
            rating.given = Some(Given::of(seed));
            rating.updated_at = at;
        });
        Ok(id)
    }

    /// The seeded history of the settings: one change for each hundred tickets, and some.
    pub(crate) fn seed_audits(&mut self, start: i64, end: i64) {
        let count = 40 + i64::from(self.spec.tickets) / 100;
        let groups = self.groups.ids();
        for number in 0..count {
            let seed = mix(number as u64);
            let at = start + (end - start) * number / count;
            let group = groups[seed as usize % groups.len()];
            self.note_setting("group", group, "update", at);
        }
    }

    /// Notes a change of the settings in the audit log.
    pub(crate) fn note_op(&mut self, op: &Op, id: i64, at: i64) {
        let (source_type, action) = match op {
            Op::RenameGroup { .. } => ("group", "update"),
            Op::DeleteGroup { .. } => ("group", "destroy"),
            Op::AddTicketField {} => ("ticket_field", "create"),
            Op::RenameTicketField { .. } => ("ticket_field", "update"),
            Op::RemoveTicketField { .. } => ("ticket_field", "destroy"),
            Op::RenameTicketForm { .. } => ("ticket_form", "update"),
            Op::DeleteTicketForm { .. } => ("ticket_form", "destroy"),
            Op::RenameSlaPolicy { .. } => ("sla_policy", "update"),
            Op::RemoveSlaPolicy { .. } => ("sla_policy", "destroy"),
            _ => return,
        };
        self.note_setting(source_type, id, action, at);
    }

    fn note_setting(&mut self, source_type: &'static str, source: i64, action: &'static str, at: i64) {
        let id = self.counters.give(Kind::Audit);
        let seed = mix(id.unsigned_abs());
        let actor = self.agents[seed as usize % self.agents.len()];
        let label = match self.groups.get(source) {
            Some(group) => format!("Group: {}", group.name),
            None => format!("{source_type} {source}"),
        };
        self.audits.put(Audit {
            id,
            actor,
            actor_index: self.users.get(actor).map_or(0, |user| user.index),
            action,
            source,
            source_type,
            label,
            seed,
            at,
        });
    }

    /// One more day off, which the schedule itself does not tell.
    pub(crate) fn add_holiday(&mut self, schedule: i64) -> i64 {
        let id = self.counters.give(Kind::Holiday);
        let day = 20_600 + id % 400;
        self.holidays.entry(schedule).or_default().insert(id, day);
        id
    }

    /// Side conversations beside some of the tickets that are there to stay; all of them have settled.
    pub(crate) fn seed_side_conversations(&mut self, end: i64) {
        let end = end - SETTLES_WITHIN;
        let is_kept = |ticket: &&Ticket| ticket.status != Status::Deleted && ticket.created_at + 3_600 < end;
        let kept = self.tickets.iter().filter(is_kept).step_by(TALKS);
        let talked: Vec<(i64, i64)> = kept.map(|ticket| (ticket.id, ticket.created_at)).collect();
        for (number, (ticket, at)) in talked.into_iter().enumerate() {
            let seed = mix(number as u64 ^ 0x51de);
            let after = |hours: i64| (at + hours * 3_600).min(end);
            let id = self.begin_side_conversation(after(1), ticket, seed);
            for reply in 0..seed as i64 % 3 {
                self.say(
                    after(2 + reply),
                    id,
                    Said::Reply {
                        seed: mix(seed ^ reply as u64),
                    },
                );
            }
            if number % 3 == 1 {
                self.say(after(9), id, Said::Close);
            }
        }
    }

    pub(crate) fn start_side_conversation(&mut self, at: i64, ticket: i64, seed: u64) -> Result<i64, OpError> {
        self.tickets.get(ticket).ok_or(missing("ticket", ticket))?;
        if self.is_deleted(Collection::Tickets, ticket) {
            return Err(refused("ticket", ticket, "deleted"));
        }
        Ok(self.begin_side_conversation(at, ticket, seed))
    }

    fn begin_side_conversation(&mut self, at: i64, ticket: i64, seed: u64) -> i64 {
        let id = self.counters.give(Kind::SideConversation);
        self.side_conversations.put(SideConversation {
            id,
            ticket,
            seed,
            is_closed: false,
            last_message: seed,
            message_at: at,
            state_at: at,
            created_at: at,
            updated_at: 0,
            millis: 0,
            last_event: 0,
        });
        self.talks_of.entry(ticket).or_default().push(id);
        self.say(at, id, Said::Create { seed });
        id
    }

    /// Goes on with a side conversation, which must be open and of a ticket that is there.
    pub(crate) fn go_on(&mut self, at: i64, id: i64, what: Said) -> Result<i64, OpError> {
        let held = self
            .side_conversations
            .get(id)
            .ok_or(missing("side conversation", id))?;
        if held.is_closed {
            return Err(refused("side conversation", id, "closed"));
        }
        if self.is_deleted(Collection::Tickets, held.ticket) {
            return Err(refused("side conversation", id, "of a deleted ticket"));
        }
        self.say(at, id, what);
        Ok(id)
    }

    fn say(&mut self, at: i64, conversation: i64, what: Said) {
        let id = self.counters.give(Kind::SideEvent);
        let Some(held) = self.side_conversations.get(conversation) else {
            return;
        };
        let millis = match held.updated_at == at {
            true => held.millis + 1,
            false => id % 400,
        };
        self.side_events.put(SideEvent {
            id,
            conversation,
            ticket: held.ticket,
            what,
            at,
            millis,
        });
        self.side_conversations.change(conversation, |held| {
            held.last_event = id;
            held.millis = millis;
            held.updated_at = at;
            match what {
                Said::Create { seed } | Said::Reply { seed } => (held.last_message, held.message_at) = (seed, at),
                Said::Close => (held.is_closed, held.state_at) = (true, at),
            }
        });
    }
}

impl Given {
    fn of(seed: u64) -> Self {
        Self {
            is_good: !seed.is_multiple_of(4),
            seed,
        }
    }
}
