//! How tickets and people change.

use fastrand::Rng;

use crate::account::Account;
use crate::ids::Kind;
use crate::model::{Channel, Event, Happening, Identity, IdentityKind, Metrics, Role, Status, Ticket, User, What};

/// The updater of what Zendesk does by itself.
const ZENDESK: i64 = -1;

impl Account {
    /// Makes a new ticket of a random requester.
    pub(crate) fn make_ticket(&mut self, rng: &mut Rng, at: i64) -> Ticket {
        let requester = self.requester(rng);
        let (requester, requester_index, organization) = (requester.id, requester.index, requester.organization);
        let ordinal = self.next_ticket;
        self.next_ticket += 1;
        let seed = rng.u64(..);
        let mut ticket = Ticket {
            id: self.counters.give(Kind::Ticket),
            ordinal,
            seed,
            created_at: at,
            updated_at: at,
            generated_at: at,
            status: Status::New,
            status_before_deletion: Status::New,
            priority: rng.u8(..5),
            kind: rng.u8(..5),
            channel: [
                Channel::Web,
                Channel::Email,
                Channel::Email,
                Channel::Api,
                Channel::Voice,
            ][rng.usize(..5)],
            requester,
            requester_index,
            assignee: None,
            group: self.a_group(rng),
            organization,
            followers: self.followers(rng),
            problem: None,
            due_at: (rng.u8(..10) == 0).then(|| at + 7 * 86_400),
            changed_fields: Vec::new(),
            has_policy: rng.u8(..3) > 0,
            by_ai_agent: rng.u8(..33) == 0,
            is_archived: false,
            is_scrubbed: false,
            metrics: Metrics {
                group_stations: 1,
                status_updated_at: at,
                requester_updated_at: at,
                latest_comment_at: at,
                ..Metrics::default()
            },
            history: Vec::with_capacity(4),
        };
        self.happen(&mut ticket, at, requester, comment(seed, true));
        if ticket.has_policy {
            self.happen(&mut ticket, at, ZENDESK, What::SlaClock);
        }
        ticket
    }

    fn requester(&self, rng: &mut Rng) -> &User {
        let (low, high) = self.users.span().expect("an account has users");
        let mut user = self
            .users
            .at_or_behind(rng.i64(low..=high))
            .expect("an account has users");
        for _ in 0..8 {
            if user.is_active && user.role == Role::EndUser {
                break;
            }
            user = self
                .users
                .at_or_behind(rng.i64(low..=high))
                .expect("an account has users");
        }
        user
    }

    fn a_group(&self, rng: &mut Rng) -> Option<i64> {
        let (low, high) = self.groups.span()?;
        let group = self.groups.at_or_behind(rng.i64(low..=high))?;
        (!group.is_deleted).then_some(group.id)
    }

    fn followers(&self, rng: &mut Rng) -> Vec<i64> {
        match rng.u8(..6) {
            0 => vec![self.agents[rng.usize(..self.agents.len())]],
            _ => Vec::new(),
        }
    }

    /// Makes one change to a ticket that makes an event.
    pub(crate) fn evolve(&mut self, ticket: &mut Ticket, at: i64, rng: &mut Rng) {
        ticket.updated_at = at;
        ticket.generated_at = at;
        let agent = self.agents[rng.usize(..self.agents.len())];
        match rng.u8(..100) {
            0..30 => self.reply(ticket, at, agent, rng),
            30..55 => {
                self.happen(ticket, at, ticket.requester, comment(rng.u64(..), true));
                ticket.metrics.latest_comment_at = at;
                self.set_status(ticket, at, ticket.requester, Status::Open);
            }
            55..75 => self.set_status(ticket, at, agent, Status::Solved),
            75..82 => {
                let to = 1 + ticket.priority % 4;
                self.happen(
                    ticket,
                    at,
                    agent,
                    What::Priority {
                        from: ticket.priority,
                        to,
                    },
                );
                ticket.priority = to;
            }
            82..92 => self.assign(ticket, at, agent),
            _ => self.change_field(ticket, at, agent, rng),
        }
    }

    fn reply(&mut self, ticket: &mut Ticket, at: i64, agent: i64, rng: &mut Rng) {
        if ticket.assignee.is_none() {
            self.assign(ticket, at, agent);
        }
        let is_public = rng.u8(..4) > 0;
        self.happen(ticket, at, agent, comment(rng.u64(..), is_public));
        ticket.metrics.latest_comment_at = at;
        if is_public {
            ticket.metrics.replies += 1;
            ticket.metrics.first_reply_at.get_or_insert(at);
            let next = [Status::Pending, Status::Pending, Status::Hold][rng.usize(..3)];
            self.set_status(ticket, at, agent, next);
        }
    }

    fn assign(&mut self, ticket: &mut Ticket, at: i64, agent: i64) {
        if ticket.assignee == Some(agent) {
            return;
        }
        self.happen(ticket, at, agent, What::Assignee { to: agent });
        ticket.assignee = Some(agent);
        ticket.metrics.assignee_stations += 1;
        ticket.metrics.assignee_updated_at = Some(at);
        ticket.metrics.assigned_at = Some(at);
        ticket.metrics.initially_assigned_at.get_or_insert(at);
        if ticket.status == Status::New {
            self.set_status(ticket, at, agent, Status::Open);
        }
    }

