//! Rows and sideloads of a page as bytes.

use std::collections::BTreeSet;

use crate::account::Account;
use crate::model::Collection;
use crate::record::{Form, MetricSetJson, identities, write_json};

/// Arrays that stand beside the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    MetricSets,
    Identities,
    Records(Collection),
    /// Something that this account has none of.
    Nothing(&'static str),
}

/// What a request wants besides the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sideloads {
    pub(crate) form: Form,
    beside: Vec<Beside>,
    /// Names that nobody knows; Zendesk passes over them in silence.
    pub(crate) unknown: Vec<String>,
}

impl Sideloads {
    /// Sorts the names in `include` for rows of a collection.
    pub(crate) fn new(collection: Collection, includes: &[&str], form: Form) -> Self {
        let mut sideloads = Self {
            form,
            ..Self::default()
        };
        for name in includes {
            sideloads.add(collection, name);
        }
        sideloads
    }

    fn add(&mut self, collection: Collection, name: &str) {
        use Collection::{GroupMemberships, Groups, OrganizationMemberships, Organizations, Tickets, Users};
        let beside = match (collection, name) {
            (Tickets, "metric_sets") => {
                self.form.metric_set = true;
                Beside::MetricSets
            }
            (Tickets, "slas") => return self.form.slas = true,
            (Tickets, "dates") => return self.form.dates = true,
            (Tickets, "comment_count") => return self.form.comment_count = true,
            (Tickets, "incident_counts") => return self.form.incident_count = true,
            (Collection::TicketEvents, "comment_events") => return self.form.comment_events = true,
            (Users, "identities") => Beside::Identities,
            (Tickets | GroupMemberships | OrganizationMemberships | Groups, "users") => Beside::Records(Users),
            (Tickets | Users | GroupMemberships, "groups") => Beside::Records(Groups),
            (Tickets | Users | OrganizationMemberships, "organizations") => Beside::Records(Organizations),
            (Tickets, "brands") => Beside::Nothing("brands"),
            (Tickets, "ticket_forms") => Beside::Nothing("ticket_forms"),
            (Tickets, "custom_statuses") => Beside::Nothing("custom_statuses"),
            (Tickets, "sharing_agreements") => Beside::Nothing("sharing_agreements"),
            (Users, "roles") => Beside::Nothing("roles"),
            _ => return self.unknown.push(name.to_owned()),
        };
        self.beside.push(beside);
    }
}

/// A page's body in the making.
pub(crate) struct PageBody<'a> {
    account: &'a Account,
    collection: Collection,
    now: i64,
    out: Vec<u8>,
    /// Where each row stands in `out`.
    rows: Vec<(i64, std::ops::Range<usize>)>,
}

impl<'a> PageBody<'a> {
    /// Writes rows and sideloads, and leaves the object open.
    pub(crate) fn new(
        account: &'a Account,
        collection: Collection,
        ids: &[i64],
        sideloads: &Sideloads,
        now: i64,
    ) -> Self {
        let mut body = Self {
            account,
            collection,
            now,
            out: Vec::with_capacity(1_024 + ids.len() * 1_024),
            rows: Vec::with_capacity(ids.len()),
        };
        body.write_rows(ids, &sideloads.form);
        for beside in &sideloads.beside {
            body.write_beside(*beside, ids);
        }
        body
    }

    fn write_rows(&mut self, ids: &[i64], form: &Form) {
        self.out.extend_from_slice(b"{\"");
        self.out.extend_from_slice(self.collection.envelope().as_bytes());
        self.out.extend_from_slice(b"\":[");
        for id in ids {
            self.comma();
            let start = self.out.len();
            if self
                .account
                .write_record(&mut self.out, self.collection, *id, form, self.now)
            {
                self.rows.push((*id, start..self.out.len()));
            }
        }
        self.out.push(b']');
    }

    /// Separates elements: what stands before is an opening bracket or an element.
    fn comma(&mut self) {
        if self.out.last() != Some(&b'[') {
            self.out.push(b',');
        }
    }

    fn write_beside(&mut self, beside: Beside, ids: &[i64]) {
        let name = match beside {
            Beside::MetricSets => "metric_sets",
            Beside::Identities => "identities",
            Beside::Records(collection) => collection.name(),
            Beside::Nothing(name) => name,
        };
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":[");
        let account = self.account;
        match beside {
            Beside::MetricSets => {
                for ticket in ids.iter().filter_map(|id| account.tickets.get(*id)) {
                    self.comma();
                    write_json(&mut self.out, &MetricSetJson::new(ticket));
                }
            }
            Beside::Identities => {
                for identity in ids.iter().filter_map(|id| account.users.get(*id)).flat_map(identities) {
                    self.comma();
                    write_json(&mut self.out, &identity);
                }
            }
            Beside::Records(wanted) => self.write_related(wanted, ids),
            Beside::Nothing(_) => {}
        }
        self.out.push(b']');
    }

    fn write_related(&mut self, wanted: Collection, ids: &[i64]) {
        let related: BTreeSet<i64> = ids
            .iter()
            .flat_map(|id| self.account.related(self.collection, *id, wanted))
            .collect();
        for id in related {
            self.comma();
            self.account
                .write_record(&mut self.out, wanted, id, &Form::default(), self.now);
        }
    }

    /// The rows as served.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, &str)> {
        let text =
            |range: &std::ops::Range<usize>| std::str::from_utf8(&self.out[range.clone()]).expect("JSON is text");
        self.rows.iter().map(move |(id, range)| (*id, text(range)))
    }

    /// Adds members, given as a JSON object, and closes the body.
    pub(crate) fn finish(mut self, members: &serde_json::Value) -> Vec<u8> {
        let members = members.to_string();
        self.out.push(b',');
        self.out.extend_from_slice(&members.as_bytes()[1..]);
        self.out
    }
}

impl Account {
    /// Ids of another collection that a row speaks of.
    fn related(&self, collection: Collection, id: i64, wanted: Collection) -> Vec<i64> {
        match collection {
            Collection::Tickets => self.tickets.get(id).map(|row| match wanted {
                Collection::Users => {
                    let mut users = row.followers.clone();
                    users.push(row.requester);
                    users.extend(row.assignee);
                    users
                }
                Collection::Groups => row.group.into_iter().collect(),
                _ => row.organization.into_iter().collect(),
            }),
            Collection::Users => self.users.get(id).map(|row| match wanted {
                Collection::Groups => row.default_group.into_iter().collect(),
                _ => row.organization.into_iter().collect(),
            }),
            Collection::GroupMemberships | Collection::OrganizationMemberships => {
                let row = self.memberships(collection).get(id);
                row.map(|row| vec![if wanted == Collection::Users { row.user } else { row.of }])
            }
            Collection::Groups => {
                let held = self.group_memberships.iter().filter(|held| held.of == id);
                Some(held.map(|held| held.user).collect())
            }
            _ => None,
        }
        .unwrap_or_default()
    }
}
