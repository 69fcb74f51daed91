//! Events of tickets, their comments and attachments.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{HOME, write_json};
use crate::account::Account;
use crate::ids::mix;
use crate::model::{Event, Happening, Status, Ticket, What};
use crate::stamp::Stamp;
use crate::text::Prose;

/// Stands in the place of what was redacted, as in Zendesk.
const REDACTED: &str = "▇▇▇▇▇▇";
/// Ids of what hangs on a happening are its own, so much higher each.
const PART: i64 = 1_000_000_000_000;
/// The first of the parts that are events of their own.
const FIRST_CHANGE: i64 = 2;
/// The first of the parts that are attachments.
const FIRST_ATTACHMENT: i64 = 7;

/// Every fourth comment has a file, some have two.
pub(crate) fn files(seed: u64) -> i64 {
    match mix(seed ^ 0xa77) % 16 {
        0..=2 => 1,
        3 => 2,
        _ => 0,
    }
}

/// The id of a comment's file.
pub(crate) fn file_of(comment: i64, number: i64) -> i64 {
    comment + PART * (FIRST_ATTACHMENT + number)
}

impl Event {
    /// The id of the event that begins with a happening.
    pub(crate) fn id_of(first: i64) -> i64 {
        first + PART
    }
}

impl Account {
    /// Appends an event; comments are shown as they are now, and as a mark only where they are not asked for.
    pub(crate) fn write_event(&self, out: &mut Vec<u8>, event: &Event, with_comments: bool) {
        let Some(ticket) = self.tickets.get(event.ticket) else {
            return;
        };
        let children: Vec<Value> = self
            .happenings(ticket, event)
            .flat_map(|happening| self.children(ticket, event, happening, with_comments))
            .collect();
        let is_system = event.updater < 0;
        let user = self.users.get(event.updater);
        let system = user.map(|user| {
            json!({
                "client": "Mozilla/5.0 (X11; Linux x86_64)", "ip_address": self.cast.ip(user.index),
                "location": "Springfield, United States", "latitude": 39.8, "longitude": -89.6,
            })
        });
        let shown = |name: &str| system.as_ref().map_or(Value::Null, |system| system[name].clone());
        write_json(
            out,
            &json!({
                "id": event.id, "ticket_id": event.ticket, "timestamp": event.at, "created_at": Stamp(event.at),
                "updater_id": event.updater,
                "via": if is_system { "SLA" } else { "Web service" },
                "system": {
                    "client": shown("client"), "location": shown("location"),
                    "latitude": shown("latitude"), "longitude": shown("longitude"),
                },
                "metadata": if is_system { json!({"system": {}, "parent_audit_id": event.id.to_string()}) } else {
                    json!({"system": system, "custom": {}})
                },
                "event_type": "Audit", "child_events": children,
            }),
        );
    }

