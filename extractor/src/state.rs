//! The records of the state topic: cursors, lists, the rate budget.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use zenfloe_log::{Append, Log, LogError, Record};
use zenfloe_pacing::Snapshot;
use zenfloe_record::{Cursor, Headers, TopicPartition};

use crate::StageError;
use crate::errand::{self, Errand};
use crate::import::Done;
use crate::ledger::Ledger;
use crate::report::Report;

/// The key of the rate budget; no collection's name holds a slash.
const PACING: &str = "/pacing";
/// Begins the keys of reports.
const REPORT: &str = "/report/";

/// The key of the login.
pub(crate) const LOGIN: &str = "/login";
/// Begins the keys of what a person asks for.
const RESYNC: &str = "/resync/";
/// Begins the keys of imported files.
const IMPORT: &str = "/import/";
/// Begins the keys of errands.
const ERRAND: &str = "/errand/";
/// Begins the keys of what whole sets were when they were read last.
const SET: &str = "/set/";

/// What an earlier process of this source left.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) cursors: HashMap<String, Cursor>,
    pub(crate) ledgers: HashMap<String, Ledger>,
    pub(crate) pacing: Option<Snapshot>,
    /// What has still to be read, by collection.
    pub(crate) errands: HashMap<String, Vec<(Errand, errand::Kept)>>,
    /// The hashes of whole sets, by collection and errand.
    pub(crate) sets: HashMap<String, BTreeMap<String, String>>,
    pub(crate) reports: HashMap<String, Report>,
    /// The sealed login.
    pub(crate) login: Option<Record>,
    /// Collections whose history is to be read again.
    pub(crate) resyncs: BTreeSet<String>,
    /// How far files are imported, by collection and fingerprint.
    pub(crate) imports: HashMap<String, Done>,
}

/// Everything that stands in the state topic.
pub(crate) async fn records(log: &dyn Log, at: &TopicPartition) -> Result<Vec<Record>, LogError> {
    let bounds = log.bounds(at).await?;
    Ok(log.scan(at, bounds.start).await?.0)
}

/// Reads the newest record of each key.
pub(crate) fn read(records: Vec<Record>, at: &TopicPartition) -> Result<State, StageError> {
    let mut newest: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    let mut state = State::default();
    for record in records {
        if record.key == LOGIN {
            state.login = record.value.is_some().then(|| record.clone());
        }
        match record.value {
            Some(value) => newest.insert(record.key, value),
            None => newest.remove(&record.key),
        };
    }
    let mut lists: HashMap<String, Vec<(String, Bytes)>> = HashMap::new();
    for (key, value) in &newest {
        let unreadable = || StageError::State {
            topic: at.topic.to_string(),
            key: String::from_utf8_lossy(key).into_owned(),
        };
        let name = std::str::from_utf8(key).map_err(|_| unreadable())?;
        match name.split_once('/') {
            None => {
                let cursor = Cursor::decode(value).map_err(|_| unreadable())?;
                state.cursors.insert(name.to_owned(), cursor);
            }
            Some(("", _)) if name == PACING => {
                state.pacing = Some(serde_json::from_slice(value).map_err(|_| unreadable())?);
            }
            Some(("", _)) => {
                if let Some(collection) = name.strip_prefix(REPORT) {
                    let report = serde_json::from_slice(value).map_err(|_| unreadable())?;
                    state.reports.insert(collection.to_owned(), report);
                }
                if let Some(collection) = name.strip_prefix(RESYNC) {
                    state.resyncs.insert(collection.to_owned());
                }
                if let Some(file) = name.strip_prefix(IMPORT) {
                    let done = serde_json::from_slice(value).map_err(|_| unreadable())?;
                    state.imports.insert(file.to_owned(), done);
                }
                if let Some((collection, set)) = name.strip_prefix(SET).and_then(|name| name.split_once('/')) {
                    let hash = String::from_utf8(value.to_vec()).map_err(|_| unreadable())?;
                    let held = state.sets.entry(collection.to_owned()).or_default();
                    held.insert(set.to_owned(), hash);
                }
                if let Some((collection, errand)) = name.strip_prefix(ERRAND).and_then(|name| name.split_once('/')) {
                    let errand = Errand::named(errand).ok_or_else(unreadable)?;
                    let kept = serde_json::from_slice(value).map_err(|_| unreadable())?;
                    state
                        .errands
                        .entry(collection.to_owned())
                        .or_default()
                        .push((errand, kept));
                }
            }
            Some((collection, rest)) => {
                lists
                    .entry(collection.to_owned())
                    .or_default()
                    .push((rest.to_owned(), value.clone()));
            }
        }
    }
    for (collection, records) in lists {
        let records = records.iter().map(|(name, value)| (name.as_str(), value.as_ref()));
        let ledger = Ledger::load(records).ok_or_else(|| StageError::State {
            topic: at.topic.to_string(),
            key: format!("{collection}/…"),
        })?;
        state.ledgers.insert(collection, ledger);
    }
    Ok(state)
}

/// The record of a collection's cursor.
pub(crate) fn cursor_record(at: &TopicPartition, collection: &str, cursor: &Cursor) -> Append {
    record(at, collection, Some(cursor.encode()))
}

/// A record of a collection's list.
pub(crate) fn ledger_record(at: &TopicPartition, collection: &str, name: &str, value: Option<Vec<u8>>) -> Append {
    record(at, &format!("{collection}/{name}"), value)
}

/// A record of something that has still to be read for a collection's records.
pub(crate) fn errand_record(at: &TopicPartition, collection: &str, name: &str, value: Option<Vec<u8>>) -> Append {
    record(at, &format!("{ERRAND}{collection}/{name}"), value)
}

/// A record of what a whole set was when it was read last.
pub(crate) fn set_record(at: &TopicPartition, collection: &str, name: &str, value: Option<Vec<u8>>) -> Append {
    record(at, &format!("{SET}{collection}/{name}"), value)
}

/// The record of the rate budget.
pub(crate) fn pacing_record(at: &TopicPartition, snapshot: &Snapshot) -> Append {
    record(
        at,
        PACING,
        Some(serde_json::to_vec(snapshot).expect("numbers under names serialise")),
    )
}

/// The record of a collection's report.
pub(crate) fn report_record(at: &TopicPartition, collection: &str, report: &Report) -> Append {
    let value = serde_json::to_vec(report).expect("numbers and strings serialise");
    record(at, &format!("{REPORT}{collection}"), Some(value))
}

/// The record that asks for a collection's history again, or (`false`) tells that it is being read.
pub(crate) fn resync_record(at: &TopicPartition, collection: &str, is_asked: bool) -> Append {
    let value = is_asked.then(|| b"{}".to_vec());
    record(at, &format!("{RESYNC}{collection}"), value)
}

/// The collection that a record of the state topic asks to be read again.
pub(crate) fn resync_of(record: &Record) -> Option<&str> {
    record.value.as_ref()?;
    std::str::from_utf8(&record.key).ok()?.strip_prefix(RESYNC)
}

/// The record of how far a file is imported.
pub(crate) fn import_record(at: &TopicPartition, file: &str, done: &Done) -> Append {
    let value = serde_json::to_vec(done).expect("numbers and strings serialise");
    record(at, &format!("{IMPORT}{file}"), Some(value))
}

/// A record of the state topic; `None` takes it away.
pub(crate) fn record(at: &TopicPartition, key: &str, value: Option<Vec<u8>>) -> Append {
    Append {
        at: at.clone(),
        timestamp: None,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.map(Bytes::from),
        headers: Headers::new(),
    }
}
