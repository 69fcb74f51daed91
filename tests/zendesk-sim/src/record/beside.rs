//! Ratings, notices, moments of clocks, side conversations and the audit log.

use serde_json::{Value, json};

use super::{Form, HOME, write_json};
use crate::account::Account;
use crate::beside::{Activity, Audit, MetricEvent, Moment, Rating, Said, SideConversation, SideEvent};
use crate::ids::{Kind, id, key_of, mix};
use crate::model::Collection;
use crate::stamp::{Fine, Stamp};
use crate::text::Prose;

const REASONS: [&str; 3] = [
    "The issue took too long to resolve",
    "The issue was not resolved",
    "The agent's knowledge is unsatisfactory",
];

impl Account {
    /// Appends a rating.
    pub(super) fn write_rating(&self, out: &mut Vec<u8>, rating: &Rating) {
        let words = rating.given.filter(|given| given.seed.is_multiple_of(2));
        let score = match rating.given.map(|given| given.is_good) {
            None => "offered",
            Some(true) => "good",
            Some(false) => "bad",
        };
        let reason = rating
            .given
            .filter(|given| !given.is_good)
            .map(|given| given.seed as usize % REASONS.len());
        let json = json!({
            "url": format!("{HOME}/satisfaction_ratings/{}.json", rating.id), "id": rating.id,
            "ticket_id": rating.ticket, "requester_id": rating.requester, "assignee_id": rating.assignee,
            "group_id": rating.group, "score": score,
            "comment": words.map(|given| Prose::new(&self.cast, given.seed).note()),
            "reason": reason.map(|reason| REASONS[reason]),
            "reason_id": reason.map(|reason| id(Kind::Constant, 100 + reason as u64)),
            "reason_code": reason.map(|reason| 5 + reason),
            "created_at": Stamp(rating.created_at), "updated_at": Stamp(rating.updated_at),
        });
        write_json(out, &json);
    }

    /// Appends an entry of the audit log; what Zendesk does by itself comes from no address.
    pub(super) fn write_audit(&self, out: &mut Vec<u8>, audit: &Audit) {
        let is_system = audit.seed.is_multiple_of(5);
        let json = json!({
            "url": format!("{HOME}/audit_logs/{}.json", audit.id), "id": audit.id,
            "actor_id": if is_system { -1 } else { audit.actor },
            "actor_name": if is_system { "Zendesk".to_owned() } else { self.cast.name(audit.actor_index) },
            "source_id": audit.source, "source_type": audit.source_type, "source_label": audit.label,
            "action": audit.action, "action_label": format!("{}d", audit.action.trim_end_matches('e')),
            "change_description": Prose::new(&self.cast, audit.seed).note(),
            "ip_address": (!is_system).then(|| self.cast.ip(audit.actor_index)),
            "created_at": Stamp(audit.at),
        });
        write_json(out, &json);
    }

    /// Appends a notice, with the people and the ticket within, as they were then.
    pub(super) fn write_activity(&self, out: &mut Vec<u8>, activity: &Activity) {
        let reader = self.agents.first().copied().unwrap_or_default();
        let someone = |id: i64, index: u32| {
            json!({
                "id": id, "url": format!("{HOME}/users/{id}.json"), "name": self.cast.name(index),
                "email": self.cast.email(index), "phone": self.cast.phone(index), "role": "agent", "active": true,
            })
        };
        let ticket =
            json!({"id": activity.ticket, "subject": Prose::new(&self.cast, activity.id.unsigned_abs()).subject()});
        let json = json!({
            "url": format!("{HOME}/activities/{}.json", activity.id), "id": activity.id, "verb": activity.verb,
            "title": format!("{} commented on ticket #{}", self.cast.name(activity.actor_index), activity.ticket),
            "user_id": reader, "actor_id": activity.actor,
            "user": someone(reader, 0), "actor": someone(activity.actor, activity.actor_index),
            "object": {"comment": {"value": Prose::new(&self.cast, activity.id.unsigned_abs()).note(), "public": true}},
            "target": {"ticket": ticket},
            "created_at": Stamp(activity.at), "updated_at": Stamp(activity.at),
        });
        write_json(out, &json);
    }

