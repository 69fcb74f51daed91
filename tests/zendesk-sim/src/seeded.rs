//! Makes an account from its specification.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::account::Account;
use crate::cast::Cast;
use crate::fields::{self, Field, FieldKind};
use crate::ids::{Counters, Kind, mix};
use crate::model::{Collection, Group, Membership, Organization, Role, Setup, Skip, Status};
use crate::spec::AccountSpec;
use crate::table::Table;

const DAY: i64 = 86_400;
/// Closed tickets are archived after so long.
const ARCHIVED_AFTER: i64 = 120 * DAY;

const GROUP_NAMES: [&str; 6] = [
    "Support",
    "Billing",
    "Escalations",
    "Field service",
    "Onboarding",
    "Returns",
];

impl Account {
    /// Makes an account whose history ends two minutes before the anchor.
    pub fn seeded(spec: AccountSpec) -> Self {
        let spec = AccountSpec {
            agents: spec.agents.max(1),
            groups: spec.groups.max(1),
            users: spec.users.max(1),
            ..spec
        };
        let anchor = spec.anchor.unwrap_or_else(|| spec.clock.now());
        let mut account = Self::empty(spec, anchor);
        let mut rng = Rng::with_seed(mix(account.spec.seed ^ 0x5eed));
        account.seed_fields();
        account.seed_groups();
        account.seed_organizations(&mut rng);
        account.seed_people(&mut rng);
        account.seed_tickets(&mut rng);
        account.seed_setups();
        account.seed_skips();
        let (start, end) = (account.history_start(), account.history_end());
        account.seed_ratings(end);
        account.seed_audits(start, end);
        account.seed_side_conversations(end);
        account.last_change = account.history_end();
        account
    }

    fn empty(spec: AccountSpec, anchor: i64) -> Self {
        Self {
            cast: Cast::new(spec.seed, spec.users + spec.agents),
            spec,
            anchor,
            counters: Counters::default(),
            tickets: Table::default(),
            events: Table::default(),
            event_of: std::collections::HashMap::new(),
            users: Table::default(),
            organizations: Table::default(),
            groups: Table::default(),
            group_memberships: Table::default(),
            organization_memberships: Table::default(),
            ticket_fields: Table::default(),
            organization_fields: Table::default(),
            user_fields: Table::default(),
            forms: Table::default(),
            policies: Table::default(),
            setups: BTreeMap::new(),
            holidays: BTreeMap::new(),
            skips: Table::default(),
            ratings: Table::default(),
            audits: Table::default(),
            activities: Table::default(),
            metric_events: Table::default(),
            side_conversations: Table::default(),
            side_events: Table::default(),
            talks_of: BTreeMap::new(),
            agents: Vec::new(),
            bin: BTreeSet::new(),
            next_person: 0,
            next_ticket: 0,
            next_organization: 0,
            removed: BTreeMap::new(),
            later_canaries: Vec::new(),
            script: Vec::new(),
            last_change: 0,
        }
    }

    fn history_end(&self) -> i64 {
        self.anchor - 120
    }

    fn history_start(&self) -> i64 {
        self.history_end() - i64::from(self.spec.history_days) * DAY
    }

    fn seed_fields(&mut self) {
        let at = self.history_start();
        for (position, (kind, title)) in fields::SYSTEM_FIELDS.into_iter().enumerate() {
            let id = self.counters.give(Kind::Field);
            self.ticket_fields.put(Field {
                id,
                kind: FieldKind::System(kind),
                title: title.into(),
                key: String::new(),
                position: u32::try_from(position).expect("few fields"),
                created_at: at,
                updated_at: at,
                choices: Vec::new(),
            });
        }
        for ordinal in 0..self.spec.custom_fields as usize {
            let field = self.make_ticket_field(ordinal, at + ordinal as i64);
            self.ticket_fields.put(field);
        }
        for (position, parts) in fields::USER_FIELDS.into_iter().enumerate() {
            let field = self.make_keyed_field(position, parts, at);
            self.user_fields.put(field);
        }
        for (position, parts) in fields::ORGANIZATION_FIELDS.into_iter().enumerate() {
            let field = self.make_keyed_field(position, parts, at + 60);
            self.organization_fields.put(field);
        }
    }

    pub(crate) fn make_ticket_field(&mut self, ordinal: usize, at: i64) -> Field {
        let id = self.counters.give(Kind::Field);
        let counters = &mut self.counters;
        fields::ticket_field(id, ordinal, &mut || counters.give(Kind::Option), at)
    }

