//! Lists, paged by cursor or by offset, and many tickets by id.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::answer::Answer;
use super::ledger::Place;
use super::page::{PageBody, Sideloads};
use super::query::Query;
use super::{Served, Shared, window};
use crate::account::Account;
use crate::model::Collection;
use crate::record::Form;
use crate::table::{Table, Timed};

/// A request for a page of a list.
pub(crate) struct List<'r> {
    pub(crate) collection: Collection,
    pub(crate) query: &'r Query,
    /// The endpoint's address with `.json`.
    pub(crate) address: String,
    /// The page is to lead to itself.
    pub(crate) repeats: bool,
}

/// The largest page of either paging, and the one that is served by offset without `per_page`.
const LARGEST: i64 = 100;
/// Offsets beyond are refused.
const DEEPEST: i64 = 10_000;
/// Ids in one request.
const MANY: usize = 100;

/// A place in a list: the name, where names decide, and the id.
type Position = (String, i64);

/// What a list is ordered by, as its cursors say it.
fn order(collection: Collection) -> &'static str {
    match collection {
        Collection::Groups => "name,id",
        Collection::Tickets => "nice_id",
        _ => "id",
    }
}

fn cursor_text(collection: Collection, (name, id): &Position) -> String {
    let value = BASE64.encode(format!("{id}:{name}"));
    URL_SAFE_NO_PAD.encode(json!({"o": order(collection), "v": value}).to_string())
}

fn cursor_position(collection: Collection, text: &str) -> Option<Position> {
    let cursor: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
    if cursor["o"] != order(collection) {
        return None;
    }
    let value = String::from_utf8(BASE64.decode(cursor["v"].as_str()?).ok()?).ok()?;
    let (id, name) = value.split_once(':')?;
    Some((name.to_owned(), id.parse().ok()?))
}

/// One way through a list from a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forwards,
    Backwards,
}

impl Way {
    fn back(self) -> Self {
        match self {
            Self::Forwards => Self::Backwards,
            Self::Backwards => Self::Forwards,
        }
    }
}

impl Account {
    /// Claims that a list shows a row.
    fn is_listed(&self, collection: Collection, id: i64, query: &Query) -> bool {
        match collection {
            Collection::Tickets => {
                let ticket = self.tickets.get(id);
                ticket.is_some_and(|ticket| !ticket.is_archived) && !self.is_deleted(collection, id)
            }
            Collection::Groups => query.get("exclude_deleted") == Some("false") || !self.is_deleted(collection, id),
            Collection::Brands => query.says_true("include_deleted") || !self.is_deleted(collection, id),
            Collection::Users | Collection::Organizations => !self.is_deleted(collection, id),
            collection if collection.is_window() => self.is_within(collection, id, query),
            _ => true,
        }
    }

    /// Where a row stands in its list.
    fn position(&self, collection: Collection, id: i64) -> Position {
        let name = match collection {
            Collection::Groups => self.groups.get(id).map(|group| group.name.clone()),
            _ => None,
        };
        (name.unwrap_or_default(), id)
    }

    /// At most `count` listed rows from a place on.
    fn listed(&self, list: &List<'_>, from: Option<&Position>, way: Way, count: usize) -> Vec<i64> {
        let way = if list.is_newest_first() { way.back() } else { way };
        let ids = match list.collection {
            Collection::Groups => Box::new(self.groups_by_name(from, way).into_iter()),
            collection => self.ids_beyond(collection, from.map(|(_, id)| *id), way),
        };
        ids.filter(|id| self.is_listed(list.collection, *id, list.query))
            .take(count)
            .collect()
    }

    fn groups_by_name(&self, from: Option<&Position>, way: Way) -> Vec<i64> {
        let mut all: Vec<Position> = self.groups.iter().map(|group| (group.name.clone(), group.id)).collect();
        all.sort();
        match way {
            Way::Forwards => all.retain(|position| from.is_none_or(|from| position > from)),
            Way::Backwards => {
                all.retain(|position| from.is_none_or(|from| position < from));
                all.reverse();
            }
        }
        all.into_iter().map(|(_, id)| id).collect()
    }

