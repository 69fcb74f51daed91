//! The end of a single pass.

use std::collections::BTreeSet;

use zenfloe_log::Log;
use zenfloe_record::{Offset, Positions, SourceName, TopicPartition};

use crate::patience::{Stop, or_stopped, patiently};
use crate::topics::{RawTopic, all_partitions};
use crate::{StageError, group};

/// The ends of the raw partitions as they stood when no more records were to come.
pub(crate) struct Goals {
    group: String,
    ends: Positions,
}

impl Goals {
    /// Takes the ends as of now; `None` when `stop` fires first.
    ///
    /// A group that stands beyond an end is an error here as it is where a partition begins.
    pub(crate) async fn set(
        log: &dyn Log,
        source: &SourceName,
        raw: &[RawTopic],
        stop: &Stop,
    ) -> Result<Option<Self>, StageError> {
        let group = group(source);
        let partitions = all_partitions(raw);
        // Asked before the ends, which only rise.
        let committed = or_stopped!(patiently!(stop, log.committed(&group, &partitions).await));
        let mut ends = Positions::new();
        for at in partitions {
            let bounds = or_stopped!(patiently!(stop, log.bounds(&at).await));
            if let Some(beyond) = committed.get(&at).filter(|next| *next > bounds.end) {
                // Reading there says whether the log knows its end for sure.
                or_stopped!(patiently!(stop, log.scan(&at, beyond).await));
            }
            if bounds.end > bounds.start {
                ends.set(at, bounds.end);
            }
        }
        Ok(Some(Self { group, ends }))
    }

    /// Claims that all ends are committed: of our partitions by `positions`, of others by whoever holds them.
    pub(crate) async fn are_reached(
        &self,
        log: &dyn Log,
        owned: &BTreeSet<TopicPartition>,
        positions: &Positions,
        stop: &Stop,
    ) -> Result<bool, StageError> {
        let is_reached =
            |held: &Positions, (at, end): (&TopicPartition, Offset)| held.get(at).is_some_and(|next| next >= end);
        let (ours, others): (Vec<_>, Vec<_>) = self.ends.iter().partition(|(at, _)| owned.contains(*at));
        if !ours.into_iter().all(|goal| is_reached(positions, goal)) {
            return Ok(false);
        }
        if others.is_empty() {
            return Ok(true);
        }
        let asked: Vec<_> = others.iter().map(|(at, _)| (*at).clone()).collect();
        let committed = patiently!(stop, log.committed(&self.group, &asked).await);
        Ok(committed.is_some_and(|committed| others.into_iter().all(|goal| is_reached(&committed, goal))))
    }
}
