//! Which member of a group reads which partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zenfloe_record::TopicPartition;

/// Deals partitions out to a group's members: evenly, and moving as few as possible away from who holds them now.
///
/// A partition goes only to members that read its topic; members that read the same topics end up with counts that
/// differ by one at most. The result depends on the arguments alone, so that every process finds the same one.
pub fn share<M: Ord + Copy>(
    members: &BTreeMap<M, BTreeSet<Arc<str>>>,
    partitions: &[TopicPartition],
    held: &BTreeMap<TopicPartition, M>,
) -> BTreeMap<TopicPartition, M> {
    let mut dealt = Dealt::new(members);
    let (kept, free): (Vec<_>, Vec<_>) = partitions.iter().partition(|at| {
        let holder = held.get(at);
        holder.is_some_and(|member| dealt.reads(*member, at))
    });
    for at in kept {
        dealt.give(at, held[at]);
    }
    for at in free {
        if let Some(member) = dealt.idlest(at) {
            dealt.give(at, member);
        }
    }
    while dealt.even_out() {}
    dealt.owners
}

struct Dealt<'m, M> {
    members: &'m BTreeMap<M, BTreeSet<Arc<str>>>,
    owners: BTreeMap<TopicPartition, M>,
    counts: BTreeMap<M, usize>,
}

impl<'m, M: Ord + Copy> Dealt<'m, M> {
    fn new(members: &'m BTreeMap<M, BTreeSet<Arc<str>>>) -> Self {
        Self {
            members,
            owners: BTreeMap::new(),
            counts: members.keys().map(|member| (*member, 0)).collect(),
        }
    }

    fn reads(&self, member: M, at: &TopicPartition) -> bool {
        self.members
            .get(&member)
            .is_some_and(|topics| topics.contains(&at.topic))
    }

    fn give(&mut self, at: &TopicPartition, member: M) {
        if let Some(before) = self.owners.insert(at.clone(), member) {
            *self.counts.get_mut(&before).expect("an owner is a member") -= 1;
        }
        *self.counts.get_mut(&member).expect("an owner is a member") += 1;
    }

    /// How many partitions of a topic a member has.
    fn of_topic(&self, member: M, topic: &str) -> usize {
        let ours = |(at, owner): &(&TopicPartition, &M)| **owner == member && &*at.topic == topic;
        self.owners.iter().filter(ours).count()
    }

    /// The member with the least to do among those that may read a partition.
    fn idlest(&self, at: &TopicPartition) -> Option<M> {
        let able = self.members.keys().copied().filter(|member| self.reads(*member, at));
        able.min_by_key(|member| (self.counts[member], self.of_topic(*member, &at.topic), *member))
    }