    fn ids_beyond(&self, collection: Collection, from: Option<i64>, way: Way) -> Box<dyn Iterator<Item = i64> + '_> {
        match collection {
            Collection::Tickets => beyond(&self.tickets, from, way),
            Collection::TicketEvents => Box::new(std::iter::empty()),
            Collection::Users => beyond(&self.users, from, way),
            Collection::Organizations => beyond(&self.organizations, from, way),
            Collection::Groups => beyond(&self.groups, from, way),
            Collection::GroupMemberships => beyond(&self.group_memberships, from, way),
            Collection::OrganizationMemberships => beyond(&self.organization_memberships, from, way),
            Collection::TicketFields => beyond(&self.ticket_fields, from, way),
            Collection::OrganizationFields => beyond(&self.organization_fields, from, way),
            Collection::UserFields => beyond(&self.user_fields, from, way),
            Collection::TicketForms => beyond(&self.forms, from, way),
            Collection::SlaPolicies => beyond(&self.policies, from, way),
            Collection::TicketSkips => beyond(&self.skips, from, way),
            Collection::SatisfactionRatings => beyond(&self.ratings, from, way),
            Collection::AuditLogs => beyond(&self.audits, from, way),
            Collection::Activities => beyond(&self.activities, from, way),
            Collection::Brands
            | Collection::Macros
            | Collection::Triggers
            | Collection::Views
            | Collection::Schedules => match self.setups.get(&collection) {
                Some(rows) => beyond(rows, from, way),
                None => Box::new(std::iter::empty()),
            },
            Collection::TicketMetricEvents | Collection::SideConversations | Collection::ConversationLogs => {
                Box::new(std::iter::empty())
            }
        }
    }
}

fn beyond<T: Timed>(table: &Table<T>, from: Option<i64>, way: Way) -> Box<dyn Iterator<Item = i64> + '_> {
    match way {
        Way::Forwards => Box::new(table.ids_after(from.unwrap_or(i64::MIN))),
        Way::Backwards => Box::new(table.ids_before(from.unwrap_or(i64::MAX))),
    }
}

