//! Reads by events.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};
use zenfloe_record::{Offset, Positions, TopicPartition};

use super::MemoryLog;
use super::group::{Grants, Proof};
use super::held::Held;
use crate::{Assign, Batch, Limit, LogError, Membership, Read, Reader, ReaderSpec, Record, Start};

pub(super) struct MemoryReader {
    log: MemoryLog,
    group: String,
    role: Role,
    /// Where each partition stands that has begun.
    places: Positions,
    /// Places that the caller has not been told of.
    untold: Positions,
    /// The partition that the next batch begins with, by turns.
    turn: usize,
}

enum Role {
    Exact(Vec<TopicPartition>),
    Shared {
        name: Option<String>,
        member: u64,
        /// What the caller knows to be ours.
        granted: Grants,
    },
}

impl MemoryReader {
    pub(super) fn open(log: MemoryLog, spec: ReaderSpec) -> Result<Self, LogError> {
        let role = log.change(|held| match spec.assign {
            Assign::Exact(partitions) => {
                partitions.iter().try_for_each(|at| held.lane(at).map(drop))?;
                held.group(&spec.group);
                Ok(Role::Exact(partitions))
            }
            Assign::Shared(topics) => join(held, &spec.group, spec.member, &topics),
        })?;
        Ok(Self {
            log,
            group: spec.group,
            role,
            places: Positions::new(),
            untold: Positions::new(),
            turn: 0,
        })
    }

    /// The next event, if there is one by now.
    fn take(&mut self, limit: Limit) -> Result<Option<Read>, LogError> {
        let log = self.log.clone();
        let mut held = log.held();
        if let Some(event) = self.change_of_owner(&mut held)? {
            return Ok(Some(event));
        }
        let records = self.records(&held, limit)?;
        Ok((!records.is_empty()).then(|| self.batch(records)))
    }

    fn change_of_owner(&mut self, held: &mut Held) -> Result<Option<Read>, LogError> {
        let Role::Shared { name, member, granted } = &mut self.role else {
            return Ok(None);
        };
        let group = held.group(&self.group);
        if !group.has(*member) {
            let id = name.clone().unwrap_or_else(|| self.group.clone());
            return Err(LogError::Fenced { id });
        }
        let now = group.grants(*member);
        let lost: Vec<_> = granted
            .iter()
            .filter(|(at, grant)| now.get(at) != Some(grant))
            .collect();
        let lost: Vec<TopicPartition> = lost.into_iter().map(|(at, _)| at.clone()).collect();
        if !lost.is_empty() {
            for at in &lost {
                granted.remove(at);
                self.places.remove(at);
                self.untold.remove(at);
            }
            return Ok(Some(Read::Revoked(lost)));
        }
        let new: Vec<_> = now.keys().filter(|at| !granted.contains_key(at)).cloned().collect();
        *granted = now;
        Ok((!new.is_empty()).then_some(Read::Assigned(new)))
    }

    fn records(&mut self, held: &Held, limit: Limit) -> Result<Vec<Record>, LogError> {
        let mut order: Vec<(TopicPartition, Offset)> =
            self.places.iter().map(|(at, next)| (at.clone(), next)).collect();
        let count = order.len().max(1);
        order.rotate_left(self.turn % count);
        self.turn = (self.turn + 1) % count;
        let mut taken = Taken::new(limit);
        for (at, from) in order {
            let lane = held.lane(&at)?;
            lane.check(&at, from)?;
            let fits = lane.after(from).take_while(|record| taken.add(record)).count();
            let place = lane.after(from).nth(fits).map_or(lane.bounds().end, |next| next.offset);
            if place != from {
                self.places.set(at.clone(), place);
                self.untold.set(at, place);
            }
        }
        Ok(taken.records)
    }

    fn batch(&mut self, records: Vec<Record>) -> Read {
        Read::Batch(Batch {
            records,
            positions: std::mem::take(&mut self.untold),
        })
    }

