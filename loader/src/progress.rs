use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use zenfloe_destination::Loaded;

/// How far a running loader is; cheap to share, read from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Snapshot>>);

/// The state of a loader at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// By table, as the source calls it.
    pub tables: BTreeMap<String, TableProgress>,
    /// What is away and waited for.
    pub waiting_for: Option<String>,
    #[serde(skip)]
    turns: u64,
}

/// The state of one table. Counts begin with the process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TableProgress {
    /// Records read.
    pub records: u64,
    /// Rows inserted or updated.
    pub rows: u64,
    /// Flushes committed.
    pub flushes: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Records that the topic holds and the destination does not.
    pub lag_records: Option<u64>,
    /// How old the newest loaded record is, 0 when all is loaded.
    pub lag_seconds: Option<f64>,
    /// Records a second since the first one.
    pub rate: f64,
    #[serde(skip)]
    began: Option<Instant>,
}

impl Progress {
    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// How often the stage has come round; it rises every few seconds as long as the stage lives, also while it waits.
    pub fn turns(&self) -> u64 {
        self.lock().turns
    }

    pub(crate) fn turn(&self) {
        self.lock().turns += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn waiting(&self, what: Option<String>) {
        let mut snapshot = self.lock();
        snapshot.turns += 1;
        snapshot.waiting_for = what;
    }

    pub(crate) fn of(&self, table: &str, change: impl FnOnce(&mut TableProgress)) {
        let mut snapshot = self.lock();
        match snapshot.tables.get_mut(table) {
            Some(held) => change(held),
            None => change(snapshot.tables.entry(table.to_owned()).or_default()),
        }
    }
}

impl TableProgress {
    pub(crate) fn read(&mut self, records: u64) {
        self.records += records;
        let began = *self.began.get_or_insert_with(Instant::now);
        let elapsed = began.elapsed().as_secs_f64();
        if elapsed > 0.0 {
            self.rate = self.records as f64 / elapsed;
        }
    }

    pub(crate) fn flushed(&mut self, loaded: &Loaded) {
        self.rows += loaded.written;
        self.flushes += 1;
    }
}