impl List<'_> {
    /// Serves the page in the paging that was asked for.
    pub(crate) fn page(&self, shared: &Shared) -> Result<Served, Answer> {
        let is_by_cursor = ["page[size]", "page[after]", "page[before]"]
            .iter()
            .any(|name| self.query.get(name).is_some());
        if is_by_cursor {
            self.by_cursor(shared)
        } else {
            self.by_offset(shared)
        }
    }

    /// The order in which what is asked for by time comes, unless another one is asked for.
    fn is_newest_first(&self) -> bool {
        match self.collection {
            Collection::AuditLogs => self.query.get("sort") != Some("created_at"),
            Collection::Activities => true,
            _ => false,
        }
    }

    fn form(&self) -> Form {
        Form {
            creator: self.query.says_true("creator"),
            ..Form::default()
        }
    }

    fn page_size(&self) -> Result<usize, Answer> {
        let Some(size) = self.query.get("page[size]") else {
            return Ok(LARGEST as usize);
        };
        let size = size.parse().ok().filter(|size| (1..=LARGEST).contains(size));
        let size = size.ok_or_else(|| Answer::invalid_page("page[size] must be between 1 and 100"))?;
        Ok(usize::try_from(size).expect("at most 100"))
    }

    /// The cursor in the query and which way it leads.
    fn place(&self) -> Result<(Option<Position>, Way), Answer> {
        let position = |text: &str| cursor_position(self.collection, text).ok_or_else(Answer::invalid_cursor);
        match (self.query.get("page[after]"), self.query.get("page[before]")) {
            (Some(_), Some(_)) => Err(Answer::invalid_page("page[after] and page[before] exclude each other")),
            (Some(after), None) => Ok((Some(position(after)?), Way::Forwards)),
            (None, Some(before)) => Ok((Some(position(before)?), Way::Backwards)),
            (None, None) => Ok((None, Way::Forwards)),
        }
    }

    fn by_cursor(&self, shared: &Shared) -> Result<Served, Answer> {
        window::check(self.collection, self.query)?;
        let size = self.page_size()?;
        let (from, way) = self.place()?;
        let account = shared.read();
        let mut ids = account.listed(self, from.as_ref(), way, size + 1);
        let has_more = ids.len() > size || self.repeats;
        ids.truncate(size);
        if way == Way::Backwards {
            ids.reverse();
        }
        let asked = self.query.get("page[after]").map(str::to_owned);
        let cursor =
            |id: Option<&i64>| id.map(|id| cursor_text(self.collection, &account.position(self.collection, *id)));
        let (mut after, before) = (cursor(ids.last()), cursor(ids.first()));
        if self.repeats && asked.is_some() {
            after.clone_from(&asked);
        }
        let members = json!({
            // Both are there on the last page too.
            "meta": {"has_more": has_more, "after_cursor": after, "before_cursor": before},
            "links": {"next": self.link("page[after]", after.as_deref()), "prev": self.link("page[before]", before.as_deref())},
        });
        let next = has_more
            .then_some(after)
            .flatten()
            .map_or(Place::List(None), |after| Place::List(Some(after)));
        Ok(self.serve(shared, &account, &ids, (Place::List(asked), next), &members))
    }

    fn link(&self, name: &str, cursor: Option<&str>) -> Option<String> {
        let cursor = cursor?;
        Some(
            self.query
                .address(&self.address, &["page[after]", "page[before]"], &[(name, cursor)]),
        )
    }

    fn by_offset(&self, shared: &Shared) -> Result<Served, Answer> {
        let is_whole = matches!(
            self.collection,
            Collection::TicketFields | Collection::OrganizationFields | Collection::UserFields | Collection::Schedules
        );
        let account = shared.read();
        let mut ids = account.listed(self, None, Way::Forwards, usize::MAX);
        let count = ids.len();
        if is_whole {
            let members = json!({"count": count, "next_page": null, "previous_page": null});
            return Ok(self.serve(shared, &account, &ids, (Place::List(None), Place::List(None)), &members));
        }
        let per_page = self.query.number("per_page").unwrap_or(LARGEST).clamp(1, LARGEST);
        let page = self.query.number("page").unwrap_or(1).max(1);
        if page.saturating_mul(per_page) > DEEPEST {
            return Err(Answer::coded(
                "InvalidPaginationDepth",
                "Pagination past 10,000 records is not allowed",
            ));
        }
        let skipped = usize::try_from((page - 1) * per_page).expect("below the deepest");
        ids = ids
            .into_iter()
            .skip(skipped)
            .take(usize::try_from(per_page).expect("at most 100"))
            .collect();
        let has_more = skipped + ids.len() < count || self.repeats;
        let address = |page: i64| {
            self.query
                .address(&self.address, &["page"], &[("page", &page.to_string())])
        };
        let next_page = if self.repeats { page } else { page + 1 };
        let members = json!({
            "count": count,
            "next_page": has_more.then(|| address(next_page)),
            "previous_page": (page > 1).then(|| address(page - 1)),
        });
        let place = |page: i64| Place::List((page > 1).then(|| format!("page {page}")));
        let next = if has_more { place(next_page) } else { Place::List(None) };
        Ok(self.serve(shared, &account, &ids, (place(page), next), &members))
    }

    fn serve(
        &self,
        shared: &Shared,
        account: &Account,
        ids: &[i64],
        (place, next): (Place, Place),
        members: &Value,
    ) -> Served {
        let sideloads = Sideloads::new(self.collection, &self.query.includes(), self.form());
        let now = account.now();
        let body = PageBody::new(account, self.collection, ids, &sideloads, now);
        let mut ledger = shared.ledger();
        let place = window::place(self.collection, self.query, place, now);
        ledger.asked(self.collection, &place);
        if self.collection.is_window() {
            let version = |id: &i64| Some((*id, account.version(self.collection, *id)?));
            let rows = ids.iter().filter_map(version).collect();
            ledger.served_versions(self.collection, place, None, rows, now);
        } else if !self.collection.has_versions() {
            ledger.served_states(self.collection, place, Some(next), body.rows(), now);
        }
        Served {
            answer: Answer::page(body.finish(members), ids.len()),
            unknown_includes: sideloads.unknown,
        }
    }
}

