use zenfloe_batch::Batch;
use zenfloe_destination::{Flush, Target, TopicRef};
use zenfloe_record::{Offset, Partition};

use crate::dead::Dead;

/// One table on its way: what has been read of its topic and is not loaded yet.
pub(crate) struct Table {
    /// As the source calls it.
    pub(crate) name: String,
    pub(crate) batch: Batch,
    /// Records that cannot be rows; published before the positions behind them are stored.
    dead: Vec<Dead>,
    /// When the newest record read was appended, milliseconds since 1970; 0 before the first.
    pub(crate) timestamp: i64,
}

impl Table {
    pub(crate) fn new(name: &str, target: Target, topic: TopicRef) -> Self {
        Self {
            name: name.to_owned(),
            batch: Batch::new(target, topic),
            dead: Vec::new(),
            timestamp: 0,
        }
    }

    /// Begins a partition at its stored position; what was in hand of it is dropped.
    pub(crate) fn begin(&mut self, partition: Partition, from: Offset) {
        self.dead.retain(|dead| dead.partition() != partition);
        self.batch.begin(partition, from);
    }

    /// Drops a partition that is another loader's.
    pub(crate) fn drop_partition(&mut self, partition: Partition) -> usize {
        self.dead.retain(|dead| dead.partition() != partition);
        self.batch.drop_partitions([partition])
    }

    /// Takes a record that cannot be a row.
    pub(crate) fn dead(&mut self, dead: Dead) {
        if self.batch.pass(dead.partition(), dead.offset()) {
            self.dead.push(dead);
        }
    }

    /// Everything in hand.
    pub(crate) fn take(&mut self) -> Option<(Flush, Vec<Dead>)> {
        Some((self.batch.take()?, std::mem::take(&mut self.dead)))
    }

    pub(crate) fn rows(&self) -> usize {
        self.batch.rows() + self.dead.len()
    }

    /// What is in hand, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.batch.size() + self.dead.iter().map(Dead::size).sum::<usize>()
    }
}
