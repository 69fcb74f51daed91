use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A Kafka offset: the number of a record within its partition.
pub type Offset = i64;
/// A Kafka partition number, from 0.
pub type Partition = i32;

/// One partition of one topic.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// The partition number.
    pub partition: Partition,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, partition: Partition) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far a reader has come: for each partition the offset that it would read **next**.
///
/// Everything below a position has been dealt with; a partition that is absent has not been
/// started. Positions may have gaps (aborted records and transaction markers take offsets).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<TopicPartition, Offset>);

impl Positions {
    /// No partition started.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next offset of a partition.
    pub fn get(&self, at: &TopicPartition) -> Option<Offset> {
        self.0.get(at).copied()
    }

    /// Sets the next offset of a partition, forwards or backwards.
    pub fn set(&mut self, at: TopicPartition, next: Offset) {
        self.0.insert(at, next);
    }

    /// Moves a partition forward to `next`; a smaller `next` changes nothing.
    pub fn advance(&mut self, at: &TopicPartition, next: Offset) {
        match self.0.get_mut(at) {
            Some(held) => *held = (*held).max(next),
            None => {
                self.0.insert(at.clone(), next);
            }
        }
    }

    /// Takes over whatever is further on in `other`.
    pub fn merge(&mut self, other: &Self) {
        for (at, next) in &other.0 {
            self.advance(at, *next);
        }
    }

    /// Forgets a partition.
    pub fn remove(&mut self, at: &TopicPartition) -> Option<Offset> {
        self.0.remove(at)
    }

    /// Claims that the record at `offset` has been dealt with.
    pub fn covers(&self, at: &TopicPartition, offset: Offset) -> bool {
        self.get(at).is_some_and(|next| offset < next)
    }

    /// Claims that `self` is at least as far as `other` in every partition of `other`.
    pub fn is_after(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|(at, next)| self.get(at).is_some_and(|held| held >= *next))
    }

    /// Returns, per partition of `ahead`, the offsets from `self` (or 0) up to `ahead` where that is more than none.
    pub fn gap(&self, ahead: &Self) -> Vec<(TopicPartition, std::ops::Range<Offset>)> {
        ahead
            .0
            .iter()
            .map(|(at, to)| (at.clone(), self.get(at).unwrap_or(0)..*to))
            .filter(|(_, range)| !range.is_empty())
            .collect()
    }

    /// Claims that no partition is started.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Partitions and next offsets in order of topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.0.iter().map(|(at, next)| (at, *next))
    }

    /// Keeps only the partitions for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&TopicPartition) -> bool) {
        self.0.retain(|at, _| keep(at));
    }
}

impl FromIterator<(TopicPartition, Offset)> for Positions {
    fn from_iter<I: IntoIterator<Item = (TopicPartition, Offset)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn positions() -> impl Strategy<Value = Positions> {
        proptest::collection::btree_map((0..3_i32, 0..3_i32), 0..50_i64, 0..6).prop_map(|map| {
            map.into_iter()
                .map(|((topic, partition), next)| (TopicPartition::new(format!("t{topic}"), partition), next))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn merge_is_after_both_and_commutes(a in positions(), b in positions()) {
            let mut ab = a.clone();
            ab.merge(&b);
            let mut ba = b.clone();
            ba.merge(&a);
            prop_assert!(ab.is_after(&a) && ab.is_after(&b));
            prop_assert_eq!(ab, ba);
        }

        #[test]
        fn gap_is_what_is_not_covered(a in positions(), b in positions()) {
            let gap: Vec<_> = a.gap(&b).into_iter().flat_map(|(at, range)| range.map(move |o| (at.clone(), o))).collect();
            for (at, offset) in &gap {
                prop_assert!(!a.covers(at, *offset) && b.covers(at, *offset));
            }
            let uncovered = b.iter().map(|(at, next)| (0..next).filter(|o| !a.covers(at, *o)).count()).sum::<usize>();
            prop_assert_eq!(gap.len(), uncovered);
        }

        #[test]
        fn after_is_an_order(a in positions(), b in positions(), c in positions()) {
            prop_assert!(a.is_after(&a));
            if a.is_after(&b) && b.is_after(&c) { prop_assert!(a.is_after(&c)); }
        }

        #[test]
        fn advance_never_goes_back(mut a in positions(), next in 0..50_i64) {
            let at = TopicPartition::new("t0", 0);
            let before = a.get(&at).unwrap_or(i64::MIN);
            a.advance(&at, next);
            prop_assert_eq!(a.get(&at), Some(before.max(next)));
        }
    }
}
