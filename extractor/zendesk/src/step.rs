//! Which records of an answer are new, and where the next request begins: the rules of Zendesk's pagings.

use std::collections::HashSet;

use jiff::Timestamp;
use zenfloe_catalog::{Collection, Paging, TimeUnit};

use crate::envelope::{Envelope, text_at};
use crate::{Fault, Note, Place, RawRecord};

/// Rows younger than this may still be joined by others of the same second.
const SETTLED_AFTER: i64 = 61;
/// Exports that leave the last minute out themselves (CATALOG: incremental exports); of all others we hold it back.
const HIDE_LAST_MINUTE: [&str; 3] = [
    "/api/v2/incremental/tickets",
    "/api/v2/incremental/tickets/cursor",
    "/api/v2/incremental/ticket_events",
];

/// What was asked and answered.
pub(crate) struct Exchange<'e> {
    pub(crate) collection: &'e Collection,
    pub(crate) after: &'e Place,
    /// Where the past ends that is being read.
    pub(crate) until: Option<i64>,
    /// The page was asked for in the largest size.
    pub(crate) was_largest: bool,
    /// When the server answered, whole seconds since 1970.
    pub(crate) date: i64,
}

/// What follows from an answer.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) records: Vec<RawRecord>,
    pub(crate) next: Place,
    pub(crate) is_caught_up: bool,
    /// Everything up to this second has been delivered.
    pub(crate) reached: Option<i64>,
    pub(crate) repeats: u32,
    pub(crate) note: Option<Note>,
}