    /// Moves one partition from a member that has two more than another; false when there is none.
    fn even_out(&mut self) -> bool {
        let mut best: Option<((usize, usize), TopicPartition, M)> = None;
        for (at, owner) in &self.owners {
            let Some(to) = self.idlest(at).filter(|to| self.counts[to] + 1 < self.counts[owner]) else {
                continue;
            };
            // From who has most, and of that the topic that is least evenly dealt.
            let surplus = self
                .of_topic(*owner, &at.topic)
                .saturating_sub(self.of_topic(to, &at.topic));
            let gain = (self.counts[owner], surplus);
            if best.as_ref().is_none_or(|(most, ..)| gain > *most) {
                best = Some((gain, at.clone(), to));
            }
        }
        let Some((_, at, to)) = best else { return false };
        self.give(&at, to);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(list: &[(u64, &[&str])]) -> BTreeMap<u64, BTreeSet<Arc<str>>> {
        let topics = |topics: &[&str]| topics.iter().map(|topic| Arc::from(*topic)).collect();
        list.iter().map(|(member, list)| (*member, topics(list))).collect()
    }

    fn partitions(list: &[(&str, i32)]) -> Vec<TopicPartition> {
        list.iter()
            .flat_map(|(topic, count)| crate::partitions_of(topic, *count))
            .collect()
    }

    fn counts(owners: &BTreeMap<TopicPartition, u64>) -> Vec<usize> {
        let mut counts = BTreeMap::<u64, usize>::new();
        owners
            .values()
            .for_each(|member| *counts.entry(*member).or_default() += 1);
        counts.into_values().collect()
    }

    fn moved(before: &BTreeMap<TopicPartition, u64>, after: &BTreeMap<TopicPartition, u64>) -> usize {
        before.iter().filter(|(at, owner)| after.get(at) != Some(owner)).count()
    }

    #[test]
    fn partitions_are_dealt_evenly_and_stay_where_they_are() {
        let all = partitions(&[("a", 12), ("b", 1), ("c", 1)]);
        let topics: &[&str] = &["a", "b", "c"];
        let one = share(&members(&[(1, topics)]), &all, &BTreeMap::new());
        assert_eq!(counts(&one), [14]);
        let two = share(&members(&[(1, topics), (2, topics)]), &all, &one);
        assert_eq!((counts(&two), moved(&one, &two)), (vec![7, 7], 7));
        let three = share(&members(&[(1, topics), (2, topics), (3, topics)]), &all, &two);
        assert_eq!((counts(&three), moved(&two, &three)), (vec![5, 5, 4], 4));
        let again = share(&members(&[(1, topics), (2, topics), (3, topics)]), &all, &three);
        assert_eq!(moved(&three, &again), 0);
        let left = share(&members(&[(2, topics), (3, topics)]), &all, &three);
        assert_eq!((counts(&left), moved(&three, &left)), (vec![7, 7], 5));
    }

    #[test]
    fn a_partition_goes_only_to_who_reads_its_topic() {
        let all = partitions(&[("a", 4), ("b", 4)]);
        let owners = share(&members(&[(1, &["a"]), (2, &["a", "b"])]), &all, &BTreeMap::new());
        assert!(owners.iter().all(|(at, owner)| &*at.topic == "a" || *owner == 2));
        assert_eq!(counts(&owners), [4, 4]);
        assert!(share(&members(&[]), &all, &owners).is_empty());
    }

    /// Members come and go by seed: whoever stays keeps what need not move, and counts differ by one at most.
    #[test]
    fn coming_and_going_moves_as_little_as_possible() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let topics: &[&str] = &["a", "b"];
            let all = partitions(&[("a", rng.i32(1..14)), ("b", rng.i32(1..5))]);
            let mut present = BTreeMap::new();
            let mut owners = BTreeMap::new();
            for step in 0..12 {
                let left = (rng.bool() && present.len() > 1).then(|| *rng.choice(present.keys()).expect("some"));
                if let Some(member) = left {
                    present.remove(&member);
                } else {
                    present.append(&mut members(&[(step, topics)]));
                }
                let after = share(&present, &all, &owners);
                assert_eq!(after.len(), all.len(), "seed {seed}: every partition has an owner");
                let counts = present
                    .keys()
                    .map(|member| after.values().filter(|owner| *owner == member).count());
                let (least, most) = (counts.clone().min().expect("some"), counts.max().expect("some"));
                assert!(most - least <= 1, "seed {seed}: {after:?}");
                let must_move = match left {
                    Some(member) => owners.values().filter(|owner| **owner == member).count(),
                    None if owners.is_empty() => 0,
                    None => all.len() / present.len(),
                };
                assert_eq!(moved(&owners, &after), must_move, "seed {seed}, step {step}");
                owners = after;
            }
        }
    }

    #[test]
    fn every_topic_is_dealt_out() {
        let all = partitions(&[("a", 12), ("b", 12)]);
        let topics: &[&str] = &["a", "b"];
        let one = share(&members(&[(1, topics)]), &all, &BTreeMap::new());
        let two = share(&members(&[(1, topics), (2, topics)]), &all, &one);
        let of_a = two
            .iter()
            .filter(|(at, owner)| &*at.topic == "a" && **owner == 2)
            .count();
        assert_eq!(of_a, 6);
    }
}
