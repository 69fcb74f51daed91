//! How a source stands, told from its state topic: for those who ask while a process works, or none does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zenfloe_catalog::{Catalog, Collection};
use zenfloe_log::Log;
use zenfloe_pacing::{Budget, Moment};
use zenfloe_record::{Micros, SourceName, Topic, TopicPartition};

use crate::progress::moment;
use crate::state::{self, State};
use crate::{CollectionProgress, Config, Past, StageError, plan};

/// What a collection's cursor does not say; written in the commit of each page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    requests: u64,
    bytes: u64,
    succeeded_at: Option<Micros>,
    reached: Option<Micros>,
    rate: f64,
    eta_seconds: Option<u64>,
    past: Option<Past>,
    held_deletions: u64,
    trouble: Option<Trouble>,
}

/// Why a collection does not come on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// The account, the role or the scope does not allow it; tried again later.
    NotAvailable {
        /// What was said.
        why: String,
        /// What to do about it.
        remedy: String,
        /// When it is tried again, microseconds since 1970.
        until: Micros,
    },
    /// Requests fail; tried again all the time.
    Failing {
        /// What went wrong last.
        what: String,
        /// Failures in a row.
        failures: u32,
    },
}

impl Report {
    /// The report about what is shown; `trouble` is what has just been met.
    pub(crate) fn of(shown: &CollectionProgress, trouble: Option<Trouble>) -> Self {
        Self {
            requests: shown.requests_ever,
            bytes: shown.bytes_ever,
            succeeded_at: shown.succeeded_at,
            reached: shown.reached,
            rate: shown.rate,
            eta_seconds: shown.eta_seconds,
            past: shown.past.clone(),
            held_deletions: shown.held_deletions,
            trouble,
        }
    }

    /// Goes on with what an earlier process counted.
    pub(crate) fn resume(&self, shown: &mut CollectionProgress) {
        shown.requests_ever = self.requests;
        shown.bytes_ever = self.bytes;
        shown.succeeded_at = self.succeeded_at;
        shown.reached = self.reached;
        shown.held_deletions = self.held_deletions;
        if let (Some(shown), Some(held)) = (&mut shown.past, &self.past) {
            shown.reached = held.reached;
        }
    }
}

/// How a source stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Those that are selected, and those that have been read before.
    pub collections: BTreeMap<String, CollectionStanding>,
    /// Requests that could be sent at once, by rate bucket.
    pub budget: BTreeMap<String, u32>,
}

/// How a collection stands.
#[derive(Debug, Clone, Serialize)]
pub struct CollectionStanding {
    /// What it is doing.
    #[serde(flatten)]
    pub state: StandingState,
    /// When its last page was committed, microseconds since 1970.
    pub succeeded_at: Option<Micros>,
    /// The end of its last complete pass, microseconds since 1970.
    pub completed_at: Option<Micros>,
    /// Everything that changed at Zendesk up to here has been published, but for what `past` still lacks.
    pub reached: Option<Micros>,
    /// How far `reached` lies behind the present.
    pub lag_seconds: Option<u64>,
    /// Records published, deletions included.
    pub records: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// Rows of a list that are missing in numbers that wait for a person's word.
    pub held_deletions: u64,
    /// How long what is under way is going to take, where that can be told.
    pub eta_seconds: Option<u64>,
    /// The history that is being filled behind what changes now.
    pub past: Option<Past>,
}

/// What a collection is doing, as far as its last commit tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StandingState {
    /// Nothing has been read of it yet.
    NotBegun,
    /// Its first pass is under way, or its history is being filled.
    History,
    /// It follows what changes.
    Current,
    /// It has not been read for much longer than its interval: no process works on it, or the budget is used up.
    Silent,
    /// It was read before and is not selected any more.
    Off,
    /// It does not come on.
    Trouble {
        /// Why.
        trouble: Trouble,
    },
}

/// Beyond two intervals and this long nothing is late by chance.
const SILENCE: Duration = Duration::from_secs(600);

/// Reads how a source stands; `None` when it was never read. Disturbs nobody: it only reads.
pub async fn standing(
    log: &dyn Log,
    source: &SourceName,
    config: &Config,
    catalog: &Catalog,
    now: Moment,
) -> Result<Option<Standing>, StageError> {
    let at = TopicPartition::new(Topic::state(source), 0);
    if log.topic(&at.topic).await?.is_none() {
        return Ok(None);
    }
    let held = state::read(state::records(log, &at).await?, &at)?;
    let selected = plan::selected(catalog, config)?;
    let mut collections = BTreeMap::new();
    for collection in &selected {
        let standing = of_collection(collection, config, &held, now);
        collections.insert(collection.name.clone(), standing);
    }
    let gone = held.cursors.keys().filter(|name| !collections.contains_key(*name));
    let gone: Vec<_> = gone
        .map(|name| (name.clone(), of_unselected(name, &held, now)))
        .collect();
    collections.extend(gone);
    Ok(Some(Standing {
        collections,
        budget: budget(config, &held, now),
    }))
}

fn budget(config: &Config, held: &State, now: Moment) -> BTreeMap<String, u32> {
    let mut budget = Budget::new(config.rules());
    if let Some(pacing) = &held.pacing {
        budget.restore(pacing, now);
    }
    budget.free(now).into_iter().collect()
}

fn of_collection(collection: &Collection, config: &Config, held: &State, now: Moment) -> CollectionStanding {
    let mut standing = of_unselected(&collection.name, held, now);
    let trouble = held
        .reports
        .get(&collection.name)
        .and_then(|report| report.trouble.clone());
    let silence = config.interval_of(&collection.name) * 2 + SILENCE;
    let is_silent = |at: Micros| now.saturating_sub(moment(at)) > silence;
    standing.state = match trouble {
        Some(trouble) => StandingState::Trouble { trouble },
        None if !held.cursors.contains_key(&collection.name) => StandingState::NotBegun,
        None if standing.succeeded_at.is_some_and(is_silent) => StandingState::Silent,
        None if standing.completed_at.is_none() || standing.past.is_some() => StandingState::History,
        None => StandingState::Current,
    };
    standing
}

fn of_unselected(name: &str, held: &State, now: Moment) -> CollectionStanding {
    let cursor = held.cursors.get(name);
    let report = held.reports.get(name).cloned().unwrap_or_default();
    let past = report.past.clone();
    CollectionStanding {
        state: StandingState::Off,
        succeeded_at: report.succeeded_at,
        completed_at: cursor.and_then(|cursor| cursor.completed_at),
        reached: report.reached,
        lag_seconds: report.reached.map(|at| now.saturating_sub(moment(at)).as_secs()),
        records: cursor.map_or(0, |cursor| cursor.records),
        requests: report.requests,
        bytes: report.bytes,
        held_deletions: report.held_deletions,
        eta_seconds: past.as_ref().map_or(report.eta_seconds, |past| past.eta_seconds),
        past,
    }
}
