use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use zenfloe_catalog::{Collection, CustomBy};
use zenfloe_keyring::{OpenError, Opener};
use zenfloe_log::{Record, partitions_of};
use zenfloe_normalize::{Choice, Plan};
use zenfloe_record::{Offset, RawHeaders, RawKind, Topic, TopicPartition};

use super::{Definition, extended};
use crate::patience::{Stop, or_stopped, patiently};
use crate::plans::{Lanes, Plans, Registered, lane};
use crate::rules::Rules;
use crate::topics::{RawTopic, Written};
use crate::worker::Worker;
use crate::{Parts, StageError};

/// How often a topic of definitions is looked for that is not there.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The definitions of custom fields, followed, and the lanes that write their columns.
pub(crate) struct Fields {
    parts: Parts,
    choices: BTreeMap<String, Choice>,
    raw: Vec<RawTopic>,
    told: Vec<Told>,
    registered: Registered,
    /// What the columns and the topics were when the lanes were made.
    fitted: (u64, usize),
}

/// What is told of the fields of one table.
struct Told {
    table: &'static str,
    collection: &'static str,
    by: CustomBy,
    /// The partitions with the offset to go on from; none while there is no topic.
    at: HashMap<TopicPartition, Option<Offset>>,
    look_at: Instant,
    /// The newest word on each field, in the order in which they were first told.
    definitions: Vec<Definition>,
}

/// A definition as Zendesk writes it, as far as it matters here.
#[derive(Deserialize)]
struct FieldJson {
    id: i64,
    r#type: String,
    title: String,
    key: Option<String>,
    /// False of the fields that every account has: those are columns of the catalog.
    removable: Option<bool>,
    relationship_target_type: Option<String>,
}

impl Fields {
    /// Nothing is known yet. The raw topics are those whose records are transformed.
    pub(crate) fn new(parts: &Parts, plans: &Plans, raw: &[RawTopic]) -> Self {
        let is_needed = |table: &str| raw.iter().any(|topic| is_of(topic.collection, table));
        let tables = parts.catalog.collections().iter().flat_map(|held| &held.tables);
        let told = tables.filter(|table| is_needed(&table.name)).filter_map(|table| {
            let custom = table.custom.as_ref()?;
            Some(Told {
                table: &table.name,
                collection: &custom.fields,
                by: custom.by,
                at: HashMap::new(),
                look_at: Instant::now(),
                definitions: Vec::new(),
            })
        });
        Self {
            told: told.collect(),
            parts: parts.clone(),
            choices: plans.choices.clone(),
            raw: raw.to_vec(),
            registered: Registered::default(),
            fitted: (0, 0),
        }
    }

    /// Reads the definitions to their present end and gives a column to each that has none; `None` when `stop` fires
    /// first.
    pub(crate) async fn read(&mut self, rules: &mut Rules, stop: &Stop) -> Result<Option<()>, StageError> {
        for told in &mut self.told {
            if or_stopped!(told.read(&self.parts, stop).await?) {
                let defined = rules.define(&self.parts, told.table, &told.definitions, stop).await?;
                or_stopped!(defined);
            }
        }
        Ok(Some(()))
    }

    /// Does the same, and makes the worker write the columns that have come.
    ///
    /// Contract: what the worker is given next was read before this was called, so that a definition that the source
    /// told of before a value is known with it.
    pub(crate) async fn follow(
        &mut self,
        rules: &mut Rules,
        worker: &mut Worker,
        stop: &Stop,
    ) -> Result<Option<()>, StageError> {
        or_stopped!(self.read(rules, stop).await?);
        if self.fitted != self.now(rules) {
            let lanes = or_stopped!(self.lanes(rules, worker.written(), stop).await?);
            worker.refit(lanes);
        }
        Ok(Some(()))
    }

    fn now(&self, rules: &Rules) -> (u64, usize) {
        let followed = self.told.iter().filter(|told| !told.at.is_empty());
        (rules.columns().stamp(), followed.count())
    }