    fn change_field(&mut self, ticket: &mut Ticket, at: i64, agent: i64, rng: &mut Rng) {
        let Some((low, high)) = self.ticket_fields.span() else {
            return;
        };
        let field = self
            .ticket_fields
            .at_or_behind(rng.i64(low..=high))
            .expect("there are fields")
            .id;
        ticket.changed_fields.retain(|(changed, _)| *changed != field);
        ticket.changed_fields.push((field, rng.u64(..)));
        self.happen(ticket, at, agent, What::CustomField { field });
    }

    pub(crate) fn set_status(&mut self, ticket: &mut Ticket, at: i64, updater: i64, to: Status) {
        let from = ticket.status;
        if from == to {
            return;
        }
        self.happen(ticket, at, updater, What::Status { from, to });
        if from.is_over() && !to.is_over() {
            ticket.metrics.reopens += 1;
        }
        ticket.status = to;
        ticket.metrics.status_updated_at = at;
        ticket.metrics.solved_at = to.is_over().then_some(at);
        if to == Status::Solved {
            ticket.metrics.first_solved_at.get_or_insert(at);
        }
    }

    /// Puts a ticket into the bin.
    pub(crate) fn delete(&mut self, ticket: &mut Ticket, at: i64) {
        let agent = self.agents[0];
        self.happen(ticket, at, agent, What::Deleted);
        ticket.status_before_deletion = ticket.status;
        ticket.status = Status::Deleted;
        ticket.updated_at = at;
        ticket.generated_at = at;
        ticket.metrics.status_updated_at = at;
    }

    pub(crate) fn restore(&mut self, ticket: &mut Ticket, at: i64) {
        let agent = self.agents[0];
        self.happen(ticket, at, agent, What::Restored);
        ticket.status = ticket.status_before_deletion;
        ticket.updated_at = at;
        ticket.generated_at = at;
        ticket.metrics.status_updated_at = at;
    }

    pub(crate) fn happen(&mut self, ticket: &mut Ticket, at: i64, updater: i64, what: What) {
        self.leave_trail(ticket, at, updater, &what);
        let id = self.counters.give(Kind::Happening);
        let last = ticket
            .history
            .last()
            .filter(|last| last.at == at && last.updater == updater);
        let event = last.and_then(|last| self.event_of.get(&last.id).copied());
        let event = event.unwrap_or_else(|| {
            let event = Event {
                id: Event::id_of(id),
                ticket: ticket.id,
                at,
                updater,
            };
            self.events.put(event);
            event.id
        });
        self.event_of.insert(id, event);
        ticket.history.push(Happening { id, at, updater, what });
    }

    /// Makes the next new person.
    pub(crate) fn make_user(&mut self, role: Role, at: i64, rng: &mut Rng) -> User {
        let index = self.next_person;
        self.next_person += 1;
        let organization = (role == Role::EndUser && rng.u8(..4) > 0)
            .then(|| self.an_organization(rng))
            .flatten();
        let default_group = (role != Role::EndUser)
            .then(|| self.groups.iter().next().map(|group| group.id))
            .flatten();
        let mut user = User {
            id: self.counters.give(Kind::User),
            index,
            role,
            created_at: at,
            updated_at: at,
            name: self.cast.name(index),
            revision: 0,
            organization,
            default_group,
            is_active: true,
            is_permanently_deleted: false,
            is_suspended: rng.u8(..50) == 0,
            identities: Vec::new(),
        };
        self.add_identity(&mut user, IdentityKind::Email, self.cast.email(index), at);
        if index % 3 != 1 {
            self.add_identity(&mut user, IdentityKind::PhoneNumber, self.cast.phone(index), at);
        }
        if index.is_multiple_of(5) {
            self.add_identity(&mut user, IdentityKind::Twitter, self.cast.handle(index), at);
        }
        user
    }

    pub(crate) fn add_identity(&mut self, user: &mut User, kind: IdentityKind, value: String, at: i64) {
        let is_primary = !user.identities.iter().any(|identity| identity.kind == kind);
        user.identities.push(Identity {
            id: self.counters.give(Kind::Identity),
            kind,
            value,
            is_primary,
            created_at: at,
        });
    }

    fn an_organization(&self, rng: &mut Rng) -> Option<i64> {
        let (low, high) = self.organizations.span()?;
        let organization = self.organizations.at_or_behind(rng.i64(low..=high))?;
        organization.deleted_at.is_none().then_some(organization.id)
    }
}

fn comment(seed: u64, is_public: bool) -> What {
    What::Comment {
        seed,
        is_public,
        is_redacted: false,
        is_without_files: false,
    }
}

impl User {
    /// Deletes softly: the row stays, without its addresses.
    pub(crate) fn delete(&mut self, at: i64) {
        self.is_active = false;
        self.identities.clear();
        self.updated_at = at;
        self.revision += 1;
    }

    /// Deletes for good.
    pub(crate) fn delete_permanently(&mut self, at: i64) {
        self.delete(at);
        self.is_permanently_deleted = true;
        self.name = "Permanently Deleted User".into();
        self.organization = None;
    }

    /// The value of the primary identity of a kind.
    pub(crate) fn primary(&self, kind: IdentityKind) -> Option<&str> {
        let found = self.identities.iter().find(|identity| identity.kind == kind);
        found.map(|identity| identity.value.as_str())
    }
}
