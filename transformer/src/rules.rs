//! The rules topic: which transform configuration is in force, where it began, which replay is under way.
//!
//! Keys: `revision/FINGERPRINT` holds the newest number that a configuration was given, `began/TOPIC/PARTITION`
//! the offset of the first record that the newest revision transformed there, `replay` the replay under way.
//! `column/TABLE/ID` is the column of a custom field: written once, and again only where its title has changed.
//! `erase/SUBJECT` asks for an erasure, `erased/SUBJECT` is one (see `zenfloe-erasure`).
//! Keys that this release does not know are left alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zenfloe_catalog::{Catalog, CustomColumn};
use zenfloe_erasure::{Entry, Erased, Subject};
use zenfloe_log::{Append, Class, Log, Record};
use zenfloe_record::{Headers, Offset, SourceName, Topic, TopicPartition};

use crate::custom::{Columns, Definition};
use crate::patience::{Patience, Stop, or_stopped, patiently};
use crate::span::Plan;
use crate::stage::now_ms;
use crate::treated::{Processed, Tightened, Treated, changes, processed, tightened_key, treated_key, treated_table};
use crate::{Config, Parts, Progress, StageError, rules_writer_id};

/// The digest of a transform configuration.
pub(crate) type Fingerprint = [u8; 32];

const REVISION: &str = "revision/";
const BEGAN: &str = "began/";
const REPLAY: &str = "replay";

/// What the rules topic says, as far as it has been read.
pub(crate) struct Rules {
    source: SourceName,
    at: TopicPartition,
    next: Option<Offset>,
    revisions: BTreeMap<String, i32>,
    began: BTreeMap<TopicPartition, Began>,
    replay: Option<Plan>,
    columns: Columns,
    treated: BTreeMap<String, Treated>,
    erased: Erased,
    asked: BTreeMap<Subject, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Numbered {
    revision: i32,
}

/// Where a revision began in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Began {
    pub(crate) revision: i32,
    pub(crate) offset: Offset,
    /// The raw topic's id, so that one that was deleted and made again is noticed.
    pub(crate) topic_id: String,
}