    /// Appends a moment of a clock.
    pub(super) fn write_metric_event(&self, out: &mut Vec<u8>, event: &MetricEvent) {
        let kind = match event.what {
            Moment::Activate => "activate",
            Moment::ApplySla => "apply_sla",
            Moment::Breach { .. } => "breach",
            Moment::Fulfill => "fulfill",
            Moment::UpdateStatus { .. } => "update_status",
        };
        let mut json = json!({
            "id": event.id, "ticket_id": event.ticket, "metric": event.metric, "instance_id": event.instance,
            "type": kind, "time": Stamp(event.at),
        });
        match event.what {
            Moment::ApplySla => json["sla"] = self.promise(event),
            Moment::Breach { is_void } => json["deleted"] = is_void.into(),
            Moment::UpdateStatus { minutes } => json["status"] = json!({"calendar": minutes, "business": minutes / 3}),
            Moment::Activate | Moment::Fulfill => {}
        }
        write_json(out, &json);
    }

    /// What a policy promised, by the title that it had then.
    fn promise(&self, event: &MetricEvent) -> Value {
        let minutes = 30 + 30 * (mix(event.id.unsigned_abs()) % 4);
        json!({
            "target": minutes, "target_in_seconds": minutes * 60, "business_hours": minutes == 60,
            "policy": {"id": id(Kind::Policy, 0), "title": "Incidents", "description": "For what cannot wait"},
        })
    }

    /// Appends an event of a side conversation; the newest one tells of the conversation as well where that is asked for.
    pub(super) fn write_side_event(&self, out: &mut Vec<u8>, event: &SideEvent, form: &Form) {
        let conversation = self.side_conversations.get(event.conversation);
        let subject = self.side_subject(event.conversation);
        let mut json = json!({
            "id": key_of(event.id), "side_conversation_id": key_of(event.conversation), "ticket_id": event.ticket,
            "type": "update", "actor": self.talker(event.ticket, 0), "via": "support", "created_at": Fine(event.at, event.millis),
            "message": null, "updates": {},
            "url": format!("{HOME}/tickets/{}/side_conversations/{}/events/{}.json", event.ticket, key_of(event.conversation), key_of(event.id)),
        });
        match event.what {
            Said::Create { seed } => {
                json["type"] = "create".into();
                json["message"] = self.message(event.ticket, seed, &subject, [0, 1]);
            }
            Said::Reply { seed } => {
                json["type"] = "reply".into();
                json["via"] = "email".into();
                json["actor"] = self.talker(event.ticket, 1);
                json["message"] = self.message(event.ticket, seed, &subject, [1, 0]);
            }
            Said::Close => json["updates"] = json!({"state": "closed"}),
        }
        let newest = conversation.filter(|held| form.conversations && held.last_event == event.id);
        if let Some(held) = newest.filter(|held| !self.is_deleted(Collection::Tickets, held.ticket)) {
            json["side_conversations"] = json!([self.side_conversation(held)]);
        }
        write_json(out, &json);
    }

    /// A side conversation as its ticket's list shows it.
    pub(crate) fn side_conversation(&self, held: &SideConversation) -> Value {
        json!({
            "url": format!("{HOME}/tickets/{}/side_conversations/{}.json", held.ticket, key_of(held.id)),
            "id": key_of(held.id), "ticket_id": held.ticket, "subject": self.side_subject(held.id),
            "preview_text": Prose::new(&self.cast, held.last_message).note(),
            "state": if held.is_closed { "closed" } else { "open" },
            "participants": [self.talker(held.ticket, 0), self.talker(held.ticket, 1)],
            "external_ids": {}, "created_at": Fine(held.created_at, 0), "updated_at": Fine(held.updated_at, held.millis),
            "message_added_at": Fine(held.message_at, 0), "state_updated_at": Fine(held.state_at, 0),
        })
    }

    fn side_subject(&self, conversation: i64) -> String {
        let seed = self.side_conversations.get(conversation).map_or(0, |held| held.seed);
        Prose::new(&self.cast, seed).subject()
    }

    /// One of the two who talk beside a ticket: an agent, and a colleague who writes from a mailbox.
    fn talker(&self, ticket: i64, which: usize) -> Value {
        let agent = self.agents[(mix(ticket.unsigned_abs()) as usize + which) % self.agents.len()];
        let index = self.users.get(agent).map_or(0, |user| user.index);
        match which {
            0 => json!({"user_id": agent, "name": self.cast.name(index), "email": self.cast.email(index)}),
            _ => json!({"user_id": null, "name": self.cast.name(index), "email": self.cast.email(index)}),
        }
    }

    fn message(&self, ticket: i64, seed: u64, subject: &str, [from, to]: [usize; 2]) -> Value {
        let text = Prose::new(&self.cast, seed).note();
        json!({
            "subject": subject, "preview_text": text, "body": text, "html_body": format!("<div dir=\"auto\">{text}</div>"),
            "from": self.talker(ticket, from), "to": [self.talker(ticket, to)], "external_ids": {}, "attachments": [],
        })
    }
}
