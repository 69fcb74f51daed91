//! What has still to be read for some records of a collection, one request each.
//!
//! An errand is written to the state topic in the commit of the record that asks for it, and taken away in the commit
//! of what it has brought: neither is lost, and neither is done for ever again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zenfloe_pacing::Moment;
use zenfloe_zendesk::Place;

/// Something to read: which of the collection's follows, and for which parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Errand {
    pub(crate) follow: usize,
    pub(crate) parent: String,
}

/// How far an errand is, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    place: Place,
}

#[derive(Debug)]
struct Ahead {
    place: Place,
    not_before: Moment,
    /// It was asked for again while it was under way.
    is_asked_again: bool,
}

/// The errands of one collection.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    ahead: BTreeMap<Errand, Ahead>,
    in_hand: Option<Errand>,
}

impl Errand {
    /// The end of its key in the state topic.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.follow, self.parent)
    }

    /// Reads the end of a key.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (follow, parent) = name.split_once('/')?;
        Some(Self {
            follow: follow.parse().ok()?,
            parent: parent.to_owned(),
        })
    }
}

/// The state record of an errand: the end of its key, and its value (`None` takes the record away).
pub(crate) type Record = (String, Option<Vec<u8>>);

impl Errands {
    /// Goes on with what an earlier process left.
    pub(crate) fn resume(left: Vec<(Errand, Kept)>) -> Self {
        let ahead = |(errand, kept): (Errand, Kept)| {
            let ahead = Ahead {
                place: kept.place,
                not_before: Moment::ZERO,
                is_asked_again: false,
            };
            (errand, ahead)
        };
        Self {
            ahead: left.into_iter().map(ahead).collect(),
            in_hand: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ahead.is_empty()
    }

    /// A record asks for an errand.
    pub(crate) fn ask(&mut self, errand: Errand) -> Record {
        let place = Place::start();
        let record = record(&errand, &place);
        if self.in_hand.as_ref() == Some(&errand)
            && let Some(held) = self.ahead.get_mut(&errand)
        {
            held.is_asked_again = true;
            return record;
        }
        let ahead = Ahead {
            place,
            not_before: Moment::ZERO,
            is_asked_again: false,
        };
        self.ahead.insert(errand, ahead);
        record
    }

    /// When the next errand may be done; `None` when there is none.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.ahead.values().map(|held| held.not_before).min()
    }

    /// Takes the first errand that may be done now in hand.
    pub(crate) fn begin(&mut self, now: Moment) -> Option<(Errand, Place)> {
        let mut ahead = self.ahead.iter();
        let (errand, held) = ahead.find(|(_, held)| held.not_before <= now)?;
        self.in_hand = Some(errand.clone());
        Some((errand.clone(), held.place.clone()))
    }

    /// The errand in hand.
    pub(crate) fn in_hand(&self) -> Option<&Errand> {
        self.in_hand.as_ref()
    }

    /// A page of the errand in hand has come.
    pub(crate) fn came(&mut self, next: Place, is_last: bool) -> Option<Record> {
        let errand = self.in_hand.take()?;
        let held = self.ahead.get_mut(&errand)?;
        if is_last && !held.is_asked_again {
            self.ahead.remove(&errand);
            return Some((errand.name(), None));
        }
        held.place = if held.is_asked_again { Place::start() } else { next };
        held.is_asked_again = false;
        Some(record(&errand, &held.place))
    }

    /// The errand in hand cannot be done before `until`.
    pub(crate) fn put_off(&mut self, until: Moment) {
        let held = self.in_hand.take().and_then(|errand| self.ahead.get_mut(&errand));
        if let Some(held) = held {
            held.not_before = until;
            held.is_asked_again = false;
        }
    }
}

fn record(errand: &Errand, place: &Place) -> Record {
    let kept = Kept { place: place.clone() };
    let value = serde_json::to_vec(&kept).expect("a place is plain data");
    (errand.name(), Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(parent: &str) -> Errand {
        Errand {
            follow: 0,
            parent: parent.into(),
        }
    }

    fn later(page: u32) -> Place {
        Place::List {
            after: "a".into(),
            page,
        }
    }

    #[test]
    fn an_errand_goes_when_its_last_page_has_come() {
        let mut errands = Errands::default();
        let (name, value) = errands.ask(errand("42"));
        assert_eq!(Errand::named(&name), Some(errand("42")));
        assert_eq!(errands.begin(Moment::ZERO), Some((errand("42"), Place::start())));
        let kept = errands.came(later(1), false).expect("a record").1.expect("a value");
        let kept: Kept = serde_json::from_slice(&kept).expect("its own form");
        let mut errands = Errands::resume(vec![(errand("42"), kept)]);
        assert_eq!(errands.begin(Moment::ZERO), Some((errand("42"), later(1))));
        assert_eq!(errands.came(Place::start(), true), Some((name, None)));
        assert!(errands.is_empty() && value.is_some());
    }

    #[test]
    fn what_is_asked_for_while_it_is_read_is_read_again() {
        let mut errands = Errands::default();
        errands.ask(errand("42"));
        errands.begin(Moment::ZERO);
        errands.ask(errand("42"));
        assert!(
            errands
                .came(Place::start(), true)
                .is_some_and(|(_, value)| value.is_some())
        );
        assert_eq!(errands.begin(Moment::ZERO), Some((errand("42"), Place::start())));
    }

    #[test]
    fn what_cannot_be_done_waits_and_holds_nothing_up() {
        let mut errands = Errands::default();
        errands.ask(errand("1"));
        errands.ask(errand("2"));
        errands.begin(Moment::ZERO);
        errands.put_off(Moment::from_secs(60));
        assert_eq!(errands.begin(Moment::ZERO), Some((errand("2"), Place::start())));
        errands.came(Place::start(), true);
        assert_eq!(
            (errands.begin(Moment::ZERO), errands.due()),
            (None, Some(Moment::from_secs(60)))
        );
    }
}
