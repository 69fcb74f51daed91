use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use zenfloe_pacing::Moment;
use zenfloe_record::Micros;
use zenfloe_zendesk::Page;

/// How far a running extractor is; cheap to share, read from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Snapshot>>);

/// The state of a source's extraction at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// By collection.
    pub collections: BTreeMap<String, CollectionProgress>,
    /// Requests that could be sent at once, by rate bucket.
    pub budget: BTreeMap<String, u32>,
}

/// The state of one collection. Counts begin with the process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CollectionProgress {
    /// What it is doing.
    pub status: Status,
    /// Records published, deletions included.
    pub records: u64,
    /// Records published in the collection's life, earlier processes included.
    pub records_ever: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// Records left out because they had been delivered, or had not changed.
    pub repeats: u64,
    /// Records that were too large for their topic.
    pub dead_letters: u64,
    /// Rows of a list that are missing in numbers that wait for a person's word.
    pub held_deletions: u64,
    /// Everything that changed at Zendesk up to here has been published.
    pub reached: Option<Micros>,
    /// The end of the last complete pass.
    pub completed_at: Option<Micros>,
    /// Records a second in the present pass.
    pub rate: f64,
    /// How long the present pass is going to take, where that can be told.
    pub eta_seconds: Option<u64>,
    #[serde(skip)]
    pass: Pass,
}

/// The pass that is under way.
#[derive(Debug, Clone, Copy, Default)]
struct Pass {
    began: Option<Moment>,
    records: u64,
    /// What the first page had reached.
    from: Option<Micros>,
}

/// What a collection is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// It has not begun: others come first.
    #[default]
    Pending,
    /// A page is being fetched.
    Running,
    /// Nothing to do before this moment: the interval, or the rate budget.
    Waiting {
        /// Microseconds since 1970.
        until: Micros,
    },
    /// The account, the role or the scope does not allow it; tried again later.
    NotAvailable {
        /// What was said.
        why: String,
        /// What to do about it.
        remedy: String,
    },
    /// The last request failed; tried again.
    Failing {
        /// What went wrong.
        what: String,
        /// Microseconds since 1970.
        until: Micros,
    },
}

/// A moment as whole microseconds.
pub(crate) fn micros(moment: Moment) -> Micros {
    Micros::try_from(moment.as_micros()).unwrap_or(Micros::MAX)
}

/// Whole microseconds as a moment; those before 1970 are 1970.
pub(crate) fn moment(micros: Micros) -> Moment {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

impl Progress {
    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, collection: &str, change: impl FnOnce(&mut CollectionProgress)) {
        let mut snapshot = self.lock();
        match snapshot.collections.get_mut(collection) {
            Some(held) => change(held),
            None => change(snapshot.collections.entry(collection.to_owned()).or_default()),
        }
    }

    pub(crate) fn set_status(&self, collection: &str, status: Status) {
        self.of(collection, |held| held.status = status);
    }

    pub(crate) fn set_budget(&self, budget: Vec<(String, u32)>) {
        self.lock().budget = budget.into_iter().collect();
    }
}

impl CollectionProgress {
    /// Counts a page of which `published` records were new.
    pub(crate) fn page(&mut self, page: &Page, published: u64, now: Moment) {
        let began = *self.pass.began.get_or_insert(now);
        self.records += published;
        self.pass.records += published;
        self.bytes += page.bytes;
        let shown = page.records.len() as u64 + u64::from(page.repeats);
        self.repeats += shown.saturating_sub(published);
        self.reached = page.reached.or(self.reached);
        self.pass.from = self.pass.from.or(page.reached);
        let elapsed = now.saturating_sub(began).as_secs_f64();
        if elapsed > 0.0 {
            self.rate = self.pass.records as f64 / elapsed;
        }
        self.eta_seconds = self.eta(page, elapsed);
        if page.is_caught_up {
            self.pass = Pass::default();
            self.eta_seconds = None;
        }
    }

    /// Exports run in the order of time: the share of the time already passed tells the share of the work.
    fn eta(&self, page: &Page, elapsed: f64) -> Option<u64> {
        let (from, reached) = (self.pass.from?, page.reached?);
        let (done, all) = ((reached - from) as f64, (page.date - from) as f64);
        (done > 0.0 && all > done).then(|| (elapsed * (all - done) / done) as u64)
    }

    /// How far the collection lies behind the present.
    pub(crate) fn lag(&self, now: Moment) -> Option<Duration> {
        Some(now.saturating_sub(moment(self.reached?)))
    }
}