impl Rules {
    pub(crate) fn new(source: &SourceName) -> Self {
        Self {
            source: source.clone(),
            at: TopicPartition::new(Topic::rules(source), 0),
            next: None,
            revisions: BTreeMap::new(),
            began: BTreeMap::new(),
            replay: None,
            columns: Columns::default(),
            treated: BTreeMap::new(),
            erased: Erased::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Reads on to the topic's end; `None` when `stop` fires first.
    pub(crate) async fn follow(&mut self, log: &dyn Log, stop: &Stop) -> Result<Option<()>, StageError> {
        let from = match self.next {
            Some(next) => next,
            None => or_stopped!(patiently!(stop, log.bounds(&self.at).await)).start,
        };
        let (records, next) = or_stopped!(patiently!(stop, log.scan(&self.at, from).await));
        for record in &records {
            self.take(record)?;
        }
        self.next = Some(next);
        Ok(Some(()))
    }

    fn take(&mut self, record: &Record) -> Result<(), StageError> {
        let key = std::str::from_utf8(&record.key).unwrap_or_default();
        if let Some(fingerprint) = key.strip_prefix(REVISION) {
            if let Some(numbered) = self.value::<Numbered>(record)? {
                self.revisions.insert(fingerprint.to_owned(), numbered.revision);
            }
        } else if let Some(place) = key.strip_prefix(BEGAN) {
            let at = place_of(place).ok_or_else(|| self.unreadable(record))?;
            match self.value(record)? {
                Some(began) => self.began.insert(at, began),
                None => self.began.remove(&at),
            };
        } else if let Some(subject) = Subject::parse(key) {
            if let Some(entry) = self.value::<Entry>(record)? {
                self.erased.take(subject, entry);
            }
        } else if let Some(subject) = Subject::parse_request(key) {
            if let Some(entry) = self.value::<Entry>(record)? {
                self.asked.insert(subject, entry);
            }
        } else if let Some((table, id)) = CustomColumn::place(key) {
            if let Some(column) = self.value::<CustomColumn>(record)? {
                self.columns.take(table, id, column);
            }
        } else if let Some(table) = treated_table(key) {
            if let Some(treated) = self.value(record)? {
                self.treated.insert(table.to_owned(), treated);
            }
        } else if key == REPLAY {
            self.replay = self.value(record)?;
        }
        Ok(())
    }

    fn value<V: DeserializeOwned>(&self, record: &Record) -> Result<Option<V>, StageError> {
        let Some(value) = &record.value else { return Ok(None) };
        serde_json::from_slice(value)
            .map(Some)
            .map_err(|_| self.unreadable(record))
    }

    fn unreadable(&self, record: &Record) -> StageError {
        StageError::Rules {
            topic: self.at.topic.clone(),
            key: String::from_utf8_lossy(&record.key).into_owned(),
        }
    }

    /// Who is erased.
    pub(crate) fn erased(&self) -> &Erased {
        &self.erased
    }

    /// What was asked for, done or not.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&Subject, &Entry)> {
        self.asked.iter()
    }

    /// Claims that an erasure was asked for and is not done.
    pub(crate) fn has_open_erasures(&self) -> bool {
        let is_known = |subject: &Subject| self.erased.get(subject).is_some();
        self.erased.open().next().is_some() || self.asked.keys().any(|subject| !is_known(subject))
    }

    /// The number in force; 0 before the first.
    pub(crate) fn newest(&self) -> i32 {
        self.revisions.values().copied().max().unwrap_or(0)
    }

    /// The number of a configuration, if it is the one in force.
    ///
    /// Errors with [`StageError::NotNewest`] when it is not.
    pub(crate) fn in_force(&self, fingerprint: &Fingerprint) -> Result<i32, StageError> {
        let ours = self.revisions.get(&HEXLOWER.encode(fingerprint)).copied();
        match ours {
            Some(ours) if ours == self.newest() => Ok(ours),
            _ => Err(StageError::NotNewest {
                source_name: self.source.to_string(),
                ours,
                newest: self.newest(),
            }),
        }
    }

    /// Makes a configuration the one in force and returns its number; `None` when `stop` fires first.
    ///
    /// The writer is opened before the topic is read for good, so that of two processes that number at the
    /// same time one is fenced and reads the other's.
    pub(crate) async fn settle(
        &mut self,
        parts: &Parts,
        fingerprint: &Fingerprint,
        stop: &Stop,
    ) -> Result<Option<i32>, StageError> {
        let log = &*parts.log;
        let mut patience = Patience::default();
        loop {
            or_stopped!(self.follow(log, stop).await?);
            if let Ok(revision) = self.in_force(fingerprint) {
                return Ok(Some(revision));
            }
            let mut writer = or_stopped!(patiently!(stop, log.writer(&rules_writer_id(&self.source)).await));
            or_stopped!(self.follow(log, stop).await?);
            if let Ok(revision) = self.in_force(fingerprint) {
                return Ok(Some(revision));
            }
            let revision = self.newest() + 1;
            let mut out = vec![self.numbered(fingerprint, revision)];
            out.extend(self.treatments(parts, &self.columns, revision)?);
            match writer.commit(out, None).await {
                Ok(()) => {
                    let source = self.source.as_str();
                    tracing::info!(source, revision, "a transform configuration is new or has returned");
                    or_stopped!(self.follow(log, stop).await?);
                    return Ok(Some(revision));
                }
                Err(error) if error.class() == Class::Fenced => {
                    // Another process numbers just now; its record decides.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
                }
                Err(error) => {
                    if !patience.wait(error, stop).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The columns of custom fields.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Gives a column to every field that has none, once for all processes; `None` when `stop` fires first.
    ///
    /// As with [`Rules::settle`], of two processes that do so at the same time one is fenced and reads the other's.
    pub(crate) async fn define(
        &mut self,
        parts: &Parts,
        table: &str,
        definitions: &[Definition],
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        let (log, catalog) = (&*parts.log, parts.catalog);
        let mut patience = Patience::default();
        loop {
            or_stopped!(self.follow(log, stop).await?);
            if self.columns.news(catalog, table, definitions).is_empty() {
                return Ok(Some(()));
            }
            let mut writer = or_stopped!(patiently!(stop, log.writer(&rules_writer_id(&self.source)).await));
            or_stopped!(self.follow(log, stop).await?);
            let news = self.columns.news(catalog, table, definitions);
            let record =
                |(id, column): &(i64, CustomColumn)| self.record(&CustomColumn::key_of(table, *id), Some(column));
            let mut out: Vec<Append> = news.iter().map(record).collect();
            let mut with = self.columns.clone();
            news.iter()
                .for_each(|(id, column)| with.take(table, *id, column.clone()));
            out.extend(self.treatments(parts, &with, self.newest())?);
            match writer.commit(out, None).await {
                Ok(()) => {
                    let (source, columns) = (self.source.as_str(), news.len());
                    tracing::info!(source, table, columns, "columns of custom fields are new or renamed");
                    return self.follow(log, stop).await;
                }
                Err(error) if error.class() == Class::Fenced => {
                    // Another process names just now; its records decide.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
                }
                Err(error) => {
                    if !patience.wait(error, stop).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The records of what happens to columns from a revision on, where that has changed.
    fn treatments(&self, parts: &Parts, columns: &Columns, revision: i32) -> Result<Vec<Append>, StageError> {
        let all = processed(parts.catalog, &parts.config, columns)?;
        let changes = changes(&all, &self.treated, revision, now_ms());
        let treated = changes.tables.iter();
        let treated = treated.map(|(table, treated)| self.record(&treated_key(table), Some(treated)));
        let tightened = changes.tightened.iter().map(|(table, column)| {
            let tightened = Tightened { revision };
            self.record(&tightened_key(table, column), Some(&tightened))
        });
        Ok(treated.chain(tightened).collect())
    }

    /// Where the newest revision began in a partition, if it transformed anything there.
    pub(crate) fn began(&self, at: &TopicPartition) -> Option<&Began> {
        self.began.get(at)
    }

    /// The replay under way.
    pub(crate) fn replay(&self) -> Option<&Plan> {
        self.replay.as_ref()
    }

    fn numbered(&self, fingerprint: &Fingerprint, revision: i32) -> Append {
        let key = format!("{REVISION}{}", HEXLOWER.encode(fingerprint));
        self.record(&key, Some(&Numbered { revision }))
    }

    /// The record of where a revision began.
    pub(crate) fn began_record(&self, at: &TopicPartition, began: &Began) -> Append {
        self.record(&format!("{BEGAN}{}/{}", at.topic, at.partition), Some(began))
    }

    /// Notes what a commit has said.
    pub(crate) fn set_began(&mut self, at: TopicPartition, began: Began) {
        self.began.insert(at, began);
    }

    /// The record of a replay under way; of `None` that it has ended.
    pub(crate) fn replay_record(&self, plan: Option<&Plan>) -> Append {
        self.record(REPLAY, plan)
    }

    fn record<V: Serialize>(&self, key: &str, value: Option<&V>) -> Append {
        Append {
            at: self.at.clone(),
            timestamp: None,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: value.map(|value| serde_json::to_vec(value).expect("plain data serialise").into()),
            headers: Headers::new(),
        }
    }
}

/// The record of processing: every column of every table with what happens to it, by which rule and since when.
///
/// Custom fields are there, and when a treatment began is known, where the source's log is given and its transformer has
/// run. Changes nothing; waits for a log that is away.
pub async fn processing(
    log: Option<&dyn Log>,
    source: &SourceName,
    catalog: &Catalog,
    config: &Config,
) -> Result<Vec<Processed>, StageError> {
    let stop = Stop::new(Default::default(), Progress::default());
    let mut rules = Rules::new(source);
    if let Some(log) = log {
        let topic = patiently!(&stop, log.topic(&rules.at.topic).await).flatten();
        if topic.is_some() {
            rules.follow(log, &stop).await?;
        }
    }
    let mut all = processed(catalog, config, &rules.columns)?;
    for one in &mut all {
        let held = rules
            .treated
            .get(&one.table)
            .and_then(|held| held.columns.get(&one.column));
        // What was changed since a transformer last ran has not begun.
        if let Some(since) = held.filter(|held| held.action == one.action) {
            (one.revision, one.since) = (Some(since.revision), Some(since.at));
        }
    }
    Ok(all)
}

/// Reads `TOPIC/PARTITION`; topic names hold no slash.
fn place_of(text: &str) -> Option<TopicPartition> {
    let (topic, partition) = text.split_once('/')?;
    Some(TopicPartition::new(Arc::<str>::from(topic), partition.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceName {
        SourceName::new("acme").expect("a legal name")
    }

    fn read_back(rules: &mut Rules, append: Append) -> Result<(), StageError> {
        rules.take(&Record {
            at: append.at,
            offset: 0,
            timestamp: 0,
            key: append.key,
            value: append.value,
            headers: append.headers,
        })
    }

    #[test]
    fn the_newest_number_is_in_force_and_others_are_told() {
        let mut rules = Rules::new(&source());
        assert_eq!(rules.newest(), 0);
        let (one, two) = ([1; 32], [2; 32]);
        for (fingerprint, revision) in [(one, 1), (two, 2)] {
            let append = rules.numbered(&fingerprint, revision);
            read_back(&mut rules, append).expect("our own record");
        }
        assert_eq!(rules.in_force(&two).expect("the newest"), 2);
        let told = rules.in_force(&one).expect_err("an older one").to_string();
        assert!(
            told.starts_with("revision 2 ") && told.contains("is revision 1;"),
            "{told}"
        );
        let told = rules.in_force(&[3; 32]).expect_err("an unknown one").to_string();
        assert!(told.contains("another one"), "{told}");
        let returned = rules.numbered(&one, 3);
        read_back(&mut rules, returned).expect("our own record");
        assert_eq!(rules.in_force(&one).expect("returned"), 3);
    }

    #[test]
    fn records_keep_their_form() {
        let mut rules = Rules::new(&source());
        let numbered = rules.numbered(&[0xab; 32], 7);
        assert_eq!(numbered.key, format!("revision/{}", "ab".repeat(32)));
        assert_eq!(numbered.value.as_deref(), Some(&br#"{"revision":7}"#[..]));
        let at = TopicPartition::new("acme.raw.tickets", 3);
        let began = Began {
            revision: 7,
            offset: 42,
            topic_id: "x1".into(),
        };
        let append = rules.began_record(&at, &began);
        assert_eq!(append.key, "began/acme.raw.tickets/3");
        assert_eq!(
            append.value.as_deref(),
            Some(&br#"{"revision":7,"offset":42,"topic_id":"x1"}"#[..])
        );
        read_back(&mut rules, append).expect("our own record");
        assert_eq!(rules.began(&at), Some(&began));
    }

    #[test]
    fn strange_records_of_known_keys_are_told_and_unknown_keys_left_alone() {
        let mut rules = Rules::new(&source());
        let mut append = rules.record("unheard-of/x", Some(&1));
        read_back(&mut rules, append.clone()).expect("left alone");
        append.key = Bytes::from_static(b"revision/00");
        let told = read_back(&mut rules, append).expect_err("no number").to_string();
        assert!(told.contains("revision/00"), "{told}");
    }
}
