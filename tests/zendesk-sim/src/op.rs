//! Changes to the account, by script.

use fastrand::Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::Account;
use crate::beside::Said;
use crate::directory::{Canary, CanaryClass};
use crate::fields::{FieldKind, ORGANIZATION_FIELDS};
use crate::ids::{Kind, mix};
use crate::model::{Collection, IdentityKind, Role, Status, Ticket, User, What};
use crate::record::event::{file_of, files};
use crate::seeded::delete_organization;

/// One change. Where something new is made or chosen, `seed` decides what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "`id` is the record's id and `seed` what decides everywhere")]
pub enum Op {
    /// A new ticket.
    CreateTicket { seed: u64 },
    /// A comment, a status, an assignment, a priority or a custom field.
    UpdateTicket { id: i64, seed: u64 },
    /// Moves `generated_timestamp` alone.
    SystemUpdate { id: i64 },
    /// Into the bin: status `deleted`.
    DeleteTicket { id: i64 },
    /// A deleted ticket for good: `SCRUBBED`, same `updated_at`, new `generated_timestamp`.
    ScrubTicket { id: i64 },
    /// Out of the bin, with its old status.
    RestoreTicket { id: i64 },
    /// A comment's text is taken away.
    RedactComment { id: i64, seed: u64 },
    /// A comment's file is taken away.
    RedactAttachment { id: i64, seed: u64 },
    /// A new end user.
    CreateUser { seed: u64 },
    /// Notes and fields, now and then the name.
    UpdateUser { id: i64, seed: u64 },
    /// Softly: `active` false, no addresses.
    DeleteUser { id: i64 },
    /// For good: `permanently_deleted` true.
    PermanentlyDeleteUser { id: i64 },
    /// One address more; the user is exported again.
    AddIdentity { id: i64 },
    /// The last address less; the user is exported again.
    RemoveIdentity { id: i64 },
    /// A new organization.
    CreateOrganization { seed: u64 },
    /// Another name.
    RenameOrganization { id: i64 },
    /// `deleted_at`, name `<id>_deleted_<name>`; its memberships disappear.
    DeleteOrganization { id: i64 },
    /// Another name.
    RenameGroup { id: i64 },
    /// `deleted` true.
    DeleteGroup { id: i64 },
    /// An agent joins a group.
    AddGroupMembership { user: i64, group: i64 },
    /// Disappears silently.
    RemoveGroupMembership { id: i64 },
    /// A user joins an organization.
    AddOrganizationMembership { user: i64, organization: i64 },
    /// Disappears silently.
    RemoveOrganizationMembership { id: i64 },
    /// A new custom field of tickets.
    AddTicketField {},
    /// Another title.
    RenameTicketField { id: i64 },
    /// Disappears silently, from tickets too.
    RemoveTicketField { id: i64 },
    /// A new field of organizations.
    AddOrganizationField {},
    /// Another title.
    RenameOrganizationField { id: i64 },
    /// Disappears silently, from organizations too.
    RemoveOrganizationField { id: i64 },
    /// Another name.
    RenameTicketForm { id: i64 },
    /// `deleted_at`.
    DeleteTicketForm { id: i64 },
    /// Another title.
    RenameSlaPolicy { id: i64 },
    /// Disappears silently.
    RemoveSlaPolicy { id: i64 },
    /// `is_deleted`.
    DeleteBrand { id: i64 },
    /// Disappears silently.
    RemoveMacro { id: i64 },
    /// Disappears silently.
    RemoveTrigger { id: i64 },
    /// Disappears silently.
    RemoveView { id: i64 },
    /// One more day off in a schedule (`id`).
    AddHoliday { id: i64 },
    /// The first day off of a schedule (`id`) is none any more.
    RemoveHoliday { id: i64 },
    /// Disappears silently.
    RemoveSchedule { id: i64 },
    /// An agent passes a ticket over.
    SkipTicket { id: i64, seed: u64 },
    /// A rating that was offered is given, or given otherwise; within a month of the offer.
    RateTicket { id: i64, seed: u64 },
    /// An agent talks with others beside a ticket (`id`).
    StartSideConversation { id: i64, seed: u64 },
    /// An answer in a side conversation.
    ReplyToSideConversation { id: i64, seed: u64 },
    /// `closed`.
    CloseSideConversation { id: i64 },
}

