//! One collection at work: where it stands, and how a page moves it on.
//!
//! An export whose history is long is read on two tracks: the live one begins just before the present and
//! is polled for ever, the past is filled behind it up to where the live one began. Both places stand in
//! one cursor, so that each commit keeps both.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zenfloe_catalog::{Collection, Vanished};
use zenfloe_log::TopicSpec;
use zenfloe_record::{Cursor, Micros, Topic, partition_of};
use zenfloe_zendesk::{Note, Page, Place, RawRecord, published, published_set, requests_for, wanted_by};

use crate::errand::{self, Errand, Errands};
use crate::ledger::{self, Change, Ledger, Seen};
use crate::plan;
use crate::publish::{Target, Times};
use crate::sets::Sets;
use crate::state::State;
use crate::{Parts, StageError};

/// Which of a collection's places a page is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Track {
    /// What changes.
    Live,
    /// What changed before the live track began.
    Past,
    /// What its records ask for.
    Errands,
}

/// A collection at work.
pub(crate) struct Work {
    pub(crate) target: Target<'static>,
    /// The collection as it is asked for.
    pub(crate) asked: Arc<Collection>,
    pub(crate) cursor: Cursor,
    pub(crate) live: Standing,
    /// `None` once the past is filled, and where it never was long.
    pub(crate) past: Option<Standing>,
    /// What the last complete list held; `None` for exports.
    pub(crate) ledger: Option<Ledger>,
    /// What has still to be read for its records.
    pub(crate) errands: Errands,
    /// What whole sets were when they were read last.
    pub(crate) sets: Sets,
    /// The failures of errands in a row; their places are their own.
    errand: Standing,
}

/// Where a track stands.
pub(crate) struct Standing {
    pub(crate) place: Place,
    /// Failures in a row.
    pub(crate) failures: u32,
}

impl From<Place> for Standing {
    fn from(place: Place) -> Self {
        Self { place, failures: 0 }
    }
}

/// The places as the cursor keeps them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Two { live: Place, past: Place },
    One(Place),
}

/// The live track begins this long before Zendesk's present: what is older has settled.
const LIVE_BEGINS_BEFORE: i64 = 120;
/// A first page that comes within this of the present leaves no past that is worth a track.
const SHORT_PAST: Micros = 3_600 * 1_000_000;

impl Work {
    /// Goes on where the source's last process stood.
    pub(crate) fn resume(
        collection: &'static Collection,
        topics: &[TopicSpec],
        parts: &Parts,
        left: &mut State,
    ) -> Result<Self, StageError> {
        let name = &collection.name;
        let topic = Topic::raw(&parts.source, name);
        let spec = topics
            .iter()
            .find(|spec| spec.name == topic)
            .expect("every selected collection has a topic");
        let cursor = left.cursors.remove(name).unwrap_or_else(Cursor::start);
        let since = parts.config.since.get(name).map_or(0, |since| since.as_second());
        let kept = match &cursor.place {
            None => Kept::One(Place::since(since)),
            Some(kept) => serde_json::from_value(kept.clone()).map_err(|_| StageError::State {
                topic: Topic::state(&parts.source).to_string(),
                key: name.clone(),
            })?,
        };
        let (live, past) = match kept {
            Kept::One(live) => (live, None),
            Kept::Two { live, past } => (live, Some(past)),
        };
        let is_list = collection.endpoint.paging.is_complete();
        let ledger = is_list.then(|| left.ledgers.remove(name).unwrap_or_default());
        let target = Target {
            collection,
            topic,
            partitions: spec.partitions,
            max_message_bytes: spec.max_message_bytes,
        };
        Ok(Self {
            target,
            asked: Arc::new(collection.clone()),
            cursor,
            live: live.into(),
            past: past.map(Standing::from),
            ledger,
            errands: Errands::resume(left.errands.remove(name).unwrap_or_default()),
            sets: Sets::resume(left.sets.remove(name).unwrap_or_default()),
            errand: Place::start().into(),
        })
    }

    /// Where a track stands.
    pub(crate) fn standing(&mut self, track: Track) -> &mut Standing {
        match (track, &mut self.past) {
            (Track::Past, Some(past)) => past,
            (Track::Errands, _) => &mut self.errand,
            // The past is over: its last page has just been committed.
            (Track::Live, _) | (Track::Past, None) => &mut self.live,
        }
    }

    /// Compares a page of a list with the last complete one; `None` for exports, where every record is news.
    pub(crate) fn look_through(&mut self, track: Track, page: &Page, is_shrinking_fine: bool) -> Option<Change> {
        if track == Track::Errands {
            return None;
        }
        let vanished = self.target.collection.record.vanished;
        let is_shrinking_fine = is_shrinking_fine || vanished != Vanished::Deleted;
        let ledger = self.ledger.as_mut()?;
        // A refused cursor yields no page of the list at all.
        let is_refusal = |note: &Note| matches!(note, Note::CursorRefused { .. });
        if page.notes.iter().any(is_refusal) {
            return Some(Change::default());
        }
        let keys: Vec<String> = page
            .records
            .iter()
            .map(|record| row_name(&record.key, &record.json))
            .collect();
        let seen: Vec<_> = page
            .records
            .iter()
            .zip(&keys)
            .map(|(record, key)| Seen {
                key,
                json: &record.json,
                partition: partition_of(&record.partition_key, self.target.partitions),
            })
            .collect();
        let mut change = ledger.page(self.live.place.list_page(), &seen, page.is_caught_up, is_shrinking_fine);
        change
            .gone
            .retain(|(key, _)| vanished != Vanished::Kept && !key.starts_with(KEYLESS));
        Some(change)
    }

