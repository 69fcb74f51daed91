use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use zenfloe_record::{Offset, TopicPartition};

use crate::Span;
use crate::tally::Tally;

/// How far a running transformer is; cheap to share, read from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Snapshot>>);

/// The state of a source's transformation at one moment. Counts begin with the process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// What it is doing.
    pub status: Status,
    /// The number of the transform configuration; 0 before it is known.
    pub revision: i32,
    /// Partitions that this process holds.
    pub partitions: usize,
    /// By collection.
    pub collections: BTreeMap<String, CollectionProgress>,
    /// Tokens made, by class.
    pub tokens: BTreeMap<String, u64>,
    #[serde(skip)]
    turns: u64,
}

/// What a transformer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// Topics, schemas and keys are being got ready.
    #[default]
    Starting,
    /// Something is away; nothing is committed past it.
    Waiting {
        /// What is waited for.
        on: String,
    },
    /// Records are read.
    Running,
    /// All that was asked is done, or it was stopped.
    Ended,
}

/// The state of one collection.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CollectionProgress {
    /// Records transformed, those that became letters included.
    pub records: u64,
    /// Rows written, deletions and fences included.
    pub rows: u64,
    /// Bytes of JSON.
    pub bytes: u64,
    /// Dead letters written.
    pub dead_letters: u64,
    /// Tokens made.
    pub tokens: u64,
    /// Values of fields that the catalog does not name.
    pub unknown_fields: u64,
    /// Offsets that wait in this process's partitions; as transactions take offsets too, at least as many as records.
    pub lag_records: Option<u64>,
    /// The age of the newest record that was transformed, where more are waiting.
    pub lag_seconds: Option<f64>,
    /// Records a second, lately.
    pub rate: f64,
    /// The timestamp of the newest record that was transformed, milliseconds.
    #[serde(skip)]
    pub(crate) newest: i64,
    #[serde(skip)]
    window: Window,
}

/// The records since a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    since: Option<Instant>,
    records: u64,
}

/// How long records are counted for one rate.
const WINDOW: Duration = Duration::from_secs(2);

impl Progress {
    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// How often the stage has come round; it rises every few seconds as long as the stage lives, also while it waits.
    pub fn turns(&self) -> u64 {
        self.lock().turns
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, revision: i32, collections: impl Iterator<Item = String>) {
        let mut snapshot = self.lock();
        snapshot.revision = revision;
        for collection in collections {
            snapshot.collections.entry(collection).or_default();
        }
    }

    pub(crate) fn set_status(&self, status: Status) {
        self.lock().status = status;
    }

    /// Says that the stage works.
    pub(crate) fn turn(&self) {
        let mut snapshot = self.lock();
        snapshot.turns += 1;
        snapshot.status = Status::Running;
    }

    /// Says that the stage waits, which is a sign of life as well.
    pub(crate) fn wait(&self, on: &str) {
        let mut snapshot = self.lock();
        snapshot.turns += 1;
        snapshot.status = Status::Waiting { on: on.to_owned() };
    }

    pub(crate) fn set_partitions(&self, count: usize) {
        self.lock().partitions = count;
    }

    /// Shows the lag of a collection and returns it in seconds, where that can be told.
    pub(crate) fn set_lag(&self, collection: &str, records: u64, now_ms: i64) -> Option<f64> {
        let mut snapshot = self.lock();
        let held = snapshot.collections.entry(collection.to_owned()).or_default();
        held.lag_records = Some(records);
        held.lag_seconds = match records {
            0 => Some(0.0),
            _ => (held.newest > 0).then(|| (now_ms - held.newest).max(0) as f64 / 1_000.0),
        };
        held.tick(0);
        held.lag_seconds
    }

    /// Adds a batch that is committed.
    pub(crate) fn add(&self, tally: &Tally) {
        let mut snapshot = self.lock();
        for (collection, share) in &tally.0 {
            for (class, count) in share.tokens.iter() {
                *snapshot.tokens.entry(class.as_str().to_owned()).or_default() += count;
            }
            let held = snapshot.collections.entry((*collection).to_owned()).or_default();
            held.records += share.records;
            held.rows += share.rows.sum();
            held.bytes += share.bytes;
            held.dead_letters += share.dead.sum();
            held.tokens += share.tokens.sum();
            held.unknown_fields += share.unknown.values().sum::<u64>();
            held.newest = held.newest.max(share.newest);
            held.tick(share.records);
        }
    }
}

impl CollectionProgress {
    fn tick(&mut self, records: u64) {
        let since = *self.window.since.get_or_insert_with(Instant::now);
        self.window.records += records;
        let elapsed = since.elapsed();
        if elapsed >= WINDOW || self.rate == 0.0 {
            self.rate = self.window.records as f64 / elapsed.as_secs_f64().max(0.1);
        }
        if elapsed >= WINDOW {
            self.window = Window {
                since: Some(Instant::now()),
                records: 0,
            };
        }
    }
}

/// How far a replay is; cheap to share, read from anywhere.
#[derive(Debug, Clone, Default)]
pub struct ReplayProgress(Arc<Mutex<Vec<Span>>>);

impl ReplayProgress {
    /// The spans now, partition by partition.
    pub fn snapshot(&self) -> Vec<Span> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, spans: Vec<Span>) {
        *self.lock() = spans;
    }

    pub(crate) fn advance(&self, at: &TopicPartition, next: Offset, records: u64) {
        let mut spans = self.lock();
        let held = spans
            .iter_mut()
            .find(|span| span.partition == at.partition && span.topic == *at.topic);
        if let Some(span) = held {
            span.next = next.clamp(span.next, span.until);
            span.records += records;
        }
    }
}
