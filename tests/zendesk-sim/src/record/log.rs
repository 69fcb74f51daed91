//! The log of a messaging ticket's conversation.

use serde_json::{Value, json};

use super::write_json;
use crate::account::Account;
use crate::ids::key_of;
use crate::model::{Happening, Ticket, What};
use crate::stamp::{Fine, Stamp};
use crate::text::Prose;

impl Account {
    /// The ids of all entries that can be read, in order.
    pub(crate) fn entries(&self) -> Vec<i64> {
        let is_read = |ticket: &&Ticket| ticket.is_messaging() && ticket.status != crate::model::Status::Deleted;
        let tickets = self.tickets.iter().filter(is_read);
        let mut ids: Vec<i64> = tickets.flat_map(said).map(|happening| happening.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Appends an entry as it is read: within its ticket.
    pub(super) fn write_entry(&self, out: &mut Vec<u8>, id: i64) -> Option<()> {
        let event = self.events.get(*self.event_of.get(&id)?)?;
        let ticket = self.tickets.get(event.ticket)?;
        let happening = said(ticket).find(|happening| happening.id == id)?;
        let entry = self.entry(ticket, happening);
        let json = json!({
            "ticket_id": ticket.id, "created_at": entry["created_at"], "id": entry["id"], "events": [entry],
        });
        write_json(out, &json);
        Some(())
    }

    /// The log of a ticket, oldest first.
    pub(crate) fn log(&self, ticket: &Ticket) -> Vec<Value> {
        said(ticket).map(|happening| self.entry(ticket, happening)).collect()
    }

    /// A message of the requester, or a comment of whoever answers.
    fn entry(&self, ticket: &Ticket, happening: &Happening) -> Value {
        let What::Comment {
            seed,
            is_public,
            is_redacted,
            ..
        } = happening.what
        else {
            return Value::Null;
        };
        let text = if is_redacted {
            "▇▇▇▇▇▇".to_owned()
        } else {
            Prose::new(&self.cast, seed).comment()
        };
        let is_requester = happening.updater == ticket.requester;
        let writer = self.users.get(happening.updater);
        let name = writer.map(|user| self.cast.name(user.index));
        let mut json = json!({
            "id": key_of(happening.id), "created_at": Stamp(happening.at), "attachments": [],
            "author": {
                "type": if is_requester { "user" } else { "agent" }, "display_name": name,
                "avatar_url": "https://static.zdassets.com/web_widget/latest/default_avatar.png",
                "zen:support:user_id": happening.updater,
            },
            "metadata": {"custom": {}, "system": {}, "public": is_public, "ticket_version": 1},
        });
        let more = match is_requester {
            true => json!({
                "type": "Messaging::ConversationMessage", "reference": format!("zen:sunco:conversation_message:{:x}", happening.id),
                "content": {"type": "text", "text": text}, "source": {"type": "web"},
                "received_at": Fine(happening.at, 861),
            }),
            false => json!({
                "type": "Comment", "reference": format!("zen:ticket_event:{}", happening.id),
                "content": {"type": "html", "body": format!("<div class=\"zd-comment\" dir=\"auto\"><p>{text}</p></div>")},
            }),
        };
        let members = json.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        json
    }
}

/// What was said in a ticket, oldest first.
fn said(ticket: &Ticket) -> impl Iterator<Item = &Happening> {
    let is_said = |happening: &&Happening| matches!(happening.what, What::Comment { .. });
    ticket.history.iter().filter(is_said)
}
