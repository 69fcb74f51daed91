//! Lists that are asked for what has changed since a time.

use super::answer::Answer;
use super::ledger::Place;
use super::query::Query;
use crate::account::Account;
use crate::model::Collection;

/// Notices to agents are served so long.
const NOTICES_LAST: i64 = 30 * 86_400;
/// Beginning and end, under one name.
const AUDITED: &str = "filter[created_at][]";

/// The beginning that is asked for, whole seconds since 1970; 0 for everything.
fn from(collection: Collection, query: &Query) -> i64 {
    match collection {
        Collection::SatisfactionRatings => query.number("start_time"),
        Collection::AuditLogs => query.all(AUDITED).next().and_then(seconds),
        Collection::Activities => query.get("since").and_then(seconds),
        _ => None,
    }
    .unwrap_or(0)
}

/// Refuses a filter that names one time alone.
pub(crate) fn check(collection: Collection, query: &Query) -> Result<(), Answer> {
    let times = query.all(AUDITED).count();
    if collection != Collection::AuditLogs || matches!(times, 0 | 2) {
        return Ok(());
    }
    Err(Answer::invalid_value(
        "created_at must be given twice: beginning and end",
    ))
}

/// The place of a list's page as the ledger counts it.
pub(crate) fn place(collection: Collection, query: &Query, place: Place, now: i64) -> Place {
    match place {
        Place::List(None) if collection.is_window() => Place::Window {
            from: from(collection, query),
            at: now,
        },
        within => within,
    }
}

impl Account {
    /// Claims that a list of what has changed shows a row. Ratings are found by the day of their offer: a client that
    /// takes it for the day of their change misses what is given late.
    pub(super) fn is_within(&self, collection: Collection, id: i64, query: &Query) -> bool {
        let from = from(collection, query);
        match collection {
            Collection::SatisfactionRatings => self.ratings.get(id).is_some_and(|row| row.created_at >= from),
            Collection::AuditLogs => {
                let to = query.all(AUDITED).nth(1).and_then(seconds).unwrap_or(i64::MAX);
                self.audits.get(id).is_some_and(|row| (from..=to).contains(&row.at))
            }
            Collection::Activities => {
                let oldest = self.now() - NOTICES_LAST;
                self.activities.get(id).is_some_and(|row| row.at >= from.max(oldest))
            }
            _ => true,
        }
    }
}

/// Whole seconds since 1970 of `2026-01-31T23:59:59Z`.
fn seconds(text: &str) -> Option<i64> {
    let time = text.strip_suffix('Z')?;
    let (date, time) = time.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.split('.').next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days since 1970 (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:34:56Z"), Some(951_827_696));
        assert_eq!(seconds("2026-10-09T07:57:40.141Z"), Some(1_791_532_660));
        assert_eq!(seconds("yesterday"), None);
    }
}
