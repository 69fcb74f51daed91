//! What became of a batch, in numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use zenfloe_catalog::Class;
use zenfloe_pii::Guard;
use zenfloe_record::Reason;

/// Counts by a few keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts<K>(Vec<(K, u64)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq + Clone> Counts<K> {
    /// Adds to the count of a key; of the handful of keys the searched one is found faster by looking than by hashing.
    pub(crate) fn add(&mut self, key: &K, count: u64) {
        match self.0.iter_mut().find(|(held, _)| held == key) {
            Some((_, held)) => *held += count,
            None => self.0.push((key.clone(), count)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, u64)> {
        self.0.iter()
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

/// The counts of a batch, by collection.
#[derive(Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<&'static str, Share>);

/// What became of one collection's records.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pub(crate) records: u64,
    /// Bytes of JSON.
    pub(crate) bytes: u64,
    /// Rows by table, deletions and fences included.
    pub(crate) rows: Counts<Arc<str>>,
    pub(crate) dead: Counts<Reason>,
    pub(crate) tokens: Counts<Class>,
    /// Fields that the catalog does not name, by path.
    pub(crate) unknown: BTreeMap<String, u64>,
    /// Broken surrogate pairs that were replaced.
    pub(crate) surrogates: u64,
    /// The newest record's timestamp, milliseconds.
    pub(crate) newest: i64,
}

impl Tally {
    pub(crate) fn records(&self) -> u64 {
        self.0.values().map(|share| share.records).sum()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.0.values().map(|share| share.rows.sum()).sum()
    }

    /// Adds another batch's counts of records, rows and letters.
    pub(crate) fn merge(&mut self, other: Self) {
        for (collection, share) in other.0 {
            let held = self.0.entry(collection).or_default();
            held.records += share.records;
            share
                .rows
                .iter()
                .for_each(|(table, count)| held.rows.add(table, *count));
            share
                .dead
                .iter()
                .for_each(|(reason, count)| held.dead.add(reason, *count));
        }
    }

    pub(crate) fn dead(&self) -> u64 {
        self.0.values().map(|share| share.dead.sum()).sum()
    }
}

/// A guard that counts the tokens that it gives out.
pub(crate) struct Counting<'g, G> {
    pub(crate) guard: &'g mut G,
    pub(crate) tokens: &'g mut Counts<Class>,
}

impl<G: Guard> Guard for Counting<'_, G> {
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        let is_made = self.guard.token(class, value, out);
        if is_made {
            self.tokens.add(&class, 1);
        }
        is_made
    }

    fn redact(&mut self, text: &str, out: &mut String) {
        self.guard.redact(text, out);
    }

    fn coarse(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        self.guard.coarse(class, value, out)
    }
}
