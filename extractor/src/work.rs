//! One collection at work: where it stands, and how a page moves it on.

use zenfloe_catalog::{Collection, Paging};
use zenfloe_log::TopicSpec;
use zenfloe_record::{Cursor, Topic, partition_of};
use zenfloe_zendesk::{Page, Place};

use crate::ledger::{self, Change, Ledger, Seen};
use crate::publish::{Target, Times};
use crate::state::State;
use crate::{Parts, StageError};

/// A collection at work.
pub(crate) struct Work {
    pub(crate) target: Target<'static>,
    pub(crate) cursor: Cursor,
    pub(crate) place: Place,
    /// What the last complete list held; `None` for exports.
    pub(crate) ledger: Option<Ledger>,
    /// Failures in a row.
    pub(crate) failures: u32,
}

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
        let place = match &cursor.place {
            None => Place::since(since),
            Some(place) => serde_json::from_value(place.clone()).map_err(|_| StageError::State {
                topic: Topic::state(&parts.source).to_string(),
                key: name.clone(),
            })?,
        };
        let is_list = collection.endpoint.paging == Paging::List;
        let ledger = is_list.then(|| left.ledgers.remove(name).unwrap_or_default());
        let target = Target {
            collection,
            topic,
            partitions: spec.partitions,
            max_message_bytes: spec.max_message_bytes,
        };
        Ok(Self {
            target,
            cursor,
            place,
            ledger,
            failures: 0,
        })
    }

    /// Compares a page of a list with the last complete one; `None` for exports, where every record is news.
    pub(crate) fn look_through(&mut self, page: &Page, is_shrinking_fine: bool) -> Option<Change> {
        let ledger = self.ledger.as_mut()?;
        // A refused cursor yields no page of the list at all.
        if !page.notes.is_empty() && page.records.is_empty() {
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
        let mut change = ledger.page(self.place.list_page(), &seen, page.is_caught_up, is_shrinking_fine);
        change.gone.retain(|(key, _)| !key.starts_with(KEYLESS));
        Some(change)
    }

    /// Moves behind a page.
    pub(crate) fn advance(&mut self, page: &Page, published: u64, is_empty: bool, times: Times) {
        self.failures = 0;
        self.place = page.next.clone();
        self.cursor.place = Some(serde_json::to_value(&page.next).expect("a place is plain data"));
        self.cursor.records += published;
        if !is_empty {
            self.cursor.extracted_at = times.extracted_at;
        }
        if page.is_caught_up {
            self.cursor.completed_at = Some(times.now);
        }
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
