//! Incremental exports, by cursor and by time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::answer::Answer;
use super::ledger::Place;
use super::page::{PageBody, Sideloads};
use super::{Served, Shared};
use crate::account::Account;
use crate::ids::mix;
use crate::model::Collection;
use crate::record::Form;
use crate::server::query::Query;

/// A request for a page of an export.
pub(crate) struct Export<'r> {
    pub(crate) collection: Collection,
    pub(crate) query: &'r Query,
    /// The endpoint's address with `.json`.
    pub(crate) address: String,
    /// The page is to lead to itself.
    pub(crate) repeats: bool,
}

/// The largest page, and the one that is served without `per_page`.
const LARGEST: i64 = 1_000;
/// Seconds after which every event of side conversations can be seen.
const LATEST: i64 = 240;
/// A start may not be younger.
const TOO_RECENT: i64 = 60;

/// A place in a cursor export: behind this time and id.
type Position = (i64, i64);

/// `<time>.0||<id>|`
fn cursor_text((time, id): Position) -> String {
    BASE64.encode(format!("{time}.0||{id}|"))
}

fn cursor_position(text: &str) -> Option<Position> {
    let plain = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let (time, id) = plain.strip_suffix('|')?.split_once(".0||")?;
    Some((time.parse().ok()?, id.parse().ok()?))
}

impl Account {
    /// The second that an export does not reach.
    fn export_until(&self, collection: Collection) -> i64 {
        if matches!(collection, Collection::Tickets | Collection::TicketEvents) {
            self.tickets_until()
        } else {
            i64::MAX
        }
    }

    /// Time and id of rows behind a position, in order.
    fn behind(&self, collection: Collection, after: Position) -> Box<dyn Iterator<Item = Position> + '_> {
        let until = self.export_until(collection);
        match collection {
            Collection::Tickets => Box::new(self.tickets.after(after, until).map(|row| (row.generated_at, row.id))),
            Collection::TicketEvents => Box::new(self.events.after(after, until).map(|row| (row.at, row.id))),
            Collection::Users => Box::new(self.users.after(after, until).map(|row| (row.updated_at, row.id))),
            Collection::TicketMetricEvents => {
                Box::new(self.metric_events.after(after, until).map(|row| (row.at, row.id)))
            }
            Collection::SideConversations => Box::new(self.side_events.after(after, until).map(|row| (row.at, row.id))),
            _ => Box::new(
                self.organizations
                    .after(after, until)
                    .map(|row| (row.updated_at, row.id)),
            ),
        }
    }

    fn is_exported(&self, collection: Collection, id: i64, query: &Query) -> bool {
        let ticket = match collection {
            Collection::Tickets => id,
            Collection::TicketEvents => self.events.get(id).map_or(0, |event| event.ticket),
            Collection::TicketMetricEvents => {
                return !(query.says_true("exclude_deleted") && self.is_deleted(collection, id));
            }
            // Up to four minutes pass before an event is there to be seen, of each event its own time.
            Collection::SideConversations => {
                let lateness = mix(id as u64) as i64 & 0xff;
                return self
                    .side_events
                    .get(id)
                    .is_some_and(|event| event.at + lateness.min(LATEST) <= self.now());
            }
            _ => return true,
        };
        let scope = query.get("support_type_scope").unwrap_or("agent");
        let is_meant = |by_ai_agent: bool| scope == "all" || by_ai_agent == (scope == "ai_agent");
        let skips_deleted = query.says_true("exclude_deleted");
        let held = self.tickets.get(ticket);
        let is_skipped = skips_deleted && self.is_deleted(Collection::Tickets, ticket);
        held.is_some_and(|held| is_meant(held.by_ai_agent) && !is_skipped)
    }
}