    /// The rows of an errand's page as they are published; other pages as they are.
    pub(crate) fn published(&mut self, track: Track, mut page: Page) -> Page {
        let collection = self.target.collection;
        let errand = self.errands.in_hand().filter(|_| track == Track::Errands);
        if let Some((errand, follow)) = errand.and_then(|errand| Some((errand, collection.follows.get(errand.follow)?)))
        {
            if follow.set {
                let set = published_set(collection, follow, &errand.parent, &page.records);
                let is_news = self.sets.is_news(errand, &set.json);
                page.records = is_news.then_some(set).into_iter().collect();
                return page;
            }
            for record in &mut page.records {
                *record = published(collection, follow, &errand.parent, &record.json);
            }
        }
        page
    }

    /// What a page's records ask for, and what becomes of the errand that it is itself; as state records.
    pub(crate) fn errands_after<'r>(
        &mut self,
        track: Track,
        page: &Page,
        news: impl Iterator<Item = &'r RawRecord>,
    ) -> Vec<errand::Record> {
        if track == Track::Errands {
            return self
                .errands
                .came(page.next.clone(), page.is_caught_up)
                .into_iter()
                .collect();
        }
        let news: Vec<&RawRecord> = news.collect();
        let mut asked = Vec::new();
        for (number, follow) in self.target.collection.follows.iter().enumerate() {
            let asking: Vec<&RawRecord> = match follow.set {
                true => page.records.iter().collect(),
                false => news.clone(),
            };
            let parents: BTreeSet<String> = asking.iter().filter_map(|record| wanted_by(follow, record)).collect();
            let parents: Vec<String> = parents.into_iter().collect();
            let errand = |parent| Errand { follow: number, parent };
            asked.extend(requests_for(follow, &parents).into_iter().map(errand));
        }
        asked.into_iter().map(|errand| self.errands.ask(errand)).collect()
    }

    /// Moves behind a page. Returns whether a past has been split off.
    pub(crate) fn advance(&mut self, track: Track, page: &Page, published: u64, is_empty: bool, times: Times) -> bool {
        let until = self.end_of_past(track, page);
        match (track, until) {
            (Track::Live, Some(until)) => {
                self.past = Some(page.next.clone().until(until).into());
                self.live = Place::since(until).into();
            }
            (Track::Errands, _) => self.errand.failures = 0,
            (Track::Live, None) => self.live = page.next.clone().into(),
            (Track::Past, _) => self.past = (!page.is_caught_up).then(|| page.next.clone().into()),
        }
        self.cursor.place = Some(self.kept());
        self.cursor.records += published;
        if !is_empty {
            self.cursor.extracted_at = times.extracted_at;
        }
        if track == Track::Live && page.is_caught_up {
            self.cursor.completed_at = Some(times.now);
        }
        until.is_some()
    }

    /// Begins the history again, beside the live track where there is one. Returns the state records of a list.
    pub(crate) fn again(&mut self, since: i64, now: i64) -> Vec<(String, Option<Vec<u8>>)> {
        self.sets.forget_all();
        match &mut self.ledger {
            Some(ledger) => ledger.forget(),
            None => {
                self.past = Some(Place::since(since).until(now - LIVE_BEGINS_BEFORE).into());
                self.cursor.place = Some(self.kept());
                Vec::new()
            }
        }
    }

    /// The second at which the past ends, where the first page of an export leaves a long one before it.
    ///
    /// Its first page tells Zendesk's time, which is all that is needed to begin near the present.
    fn end_of_past(&self, track: Track, page: &Page) -> Option<i64> {
        let is_first = track == Track::Live && self.cursor.place.is_none();
        let is_long = !page.is_caught_up && page.date - page.reached? > SHORT_PAST;
        let is_split = is_first && is_long && plan::is_split(self.target.collection);
        is_split.then(|| page.date.div_euclid(1_000_000) - LIVE_BEGINS_BEFORE)
    }

    fn kept(&self) -> serde_json::Value {
        let live = self.live.place.clone();
        let kept = match &self.past {
            None => Kept::One(live),
            Some(past) => Kept::Two {
                live,
                past: past.place.clone(),
            },
        };
        serde_json::to_value(kept).expect("a place is plain data")
    }
}

/// Begins the ledger's name for a row without a key.
const KEYLESS: char = '\0';

/// The ledger's name for a row: its key; a broken row without one goes by the hash of its contents.
fn row_name(key: &[u8], json: &[u8]) -> String {
    if key.is_empty() {
        format!("{KEYLESS}{}", ledger::name_of_contents(json))
    } else {
        String::from_utf8_lossy(key).into_owned()
    }
}
