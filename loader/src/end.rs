//! When all is loaded that the topics held as their writers came to an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zenfloe_log::{Reader, partitions_of};
use zenfloe_record::{Offset, Partition, Positions};

use crate::StageError;
use crate::patience::patiently;
use crate::stage::Stage;

/// How often the destination is asked for partitions that other loaders read.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The ends that must be reached.
pub(crate) struct Goal {
    ends: BTreeMap<Arc<str>, BTreeMap<Partition, Offset>>,
    ask_at: Instant,
}

impl Stage {
    /// The ends of topics as of now; `None` when the stage is to stop before they are known.
    pub(crate) async fn goal(&self, topics: &[String]) -> Result<Option<Goal>, StageError> {
        let mut ends = BTreeMap::new();
        for topic in topics {
            let Some(info) = patiently!(self.patience, self.log.topic(topic).await)? else {
                return Ok(None);
            };
            let count = info.map_or(0, |info| info.partitions);
            let mut of_topic = BTreeMap::new();
            for at in partitions_of(topic, count) {
                let Some(bounds) = patiently!(self.patience, self.log.bounds(&at).await)? else {
                    return Ok(None);
                };
                of_topic.insert(at.partition, bounds.end);
            }
            ends.insert(Arc::from(topic.as_str()), of_topic);
        }
        Ok(Some(Goal {
            ends,
            ask_at: Instant::now(),
        }))
    }

    /// Claims that the destination holds everything up to the goal, whoever loaded it.
    pub(crate) async fn has_reached(&mut self, reader: &mut dyn Reader, goal: &mut Goal) -> Result<bool, StageError> {
        if !self.tables.values().all(|table| table.is_empty()) {
            return Ok(false);
        }
        let ours = |topic: &Arc<str>| -> BTreeMap<Partition, Offset> {
            self.tables
                .get(topic)
                .map(|table| table.positions().collect())
                .unwrap_or_default()
        };
        let mut others: Vec<(Arc<str>, BTreeMap<Partition, Offset>)> = Vec::new();
        for (topic, ends) in &goal.ends {
            let ours = ours(topic);
            if ends
                .iter()
                .any(|(partition, end)| ours.get(partition).is_some_and(|position| position < end))
            {
                return Ok(false);
            }
            let rest = ends.iter().filter(|(partition, _)| !ours.contains_key(partition));
            others.push((topic.clone(), rest.map(|(partition, end)| (*partition, *end)).collect()));
        }
        self.others_have_reached(reader, goal, others).await
    }

    async fn others_have_reached(
        &mut self,
        reader: &mut dyn Reader,
        goal: &mut Goal,
        others: Vec<(Arc<str>, BTreeMap<Partition, Offset>)>,
    ) -> Result<bool, StageError> {
        if others.iter().all(|(_, ends)| ends.is_empty()) {
            return Ok(true);
        }
        if Instant::now() < goal.ask_at {
            return Ok(false);
        }
        goal.ask_at = Instant::now() + ASK_EVERY;
        for (topic, ends) in others.iter().filter(|(_, ends)| !ends.is_empty()) {
            let partitions: Vec<Partition> = ends.keys().copied().collect();
            let Some(stored) = self.stored(reader, topic, &partitions).await? else {
                return Ok(false);
            };
            if !reached(&stored, ends) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn reached(stored: &Positions, ends: &BTreeMap<Partition, Offset>) -> bool {
    let stored: BTreeMap<Partition, Offset> = stored.iter().map(|(at, next)| (at.partition, next)).collect();
    ends.iter()
        .all(|(partition, end)| stored.get(partition).is_some_and(|next| next >= end))
}
