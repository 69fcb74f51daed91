use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use zenfloe_destination::Row;
use zenfloe_record::{Fence, FenceScope, Micros, Offset};

/// What a row takes beside key and body: itself, its place by key, and the slack of growing tables.
pub(crate) const ROW_OVERHEAD: usize = size_of::<Row>() + 2 * size_of::<(Bytes, usize)>();
/// What a fence takes beside its texts.
const FENCE_OVERHEAD: usize = 2 * size_of::<(FenceScope, Option<Micros>)>();

/// One partition's part of a batch.
#[derive(Debug)]
pub(crate) struct Lane {
    from: Offset,
    to: Offset,
    rows: Vec<Row>,
    /// Where the newest state of a key stands in `rows`; empty where every state is kept.
    places: HashMap<Bytes, usize>,
    fences: BTreeMap<FenceScope, Option<Micros>>,
    size: usize,
}

impl Lane {
    pub(crate) fn new(from: Offset) -> Self {
        Self {
            from,
            to: from,
            rows: Vec::new(),
            places: HashMap::new(),
            fences: BTreeMap::new(),
            size: 0,
        }
    }

    pub(crate) fn from(&self) -> Offset {
        self.from
    }

    pub(crate) fn to(&self) -> Offset {
        self.to
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn has_moved(&self) -> bool {
        self.to > self.from
    }

    pub(crate) fn advance(&mut self, to: Offset) {
        self.to = self.to.max(to);
    }

    /// Keeps a state beside the others. One that was written anew is left out where its first writing is at hand.
    pub(crate) fn append(&mut self, row: Row) {
        let is_held = |row: &Row| self.rows.iter().rev().any(|held| held.is_state_of(row));
        if !(row.is_rewritten && is_held(&row)) {
            self.push(row);
        }
    }

    fn push(&mut self, row: Row) {
        self.size += row.size() + ROW_OVERHEAD;
        self.rows.push(row);
    }

    /// Keeps the newest state of the row's key; of equal ones the later.
    pub(crate) fn upsert(&mut self, row: Row) {
        match self.places.get(&row.key) {
            Some(place) => {
                let held = &mut self.rows[*place];
                if row.version >= held.version {
                    self.size = self.size - held.size() + row.size();
                    *held = row;
                }
            }
            None => {
                self.places.insert(row.key.clone(), self.rows.len());
                self.push(row);
            }
        }
    }

    pub(crate) fn fence(&mut self, fence: Fence) {
        let size = fence.scope.column.len() + fence.scope.value.len() + FENCE_OVERHEAD;
        if keep_newest(&mut self.fences, fence) {
            self.size += size;
        }
    }

    pub(crate) fn unpack(self, rows: &mut Vec<Row>, fences: &mut Vec<Fence>) {
        // The first lane gives its rows away as they are.
        if rows.is_empty() {
            *rows = self.rows;
        } else {
            rows.extend(self.rows);
        }
        fences.extend(self.fences.into_iter().map(|(scope, before)| Fence { scope, before }));
    }
}

/// Enters a fence, if it is the newest of its scope; returns whether the scope is new.
fn keep_newest(held: &mut BTreeMap<FenceScope, Option<Micros>>, fence: Fence) -> bool {
    match held.get_mut(&fence.scope) {
        // An erasing fence has no time and is above all others.
        Some(before) => {
            *before = before.zip(fence.before).map(|(held, new)| held.max(new));
            false
        }
        None => {
            held.insert(fence.scope, fence.before);
            true
        }
    }
}

/// The newest fence of each scope.
pub(crate) fn newest(fences: Vec<Fence>) -> Vec<Fence> {
    let mut newest = BTreeMap::new();
    for fence in fences {
        keep_newest(&mut newest, fence);
    }
    newest
        .into_iter()
        .map(|(scope, before)| Fence { scope, before })
        .collect()
}
