//! A consumer group: who reads what, and how far it has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zenfloe_record::{Positions, TopicPartition};

use crate::{LogError, Membership, share::share};

/// Partitions with the number under which each was granted: one that comes back has a new number.
pub(super) type Grants = BTreeMap<TopicPartition, u64>;

#[derive(Default)]
pub(super) struct Group {
    pub(super) committed: Positions,
    members: BTreeMap<u64, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
    /// Numbers given out, to members and grants.
    numbers: u64,
}

struct Member {
    name: Option<String>,
    topics: BTreeSet<Arc<str>>,
}

#[derive(Clone, Copy)]
struct Owner {
    member: u64,
    grant: u64,
}

impl Group {
    /// Takes a member in; one of the same name is replaced, and its partitions go to the new one.
    pub(super) fn join(&mut self, name: Option<String>, topics: BTreeSet<Arc<str>>) -> u64 {
        self.numbers += 1;
        let new = self.numbers;
        let known = |member: &&u64| name.is_some() && self.members[*member].name == name;
        if let Some(old) = self.members.keys().find(known).copied() {
            self.members.remove(&old);
            self.hand_over(old, new);
        }
        self.members.insert(new, Member { name, topics });
        new
    }

    fn hand_over(&mut self, old: u64, new: u64) {
        for owner in self.owners.values_mut().filter(|owner| owner.member == old) {
            self.numbers += 1;
            *owner = Owner {
                member: new,
                grant: self.numbers,
            };
        }
    }

    pub(super) fn leave(&mut self, member: u64) {
        self.members.remove(&member);
    }

    pub(super) fn has(&self, member: u64) -> bool {
        self.members.contains_key(&member)
    }

    pub(super) fn topics(&self) -> BTreeSet<Arc<str>> {
        self.members
            .values()
            .flat_map(|member| member.topics.iter().cloned())
            .collect()
    }

    pub(super) fn rebalance(&mut self, partitions: &[TopicPartition]) {
        let members = self
            .members
            .iter()
            .map(|(id, member)| (*id, member.topics.clone()))
            .collect();
        let held = self
            .owners
            .iter()
            .map(|(at, owner)| (at.clone(), owner.member))
            .collect();
        let before = std::mem::take(&mut self.owners);
        for (at, member) in share(&members, partitions, &held) {
            let kept = before.get(&at).filter(|owner| owner.member == member);
            let owner = kept.copied().unwrap_or_else(|| {
                self.numbers += 1;
                Owner {
                    member,
                    grant: self.numbers,
                }
            });
            self.owners.insert(at, owner);
        }
    }

    /// Forgets a deleted topic.
    pub(super) fn forget(&mut self, topic: &str) {
        self.committed.retain(|at| &*at.topic != topic);
        self.owners.retain(|at, _| &*at.topic != topic);
    }

    /// What a member owns now.
    pub(super) fn grants(&self, member: u64) -> Grants {
        let owned = self.owners.iter().filter(|(_, owner)| owner.member == member);
        owned.map(|(at, owner)| (at.clone(), owner.grant)).collect()
    }

    /// Refuses positions of partitions that are no longer those that `proof` was made with.
    pub(super) fn check(&self, proof: &Proof, positions: &Positions) -> Result<(), LogError> {
        let Proof::Shared { member, grants, .. } = proof else {
            return Ok(());
        };
        let is_ours = |at: &TopicPartition| match (self.owners.get(at), grants.get(at)) {
            (Some(owner), Some(grant)) => owner.member == *member && owner.grant == *grant,
            _ => false,
        };
        match positions.iter().all(|(at, _)| is_ours(at)) {
            true => Ok(()),
            false => Err(LogError::Rebalanced),
        }
    }
}

/// What a membership of this log holds.
pub(super) enum Proof {
    /// Nobody shares these partitions.
    Exact { group: String },
    /// A member and what it owned.
    Shared { group: String, member: u64, grants: Grants },
}

impl Proof {
    pub(super) fn of(membership: &Membership) -> Result<&Self, LogError> {
        membership.0.downcast_ref().ok_or_else(|| LogError::Broken {
            what: "a membership of another log".into(),
        })
    }

    pub(super) fn group(&self) -> &str {
        match self {
            Self::Exact { group } | Self::Shared { group, .. } => group,
        }
    }
}
