//! The rules of lists, by cursor, by number, whole, or by windows of time.

use super::{Exchange, Step, broken};
use crate::envelope::Envelope;
use crate::{Fault, Place, RawRecord};

impl Exchange<'_> {
    pub(super) fn list(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
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
    pub(super) fn offset(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
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

    pub(super) fn whole(&self, envelope: &Envelope, records: Vec<RawRecord>) -> Result<Step, Fault> {
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
    pub(super) fn window(&self, envelope: &Envelope, mut records: Vec<RawRecord>) -> Result<Step, Fault> {
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
}
