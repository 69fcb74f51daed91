//! What has been read of one topic and is not loaded yet.
//!
//! A [`Batch`] knows for each partition from where to where it reaches, gaps of transaction markers included, and holds
//! the rows and fences that stand there: in upsert mode the newest state of a key and the newest fence of a scope, in
//! append mode every state. It is pure: no clock, no log, no database.
//!
//! Invariants:
//! - whatever the order of versions, and however often a record is offered, the batch holds the same rows;
//! - a row's partition is always among the covers of the flush that takes the row;
//! - what is dropped of a partition (revoked, begun anew) leaves no row, no fence and no cover behind.
//!
//! What it does not know: how rows are read, and where they go.

mod lane;

use std::collections::BTreeMap;

use zenfloe_destination::{Cover, Flush, Mode, Row, Target, TopicRef};
use zenfloe_record::{Fence, Offset, Partition};

use lane::Lane;

/// Rows and fences of one topic, and the positions that they cover.
#[derive(Debug)]
pub struct Batch {
    target: Target,
    topic: TopicRef,
    lanes: BTreeMap<Partition, Lane>,
}

impl Batch {
    /// An empty batch of no partition.
    pub fn new(target: Target, topic: TopicRef) -> Self {
        Self {
            target,
            topic,
            lanes: BTreeMap::new(),
        }
    }

    /// Where its rows go.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Where its rows come from.
    pub fn topic(&self) -> &TopicRef {
        &self.topic
    }

    /// Begins a partition, anew if it was begun, at its stored position.
    pub fn begin(&mut self, partition: Partition, from: Offset) {
        self.lanes.insert(partition, Lane::new(from));
    }

    /// Takes a row and moves beyond it. One that lies before the partition's position, or in a partition that was not
    /// begun, changes nothing: it was taken before, or is another loader's.
    pub fn row(&mut self, row: Row) {
        let mode = self.target.mode;
        if let Some(lane) = self.at(row.partition, row.offset) {
            match mode {
                Mode::Upsert => lane.upsert(row),
                Mode::Append => lane.append(row),
            }
        }
    }

    /// Takes a fence and moves beyond it; what [`Batch::row`] says of rows holds for fences.
    pub fn fence(&mut self, partition: Partition, offset: Offset, fence: Fence) {
        if let Some(lane) = self.at(partition, offset) {
            lane.fence(fence);
        }
    }

    /// Moves beyond a record that brings nothing. Returns whether it had not been taken before.
    pub fn pass(&mut self, partition: Partition, offset: Offset) -> bool {
        self.at(partition, offset).is_some()
    }

    /// Moves a partition to where its reader stands; never back.
    pub fn advance(&mut self, partition: Partition, to: Offset) {
        if let Some(lane) = self.lanes.get_mut(&partition) {
            lane.advance(to);
        }
    }

    /// Drops partitions with all that is in them; returns the number of rows that are dropped.
    pub fn drop_partitions(&mut self, gone: impl IntoIterator<Item = Partition>) -> usize {
        let dropped = gone.into_iter().filter_map(|partition| self.lanes.remove(&partition));
        dropped.map(|lane| lane.rows()).sum()
    }

    /// The partitions begun, with the position after the last record taken or passed.
    pub fn positions(&self) -> impl Iterator<Item = (Partition, Offset)> {
        self.lanes.iter().map(|(partition, lane)| (*partition, lane.to()))
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.lanes.values().map(Lane::rows).sum()
    }

    /// What rows and fences take of memory, in bytes, their administration included.
    pub fn size(&self) -> usize {
        self.lanes.values().map(Lane::size).sum()
    }

    /// Claims that no partition has moved.
    pub fn is_empty(&self) -> bool {
        !self.lanes.values().any(Lane::has_moved)
    }

    /// Takes everything out as one flush and goes on behind it; `None` when no partition has moved.
    ///
    /// Contract: a flush that does not get in is offered again, or its partitions are begun again.
    pub fn take(&mut self) -> Option<Flush> {
        let (mut covers, mut rows, mut fences) = (Vec::new(), Vec::new(), Vec::new());
        for (partition, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.has_moved()) {
            let (from, to) = (lane.from(), lane.to());
            covers.push(Cover {
                partition: *partition,
                from,
                to,
            });
            let content = std::mem::replace(lane, Lane::new(to));
            content.unpack(&mut rows, &mut fences);
        }
        let fences = lane::newest(fences);
        (!covers.is_empty()).then(|| Flush::new(self.target.clone(), self.topic.clone(), covers, rows, fences))
    }

    /// The lane of a record that has not been taken before, moved beyond it.
    fn at(&mut self, partition: Partition, offset: Offset) -> Option<&mut Lane> {
        let lane = self.lanes.get_mut(&partition)?;
        (offset >= lane.to()).then(|| {
            lane.advance(offset + 1);
            lane
        })
    }
}

#[cfg(test)]
mod tests;
