use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zenfloe_pacing::Moment;
use zenfloe_record::Micros;
use zenfloe_zendesk::Page;

use crate::work::Track;

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
    #[serde(skip)]
    turns: u64,
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
    /// Requests made in the collection's life, earlier processes included.
    pub requests_ever: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// Bytes of answers in the collection's life, earlier processes included.
    pub bytes_ever: u64,
    /// Records left out because they had been delivered, or had not changed.
    pub repeats: u64,
    /// Records that were too large for their topic.
    pub dead_letters: u64,
    /// Rows of a list that are missing in numbers that wait for a person's word.
    pub held_deletions: u64,
    /// Everything that changed at Zendesk up to here has been published, but for what `past` still lacks.
    pub reached: Option<Micros>,
    /// When the last page was committed.
    pub succeeded_at: Option<Micros>,
    /// The end of the last complete pass.
    pub completed_at: Option<Micros>,
    /// Records a second in the present pass.
    pub rate: f64,
    /// How long the present pass is going to take, where that can be told.
    pub eta_seconds: Option<u64>,
    /// The history that is being filled behind what changes now; `None` when there is none to fill.
    pub past: Option<Past>,
    #[serde(skip)]
    pass: Pass,
}

/// How far a history is filled.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Past {
    /// Published up to here; a process that goes on with a history knows it after a page.
    pub reached: Option<Micros>,
    /// Records a second.
    pub rate: f64,
    /// How long the rest is going to take, where that can be told.
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

impl Pass {
    /// Counts a page. Returns records a second, and how many seconds are left, where that can be told.
    fn page(&mut self, page: &Page, published: u64, now: Moment) -> (f64, Option<u64>) {
        let began = *self.began.get_or_insert(now);
        self.records += published;
        self.from = self.from.or(page.reached);
        let elapsed = now.saturating_sub(began).as_secs_f64();
        let rate = if elapsed > 0.0 {
            self.records as f64 / elapsed
        } else {
            0.0
        };
        (rate, self.left(page, elapsed))
    }

    /// Exports run in the order of time: the share of the time already passed tells the share of the work.
    fn left(&self, page: &Page, elapsed: f64) -> Option<u64> {
        let (from, reached) = (self.from?, page.reached?);
        let (done, all) = ((reached - from) as f64, (page.date - from) as f64);
        let is_under_way = !page.is_caught_up && done > 0.0 && all > done;
        is_under_way.then(|| (elapsed * (all - done) / done) as u64)
    }
}

impl Past {
    fn page(&mut self, page: &Page, published: u64, now: Moment) {
        self.reached = page.reached.or(self.reached);
        (self.rate, self.eta_seconds) = self.pass.page(page, published, now);
    }
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

    pub(crate) fn of(&self, collection: &str, change: impl FnOnce(&mut CollectionProgress)) {
        let mut snapshot = self.lock();
        match snapshot.collections.get_mut(collection) {
            Some(held) => change(held),
            None => change(snapshot.collections.entry(collection.to_owned()).or_default()),
        }
    }

    /// A copy of what is shown of a collection.
    pub(crate) fn get(&self, collection: &str) -> CollectionProgress {
        self.lock().collections.get(collection).cloned().unwrap_or_default()
    }

    /// The source is another process's now.
    pub(crate) fn clear(&self) {
        let mut snapshot = self.lock();
        snapshot.collections.clear();
        snapshot.budget.clear();
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
    pub(crate) fn page(&mut self, track: Track, page: &Page, published: u64, now: Moment) {
        self.records += published;
        self.bytes += page.bytes;
        self.bytes_ever += page.bytes;
        self.succeeded_at = Some(micros(now));
        let shown = page.records.len() as u64 + u64::from(page.repeats);
        self.repeats += shown.saturating_sub(published);
        match track {
            Track::Live => self.live_page(page, published, now),
            Track::Errands => {}
            Track::Past if page.is_caught_up => self.past = None,
            Track::Past => self.past.get_or_insert_default().page(page, published, now),
        }
    }

    fn live_page(&mut self, page: &Page, published: u64, now: Moment) {
        self.reached = page.reached.or(self.reached);
        (self.rate, self.eta_seconds) = self.pass.page(page, published, now);
        if page.is_caught_up {
            self.pass = Pass::default();
        }
    }

    /// What has been counted belongs to a history of its own; the live track begins anew.
    pub(crate) fn split(&mut self) {
        self.past = Some(Past {
            reached: self.reached.take(),
            rate: self.rate,
            eta_seconds: self.eta_seconds.take(),
            pass: std::mem::take(&mut self.pass),
        });
    }

    /// How far the collection lies behind the present.
    pub(crate) fn lag(&self, now: Moment) -> Option<Duration> {
        Some(now.saturating_sub(moment(self.reached?)))
    }
}