    /// What happened at once.
    fn happenings<'t>(&self, ticket: &'t Ticket, event: &Event) -> impl Iterator<Item = &'t Happening> {
        let (at, updater) = (event.at, event.updater);
        let rest = ticket.history.iter().skip_while({
            let first = event.id - PART;
            move |happening| happening.id != first
        });
        rest.take_while(move |happening| happening.at == at && happening.updater == updater)
    }

    fn children(&self, ticket: &Ticket, event: &Event, happening: &Happening, with_comments: bool) -> Vec<Value> {
        let id = happening.id;
        let change = |field: &str, to: Value, from: Value| {
            let mut child = json!({
                "id": id, "event_type": "Change", "via": "Web service", "via_reference_id": null, "previous_value": from,
            });
            child[field] = to;
            vec![child]
        };
        match happening.what {
            What::Comment { is_public, .. } if !with_comments => vec![json!({
                "id": id, "event_type": "Comment", "via": "Web service", "via_reference_id": null,
                "comment_present": true, "comment_public": is_public,
            })],
            What::Comment { .. } => {
                let is_first = ticket.history.first().is_some_and(|first| first.id == id);
                let mut comment = self.comment(ticket, event.id, happening);
                comment["event_type"] = "Comment".into();
                let mut children = vec![comment];
                if is_first {
                    children.extend(self.creation(ticket, id));
                }
                children
            }
            What::Status { from, to } => change("status", to.name().into(), from.name().into()),
            What::Priority { from, to } => change("priority", priority(to), priority(from)),
            What::Assignee { to } => change("assignee_id", to.into(), Value::Null),
            What::CustomField { field } => {
                let mut values = Map::new();
                values.insert(field.to_string(), "set".into());
                change("custom_ticket_fields", Value::Object(values), Value::Null)
            }
            What::Deleted => change("status", Status::Deleted.name().into(), Value::Null),
            What::Restored => change(
                "status",
                ticket.status_before_deletion.name().into(),
                Status::Deleted.name().into(),
            ),
            What::Redacted { comment } => vec![json!({
                "id": id, "event_type": "CommentRedactionEvent", "via": "Web service", "via_reference_id": null,
                "comment_id": comment,
            })],
            What::RedactedFile { comment, file } => vec![json!({
                "id": id, "event_type": "AttachmentRedactionEvent", "via": "Web service", "via_reference_id": null,
                "attachment_id": file, "comment_id": comment,
            })],
            What::SlaClock => Vec::new(),
        }
    }

    /// What a new ticket was made with, some ids as texts.
    fn creation(&self, ticket: &Ticket, first: i64) -> Vec<Value> {
        let (subject, _) = self.words(ticket);
        let fields: [(&str, Value); 5] = [
            ("subject", Value::from(subject.into_owned())),
            ("status", "new".into()),
            ("requester_id", ticket.requester.into()),
            ("brand_id", crate::ids::BRAND.to_string().into()),
            ("tags", json!(["created", self.cast.email(ticket.requester_index)])),
        ];
        let child = |(part, (field, value)): (usize, (&str, Value))| {
            let id = first + PART * (FIRST_CHANGE + part as i64);
            let mut child = json!({"id": id, "event_type": "Create", "via": "Web service", "via_reference_id": null});
            child[field] = value;
            child
        };
        fields.into_iter().enumerate().map(child).collect()
    }

    /// A comment as the thread shows it.
    fn comment(&self, ticket: &Ticket, audit: i64, happening: &Happening) -> Value {
        let What::Comment {
            seed,
            is_public,
            is_redacted,
            is_without_files,
        } = happening.what
        else {
            return Value::Null;
        };
        let text: Cow<'_, str> = match (ticket.is_scrubbed, is_redacted) {
            (true, _) => "X".into(),
            (_, true) => REDACTED.into(),
            _ => Prose::new(&self.cast, seed).comment().into(),
        };
        let is_requesters = happening.updater == ticket.requester;
        let via = if is_requesters {
            serde_json::to_value(self.via(ticket)).unwrap_or_default()
        } else {
            json!({"channel": "web", "source": {"from": {}, "to": {}, "rel": null}})
        };
        json!({
            "id": happening.id, "type": "Comment", "author_id": happening.updater, "body": text,
            "html_body": format!("<div class=\"zd-comment\"><p>{text}</p></div>"), "plain_body": text,
            "public": is_public, "attachments": self.attachments(ticket, happening, seed, is_without_files), "audit_id": audit, "via": via,
            "created_at": Stamp(happening.at), "via_reference_id": null,
        })
    }

    /// The files of a comment; in the place of one that was taken away an empty text is left.
    fn attachments(&self, ticket: &Ticket, happening: &Happening, seed: u64, is_redacted: bool) -> Vec<Value> {
        let count = if ticket.is_scrubbed { 0 } else { files(seed) };
        let file = |number: i64| {
            let is_left = !(is_redacted && number == 0);
            let id = file_of(happening.id, number);
            let name = if is_left {
                format!("screenshot-{number}.png")
            } else {
                "redacted.txt".into()
            };
            let content = format!(
                "https://simulated.zendesk.com/attachments/token/{:016x}/?name={name}",
                mix(seed)
            );
            json!({
                "id": id, "url": format!("{HOME}/attachments/{id}.json"), "file_name": name,
                "content_url": content, "mapped_content_url": content,
                "content_type": if is_left { "image/png" } else { "text/plain" },
                "size": if is_left { 1_024 + mix(seed) % 100_000 } else { 1 },
                "width": is_left.then_some(640), "height": null,
                "inline": false, "deleted": !is_left, "malware_access_override": false,
                "malware_scan_result": "malware_not_found", "thumbnails": [],
            })
        };
        (0..count).map(file).collect()
    }

    /// The thread of a ticket, oldest first.
    pub(crate) fn thread(&self, ticket: &Ticket) -> Vec<Value> {
        let events = |happening: &Happening| self.event_of.get(&happening.id).copied().unwrap_or_default();
        let comments = ticket
            .history
            .iter()
            .filter(|happening| matches!(happening.what, What::Comment { .. }));
        comments
            .map(|happening| self.comment(ticket, events(happening), happening))
            .collect()
    }
}

fn priority(number: u8) -> Value {
    super::ticket::PRIORITIES[usize::from(number)].map_or("0".into(), Value::from)
}
