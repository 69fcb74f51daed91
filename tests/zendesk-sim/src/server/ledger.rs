//! What was served: every version of every record, every state of every list row, the last SLA clocks.
//!
//! A page counts as *taken* once the client goes on behind it: before that, a client that was killed may
//! have lost it and gets its rows again. So, of a client that publishes every version once,
//! taken ⊆ published ⊆ served must hold, and the last page of all is taken when the client is at rest.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::Collection;

/// A version that an export, or a list of what has changed, has served of a record with versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedVersion {
    /// The record's id.
    pub id: i64,
    /// Whole seconds since 1970; see [`Collection::version_field`].
    pub version: i64,
    /// The account's time, whole seconds since 1970.
    pub first_served_at: i64,
    /// The account's time; users and organizations served within a minute of their version are not settled
    /// yet, and a careful client leaves them for later.
    pub last_served_at: i64,
    /// How often.
    pub times: u32,
    /// The client has gone on behind a page that held it.
    pub is_taken: bool,
}

/// A state of a list row; equal states in a row are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedState {
    /// The row's id.
    pub id: i64,
    /// 0 for the row's first state.
    pub number: u32,
    /// The row as served.
    pub json: String,
    /// The account's time, whole seconds since 1970.
    pub first_served_at: i64,
    /// The account's time.
    pub last_served_at: i64,
    /// How often.
    pub times: u32,
    /// The client has gone on behind a page that held it. A list of one page never shows that.
    pub is_taken: bool,
}

/// The SLA clocks of a ticket as they were last served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedSlas {
    /// The ticket.
    pub id: i64,
    /// Its version then.
    pub version: i64,
    /// The account's time, whole seconds since 1970.
    pub served_at: i64,
    /// `{"policy_metrics":[…]}`; none where the ticket has changed since.
    pub json: Option<String>,
}

/// Where a page was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The beginning of a cursor export.
    Since(i64),
    /// A cursor of an export.
    Cursor(String),
    /// A start of a time export.
    Time(i64),
    /// A place in a list; none for its beginning.
    List(Option<String>),
    /// The beginning of a list of what has changed since a time, asked for at a time.
    Window { from: i64, at: i64 },
}

/// A page that was served and not gone behind.
#[derive(Debug)]
struct Pending<R> {
    next: Option<Place>,
    rows: Vec<R>,
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    first: i64,
    last: i64,
    times: u32,
    is_taken: bool,
}

impl Tally {
    fn new(at: i64) -> Self {
        Self {
            first: at,
            last: at,
            times: 0,
            is_taken: false,
        }
    }

    fn again(&mut self, at: i64) {
        self.last = at;
        self.times += 1;
    }
}

/// A careful client leaves what is younger to its next pass.
const SETTLES_WITHIN: i64 = 62;

type Version = (i64, i64);

#[derive(Debug, Default)]
struct Versions {
    served: HashMap<Version, Tally>,
    pending: HashMap<Place, Pending<Version>>,
    /// The beginning of the pass over what has changed.
    pass: Option<(i64, i64)>,
}

#[derive(Debug, Default)]
struct States {
    served: HashMap<i64, Vec<(String, Tally)>>,
    pending: HashMap<Place, Pending<(i64, usize)>>,
}

/// The record of what was served.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    is_off: bool,
    versions: HashMap<Collection, Versions>,
    states: HashMap<Collection, States>,
    /// Version and time of the clocks served last.
    slas: HashMap<i64, (i64, Vec<i64>)>,
}

impl Ledger {
    pub(crate) fn new(is_kept: bool) -> Self {
        Self {
            is_off: !is_kept,
            ..Self::default()
        }
    }

    /// A page is being asked for: those before it are taken.
    pub(crate) fn asked(&mut self, collection: Collection, place: &Place) {
        self.versions.entry(collection).or_default().asked(place);
        self.states.entry(collection).or_default().asked(place);
    }

    /// A page of an export was served.
    pub(crate) fn served_versions(
        &mut self,
        collection: Collection,
        place: Place,
        next: Option<Place>,
        rows: Vec<Version>,
        at: i64,
    ) {
        if self.is_off {
            return;
        }
        let versions = self.versions.entry(collection).or_default();
        for row in &rows {
            versions.served.entry(*row).or_insert_with(|| Tally::new(at)).again(at);
        }
        versions.pending.insert(place, Pending { next, rows });
    }