    pub(crate) fn make_keyed_field(&mut self, position: usize, parts: (FieldKind, &str, &str), at: i64) -> Field {
        let id = self.counters.give(Kind::Field);
        let counters = &mut self.counters;
        fields::keyed_field(id, position, parts, &mut || counters.give(Kind::Option), at)
    }

    fn seed_setups(&mut self) {
        let at = self.history_start();
        for (ordinal, name) in ["Default form", "Return of goods", "Bill", "Old form"]
            .into_iter()
            .enumerate()
        {
            let form = self.setup(Kind::Form, ordinal as u64, name, at);
            let deleted_at = (ordinal == 3).then_some(at + DAY);
            self.forms.put(Setup {
                updated_at: deleted_at.unwrap_or(form.updated_at),
                deleted_at,
                ..form
            });
        }
        for (ordinal, name) in ["Incidents", "Business hours", "Everything else"]
            .into_iter()
            .enumerate()
        {
            let policy = self.setup(Kind::Policy, ordinal as u64, name, at);
            self.policies.put(policy);
        }
        let kinds = [
            (Collection::Brands, Kind::Brand),
            (Collection::Macros, Kind::Macro),
            (Collection::Triggers, Kind::Trigger),
            (Collection::Views, Kind::View),
            (Collection::Schedules, Kind::Schedule),
        ];
        for (collection, kind) in kinds {
            for ordinal in 0..6 {
                let setup = self.setup(kind, ordinal, &format!("{} {ordinal}", collection.name()), at);
                self.setups.entry(collection).or_default().put(setup);
            }
        }
        for schedule in self.ids(Collection::Schedules) {
            self.add_holiday(schedule);
            self.add_holiday(schedule);
        }
    }

    fn setup(&mut self, kind: Kind, ordinal: u64, name: &str, at: i64) -> Setup {
        Setup {
            id: self.counters.give(kind),
            ordinal,
            name: name.into(),
            created_at: at,
            updated_at: at,
            deleted_at: None,
        }
    }

    /// Every fortieth ticket was passed over once.
    fn seed_skips(&mut self) {
        let skipped: Vec<(i64, i64)> = self
            .tickets
            .iter()
            .step_by(40)
            .map(|row| (row.id, row.created_at))
            .collect();
        for (number, (ticket, at)) in skipped.into_iter().enumerate() {
            self.skip(ticket, mix(number as u64), at + 60);
        }
    }

    /// An agent passes a ticket over.
    pub(crate) fn skip(&mut self, ticket: i64, seed: u64, at: i64) -> i64 {
        let id = self.counters.give(Kind::Skip);
        let user = self.agents[seed as usize % self.agents.len()];
        self.skips.put(Skip {
            id,
            ticket,
            user,
            seed,
            at,
        });
        id
    }

    fn seed_groups(&mut self) {
        let at = self.history_start();
        for ordinal in 0..self.spec.groups as usize {
            let base = GROUP_NAMES[ordinal % GROUP_NAMES.len()];
            let name = match ordinal / GROUP_NAMES.len() {
                0 => base.to_owned(),
                round => format!("{base} {}", round + 1),
            };
            let id = self.counters.give(Kind::Group);
            self.groups.put(Group {
                id,
                name,
                is_default: ordinal == 0,
                is_deleted: ordinal > 2 && ordinal % 5 == 3,
                created_at: at + ordinal as i64,
                updated_at: at + ordinal as i64 * 600,
            });
        }
    }

    fn seed_organizations(&mut self, rng: &mut Rng) {
        let (start, end) = (self.history_start(), self.history_end());
        // A fifth was imported at once: many rows of one second.
        let import = start + (end - start) / 3;
        for ordinal in 0..self.spec.organizations {
            let at = if ordinal % 5 == 0 { import } else { rng.i64(start..end) };
            let mut organization = self.make_organization(rng.u64(..), at);
            if ordinal % 5 != 0 {
                organization.updated_at = rng.i64(at..=end);
                if ordinal % 23 == 7 {
                    delete_organization(&mut organization, end - rng.i64(0..DAY).min(end - at));
                }
            }
            self.organizations.put(organization);
        }
    }

