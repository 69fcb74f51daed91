//! Reading a span of partitions from its beginning to its end, once.

use std::time::Duration;

use zenfloe_log::{Assign, Batch, Limit, Log, Membership, Read, Reader, ReaderSpec, Start};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::StageError;
use crate::patience::{Stop, or_stopped, patiently};

/// How long a read waits before the walk looks whether it has ended.
const WAIT: Duration = Duration::from_millis(250);

/// A walk over partitions; each ends where its `until` says, whatever comes after.
pub(crate) struct Walk {
    group: String,
    reader: Option<Box<dyn Reader>>,
    /// All that the reader yields lies beyond the ends of its partitions.
    is_stale: bool,
    reached: Positions,
    until: Positions,
    records: usize,
    bytes: usize,
}

impl Walk {
    /// Walks from `from` to `until`; a partition without a `from` is not walked.
    pub(crate) fn new(group: String, from: Positions, until: Positions, records: usize, bytes: usize) -> Self {
        Self {
            group,
            reader: None,
            is_stale: false,
            reached: from,
            until,
            records,
            bytes,
        }
    }

    /// Partitions that have not ended, with the next offset of each.
    fn open_ends(&self) -> Vec<(TopicPartition, Offset)> {
        let is_open = |(at, next): &(&TopicPartition, Offset)| self.until.get(at).is_some_and(|until| *next < until);
        let open = self.reached.iter().filter(is_open);
        open.map(|(at, next)| (at.clone(), next)).collect()
    }

    /// Claims that every partition has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.open_ends().is_empty()
    }

    /// The next records within the span, with where the walk stands after them; `None` when `stop` fires first.
    ///
    /// The batch may be empty.
    pub(crate) async fn next(&mut self, log: &dyn Log, stop: &Stop) -> Result<Option<Batch>, StageError> {
        or_stopped!(self.open(log, stop).await?);
        let limit = Limit {
            records: self.records.max(1),
            bytes: self.bytes.max(1),
            wait: WAIT,
        };
        let reader = self.reader.as_mut().expect("just opened");
        let read = or_stopped!(patiently!(stop, reader.read(limit).await));
        let Read::Batch(mut batch) = read else {
            return Ok(Some(Batch::default()));
        };
        let had_some = !batch.records.is_empty();
        let until = &self.until;
        batch
            .records
            .retain(|record| until.get(&record.at).is_some_and(|until| record.offset < until));
        batch.positions = self.within(&batch.positions);
        self.reached.merge(&batch.positions);
        self.is_stale = had_some && batch.records.is_empty();
        Ok(Some(batch))
    }

    /// The positions, none beyond the end of its partition.
    fn within(&self, positions: &Positions) -> Positions {
        let within = |(at, next): (&TopicPartition, Offset)| Some((at.clone(), next.min(self.until.get(at)?)));
        positions.iter().filter_map(within).collect()
    }

    /// Makes sure that a reader stands where the walk does, over the partitions that have not ended.
    pub(crate) async fn open(&mut self, log: &dyn Log, stop: &Stop) -> Result<Option<()>, StageError> {
        if self.reader.is_some() && !self.is_stale {
            return Ok(Some(()));
        }
        let open = self.open_ends();
        let spec = ReaderSpec {
            group: self.group.clone(),
            member: None,
            assign: Assign::Exact(open.iter().map(|(at, _)| at.clone()).collect()),
        };
        let mut reader = or_stopped!(patiently!(stop, log.reader(spec.clone()).await));
        let starts: Vec<_> = open.into_iter().map(|(at, next)| (at, Start::At(next))).collect();
        or_stopped!(patiently!(stop, reader.begin(&starts).await));
        self.reader = Some(reader);
        self.is_stale = false;
        Ok(Some(()))
    }

    /// The proof for a commit of what was read.
    ///
    /// Contract: the walk is open.
    pub(crate) fn membership(&self) -> Membership {
        self.reader.as_ref().expect("the walk is open").membership()
    }
}