    /// A page of a list was served.
    pub(crate) fn served_states<'j>(
        &mut self,
        collection: Collection,
        place: Place,
        next: Option<Place>,
        rows: impl Iterator<Item = (i64, &'j str)>,
        at: i64,
    ) {
        if self.is_off {
            return;
        }
        let states = self.states.entry(collection).or_default();
        let rows = rows
            .map(|(id, json)| (id, states.served.entry(id).or_default().served(json, at)))
            .collect();
        states.pending.insert(place, Pending { next, rows });
    }

    /// SLA clocks were served.
    pub(crate) fn served_slas(&mut self, id: i64, version: i64, at: i64) {
        if self.is_off {
            return;
        }
        let held = self.slas.entry(id).or_insert((version, Vec::new()));
        if held.0 != version {
            *held = (version, Vec::new());
        }
        if held.1.last() != Some(&at) {
            held.1.push(at);
        }
    }

    /// When the clocks of this version of a ticket were last served.
    pub(crate) fn slas_served_at(&self, id: i64, version: Option<i64>) -> Option<i64> {
        let (served, times) = self.slas.get(&id)?;
        let last = times.last()?;
        (Some(*served) == version).then_some(*last)
    }

    /// All versions by id and version.
    pub(crate) fn versions(&self, collection: Collection) -> Vec<ServedVersion> {
        let served = self
            .versions
            .get(&collection)
            .into_iter()
            .flat_map(|versions| &versions.served);
        let mut all: Vec<_> = served
            .map(|((id, version), tally)| ServedVersion {
                id: *id,
                version: *version,
                first_served_at: tally.first,
                last_served_at: tally.last,
                times: tally.times,
                is_taken: tally.is_taken,
            })
            .collect();
        all.sort_unstable_by_key(|served| (served.id, served.version));
        all
    }

    /// All states by id and number.
    pub(crate) fn states(&self, collection: Collection) -> Vec<ServedState> {
        let served = self
            .states
            .get(&collection)
            .into_iter()
            .flat_map(|states| &states.served);
        let mut all: Vec<_> = served
            .flat_map(|(id, states)| states.iter().enumerate().map(|(number, state)| (*id, number, state)))
            .map(|(id, number, (json, tally))| ServedState {
                id,
                number: u32::try_from(number).expect("few states"),
                json: json.clone(),
                first_served_at: tally.first,
                last_served_at: tally.last,
                times: tally.times,
                is_taken: tally.is_taken,
            })
            .collect();
        all.sort_unstable_by_key(|state| (state.id, state.number));
        all
    }

    /// Ticket, version and time of all clocks that were served of a ticket's newest served version, in order.
    pub(crate) fn slas(&self) -> Vec<(i64, i64, i64)> {
        let mut all: Vec<_> = self
            .slas
            .iter()
            .flat_map(|(id, (version, times))| times.iter().map(|at| (*id, *version, *at)))
            .collect();
        all.sort_unstable();
        all
    }
}

/// The states of one row, the last one behind.
trait Row {
    fn served(&mut self, json: &str, at: i64) -> usize;
}

impl Row for Vec<(String, Tally)> {
    /// Counts a state; returns its number.
    fn served(&mut self, json: &str, at: i64) -> usize {
        if self.last().is_none_or(|(last, _)| last != json) {
            self.push((json.to_owned(), Tally::new(at)));
        }
        let number = self.len() - 1;
        self[number].1.again(at);
        number
    }
}

impl Versions {
    fn asked(&mut self, place: &Place) {
        for (id, version) in take_behind(&mut self.pending, place) {
            self.take((id, version));
        }
        let start = match place {
            Place::Time(start) => start,
            Place::Window { from, at } => return self.passed(*from, *at),
            _ => return,
        };
        // The start of a time export need not be the end that the last page told.
        let earlier: Vec<_> = self
            .pending
            .extract_if(|from, _| matches!(from, Place::Time(s) if s != start))
            .collect();
        for row in earlier.into_iter().flat_map(|(_, page)| page.rows) {
            if row.1 <= *start {
                self.take(row);
            }
        }
    }