impl Export<'_> {
    fn per_page(&self) -> usize {
        usize::try_from(self.query.number("per_page").unwrap_or(LARGEST).clamp(1, LARGEST)).expect("at most 1,000")
    }

    fn sideloads(&self, shared: &Shared) -> Sideloads {
        let form = Form {
            generated: true,
            permanently_deleted: true,
            ..Form::default()
        };
        let mut sideloads = Sideloads::new(self.collection, &self.query.includes(), form);
        sideloads.form.slas &= shared.settings.exports_slas;
        sideloads
    }

    fn start_time(&self, now: i64) -> Result<i64, Answer> {
        let start = self
            .query
            .number("start_time")
            .ok_or_else(|| Answer::invalid_value("start_time is required"))?;
        if start > now - TOO_RECENT {
            return Err(Answer::coded(
                "StartTimeTooRecent",
                "Too recent start_time. Use a start_time older than 60 seconds",
            ));
        }
        Ok(start)
    }

    /// A page of a cursor export.
    pub(crate) fn by_cursor(&self, shared: &Shared) -> Result<Served, Answer> {
        let account = shared.read();
        let now = account.now();
        let (place, after) = match self.query.get("cursor") {
            Some(text) => {
                let position = cursor_position(text).ok_or_else(Answer::invalid_cursor)?;
                (Place::Cursor(text.to_owned()), position)
            }
            None => {
                let start = self.start_time(now)?;
                (Place::Since(start), (start, i64::MIN))
            }
        };
        let per_page = self.per_page();
        let rows = account
            .behind(self.collection, after)
            .filter(|(_, id)| account.is_exported(self.collection, *id, self.query));
        let mut rows: Vec<Position> = rows.take(per_page + 1).collect();
        let is_last = rows.len() <= per_page && !self.repeats;
        rows.truncate(per_page);
        let asked = self.query.get("cursor").map(str::to_owned);
        let cursor = match rows.last() {
            Some(last) if !(self.repeats && asked.is_some()) => Some(cursor_text(*last)),
            _ => asked,
        };
        let next = cursor.as_ref().map(|cursor| {
            let without = ["cursor", "start_time"];
            self.query.address(&self.address, &without, &[("cursor", cursor)])
        });
        let members = json!({
            "after_url": next, "before_url": null, "after_cursor": cursor, "before_cursor": null,
            "end_of_stream": is_last,
        });
        Ok(self.serve(shared, &account, &rows, place, cursor.map(Place::Cursor), &members))
    }

    /// A page of a time export.
    pub(crate) fn by_time(&self, shared: &Shared) -> Result<Served, Answer> {
        let account = shared.read();
        let start = self.start_time(account.now())?;
        let cut = self.cut(&account, start, shared.settings.legacy_stall);
        let (end, is_last) = if self.repeats {
            (Some(start), false)
        } else {
            (cut.end, cut.is_last)
        };
        if self.collection == Collection::SideConversations {
            return Ok(self.by_next_page(
                shared,
                &account,
                &cut,
                if self.repeats { Some(start) } else { cut.end },
                is_last,
            ));
        }
        let next = end.unwrap_or(start);
        let address = self
            .query
            .address(&self.address, &["start_time"], &[("start_time", &next.to_string())]);
        let members = json!({
            "count": cut.rows.len(), "end_of_stream": is_last, "end_time": end, "next_page": address,
        });
        Ok(self.serve(
            shared,
            &account,
            &cut.rows,
            Place::Time(start),
            Some(Place::Time(next)),
            &members,
        ))
    }

    /// A page of the export that has no `end_of_stream`: its last page has no next one, and its `end_time` is the present,
    /// which is later than events that are still to come.
    fn by_next_page(&self, shared: &Shared, account: &Account, cut: &Cut, end: Option<i64>, is_last: bool) -> Served {
        let next = end.filter(|_| !is_last);
        let address = next.map(|next| {
            self.query
                .address(&self.address, &["start_time"], &[("start_time", &next.to_string())])
        });
        let members = json!({
            "count": cut.rows.len(), "end_time": next.unwrap_or(account.now()), "next_page": address,
        });
        let place = Place::Time(self.query.number("start_time").unwrap_or(0));
        self.serve(shared, account, &cut.rows, place, next.map(Place::Time), &members)
    }

    /// Chooses the rows from a second on and the end that the page tells.
    fn cut(&self, account: &Account, start: i64, legacy_stall: bool) -> Cut {
        let per_page = self.per_page();
        let behind = account.behind(self.collection, (start, i64::MIN));
        let mut behind = behind
            .filter(|(_, id)| account.is_exported(self.collection, *id, self.query))
            .peekable();
        let mut rows: Vec<Position> = behind.by_ref().take(per_page).collect();
        let Some(last) = rows.last().map(|(time, _)| *time) else {
            return Cut {
                rows,
                end: None,
                is_last: true,
            };
        };
        // Within a second rows are not ordered by id, so all of it must be known before it is cut.
        while let Some(row) = behind.next_if(|(time, _)| *time == last) {
            rows.push(row);
        }
        rows.sort_by_key(|(time, id)| (*time, mix(*id as u64)));
        let is_one_second = rows[0].0 == last;
        if !is_one_second || legacy_stall {
            let is_cut = rows.len() > per_page;
            rows.truncate(per_page);
            return Cut {
                rows,
                end: Some(last),
                is_last: !is_cut && behind.peek().is_none(),
            };
        }
        let is_last = behind.peek().is_none();
        let is_full = rows.len() >= per_page;
        Cut {
            rows,
            end: Some(if is_full && !is_last { last + 1 } else { last }),
            is_last,
        }
    }

    fn serve(
        &self,
        shared: &Shared,
        account: &Account,
        rows: &[Position],
        place: Place,
        next: Option<Place>,
        members: &serde_json::Value,
    ) -> Served {
        let now = account.now();
        let sideloads = self.sideloads(shared);
        let ids: Vec<i64> = rows.iter().map(|(_, id)| *id).collect();
        let body = PageBody::new(account, self.collection, &ids, &sideloads, now);
        let mut ledger = shared.ledger();
        ledger.asked(self.collection, &place);
        if sideloads.form.slas {
            rows.iter()
                .for_each(|(version, id)| ledger.served_slas(*id, *version, now));
        }
        let versions = rows.iter().map(|(version, id)| (*id, *version)).collect();
        ledger.served_versions(self.collection, place, next, versions, now);
        Served {
            answer: Answer::page(body.finish(members), ids.len()),
            unknown_includes: sideloads.unknown,
        }
    }
}

/// The rows of a page of a time export.
struct Cut {
    rows: Vec<Position>,
    /// `end_time`; none for an empty page.
    end: Option<i64>,
    is_last: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_written_as_recorded() {
        assert_eq!(
            BASE64.decode(cursor_text((1_791_532_660, 2))).expect("base64"),
            b"1791532660.0||2|"
        );
        assert_eq!(cursor_position(&cursor_text((5, 90))), Some((5, 90)));
        for text in ["", "x", "MTc5MQ==", "MTIuMHx8"] {
            assert_eq!(cursor_position(text), None, "{text}");
        }
    }
}
