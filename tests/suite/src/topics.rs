//! What the topics hold, read committed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use zenfloe_keyring::{Opener, SealKeys};
use zenfloe_log::{Log, Record};
use zenfloe_log_kafka::{KafkaConfig, KafkaLog};
use zenfloe_record::{
    CleanHeaders, CleanKey, CleanKind, Origin, RawHeaders, RawKind, RowVersion, SourceName, Topic, TopicPartition,
    header,
};

use crate::World;
use crate::world::SOURCE;

/// One raw record, opened.
#[derive(Debug, Clone)]
pub struct RawState {
    /// Its place.
    pub origin: Origin,
    /// The record's key.
    pub key: String,
    /// It tells of a row's end.
    pub is_deletion: bool,
    /// What Zendesk said.
    pub json: Value,
}

/// One clean record.
#[derive(Debug, Clone)]
pub struct CleanRecord {
    /// The table.
    pub table: String,
    /// Row, deletion or fence.
    pub kind: CleanKind,
    /// The row's key.
    pub row_key: Vec<u8>,
    /// Its place among the states of its row.
    pub version: RowVersion,
    /// The raw record that it was made from.
    pub origin: Origin,
}

/// Reads the topics of the source.
pub struct Topics {
    log: KafkaLog,
    source: SourceName,
    opener: Opener,
}

impl Topics {
    /// Connects to the test's broker with the test's keys.
    pub async fn open(world: &World) -> anyhow::Result<Self> {
        Self::of(&world.kafka.brokers, SOURCE, &world.path("seal.key")).await
    }

    /// Connects to a broker for one source.
    pub async fn of(brokers: &str, source: &str, keys: &Path) -> anyhow::Result<Self> {
        let config = KafkaConfig {
            brokers: brokers.split(',').map(str::to_owned).collect(),
            ..KafkaConfig::default()
        };
        let source = SourceName::new(source)?;
        let keys = SealKeys::load(keys)?;
        Ok(Self {
            log: KafkaLog::connect(config).await?,
            opener: Opener::new(keys, &source),
            source,
        })
    }

    /// Where the source's state topic ends: it grows with every page.
    pub async fn state_end(&self) -> anyhow::Result<i64> {
        let at = TopicPartition::new(Topic::state(&self.source), 0);
        Ok(self.log.bounds(&at).await?.end)
    }

    /// All topics of the source whose names go on with `part`.
    pub async fn names(&self, part: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.log.topics(&format!("{}.{part}", self.source)).await?)
    }

    /// Every record of a topic.
    pub async fn records(&self, topic: &str) -> anyhow::Result<Vec<Record>> {
        let info = self
            .log
            .topic(topic)
            .await?
            .with_context(|| format!("topic {topic} exists"))?;
        let mut all = Vec::new();
        for partition in 0..info.partitions {
            let at = TopicPartition::new(topic, partition);
            let start = self.log.bounds(&at).await?.start;
            all.extend(self.log.scan(&at, start).await?.0);
        }
        Ok(all)
    }

    /// Every raw record of a collection, opened, in the order of partitions and offsets.
    pub async fn raw(&mut self, collection: &str) -> anyhow::Result<Vec<RawState>> {
        let topic = Topic::raw(&self.source, collection);
        let mut all = Vec::new();
        for record in self.records(&topic).await? {
            let headers = RawHeaders::decode(&record.headers)?;
            let mut json = Vec::new();
            let value = record.value.as_ref().context("raw records have values")?;
            self.opener
                .open(collection, &record.key, &record.headers, value, &mut json)?;
            all.push(RawState {
                origin: Origin {
                    topic: record.at.topic.clone(),
                    partition: record.at.partition,
                    offset: record.offset,
                },
                key: String::from_utf8(record.key.to_vec())?,
                is_deletion: headers.kind == RawKind::Delete,
                json: serde_json::from_slice(&json)?,
            });
        }
        Ok(all)
    }

    /// Every clean record of every table as it was first written: an erasure writes rows anew, with purpose.
    pub async fn clean(&self) -> anyhow::Result<Vec<CleanRecord>> {
        let mut all = Vec::new();
        for topic in self.names("clean.").await? {
            let table = Topic::table_of(&self.source, &topic)
                .context("a clean topic")?
                .to_owned();
            for record in self.records(&topic).await? {
                if record.headers.get(header::REWRITTEN).is_some() {
                    continue;
                }
                let headers = CleanHeaders::decode(&record.headers)?;
                all.push(CleanRecord {
                    table: table.clone(),
                    kind: headers.kind,
                    row_key: CleanKey::row_key(&record.key).to_vec(),
                    version: headers.version,
                    origin: headers.origin,
                });
            }
        }
        Ok(all)
    }

    /// The number of letters in the dead topic.
    pub async fn dead(&self) -> anyhow::Result<usize> {
        Ok(self.records(&Topic::dead(&self.source)).await?.len())
    }

    /// Every byte of every clean topic, record by record: where it stands, and what it holds.
    pub async fn clean_bytes(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut all = Vec::new();
        for topic in self.names("clean.").await? {
            for record in self.records(&topic).await? {
                let mut bytes = record.key.to_vec();
                bytes.push(0);
                bytes.extend_from_slice(record.value.as_deref().unwrap_or_default());
                for (name, value) in record.headers.iter() {
                    bytes.push(0);
                    bytes.extend_from_slice(name.as_bytes());
                    bytes.push(0);
                    bytes.extend_from_slice(value);
                }
                all.push((format!("{}@{}", record.at, record.offset), bytes));
            }
        }
        Ok(all)
    }
}

/// Counts equal things.
pub(crate) fn tally<T: Ord>(things: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    counts
}