    /// The lanes of all raw topics with the columns that are known; `None` when `stop` fires first.
    pub(crate) async fn lanes(
        &mut self,
        rules: &Rules,
        written: &Written,
        stop: &Stop,
    ) -> Result<Option<Lanes>, StageError> {
        let now = self.now(rules);
        let mut lanes = Lanes::new();
        for topic in &self.raw {
            let collection = topic.collection;
            let choice = self.choices.get(&collection.name).cloned().unwrap_or_default();
            let (whole, choice) = extended(collection, &choice, rules.columns(), &self.parts.config);
            let plan = Plan::compile(&whole, &choice)?;
            let waits_for = self
                .told
                .iter()
                .find(|told| !told.at.is_empty() && is_of(collection, told.table));
            let mut lane =
                or_stopped!(lane(&self.parts, &self.raw, topic, plan, written, &mut self.registered, stop).await?);
            lane.waits_for = waits_for.map(|told| told.table);
            lanes.insert(topic.name.clone(), lane);
        }
        self.fitted = now;
        Ok(Some(lanes))
    }
}

/// Claims that records of a collection carry custom fields of a table.
fn is_of(collection: &Collection, table: &str) -> bool {
    let mut tables = collection.tables.iter();
    tables.any(|held| {
        let tells = |of: &Option<String>| of.as_deref() == Some(table);
        let mut columns = held.columns.iter();
        (held.custom.is_some() && held.name == table)
            || columns.any(|column| column.custom.is_some() && tells(&column.of))
    })
}

impl Told {
    /// Reads on; claims that something was told.
    async fn read(&mut self, parts: &Parts, stop: &Stop) -> Result<Option<bool>, StageError> {
        if self.at.is_empty() && Instant::now() >= self.look_at {
            self.look_at = Instant::now() + LOOK_EVERY;
            let name = Topic::raw(&parts.source, self.collection);
            if let Some(info) = or_stopped!(patiently!(stop, parts.log.topic(&name).await)) {
                let all = partitions_of(&name, info.partitions).into_iter();
                self.at = all.map(|at| (at, None)).collect();
            }
        }
        let mut has_news = false;
        for at in self.at.keys().cloned().collect::<Vec<_>>() {
            let bounds = or_stopped!(patiently!(stop, parts.log.bounds(&at).await));
            // What has expired was given its column when it came.
            let from = self.at[&at].unwrap_or(bounds.start).max(bounds.start);
            if from >= bounds.end {
                continue;
            }
            let (records, next) = or_stopped!(patiently!(stop, parts.log.scan(&at, from).await));
            let mut opener = Opener::new(parts.seal_keys.clone(), &parts.source);
            for record in &records {
                has_news |= self.take(&mut opener, record)?;
            }
            self.at.insert(at, Some(next));
        }
        Ok(Some(has_news))
    }

    /// Takes a definition. One that cannot be read becomes a dead letter where it is a row; it gives no column.
    fn take(&mut self, opener: &mut Opener, record: &Record) -> Result<bool, StageError> {
        let Ok(headers) = RawHeaders::decode(&record.headers) else {
            return Ok(false);
        };
        let Some(sealed) = record.value.as_ref().filter(|_| headers.kind == RawKind::Record) else {
            return Ok(false);
        };
        let mut json = Vec::new();
        match opener.open(self.collection, &record.key, &record.headers, sealed, &mut json) {
            Ok(()) => {}
            Err(OpenError::UnknownKeyVersion(version)) => {
                return Err(StageError::KeyVersion {
                    at: record.at.clone(),
                    offset: record.offset,
                    version,
                });
            }
            Err(OpenError::Destroyed(_) | OpenError::Damaged(_)) => return Ok(false),
        }
        let Ok(told) = serde_json::from_slice::<FieldJson>(&json) else {
            return Ok(false);
        };
        let is_usable = match self.by {
            CustomBy::Id => told.removable != Some(false),
            CustomBy::Key => told.key.is_some(),
        };
        if !is_usable {
            return Ok(false);
        }
        let definition = Definition {
            id: told.id,
            kind: told.r#type,
            title: told.title,
            key: told.key.filter(|_| self.by == CustomBy::Key),
            target: told.relationship_target_type,
            seen_at: headers.extracted_at,
        };
        match self.definitions.iter_mut().find(|held| held.id == told.id) {
            Some(held) => *held = definition,
            None => self.definitions.push(definition),
        }
        Ok(true)
    }
}
