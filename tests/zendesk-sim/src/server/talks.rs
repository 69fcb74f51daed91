//! The side conversations of one ticket, and the log of its own conversation.

use serde_json::json;

use super::answer::Answer;
use super::query::Query;
use super::{Served, Shared};
use crate::model::Collection;

/// The largest page, and the one that is served without `per_page`.
const LARGEST: usize = 100;

/// `tickets/<id>/side_conversations`, oldest first, by number; of a deleted ticket there are none to find.
pub(crate) fn of_ticket(shared: &Shared, ticket: i64, query: &Query, address: &str) -> Result<Served, Answer> {
    let account = shared.read();
    if account.tickets.get(ticket).is_none() || account.is_deleted(Collection::Tickets, ticket) {
        return Err(Answer::no_such_record());
    }
    let number = |name, default| {
        query
            .number(name)
            .and_then(|held| usize::try_from(held).ok())
            .unwrap_or(default)
    };
    let (per_page, page) = (number("per_page", LARGEST).clamp(1, LARGEST), number("page", 1).max(1));
    let all = account.talks_of.get(&ticket).map(Vec::as_slice).unwrap_or_default();
    let skipped = (page - 1).saturating_mul(per_page);
    let held = all.iter().filter_map(|id| account.side_conversations.get(*id));
    let rows: Vec<_> = held
        .skip(skipped)
        .take(per_page)
        .map(|held| account.side_conversation(held))
        .collect();
    let count = rows.len();
    let next =
        (skipped + count < all.len()).then(|| query.address(address, &["page"], &[("page", &(page + 1).to_string())]));
    let body = json!({"side_conversations": rows, "count": all.len(), "next_page": next, "previous_page": null});
    Ok(Answer::page(body.to_string().into_bytes(), count).into())
}

/// `tickets/<id>/conversation_log`, oldest first, by cursor; of a deleted ticket there is none to find.
pub(crate) fn log_of_ticket(shared: &Shared, ticket: i64, query: &Query) -> Result<Served, Answer> {
    let account = shared.read();
    let held = account.tickets.get(ticket);
    let held = held
        .filter(|_| !account.is_deleted(Collection::Tickets, ticket))
        .ok_or_else(Answer::no_such_record)?;
    let size = query.number("page[size]").and_then(|size| usize::try_from(size).ok());
    let size = size.unwrap_or(LARGEST).clamp(1, LARGEST);
    let from = match query.get("page[after]") {
        Some(text) => text.parse::<usize>().map_err(|_| Answer::invalid_cursor())?,
        None => 0,
    };
    let all = account.log(held);
    let page: Vec<_> = all.iter().skip(from).take(size).collect();
    let after = from + page.len();
    let rows = page.len();
    let body = json!({
        "events": page, "links": {"next": null, "prev": null},
        "meta": {"has_more": after < all.len(), "after_cursor": after.to_string(), "before_cursor": null},
    });
    Ok(Answer::page(body.to_string().into_bytes(), rows).into())
}
