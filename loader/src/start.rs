//! Where partitions begin: the destination says.

use std::collections::BTreeMap;
use std::sync::Arc;

use zenfloe_destination::TopicRef;
use zenfloe_log::{LogError, Reader, Start};
use zenfloe_record::{Offset, Partition, Positions, Topic, TopicPartition};

use crate::StageError;
use crate::patience::patiently;
use crate::stage::Stage;
use crate::table::Table;

impl Stage {
    /// Begins partitions at the positions that the destination has stored; what was in hand of them is dropped.
    ///
    /// `false` when the stage is to stop before.
    pub(crate) async fn start(
        &mut self,
        reader: &mut dyn Reader,
        partitions: &[TopicPartition],
    ) -> Result<bool, StageError> {
        let mut starts = Vec::with_capacity(partitions.len());
        for (topic, partitions) in by_topic(partitions) {
            let Some(stored) = self.stored(reader, &topic, &partitions).await? else {
                return Ok(false);
            };
            for (at, position) in stored.iter() {
                if !self.check(at, position).await? {
                    return Ok(false);
                }
                starts.push((at.clone(), Start::At(position)));
            }
        }
        if patiently!(self.patience, reader.begin(&starts).await)?.is_none() {
            return Ok(false);
        }
        for (at, start) in starts {
            let Start::At(position) = start else { continue };
            let table = self
                .tables
                .get_mut(&at.topic)
                .expect("entered when its positions were asked for");
            table.begin(at.partition, position);
            self.lag.loaded(at, position, table.timestamp);
        }
        self.erase_first(reader).await
    }

    /// The destination's positions of a topic's partitions.
    pub(crate) async fn stored(
        &mut self,
        reader: &mut dyn Reader,
        topic: &Arc<str>,
        partitions: &[Partition],
    ) -> Result<Option<Positions>, StageError> {
        let Some(info) = patiently!(self.patience, self.log.topic(topic).await)? else {
            return Ok(None);
        };
        let info = info.ok_or_else(|| LogError::NoTopic {
            topic: topic.to_string(),
        })?;
        let reference = TopicRef {
            name: topic.clone(),
            id: info.id.into(),
        };
        let table = Topic::table_of(&self.source, topic).expect("only clean topics are read");
        let target = self.selected.target(table);
        let stored = patiently!(
            self.patience,
            reader,
            self.destination.positions(&target, &reference, partitions).await
        );
        let stored = stored.map_err(|error| self.failed(error))?;
        self.tables
            .entry(topic.clone())
            .or_insert_with(|| Table::new(table, target, reference, self.destination.clone()));
        Ok(stored)
    }

    /// A position outside what the topic holds is a lost or another topic: nothing may be skipped silently.
    async fn check(&self, at: &TopicPartition, stored: Offset) -> Result<bool, StageError> {
        let Some(bounds) = patiently!(self.patience, self.log.bounds(at).await)? else {
            return Ok(false);
        };
        if stored < bounds.start || stored > bounds.end {
            return Err(StageError::Position {
                at: at.clone(),
                stored,
                start: bounds.start,
                end: bounds.end,
            });
        }
        Ok(true)
    }
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<Arc<str>, Vec<Partition>> {
    let mut topics: BTreeMap<Arc<str>, Vec<Partition>> = BTreeMap::new();
    for at in partitions {
        topics.entry(at.topic.clone()).or_default().push(at.partition);
    }
    topics
}