    /// Claims that this reader owns a partition now, whether the caller knows it or not.
    fn owns(&self, held: &mut Held, at: &TopicPartition) -> Result<bool, LogError> {
        match &self.role {
            Role::Exact(partitions) if partitions.contains(at) => Ok(true),
            Role::Exact(_) => Err(LogError::Broken {
                what: format!("{at} is none of this reader's partitions"),
            }),
            Role::Shared { member, granted, .. } => {
                let now = held.group(&self.group).grants(*member);
                Ok(granted.get(at).is_some_and(|grant| now.get(at) == Some(grant)))
            }
        }
    }

    fn place(&self, held: &Held, at: &TopicPartition, start: Start) -> Result<Offset, LogError> {
        let lane = held.lane(at)?;
        let wanted = match start {
            Start::Earliest => return Ok(lane.bounds().start),
            Start::At(offset) => offset,
            Start::Committed => match held.committed(&self.group, std::slice::from_ref(at)).get(at) {
                Some(next) => next,
                None if lane.bounds().start == 0 => 0,
                None => return Err(lane.out_of_range(at, -1)),
            },
        };
        lane.check(at, wanted).map(|()| wanted)
    }

    fn proof(&self) -> Proof {
        let group = self.group.clone();
        match &self.role {
            Role::Exact(_) => Proof::Exact { group },
            Role::Shared { member, granted, .. } => Proof::Shared {
                group,
                member: *member,
                grants: granted.clone(),
            },
        }
    }
}

fn join(held: &mut Held, group: &str, name: Option<String>, topics: &[String]) -> Result<Role, LogError> {
    for topic in topics {
        held.lane(&TopicPartition::new(topic.as_str(), 0))?;
    }
    let topics: BTreeSet<Arc<str>> = topics.iter().map(|topic| topic.as_str().into()).collect();
    let member = held.group(group).join(name.clone(), topics);
    held.rebalance(group);
    Ok(Role::Shared {
        name,
        member,
        granted: Grants::new(),
    })
}

#[async_trait]
impl Reader for MemoryReader {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        let begun = Instant::now();
        let mut news = self.log.0.news.subscribe();
        loop {
            news.borrow_and_update();
            if let Some(read) = self.take(limit)? {
                return Ok(read);
            }
            let left = limit.wait.saturating_sub(begun.elapsed());
            if timeout(left, news.changed()).await.is_err() {
                return Ok(self.batch(Vec::new()));
            }
        }
    }

    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        let log = self.log.clone();
        let mut held = log.held();
        for (at, start) in starts {
            if self.owns(&mut held, at)? {
                let place = self.place(&held, at, *start)?;
                self.places.set(at.clone(), place);
                self.untold.set(at.clone(), place);
            }
        }
        Ok(())
    }

    fn membership(&self) -> Membership {
        Membership(Arc::new(self.proof()))
    }

    async fn report(&mut self, positions: &Positions) -> Result<(), LogError> {
        let done = crate::Done {
            by: self.membership(),
            positions: positions.clone(),
        };
        let mut held = self.log.held();
        held.check_done(&done)?;
        held.mark(&done);
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        let Role::Shared { member, .. } = self.role else { return };
        let group = &self.group;
        self.log.change(|held| {
            if held.group(group).has(member) {
                held.group(group).leave(member);
                held.rebalance(group);
            }
        });
    }
}

/// Records of a batch, up to a limit.
struct Taken {
    limit: Limit,
    bytes: usize,
    records: Vec<Record>,
}

impl Taken {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            bytes: 0,
            records: Vec::new(),
        }
    }

    /// Adds a record unless the batch is full.
    fn add(&mut self, record: &Record) -> bool {
        let is_full = self.records.len() >= self.limit.records.max(1) || self.bytes >= self.limit.bytes;
        if is_full && !self.records.is_empty() {
            return false;
        }
        self.bytes += record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len);
        self.records.push(record.clone());
        true
    }
}