    /// A pass over what has changed begins: with a later time it shows that the one before came to its end, and of what
    /// that one has shown, all that had settled when it began is taken.
    fn passed(&mut self, from: i64, at: i64) {
        let shown: Vec<_> = self.pending.drain().flat_map(|(_, page)| page.rows).collect();
        if let Some((_, began)) = self.pass.filter(|(before, _)| *before < from) {
            let settled = shown
                .into_iter()
                .filter(|(_, version)| began - version > SETTLES_WITHIN);
            settled.for_each(|row| self.take(row));
        }
        self.pass = Some((from, at));
    }

    fn take(&mut self, row: Version) {
        if let Some(tally) = self.served.get_mut(&row) {
            tally.is_taken = true;
        }
    }
}

impl States {
    fn asked(&mut self, place: &Place) {
        for (id, number) in take_behind(&mut self.pending, place) {
            if let Some((_, tally)) = self.served.get_mut(&id).and_then(|states| states.get_mut(number)) {
                tally.is_taken = true;
            }
        }
    }
}

/// The rows of the pages that lead to a place and are not that place itself; they leave `pending`.
fn take_behind<R>(pending: &mut HashMap<Place, Pending<R>>, place: &Place) -> Vec<R> {
    let is_behind = |from: &Place, page: &mut Pending<R>| page.next.as_ref() == Some(place) && from != place;
    pending.extract_if(is_behind).flat_map(|(_, page)| page.rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ledger: &Ledger) -> Vec<(i64, i64)> {
        let versions = ledger.versions(Collection::Tickets);
        versions
            .into_iter()
            .filter(|served| served.is_taken)
            .map(|served| (served.id, served.version))
            .collect()
    }

    fn cursor(text: &str) -> Place {
        Place::Cursor(text.into())
    }

    #[test]
    fn a_page_is_taken_when_its_cursor_comes_back() {
        let mut ledger = Ledger::new(true);
        let mut page = |from: Place, next: &str, rows: &[(i64, i64)]| {
            ledger.asked(Collection::Tickets, &from);
            ledger.served_versions(Collection::Tickets, from, Some(cursor(next)), rows.to_vec(), 100);
            taken(&ledger)
        };
        assert_eq!(page(Place::Since(0), "a", &[(1, 10), (2, 11)]), []);
        // The client was killed, and one ticket has moved on.
        assert_eq!(page(Place::Since(0), "a", &[(1, 10)]), []);
        assert_eq!(page(cursor("a"), "b", &[(2, 20)]), [(1, 10)]);
        assert_eq!(page(cursor("b"), "b", &[]), [(1, 10), (2, 20)]);
        assert_eq!(page(cursor("b"), "c", &[(3, 30)]).len(), 2);
        assert_eq!(page(cursor("b"), "c", &[(3, 30)]).len(), 2, "the same place once more");
    }

    #[test]
    fn a_time_export_is_taken_up_to_the_next_start() {
        let mut ledger = Ledger::new(true);
        let mut page = |start: i64, end: i64, rows: &[(i64, i64)]| {
            ledger.asked(Collection::Tickets, &Place::Time(start));
            let next = Some(Place::Time(end));
            ledger.served_versions(Collection::Tickets, Place::Time(start), next, rows.to_vec(), 100);
            taken(&ledger)
        };
        assert_eq!(page(0, 12, &[(1, 10), (2, 12), (3, 14)]), []);
        assert_eq!(
            page(12, 14, &[(2, 12), (3, 14)]),
            [(1, 10), (2, 12), (3, 14)],
            "the whole page was followed"
        );
        assert_eq!(page(13, 14, &[(3, 14), (4, 15)]).len(), 3);
        assert_eq!(page(14, 15, &[(4, 15)]).len(), 4);
    }

    #[test]
    fn consecutive_equal_states_are_one() {
        let mut ledger = Ledger::new(true);
        let place = Place::List(None);
        for json in ["a", "a", "b", "a"] {
            ledger.asked(Collection::Groups, &place);
            ledger.served_states(Collection::Groups, place.clone(), None, [(7, json)].into_iter(), 100);
        }
        let states = ledger.states(Collection::Groups);
        let seen: Vec<_> = states
            .iter()
            .map(|state| (state.number, state.json.as_str(), state.times))
            .collect();
        assert_eq!(seen, [(0, "a", 2), (1, "b", 1), (2, "a", 1)]);
    }
}
