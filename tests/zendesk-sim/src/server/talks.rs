//! The side conversations of one ticket.

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