/// A change and when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Whole seconds since 1970.
    pub at: i64,
    /// The change.
    pub change: Op,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpError {
    /// There is no such record.
    #[error("there is no {what} {id}")]
    Missing {
        /// Its kind.
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// The record's state forbids it.
    #[error("{what} {id} is {state}")]
    Refused {
        /// Its kind.
        what: &'static str,
        /// Its id.
        id: i64,
        /// Its state.
        state: &'static str,
    },
}

pub(crate) fn missing(what: &'static str, id: i64) -> OpError {
    OpError::Missing { what, id }
}

pub(crate) fn refused(what: &'static str, id: i64, state: &'static str) -> OpError {
    OpError::Refused { what, id, state }
}

impl Account {
    /// Makes a change now; returns the id of the record that it made or changed.
    pub fn apply(&mut self, op: Op) -> Result<i64, OpError> {
        self.apply_at(self.now(), op)
    }

    /// Makes a change at a time (whole seconds since 1970), or at the last change's, if that was later.
    pub fn apply_at(&mut self, at: i64, op: Op) -> Result<i64, OpError> {
        let at = at.max(self.last_change);
        let id = self.perform(at, &op)?;
        self.note_op(&op, id, at);
        self.last_change = at;
        self.script.push(Applied { at, change: op });
        Ok(id)
    }

    /// Repeats the changes of an account that was made from the same specification and anchor.
    pub fn replay(&mut self, script: &[Applied]) -> Result<(), OpError> {
        for applied in script {
            self.apply_at(applied.at, applied.change.clone())?;
        }
        Ok(())
    }

    fn perform(&mut self, at: i64, op: &Op) -> Result<i64, OpError> {
        match *op {
            Op::CreateTicket { seed } => Ok(self.create_ticket(at, seed)),
            Op::UpdateTicket { id, seed } => self.update_ticket(at, id, seed),
            Op::SystemUpdate { id } => self.on_ticket(id, |_, ticket| {
                ticket.generated_at = at;
                Ok(())
            }),
            Op::DeleteTicket { id } => self.delete_ticket(at, id),
            Op::ScrubTicket { id } => self.scrub_ticket(at, id),
            Op::RestoreTicket { id } => self.restore_ticket(at, id),
            Op::RedactComment { id, seed } => self.redact_comment(at, id, seed),
            Op::RedactAttachment { id, seed } => self.redact_attachment(at, id, seed),
            Op::CreateUser { seed } => Ok(self.create_user(at, seed)),
            Op::UpdateUser { id, seed } => self.update_user(at, id, seed),
            Op::DeleteUser { id } => self.on_user(id, |_, user| {
                user.delete(at);
                Ok(())
            }),
            Op::PermanentlyDeleteUser { id } => self.permanently_delete_user(at, id),
            Op::AddIdentity { id } => self.on_user(id, |account, user| {
                account.one_more_identity(user, at);
                user.updated_at = at;
                Ok(())
            }),
            Op::RemoveIdentity { id } => self.on_user(id, |_, user| {
                user.identities.pop().ok_or(refused("user", id, "without identities"))?;
                user.updated_at = at;
                Ok(())
            }),
            Op::CreateOrganization { seed } => {
                let organization = self.make_organization(seed, at);
                let id = organization.id;
                self.organizations.put(organization);
                Ok(id)
            }
            Op::RenameOrganization { id } => self.rename_organization(at, id),
            Op::DeleteOrganization { id } => self.delete_organization(at, id),
            Op::RenameGroup { id } => self.change_group(id, |group| {
                group.name.push_str(" II");
                group.updated_at = at;
            }),
            Op::DeleteGroup { id } => self.change_group(id, |group| {
                group.is_deleted = true;
                group.updated_at = at;
            }),
            Op::AddGroupMembership { user, group } => {
                self.add_membership(Collection::GroupMemberships, user, group, at)
            }
            Op::AddOrganizationMembership { user, organization } => {
                self.add_membership(Collection::OrganizationMemberships, user, organization, at)
            }
            Op::RemoveGroupMembership { id } => self.remove_membership(Collection::GroupMemberships, id),
            Op::RemoveOrganizationMembership { id } => self.remove_membership(Collection::OrganizationMemberships, id),
            Op::RenameTicketForm { id } => self.change_form(id, |form| {
                form.name.push_str(" (new)");
                form.updated_at = at;
            }),
            Op::DeleteTicketForm { id } => self.change_form(id, |form| {
                form.deleted_at = Some(at);
                form.updated_at = at;
            }),
            Op::RenameSlaPolicy { id } => {
                let is_there = self.policies.change(id, |policy| {
                    policy.name.push_str(" (new)");
                    policy.updated_at = at;
                });
                is_there.then_some(id).ok_or(missing("policy", id))
            }
            Op::RemoveSlaPolicy { id } => self.remove_setup(Collection::SlaPolicies, id),
            Op::RemoveMacro { id } => self.remove_setup(Collection::Macros, id),
            Op::RemoveTrigger { id } => self.remove_setup(Collection::Triggers, id),
            Op::RemoveView { id } => self.remove_setup(Collection::Views, id),
            Op::RemoveSchedule { id } => self.remove_setup(Collection::Schedules, id),
            Op::AddHoliday { id } => Ok(self.add_holiday(id)),
            Op::RemoveHoliday { id } => {
                let first = self.holidays.entry(id).or_default().pop_first();
                first
                    .map(|(holiday, _)| holiday)
                    .ok_or(missing("holiday of schedule", id))
            }
            Op::DeleteBrand { id } => {
                let brands = self.setups.entry(Collection::Brands).or_default();
                let is_there = brands.change(id, |brand| {
                    brand.deleted_at = Some(at);
                    brand.updated_at = at;
                });
                is_there.then_some(id).ok_or(missing("brand", id))
            }
            Op::SkipTicket { id, seed } => {
                self.tickets.get(id).ok_or(missing("ticket", id))?;
                Ok(self.skip(id, seed, at))
            }
            Op::RateTicket { id, seed } => self.rate(at, id, seed),
            Op::StartSideConversation { id, seed } => self.start_side_conversation(at, id, seed),
            Op::ReplyToSideConversation { id, seed } => self.go_on(at, id, Said::Reply { seed }),
            Op::CloseSideConversation { id } => self.go_on(at, id, Said::Close),
            _ => self.perform_on_fields(at, op),
        }
    }

    fn perform_on_fields(&mut self, at: i64, op: &Op) -> Result<i64, OpError> {
        match *op {
            Op::AddTicketField {} => {
                let ordinal = self.ticket_fields.len();
                let field = self.make_ticket_field(ordinal, at);
                let id = field.id;
                self.ticket_fields.put(field);
                Ok(id)
            }
            Op::AddOrganizationField {} => {
                let position = self.organization_fields.len();
                let (key, title) = (format!("extra_{position}_{at}"), format!("Extra {position}"));
                let kind = ORGANIZATION_FIELDS[position % ORGANIZATION_FIELDS.len()].0;
                let field = self.make_keyed_field(position, (kind, &key, &title), at);
                let id = field.id;
                self.organization_fields.put(field);
                Ok(id)
            }
            Op::RenameTicketField { id } | Op::RenameOrganizationField { id } => {
                let fields = match op {
                    Op::RenameTicketField { .. } => &mut self.ticket_fields,
                    _ => &mut self.organization_fields,
                };
                let is_there = fields.change(id, |field| {
                    field.title.push_str(" (new)");
                    field.updated_at = at;
                });
                is_there.then_some(id).ok_or(missing("field", id))
            }
            Op::RemoveTicketField { id } => self.remove_field(Collection::TicketFields, id),
            Op::RemoveOrganizationField { id } => self.remove_field(Collection::OrganizationFields, id),
            _ => unreachable!("every other change is made by `perform`"),
        }
    }

    fn on_ticket(
        &mut self,
        id: i64,
        change: impl FnOnce(&mut Self, &mut Ticket) -> Result<(), OpError>,
    ) -> Result<i64, OpError> {
        let mut ticket = self.tickets.get(id).ok_or(missing("ticket", id))?.clone();
        change(self, &mut ticket)?;
        self.tickets.put(ticket);
        Ok(id)
    }

    fn on_user(
        &mut self,
        id: i64,
        change: impl FnOnce(&mut Self, &mut User) -> Result<(), OpError>,
    ) -> Result<i64, OpError> {
        let mut user = self.users.get(id).ok_or(missing("user", id))?.clone();
        if !user.is_active {
            return Err(refused("user", id, "deleted"));
        }
        change(self, &mut user)?;
        self.users.put(user);
        Ok(id)
    }

    fn create_ticket(&mut self, at: i64, seed: u64) -> i64 {
        let ticket = self.make_ticket(&mut Rng::with_seed(mix(seed)), at);
        let id = ticket.id;
        self.tickets.put(ticket);
        id
    }

    fn update_ticket(&mut self, at: i64, id: i64, seed: u64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if matches!(ticket.status, Status::Deleted | Status::Closed) {
                return Err(refused("ticket", id, ticket.status.name()));
            }
            account.evolve(ticket, at, &mut Rng::with_seed(mix(seed)));
            Ok(())
        })
    }

    fn delete_ticket(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if ticket.status == Status::Deleted {
                return Err(refused("ticket", id, "deleted"));
            }
            // Whoever wants to read what a redaction left must find the ticket.
            if ticket
                .history
                .iter()
                .any(|happening| matches!(happening.what, What::Redacted { .. } | What::RedactedFile { .. }))
            {
                return Err(refused("ticket", id, "kept for what was redacted in it"));
            }
            account.delete(ticket, at);
            account.bin.insert(id);
            Ok(())
        })
    }

    fn scrub_ticket(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if !account.bin.remove(&id) {
                return Err(refused("ticket", id, "not in the bin"));
            }
            ticket.is_scrubbed = true;
            ticket.generated_at = at;
            Ok(())
        })
    }

    fn restore_ticket(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if !account.bin.remove(&id) {
                return Err(refused("ticket", id, "not in the bin"));
            }
            account.restore(ticket, at);
            Ok(())
        })
    }

    fn redact_comment(&mut self, at: i64, id: i64, seed: u64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if matches!(ticket.status, Status::Deleted | Status::Closed) {
                return Err(refused("ticket", id, ticket.status.name()));
            }
            let last = ticket.history.last().map_or(0, |last| last.at);
            let number = mix(seed) as usize % ticket.comments();
            let mut comments = ticket
                .history
                .iter_mut()
                .filter_map(|happening| match &mut happening.what {
                    What::Comment { is_redacted, .. } if happening.at < last.max(at) => {
                        Some((happening.id, is_redacted))
                    }
                    _ => None,
                });
            let (comment, is_redacted) = comments.nth(number).ok_or(refused("ticket", id, "new"))?;
            *is_redacted = true;
            let agent = account.agents[0];
            account.happen(ticket, at, agent, What::Redacted { comment });
            ticket.updated_at = at;
            ticket.generated_at = at;
            Ok(())
        })
    }

    fn redact_attachment(&mut self, at: i64, id: i64, seed: u64) -> Result<i64, OpError> {
        self.on_ticket(id, |account, ticket| {
            if matches!(ticket.status, Status::Deleted | Status::Closed) {
                return Err(refused("ticket", id, ticket.status.name()));
            }
            let last = ticket.history.last().map_or(0, |last| last.at);
            let held = ticket
                .history
                .iter_mut()
                .filter_map(|happening| match &mut happening.what {
                    What::Comment {
                        seed, is_without_files, ..
                    } if happening.at < last.max(at) && files(*seed) > 0 && !*is_without_files => {
                        Some((happening.id, is_without_files))
                    }
                    _ => None,
                });
            let mut held: Vec<_> = held.collect();
            if held.is_empty() {
                return Err(refused("ticket", id, "without files"));
            }
            let (comment, is_without_files) = held.swap_remove(mix(seed) as usize % held.len());
            *is_without_files = true;
            let agent = account.agents[0];
            let file = file_of(comment, 0);
            account.happen(ticket, at, agent, What::RedactedFile { comment, file });
            ticket.updated_at = at;
            ticket.generated_at = at;
            Ok(())
        })
    }

    fn remove_setup(&mut self, collection: Collection, id: i64) -> Result<i64, OpError> {
        let last = self.json(collection, id).ok_or(missing("setup", id))?;
        match collection {
            Collection::SlaPolicies => self.policies.remove(id),
            _ => self.setups.entry(collection).or_default().remove(id),
        };
        self.removed.entry(collection).or_default().insert(id, last);
        Ok(id)
    }

    fn create_user(&mut self, at: i64, seed: u64) -> i64 {
        let user = self.make_user(Role::EndUser, at, &mut Rng::with_seed(mix(seed)));
        let id = user.id;
        if let Some(organization) = user.organization {
            let membership = self.make_membership(Kind::OrganizationMembership, id, organization, at);
            self.organization_memberships.put(membership);
        }
        self.users.put(user);
        id
    }

    fn update_user(&mut self, at: i64, id: i64, seed: u64) -> Result<i64, OpError> {
        self.on_user(id, |account, user| {
            user.revision += 1;
            user.updated_at = at;
            if mix(seed).is_multiple_of(4) {
                user.name = format!("{} the {}th", account.cast.name(user.index), user.revision);
                account.remember(&user.name, CanaryClass::Person, user.id);
            }
            Ok(())
        })
    }

    fn permanently_delete_user(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        let mut user = self.users.get(id).ok_or(missing("user", id))?.clone();
        if user.is_permanently_deleted {
            return Err(refused("user", id, "permanently deleted"));
        }
        user.delete_permanently(at);
        self.users.put(user);
        Ok(id)
    }

    fn one_more_identity(&mut self, user: &mut User, at: i64) {
        let work = self.cast.second_email(user.index);
        if !user.identities.iter().any(|identity| identity.value == work) {
            return self.add_identity(user, IdentityKind::Email, work, at);
        }
        let value = format!(
            "{}.{}@canary-mail.example",
            self.cast.tag(user.index),
            self.script.len()
        );
        self.remember(&value, CanaryClass::Email, user.id);
        self.add_identity(user, IdentityKind::Email, value, at);
    }

    fn remember(&mut self, value: &str, class: CanaryClass, user: i64) {
        self.later_canaries.push(Canary {
            value: value.to_owned(),
            class,
            in_free_text: false,
            user_id: Some(user),
        });
    }

    fn rename_organization(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        let organization = self.organizations.get(id).ok_or(missing("organization", id))?;
        if organization.deleted_at.is_some() {
            return Err(refused("organization", id, "deleted"));
        }
        self.organizations.change(id, |organization| {
            organization.name.push_str(" Group");
            organization.updated_at = at;
        });
        Ok(id)
    }

    fn delete_organization(&mut self, at: i64, id: i64) -> Result<i64, OpError> {
        let organization = self.organizations.get(id).ok_or(missing("organization", id))?;
        if organization.deleted_at.is_some() {
            return Err(refused("organization", id, "deleted"));
        }
        let members: Vec<i64> = self
            .organization_memberships
            .iter()
            .filter(|held| held.of == id)
            .map(|held| held.id)
            .collect();
        for membership in members {
            self.remove_membership(Collection::OrganizationMemberships, membership)?;
        }
        self.organizations
            .change(id, |organization| delete_organization(organization, at));
        Ok(id)
    }

    fn change_group(&mut self, id: i64, change: impl FnOnce(&mut crate::model::Group)) -> Result<i64, OpError> {
        let group = self.groups.get(id).ok_or(missing("group", id))?;
        if group.is_deleted {
            return Err(refused("group", id, "deleted"));
        }
        self.groups.change(id, change);
        Ok(id)
    }

    fn change_form(&mut self, id: i64, change: impl FnOnce(&mut crate::model::Setup)) -> Result<i64, OpError> {
        let form = self.forms.get(id).ok_or(missing("form", id))?;
        if form.deleted_at.is_some() {
            return Err(refused("form", id, "deleted"));
        }
        self.forms.change(id, change);
        Ok(id)
    }

    fn add_membership(&mut self, collection: Collection, user: i64, of: i64, at: i64) -> Result<i64, OpError> {
        self.users.get(user).ok_or(missing("user", user))?;
        let kind = match collection {
            Collection::GroupMemberships => {
                self.groups.get(of).ok_or(missing("group", of))?;
                Kind::GroupMembership
            }
            _ => {
                self.organizations.get(of).ok_or(missing("organization", of))?;
                Kind::OrganizationMembership
            }
        };
        let mut membership = self.make_membership(kind, user, of, at);
        membership.is_default = false;
        let id = membership.id;
        match collection {
            Collection::GroupMemberships => self.group_memberships.put(membership),
            _ => self.organization_memberships.put(membership),
        }
        Ok(id)
    }

    fn remove_membership(&mut self, collection: Collection, id: i64) -> Result<i64, OpError> {
        let last = self.json(collection, id).ok_or(missing("membership", id))?;
        match collection {
            Collection::GroupMemberships => self.group_memberships.remove(id),
            _ => self.organization_memberships.remove(id),
        };
        self.removed.entry(collection).or_default().insert(id, last);
        Ok(id)
    }

    fn remove_field(&mut self, collection: Collection, id: i64) -> Result<i64, OpError> {
        let last = self.json(collection, id).ok_or(missing("field", id))?;
        let fields = match collection {
            Collection::TicketFields => &mut self.ticket_fields,
            _ => &mut self.organization_fields,
        };
        if fields
            .get(id)
            .is_some_and(|field| matches!(field.kind, FieldKind::System(_)))
        {
            return Err(refused("field", id, "a system field"));
        }
        fields.remove(id);
        self.removed.entry(collection).or_default().insert(id, last);
        Ok(id)
    }
}
