//! What the log holds: topics, their records, groups and writers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use zenfloe_record::{Offset, Positions, TopicPartition};

use super::group::{Group, Proof};
use crate::{Append, Bounds, Done, LogError, Record, TopicInfo, TopicSpec, partitions_of};

pub(super) struct Held {
    topics: BTreeMap<Arc<str>, Topic>,
    groups: BTreeMap<String, Group>,
    writers: BTreeMap<String, u64>,
    /// Topics made so far.
    made: u64,
    /// Commits take one more offset.
    markers: bool,
}

struct Topic {
    id: String,
    spec: TopicSpec,
    lanes: Vec<Lane>,
}

/// The records of one partition.
#[derive(Default)]
pub(super) struct Lane {
    start: Offset,
    end: Offset,
    records: VecDeque<Record>,
}

impl Lane {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            start: self.start,
            end: self.end,
        }
    }

    /// The records from an offset on.
    pub(super) fn after(&self, from: Offset) -> impl Iterator<Item = &Record> {
        let first = self.records.partition_point(|record| record.offset < from);
        self.records.range(first..)
    }

    pub(super) fn offset_at(&self, timestamp: i64) -> Offset {
        let found = self.records.iter().find(|record| record.timestamp >= timestamp);
        found.map_or(self.end, |record| record.offset)
    }

    pub(super) fn expire(&mut self, before: Offset) {
        self.start = self.start.max(before.min(self.end));
        let gone = self.records.partition_point(|record| record.offset < self.start);
        self.records.drain(..gone);
    }

    /// Refuses a position outside of what is kept.
    pub(super) fn check(&self, at: &TopicPartition, wanted: Offset) -> Result<(), LogError> {
        if (self.start..=self.end).contains(&wanted) {
            return Ok(());
        }
        Err(self.out_of_range(at, wanted))
    }

    pub(super) fn out_of_range(&self, at: &TopicPartition, wanted: Offset) -> LogError {
        LogError::OutOfRange {
            at: at.clone(),
            wanted,
            start: self.start,
            end: self.end,
        }
    }

    fn push(&mut self, append: Append) {
        self.records.push_back(Record {
            at: append.at,
            offset: self.end,
            timestamp: append.timestamp.unwrap_or_else(now_ms),
            key: append.key,
            value: append.value,
            headers: append.headers,
        });
        self.end += 1;
    }
}

impl Held {
    pub(super) fn new(markers: bool) -> Self {
        Self {
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            writers: BTreeMap::new(),
            made: 0,
            markers,
        }
    }

    pub(super) fn ensure(&mut self, spec: &TopicSpec) -> Result<(), LogError> {
        if let Some(topic) = self.topics.get(&spec.name) {
            return counts_agree(spec, topic.spec.partitions);
        }
        self.made += 1;
        let topic = Topic {
            id: self.made.to_string(),
            spec: spec.clone(),
            lanes: (0..spec.partitions).map(|_| Lane::default()).collect(),
        };
        self.topics.insert(spec.name.clone(), topic);
        for group in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.rebalance(&group);
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, topic: &str) {
        self.topics.remove(topic);
        for group in self.groups.values_mut() {
            group.forget(topic);
        }
    }

    pub(super) fn info(&self, name: &str) -> Option<TopicInfo> {
        let topic = self.topics.get(name)?;
        Some(TopicInfo {
            id: topic.id.clone(),
            partitions: topic.spec.partitions,
            max_message_bytes: Some(topic.spec.max_message_bytes),
        })
    }

    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        let names = self.topics.keys().filter(|name| name.starts_with(prefix));
        names.map(|name| name.to_string()).collect()
    }

    pub(super) fn lane(&self, at: &TopicPartition) -> Result<&Lane, LogError> {
        let topic = self.topics.get(&at.topic).ok_or_else(|| no_topic(&at.topic))?;
        let lane = usize::try_from(at.partition)
            .ok()
            .and_then(|number| topic.lanes.get(number));
        lane.ok_or_else(|| no_partition(at))
    }

    pub(super) fn lane_mut(&mut self, at: &TopicPartition) -> Result<&mut Lane, LogError> {
        let topic = self.topics.get_mut(&at.topic).ok_or_else(|| no_topic(&at.topic))?;
        let lane = usize::try_from(at.partition)
            .ok()
            .and_then(|number| topic.lanes.get_mut(number));
        lane.ok_or_else(|| no_partition(at))
    }

    pub(super) fn new_epoch(&mut self, id: &str) -> u64 {
        let epoch = self.writers.entry(id.to_owned()).or_default();
        *epoch += 1;
        *epoch
    }

    pub(super) fn check_epoch(&self, id: &str, epoch: u64) -> Result<(), LogError> {
        match self.writers.get(id) {
            Some(newest) if *newest == epoch => Ok(()),
            _ => Err(LogError::Fenced { id: id.to_owned() }),
        }
    }

    /// Refuses what the topic does not take.
    pub(super) fn check(&self, append: &Append) -> Result<(), LogError> {
        self.lane(&append.at)?;
        let limit = self.topics[&append.at.topic].spec.max_message_bytes;
        let size = append.size();
        if size <= limit {
            return Ok(());
        }
        Err(LogError::TooLarge {
            at: append.at.clone(),
            size,
            limit,
        })
    }

    /// Contract: every append has passed [`Self::check`].
    pub(super) fn append(&mut self, out: Vec<Append>) {
        let mut touched = BTreeSet::new();
        for append in out {
            let at = append.at.clone();
            self.lane_mut(&at).expect("checked before").push(append);
            touched.insert(at);
        }
        for at in touched.iter().filter(|_| self.markers).collect::<Vec<_>>() {
            self.lane_mut(at).expect("checked before").end += 1;
        }
    }

    pub(super) fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Positions {
        let Some(group) = self.groups.get(group) else {
            return Positions::new();
        };
        let known = |at: &TopicPartition| Some((at.clone(), group.committed.get(at)?));
        partitions.iter().filter_map(known).collect()
    }

    pub(super) fn check_done(&self, done: &Done) -> Result<(), LogError> {
        let proof = Proof::of(&done.by)?;
        let group = self.groups.get(proof.group()).ok_or(LogError::Rebalanced)?;
        group.check(proof, &done.positions)
    }

    /// Contract: `done` has passed [`Self::check_done`].
    pub(super) fn mark(&mut self, done: &Done) {
        let proof = Proof::of(&done.by).expect("checked before");
        let group = self.group(proof.group());
        for (at, next) in done.positions.iter() {
            group.committed.set(at.clone(), next);
        }
    }

    /// A group, made when it is new.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    /// A group's partitions are dealt out again.
    pub(super) fn rebalance(&mut self, name: &str) {
        let topics = self.group(name).topics();
        let count = |topic: &Arc<str>| self.topics.get(topic).map_or(0, |held| held.spec.partitions);
        let partitions: Vec<_> = topics
            .iter()
            .flat_map(|topic| partitions_of(topic, count(topic)))
            .collect();
        self.group(name).rebalance(&partitions);
    }
}

pub(super) fn counts_agree(spec: &TopicSpec, found: i32) -> Result<(), LogError> {
    if found == spec.partitions {
        return Ok(());
    }
    Err(LogError::PartitionCount {
        topic: spec.name.to_string(),
        found,
        wanted: spec.partitions,
    })
}

fn no_topic(topic: &str) -> LogError {
    LogError::NoTopic {
        topic: topic.to_owned(),
    }
}

fn no_partition(at: &TopicPartition) -> LogError {
    LogError::NoTopic { topic: at.to_string() }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |passed| i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}