    pub(crate) fn make_organization(&mut self, seed: u64, at: i64) -> Organization {
        let ordinal = self.next_organization;
        self.next_organization += 1;
        let group = ordinal
            .is_multiple_of(3)
            .then(|| self.groups.iter().next().expect("an account has a group").id);
        Organization {
            id: self.counters.give(Kind::Organization),
            ordinal,
            seed,
            name: crate::record::organization::first_name(&self.cast, ordinal),
            created_at: at,
            updated_at: at,
            deleted_at: None,
            group,
        }
    }

    fn seed_people(&mut self, rng: &mut Rng) {
        let (start, end) = (self.history_start(), self.history_end());
        let import = start + (end - start) / 4;
        for ordinal in 0..self.cast.population {
            let role = match ordinal {
                0 | 1 => Role::Admin,
                n if n < self.spec.agents => Role::Agent,
                _ => Role::EndUser,
            };
            let is_imported = role == Role::EndUser && ordinal % 20 == 0;
            let at = if is_imported { import } else { rng.i64(start..end) };
            let mut user = self.make_user(role, at, rng);
            if !is_imported {
                user.updated_at = rng.i64(at..=end);
            }
            match (role, ordinal % 100) {
                (Role::EndUser, 30..=32) => user.delete(user.updated_at),
                (Role::EndUser, 71) => user.delete_permanently(user.updated_at),
                _ => {}
            }
            self.seed_memberships(&user, ordinal);
            if role != Role::EndUser {
                self.agents.push(user.id);
            }
            self.users.put(user);
        }
    }

    fn seed_memberships(&mut self, user: &crate::model::User, ordinal: u32) {
        if let Some(organization) = user.organization.filter(|_| user.is_active) {
            let membership = self.make_membership(Kind::OrganizationMembership, user.id, organization, user.created_at);
            self.organization_memberships.put(membership);
        }
        if user.role == Role::EndUser {
            return;
        }
        let groups: Vec<i64> = self.groups.iter().map(|group| group.id).collect();
        for (place, step) in [0, 1 + ordinal as usize % 2].into_iter().enumerate() {
            let group = groups[(ordinal as usize + step) % groups.len()];
            let mut membership = self.make_membership(Kind::GroupMembership, user.id, group, user.created_at);
            membership.is_default = place == 0;
            self.group_memberships.put(membership);
            if groups.len() == 1 {
                break;
            }
        }
    }

    pub(crate) fn make_membership(&mut self, kind: Kind, user: i64, of: i64, at: i64) -> Membership {
        Membership {
            id: self.counters.give(kind),
            user,
            of,
            is_default: true,
            created_at: at,
            updated_at: at,
        }
    }

    fn seed_tickets(&mut self, rng: &mut Rng) {
        let (start, end) = (self.history_start(), self.history_end());
        let count = i64::from(self.spec.tickets);
        let step = (end - start) / count.max(1);
        // One night everything of a certain form was touched by the system: many rows of one second.
        let touched = start + (end - start) / 2;
        for ordinal in 0..count {
            let at = start + step * ordinal + rng.i64(0..step.max(1));
            let mut ticket = self.make_ticket(rng, at);
            let mut changed = at;
            for _ in 0..rng.u8(..5) {
                changed = (changed + rng.i64(60..3 * DAY)).min(end);
                self.evolve(&mut ticket, changed, rng);
            }
            if rng.u8(..20) == 0 && changed < touched {
                ticket.generated_at = touched;
            }
            match rng.u8(..100) {
                0..=2 => self.seed_deletion(&mut ticket, rng, end),
                3..=40 if ticket.status == Status::Solved => {
                    ticket.status = Status::Closed;
                    ticket.is_archived = end - ticket.generated_at > ARCHIVED_AFTER;
                }
                _ => {}
            }
            ticket.history.shrink_to_fit();
            self.tickets.put(ticket);
        }
    }

    fn seed_deletion(&mut self, ticket: &mut crate::model::Ticket, rng: &mut Rng, end: i64) {
        let at = (ticket.generated_at + rng.i64(60..DAY)).min(end);
        self.delete(ticket, at);
        if rng.u8(..3) == 0 {
            ticket.is_scrubbed = true;
            ticket.generated_at = (at + 30 * DAY).min(end);
        } else {
            self.bin.insert(ticket.id);
        }
    }
}

/// Marks an organization deleted as Zendesk does.
pub(crate) fn delete_organization(organization: &mut Organization, at: i64) {
    organization.name = format!("{}_deleted_{}", organization.id, organization.name);
    organization.deleted_at = Some(at);
    organization.updated_at = at;
}