impl Exchange<'_> {
    /// Sorts the records of an answer.
    pub(crate) fn step(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
        let step = match self.collection.endpoint.paging {
            Paging::IncrementalCursor => self.cursor(envelope, records),
            Paging::IncrementalTime => self.time(envelope, records),
            Paging::List => self.list(envelope, records),
            Paging::Offset => self.offset(envelope, records),
            Paging::Whole => self.whole(envelope, records),
            Paging::Window => self.window(envelope, records),
        }?;
        Ok(match self.until {
            Some(until) => self.cut(step, until),
            None => step,
        })
    }

    /// Leaves out what no longer belongs to the past.
    fn cut(&self, mut step: Step, until: i64) -> Step {
        let all = step.records.len();
        step.records
            .retain(|record| self.time_of(record).is_none_or(|time| time < until));
        let left_out = all - step.records.len();
        step.repeats += left_out as u32;
        step.is_caught_up |= left_out > 0;
        step.reached = if step.is_caught_up { Some(until) } else { step.reached };
        step.next = step.next.until(until);
        step
    }

    /// The youngest second whose rows are complete.
    fn settled(&self) -> i64 {
        if HIDE_LAST_MINUTE.contains(&self.collection.endpoint.path.as_str()) {
            i64::MAX
        } else {
            self.date - self.settles_after()
        }
    }

    /// Rows younger than this may still be joined by others.
    fn settles_after(&self) -> i64 {
        self.collection.endpoint.settles_after.map_or(SETTLED_AFTER, i64::from)
    }

    fn cursor(&self, envelope: &Envelope, mut records: Vec<RawRecord>) -> Result<Step, Fault> {
        let is_last = envelope
            .end_of_stream
            .ok_or_else(|| broken("it has no `end_of_stream`"))?;
        let last = records.last().and_then(|record| self.time_of(record));
        let all = records.len();
        if let Some(to) = self.after.delivered_to() {
            records.retain(|record| self.time_of(record).is_none_or(|time| time > to));
        }
        let repeats = (all - records.len()) as u32;
        let settled = self.settled();
        // A full page may reach into the last minute as well, when many rows changed at once.
        if last.is_some_and(|last| last > settled) {
            records.retain(|record| self.time_of(record).is_none_or(|time| time <= settled));
            let to = settled.max(self.after.delivered_to().unwrap_or(settled));
            let next = self.after.delivered(to);
            return Ok(Step {
                records,
                next,
                is_caught_up: true,
                reached: Some(settled),
                repeats,
                note: None,
            });
        }
        let next = match (&envelope.after_cursor, self.after) {
            (Some(cursor), Place::Cursor { cursor: held, .. }) if !is_last && cursor == held => {
                return Err(broken("its cursor leads to the same page again"));
            }
            (Some(cursor), after) => {
                let held = if let Place::Cursor { time, .. } = after {
                    *time
                } else {
                    None
                };
                Place::Cursor {
                    cursor: cursor.clone(),
                    time: last.or(held),
                    delivered_to: None,
                }
            }
            (None, after) if is_last && all == 0 => after.clone(),
            (None, _) => return Err(broken("it has no `after_cursor`")),
        };
        let reached = if is_last { Some(settled.min(self.date)) } else { last };
        Ok(Step {
            records,
            next,
            is_caught_up: is_last,
            reached,
            repeats,
            note: None,
        })
    }

    fn time(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
        let ends_by_next_page = self.collection.endpoint.ends_by_next_page;
        let is_last = match envelope.end_of_stream {
            Some(is_last) => is_last,
            None if ends_by_next_page => !envelope.has_next_page,
            None => return Err(broken("it has no `end_of_stream`")),
        };
        let (start, seen) = match self.after {
            Place::Time { start_time, seen } => (*start_time, seen.iter().map(String::as_str).collect()),
            Place::Start { since, .. } => (*since, HashSet::new()),
            Place::Cursor { .. } | Place::List { .. } | Place::Window { .. } | Place::Past { .. } => {
                return Err(broken("the kept place is of another kind"));
            }
        };
        let settled = self.settled();
        let all = records.len();
        let timed: Vec<_> = records
            .into_iter()
            .map(|record| (self.time_of(&record), record))
            .collect();
        let (kept, held_back): (Vec<_>, Vec<_>) = timed
            .into_iter()
            .partition(|(time, _)| time.is_none_or(|time| time <= settled));
        let youngest = kept.iter().filter_map(|(time, _)| *time).max();
        let end = match (held_back.is_empty(), envelope.end_time) {
            // A page without rows may end now: the last minute is not over yet.
            (true, Some(end)) if !ends_by_next_page => end.min(settled.max(youngest.unwrap_or(start))),
            _ => start,
        };
        // Rows come in the order of time: whatever the answer says, all before its youngest have been delivered.
        let end = end.max(youngest.unwrap_or(start)).max(start);
        let mut next_seen: HashSet<String> = kept
            .iter()
            .filter(|(time, _)| *time == Some(end))
            .map(|(_, record)| String::from_utf8_lossy(&record.key).into_owned())
            .collect();
        if end == start {
            next_seen.extend(seen.iter().map(|key| (*key).to_owned()));
        }
        let new: Vec<_> = kept
            .into_iter()
            .filter(|(time, record)| {
                *time != Some(start) || !std::str::from_utf8(&record.key).is_ok_and(|key| seen.contains(key))
            })
            .map(|(_, record)| record)
            .collect();
        let repeats = (all - held_back.len() - new.len()) as u32;
        let is_caught_up = is_last || !held_back.is_empty();
        let mut seen: Vec<_> = next_seen.into_iter().collect();
        seen.sort();
        let mut next = Place::Time { start_time: end, seen };
        let mut note = None;
        if !is_caught_up && end == start {
            // CATALOG: stall guard. The second is larger than the page and the server cut it.
            if self.was_largest {
                note = Some(Note::PossibleGap { second: start });
                next = Place::Time {
                    start_time: start + 1,
                    seen: Vec::new(),
                };
            } else {
                note = Some(Note::SecondWasCut { second: start });
            }
        }
        let reached = if is_caught_up {
            Some(settled.min(self.date))
        } else {
            youngest
        };
        Ok(Step {
            records: new,
            next,
            is_caught_up,
            reached,
            repeats,
            note,
        })
    }

    fn list(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
        // `links.next` and the cursor are there on the last page too: `has_more` alone decides.
        let has_more = match envelope.has_more {
            Some(has_more) => has_more,
            None if envelope.has_next_page => return Err(broken("it is paged by offset")),
            None => false,
        };
        let next = match (&envelope.after_cursor, self.after) {
            _ if !has_more => Place::start(),
            (None, _) => return Err(broken("it has no `after_cursor`")),
            (Some(cursor), Place::List { after, .. }) if cursor == after => {
                return Err(broken("its cursor leads to the same page again"));
            }
            (Some(cursor), place) => Place::List {
                after: cursor.clone(),
                page: place.list_page() + 1,
            },
        };
        let reached = (!has_more).then_some(self.date);
        Ok(Step {
            records,
            next,
            is_caught_up: !has_more,
            reached,
            repeats: 0,
            note: None,
        })
    }

    /// Pages by number: `next_page` alone tells whether there is another one.
    fn offset(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
        let page = self.after.list_page() + 1;
        // An empty page in the middle would lead on for ever.
        let has_more = envelope.has_next_page && !records.is_empty();
        let next = match has_more {
            false => Place::start(),
            true => Place::List {
                after: (page + 1).to_string(),
                page,
            },
        };
        Ok(self.list_step(records, next, !has_more))
    }

    fn whole(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
        if envelope.has_next_page || envelope.has_more == Some(true) {
            return Err(broken("it is paged, and should be all there is"));
        }
        Ok(self.list_step(records, Place::start(), true))
    }

    fn list_step(&self, records: Vec<RawRecord>, next: Place, is_last: bool) -> Step {
        Step {
            records,
            next,
            is_caught_up: is_last,
            reached: is_last.then_some(self.date),
            repeats: 0,
            note: None,
        }
    }

    /// Of what the filter lets through, each state is delivered by one pass: the first whose end lies behind its
    /// version. What is too young to have settled is left to the next pass.
    fn window(&self, envelope: &Envelope, mut records: Vec<RawRecord>) -> Result<Step, Fault> {
        let (delivered_to, to, held, since) = match self.after {
            Place::Window {
                delivered_to,
                to,
                after,
                since,
            } => (*delivered_to, *to, after.as_ref(), *since),
            Place::Start { since, .. } => (None, None, None, *since),
            _ => return Err(broken("the kept place is of another kind")),
        };
        let to = to.unwrap_or(self.date - self.settles_after());
        let is_due = |time: i64| time <= to && time >= since && delivered_to.is_none_or(|before| time > before);
        let all = records.len();
        records.retain(|record| self.time_of(record).is_none_or(is_due));
        let has_more = match envelope.has_more {
            Some(has_more) => has_more,
            None if envelope.has_next_page => return Err(broken("it is paged by offset")),
            None => false,
        };
        let (end, after) = match (has_more, &envelope.after_cursor) {
            (false, _) => (None, None),
            (true, None) => return Err(broken("it has no `after_cursor`")),
            (true, Some(cursor)) if Some(cursor) == held => {
                return Err(broken("its cursor leads to the same page again"));
            }
            (true, Some(cursor)) => (Some(to), Some(cursor.clone())),
        };
        let repeats = (all - records.len()) as u32;
        let next = Place::Window {
            delivered_to: if has_more {
                delivered_to
            } else {
                Some(to.max(delivered_to.unwrap_or(to)))
            },
            to: end,
            after,
            since,
        };
        let mut step = self.list_step(records, next, !has_more);
        step.repeats = repeats;
        step.reached = (!has_more).then_some(to);
        Ok(step)
    }

    /// The whole second of a record's version.
    fn time_of(&self, record: &RawRecord) -> Option<i64> {
        let version = &self.collection.record.version;
        let path = version.path.as_ref().or(version.fallback.as_ref())?;
        let text = text_at(&record.json, path)?;
        match version.unit {
            TimeUnit::EpochSeconds => text.parse().ok(),
            TimeUnit::EpochMillis => Some(text.parse::<i64>().ok()?.div_euclid(1_000)),
            TimeUnit::Iso8601 => text.parse::<Timestamp>().ok().map(Timestamp::as_second),
        }
    }
}

