//! What is offered to a destination at once.

use std::sync::Arc;

use zenfloe_destination::{Cover, Destination, Flush, LoadError, Loaded, Row, Spool};
use zenfloe_record::Partition;

use crate::dead::Dead;

/// A flush, the rows that its destination has taken before, and the letters that go out first.
pub(crate) struct Load {
    pub(crate) flush: Arc<Flush>,
    pub(crate) dead: Vec<Dead>,
    pub(crate) spool: Option<Box<dyn Spool>>,
    /// Bytes of its rows as they were read.
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) fn new(flush: Flush, dead: Vec<Dead>, spool: Option<Box<dyn Spool>>, spooled: usize) -> Self {
        Self {
            bytes: spooled + flush.rows().map(Row::size).sum::<usize>(),
            flush: Arc::new(flush),
            dead,
            spool,
        }
    }

    pub(crate) async fn offer(&mut self, destination: &dyn Destination) -> Result<Loaded, LoadError> {
        match &mut self.spool {
            Some(spool) => spool.flush(&self.flush).await,
            None => destination.flush(self.flush.clone()).await,
        }
    }

    /// Claims that its rows are lost and must be read again.
    pub(crate) fn is_lost(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| spool.is_lost())
    }

    pub(crate) fn rows(&self) -> usize {
        self.flush.len() + self.spool.as_ref().map_or(0, |spool| spool.rows())
    }

    pub(crate) fn in_memory(&self) -> usize {
        let dead: usize = self.dead.iter().map(Dead::size).sum();
        dead + self.spool.as_ref().map_or(0, |spool| spool.in_memory())
    }

    /// Drops a partition; returns the number of rows. Its fences stay: they hold whoever loads them.
    pub(crate) fn drop_partition(&mut self, partition: Partition) -> usize {
        self.dead.retain(|dead| dead.partition() != partition);
        let is_kept = |cover: &&Cover| cover.partition != partition;
        let (kept, out) = self.flush.without(|row| row.partition == partition);
        let covers = kept.covers.iter().filter(is_kept).copied().collect();
        self.flush = Arc::new(kept.covering(covers));
        let spool = self.spool.as_mut();
        out.len() + spool.map_or(0, |spool| spool.drop_partition(partition))
    }
}
