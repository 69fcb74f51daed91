//! Rows by id and by time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// A row that has an id and a time by which exports order it.
pub(crate) trait Timed {
    fn id(&self) -> i64;
    /// Whole seconds since 1970.
    fn time(&self) -> i64;
}

/// Rows of one kind.
///
/// Invariant: `by_time` holds exactly `(time, id)` of every row.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    /// Boxed, because a map's nodes stand half empty.
    rows: BTreeMap<i64, Box<T>>,
    by_time: BTreeSet<(i64, i64)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<T: Timed> Table<T> {
    /// Adds or replaces a row.
    pub(crate) fn put(&mut self, row: T) {
        let (id, time) = (row.id(), row.time());
        if let Some(old) = self.rows.insert(id, Box::new(row)) {
            self.by_time.remove(&(old.time(), id));
        }
        self.by_time.insert((time, id));
    }

    /// Changes a row in place; returns false where there is none.
    pub(crate) fn change(&mut self, id: i64, change: impl FnOnce(&mut T)) -> bool {
        let Some(row) = self.rows.get_mut(&id) else {
            return false;
        };
        self.by_time.remove(&(row.time(), id));
        change(row);
        self.by_time.insert((row.time(), id));
        true
    }

    pub(crate) fn remove(&mut self, id: i64) -> Option<T> {
        let row = self.rows.remove(&id)?;
        self.by_time.remove(&(row.time(), id));
        Some(*row)
    }

    pub(crate) fn get(&self, id: i64) -> Option<&T> {
        self.rows.get(&id).map(Box::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All ids, in order.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.rows.keys().copied().collect()
    }

    /// The ids behind one, in order.
    pub(crate) fn ids_after(&self, id: i64) -> impl Iterator<Item = i64> {
        self.rows
            .range((Bound::Excluded(id), Bound::Unbounded))
            .map(|(id, _)| *id)
    }

    /// The ids before one, the nearest first.
    pub(crate) fn ids_before(&self, id: i64) -> impl Iterator<Item = i64> {
        self.rows.range(..id).rev().map(|(id, _)| *id)
    }

    /// All rows by id.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values().map(Box::as_ref)
    }

    /// Returns the first row whose id is at or behind `id`, else the first of all.
    pub(crate) fn at_or_behind(&self, id: i64) -> Option<&T> {
        let behind = self.rows.range(id..).next();
        behind.or_else(|| self.rows.iter().next()).map(|(_, row)| row.as_ref())
    }

    /// The lowest and the highest id.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        Some((*self.rows.keys().next()?, *self.rows.keys().next_back()?))
    }

    /// Rows behind `(time, id)` and before the second `until`, in this order.
    pub(crate) fn after(&self, after: (i64, i64), until: i64) -> impl Iterator<Item = &T> {
        let end = (until, i64::MIN);
        let range = (after < end).then(|| self.by_time.range((Bound::Excluded(after), Bound::Excluded(end))));
        range.into_iter().flatten().map(|(_, id)| self.rows[id].as_ref())
    }
}
