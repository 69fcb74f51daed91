//! Which records of an answer are new, and where the next request begins: the rules of Zendesk's pagings.

mod list;

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
            None if self.collection.endpoint.ends_by_short_page => {
                records.len() < self.collection.endpoint.page_size as usize
            }
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
mod tests;