/// `tickets/<id>/comments`, oldest first; of a deleted ticket there are none to find.
pub(crate) fn comments(shared: &Shared, ticket: i64, query: &Query) -> Result<Served, Answer> {
    let account = shared.read();
    let held = account.tickets.get(ticket);
    let held = held
        .filter(|_| !account.is_deleted(Collection::Tickets, ticket))
        .ok_or_else(Answer::no_such_record)?;
    let size = query.number("page[size]").unwrap_or(LARGEST);
    if !(1..=LARGEST).contains(&size) {
        return Err(Answer::invalid_page("page[size] must be between 1 and 100"));
    }
    let size = usize::try_from(size).expect("at most 100");
    let from = match query.get("page[after]") {
        Some(text) => text.parse::<usize>().map_err(|_| Answer::invalid_cursor())?,
        None => 0,
    };
    let thread = account.thread(held);
    let page: Vec<_> = thread.iter().skip(from).take(size).collect();
    let after = (from + page.len()).to_string();
    let body = json!({
        "comments": page,
        "meta": {"has_more": from + page.len() < thread.len(), "after_cursor": after, "before_cursor": null},
        "links": {"next": null, "prev": null},
    });
    let rows = page.len();
    Ok(Served {
        answer: Answer::page(body.to_string().into_bytes(), rows),
        unknown_includes: Vec::new(),
    })
}

/// `tickets/show_many`: what is missing or deleted is left out.
pub(crate) fn show_many(shared: &Shared, query: &Query) -> Result<Served, Answer> {
    let ids = query.get("ids").into_iter().flat_map(|ids| ids.split(','));
    let ids: Vec<i64> = ids.filter_map(|id| id.trim().parse().ok()).collect();
    if ids.is_empty() || ids.len() > MANY {
        let words = format!("ids must name 1 to {MANY} tickets");
        return Err(Answer::json(
            400,
            &json!({"error": "TooManyValues", "description": words}),
        ));
    }
    let sideloads = Sideloads::new(Collection::Tickets, &query.includes(), Form::default());
    let account = shared.read();
    let now = account.now();
    let is_shown = |id: &i64| account.tickets.get(*id).is_some() && !account.is_deleted(Collection::Tickets, *id);
    let ids: Vec<i64> = ids.into_iter().filter(is_shown).collect();
    let body = PageBody::new(&account, Collection::Tickets, &ids, &sideloads, now);
    if sideloads.form.slas {
        let mut ledger = shared.ledger();
        for id in &ids {
            let version = account.version(Collection::Tickets, *id).expect("it is shown");
            ledger.served_slas(*id, version, now);
        }
    }
    let members = json!({"count": ids.len(), "next_page": null, "previous_page": null});
    Ok(Served {
        answer: Answer::page(body.finish(&members), ids.len()),
        unknown_includes: sideloads.unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_opaque_and_of_one_order() {
        let text = cursor_text(Collection::Groups, &("Support: EU".into(), 7));
        assert_eq!(
            cursor_position(Collection::Groups, &text),
            Some(("Support: EU".into(), 7))
        );
        assert_eq!(cursor_position(Collection::TicketFields, &text), None);
        assert!(!text.contains(['+', '/', '=']));
    }
}