fn broken(what: &str) -> Fault {
    Fault::Broken { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use zenfloe_catalog::Catalog;

    const NOW: i64 = 1_791_532_660;

    fn answer(name: &str, after: &Place, was_largest: bool, body: &str) -> Result<Step, Fault> {
        let collection = Catalog::builtin()
            .collection(name)
            .expect("a collection of this release");
        let body = Bytes::from(body.to_owned());
        let envelope = Envelope::read(collection, &body).expect("a page");
        let records = envelope.records(collection, &body);
        let (after, until) = after.bounded();
        Exchange {
            collection,
            after,
            until,
            was_largest,
            date: NOW,
        }
        .step(&envelope, records)
    }

    /// Organizations or users with ids and seconds before now.
    fn rows(envelope: &str, rows: &[(i64, i64)], rest: &str) -> String {
        let rows: Vec<_> = rows
            .iter()
            .map(|(id, age)| {
                let time = Timestamp::from_second(NOW - age).expect("in range");
                format!(r#"{{"id":{id},"updated_at":"{time}"}}"#)
            })
            .collect();
        format!(r#"{{"{envelope}":[{}],{rest}}}"#, rows.join(","))
    }

    fn keys(step: &Step) -> Vec<String> {
        step.records
            .iter()
            .map(|record| String::from_utf8(record.key.clone()).expect("digits"))
            .collect()
    }

    fn time(start_time: i64, seen: &[&str]) -> Place {
        Place::Time {
            start_time,
            seen: seen.iter().map(|key| (*key).into()).collect(),
        }
    }

    #[test]
    fn boundary_repeats_of_time_exports_are_dropped() {
        let end = NOW - 500;
        let first = rows(
            "organizations",
            &[(1, 900), (2, 500), (3, 500)],
            &format!(r#""end_time":{end},"end_of_stream":false"#),
        );
        let step = answer("organizations", &Place::start(), true, &first).expect("a page");
        assert_eq!(
            (keys(&step), &step.next),
            (vec!["1".into(), "2".into(), "3".into()], &time(end, &["2", "3"]))
        );

        let second = rows(
            "organizations",
            &[(3, 500), (2, 500), (4, 500), (5, 400)],
            &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 400),
        );
        let step = answer("organizations", &step.next, true, &second).expect("a page");
        assert_eq!(
            (keys(&step), step.repeats, step.is_caught_up),
            (vec!["4".into(), "5".into()], 2, true)
        );
        assert_eq!(step.next, time(NOW - 400, &["5"]));

        let poll = rows(
            "organizations",
            &[(5, 400)],
            &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 400),
        );
        let step = answer("organizations", &step.next, true, &poll).expect("a page");
        assert_eq!((keys(&step).len(), step.repeats), (0, 1));
        assert_eq!(step.next, time(NOW - 400, &["5"]), "an unchanged poll changes nothing");
    }

    #[test]
    fn an_expanded_second_ends_behind_itself() {
        let body = rows(
            "organizations",
            &[(1, 500), (2, 500)],
            &format!(r#""end_time":{},"end_of_stream":false"#, NOW - 499),
        );
        let step = answer("organizations", &time(NOW - 500, &[]), true, &body).expect("a page");
        assert_eq!(step.next, time(NOW - 499, &[]));
    }

    #[test]
    fn the_last_minute_is_held_back() {
        let body = rows(
            "organizations",
            &[(1, 300), (2, 62), (3, 61), (4, 60), (5, 1)],
            &format!(r#""end_time":{},"end_of_stream":true"#, NOW - 1),
        );
        let step = answer("organizations", &Place::start(), true, &body).expect("a page");
        assert_eq!(keys(&step), ["1", "2", "3"]);
        assert_eq!(step.next, time(NOW - 61, &["3"]));
        assert!(step.is_caught_up);

        let fresh = rows("organizations", &[(5, 1)], r#""end_time":null,"end_of_stream":true"#);
        let step = answer("organizations", &time(NOW - 61, &["3"]), true, &fresh).expect("a page");
        assert_eq!((keys(&step).len(), step.next), (0, time(NOW - 61, &["3"])));
    }

    #[test]
    fn a_second_larger_than_the_page_is_passed_with_a_note() {
        let start = NOW - 500;
        let body = rows(
            "organizations",
            &[(1, 500), (2, 500)],
            &format!(r#""end_time":{start},"end_of_stream":false"#),
        );
        let small = answer("organizations", &time(start, &[]), false, &body).expect("a page");
        assert_eq!(small.note, Some(Note::SecondWasCut { second: start }));
        assert_eq!(small.next, time(start, &["1", "2"]));
        let large = answer("organizations", &small.next, true, &body).expect("a page");
        assert_eq!(large.note, Some(Note::PossibleGap { second: start }));
        assert_eq!((large.next, large.records.len()), (time(start + 1, &[]), 0));
    }

    #[test]
    fn an_end_that_does_not_move_is_moved_by_the_rows() {
        let start = NOW - 900;
        let body = rows(
            "organizations",
            &[(1, 700), (2, 500)],
            &format!(r#""end_time":{start},"end_of_stream":false"#),
        );
        let step = answer("organizations", &time(start, &["9"]), true, &body).expect("a page");
        assert_eq!((&step.next, step.note), (&time(NOW - 500, &["2"]), None));
    }

    #[test]
    fn the_users_cursor_waits_for_the_last_minute_to_settle() {
        let held = Place::Cursor {
            cursor: "a".into(),
            time: Some(NOW - 900),
            delivered_to: None,
        };
        let body = rows(
            "users",
            &[(1, 300), (2, 61), (3, 5)],
            r#""after_cursor":"b","end_of_stream":true"#,
        );
        let step = answer("users", &held, true, &body).expect("a page");
        assert_eq!(keys(&step), ["1", "2"]);
        let again = Place::Cursor {
            cursor: "a".into(),
            time: Some(NOW - 900),
            delivered_to: Some(NOW - 61),
        };
        assert_eq!((step.is_caught_up, &step.next), (true, &again));

        let later = Place::Cursor {
            cursor: "a".into(),
            time: Some(NOW - 900),
            delivered_to: Some(NOW - 1_861),
        };
        let body = rows(
            "users",
            &[(1, 2_100), (2, 1_861), (3, 1_805), (4, 1_500)],
            r#""after_cursor":"c","end_of_stream":true"#,
        );
        let step = answer("users", &later, true, &body).expect("a page");
        assert_eq!((keys(&step), step.repeats), (vec!["3".into(), "4".into()], 2));
        assert_eq!(
            step.next,
            Place::Cursor {
                cursor: "c".into(),
                time: Some(NOW - 1_500),
                delivered_to: None
            }
        );
    }

    #[test]
    fn a_full_page_that_reaches_into_the_last_minute_waits_too() {
        let held = Place::Cursor {
            cursor: "a".into(),
            time: Some(NOW - 900),
            delivered_to: None,
        };
        let body = rows(
            "users",
            &[(1, 300), (2, 61), (3, 5)],
            r#""after_cursor":"b","end_of_stream":false"#,
        );
        let step = answer("users", &held, true, &body).expect("a page");
        assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into(), "2".into()], true));
        assert_eq!(
            step.next,
            held.delivered(NOW - 61),
            "what may still come before row 3 is not passed"
        );
    }

    #[test]
    fn an_empty_page_does_not_lead_into_the_last_minute() {
        let start = time(NOW - 500, &["7"]);
        for (end, next) in [("null", NOW - 500), ("1791532660", NOW - 61), ("1791532160", NOW - 500)] {
            let body = format!(r#"{{"organizations":[],"end_time":{end},"end_of_stream":true}}"#);
            let step = answer("organizations", &start, true, &body).expect("a page");
            let seen: &[&str] = if next == NOW - 500 { &["7"] } else { &[] };
            assert_eq!(step.next, time(next, seen), "{end}");
        }
    }

    #[test]
    fn the_tickets_cursor_is_kept_at_the_end_of_the_stream() {
        let body = r#"{"tickets":[{"id":1,"generated_timestamp":1791532600}],"after_cursor":"x","end_of_stream":true}"#;
        let step = answer("tickets", &Place::start(), true, body).expect("a page");
        let place = Place::Cursor {
            cursor: "x".into(),
            time: Some(NOW - 60),
            delivered_to: None,
        };
        assert_eq!((step.records.len(), step.is_caught_up, &step.next), (1, true, &place));
        let quiet = r#"{"tickets":[],"after_cursor":"x","end_of_stream":true}"#;
        assert_eq!(answer("tickets", &place, true, quiet).expect("a page").next, place);
        let stuck = r#"{"tickets":[],"after_cursor":"x","end_of_stream":false}"#;
        assert!(
            answer("tickets", &place, true, stuck).is_err(),
            "never the same request for ever"
        );
    }

    #[test]
    fn the_past_ends_where_the_present_begins() {
        let until = NOW - 200;
        let past = |cursor: &str, time| {
            Place::Cursor {
                cursor: cursor.into(),
                time: Some(time),
                delivered_to: None,
            }
            .until(until)
        };
        let before = rows(
            "users",
            &[(1, 300), (2, 201)],
            r#""after_cursor":"a","end_of_stream":false"#,
        );
        let step = answer("users", &Place::start().until(until), true, &before).expect("a page");
        assert_eq!((keys(&step).len(), step.is_caught_up), (2, false));
        assert_eq!((&step.next, step.reached), (&past("a", NOW - 201), Some(NOW - 201)));

        let across = rows(
            "users",
            &[(3, 201), (4, 200), (5, 100)],
            r#""after_cursor":"b","end_of_stream":false"#,
        );
        let step = answer("users", &step.next, true, &across).expect("a page");
        assert_eq!((keys(&step), step.repeats), (vec!["3".into()], 2));
        assert_eq!((step.is_caught_up, step.reached), (true, Some(until)));

        let timed = rows(
            "organizations",
            &[(1, 300), (2, 200)],
            &format!(r#""end_time":{until},"end_of_stream":false"#),
        );
        let step = answer("organizations", &Place::start().until(until), true, &timed).expect("a page");
        assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into()], true));
    }

    #[test]
    fn events_of_side_conversations_end_without_a_next_page_and_settle_longer() {
        let row = |id: i64, age: i64| {
            let time = Timestamp::from_second(NOW - age).expect("in range");
            format!(r#"{{"id":"{id}","ticket_id":1,"created_at":"{time}"}}"#)
        };
        let page = |rows: &[String], next: &str| {
            let end = NOW + 5;
            format!(
                r#"{{"events":[{}],"end_time":{end},"next_page":{next}}}"#,
                rows.join(",")
            )
        };
        let first = page(&[row(1, 900), row(2, 800)], "\"https://x\"");
        let step = answer("side_conversations", &Place::start(), true, &first).expect("a page");
        assert_eq!((keys(&step).len(), step.is_caught_up), (2, false));
        assert_eq!(step.next, time(NOW - 800, &["2"]), "not where it says that it ends");
        let last = page(&[row(2, 800), row(3, 301), row(4, 299)], "null");
        let step = answer("side_conversations", &step.next, true, &last).expect("a page");
        assert_eq!((keys(&step), step.is_caught_up), (vec!["3".into()], true));
        assert_eq!(step.next, time(NOW - 301, &["3"]));
    }

    #[test]
    fn every_state_of_a_window_is_delivered_by_one_pass() {
        let page = |held: &[(i64, i64)], more: bool| {
            let rest = format!(r#""meta":{{"has_more":{more},"after_cursor":"a"}}"#);
            rows("satisfaction_ratings", held, &rest)
        };
        let first = page(&[(1, 900), (2, 400), (3, 5)], true);
        let step = answer("satisfaction_ratings", &Place::start(), true, &first).expect("a page");
        assert_eq!((keys(&step), step.is_caught_up), (vec!["1".into(), "2".into()], false));
        let second = page(&[(4, 300)], false);
        assert!(
            answer("satisfaction_ratings", &step.next, true, &page(&[], true)).is_err(),
            "a page that leads to itself"
        );
        let step = answer("satisfaction_ratings", &step.next, true, &second).expect("a page");
        assert_eq!((keys(&step), step.reached), (vec!["4".into()], Some(NOW - 61)));
        // The next pass sees the overlap again, and what has settled meanwhile.
        let later = Place::Window {
            delivered_to: Some(NOW - 361),
            to: None,
            after: None,
            since: 0,
        };
        let again = page(&[(2, 400), (4, 361), (5, 360), (6, 61), (7, 60)], false);
        let step = answer("satisfaction_ratings", &later, true, &again).expect("a page");
        assert_eq!((keys(&step), step.repeats), (vec!["5".into(), "6".into()], 3));
        let next = Place::Window {
            delivered_to: Some(NOW - 61),
            to: None,
            after: None,
            since: 0,
        };
        assert_eq!(step.next, next);
    }

    #[test]
    fn pages_by_number_end_by_next_page_and_whole_lists_have_none() {
        let more = r#"{"sla_policies":[{"id":1}],"next_page":"https://x?page=2","count":2}"#;
        let step = answer("sla_policies", &Place::start(), true, more).expect("a page");
        let second = Place::List {
            after: "2".into(),
            page: 1,
        };
        assert_eq!((&step.next, step.is_caught_up), (&second, false));
        let last = r#"{"sla_policies":[{"id":2}],"next_page":null,"count":2}"#;
        let step = answer("sla_policies", &second, true, last).expect("a page");
        assert_eq!((&step.next, step.is_caught_up), (&Place::start(), true));
        let endless = r#"{"sla_policies":[],"next_page":"https://x?page=3","count":2}"#;
        assert!(
            answer("sla_policies", &second, true, endless)
                .expect("a page")
                .is_caught_up
        );
        let whole = r#"{"schedules":[{"id":1}],"next_page":null}"#;
        assert!(
            answer("schedules", &Place::start(), true, whole)
                .expect("a page")
                .is_caught_up
        );
        let paged = r#"{"schedules":[{"id":1}],"next_page":"https://x?page=2"}"#;
        assert!(answer("schedules", &Place::start(), true, paged).is_err());
    }

    #[test]
    fn lists_end_by_has_more_alone() {
        let more = r#"{"groups":[{"id":1}],"meta":{"has_more":true,"after_cursor":"a"},"links":{"next":"x"}}"#;
        let step = answer("groups", &Place::start(), true, more).expect("a page");
        assert_eq!(
            step.next,
            Place::List {
                after: "a".into(),
                page: 1
            }
        );
        assert!(
            answer("groups", &step.next, true, more).is_err(),
            "a page that repeats for ever"
        );
        let last = r#"{"groups":[{"id":2}],"meta":{"has_more":false,"after_cursor":"b"},"links":{"next":"y"}}"#;
        let step = answer("groups", &step.next, true, last).expect("a page");
        assert_eq!((step.is_caught_up, step.next), (true, Place::start()));
        let offset = r#"{"groups":[],"count":300,"next_page":"https://x","previous_page":null}"#;
        assert!(answer("groups", &Place::start(), true, offset).is_err());
    }
}
