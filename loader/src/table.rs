use std::collections::BTreeMap;
use std::sync::Arc;

use zenfloe_batch::Batch;
use zenfloe_destination::{Destination, Flush, LoadError, RefusedRow, Row, Spool, TableShape, Target, TopicRef};
use zenfloe_record::{Fence, Offset, Partition};

use crate::dead::Dead;
use crate::load::Load;

/// One table on its way: what has been read of its topic and is not loaded yet.
pub(crate) struct Table {
    /// As the source calls it.
    pub(crate) name: String,
    /// When the newest record read was appended, milliseconds since 1970; 0 before the first.
    pub(crate) timestamp: i64,
    topic: Arc<str>,
    target: Target,
    destination: Arc<dyn Destination>,
    /// How far each partition is in hand, and the rows themselves where the destination takes none before a flush.
    batch: Batch,
    /// The rows, where it does, and their bytes.
    spool: Option<Box<dyn Spool>>,
    bytes: usize,
    /// How many erasures the rows of the spool have been cleaned by, all of them.
    erasures: u64,
    /// Rows wait in memory until the next flush is in: there they can be cleaned until they are offered.
    is_held: bool,
    /// Every schema that rows had, so that two that take turns share a spool.
    shapes: Vec<Arc<TableShape>>,
    /// What is in hand before the batch: rows whose spool did not take the next one's schema.
    closed: Vec<Load>,
    /// Records that cannot be rows; published before the positions behind them are stored.
    dead: Vec<Dead>,
    /// Rows that a spool could not leave out: they are read again and become letters.
    refusals: BTreeMap<(Partition, Offset), RefusedRow>,
}

impl Table {
    pub(crate) fn new(name: &str, target: Target, topic: TopicRef, destination: Arc<dyn Destination>) -> Self {
        Self {
            name: name.to_owned(),
            timestamp: 0,
            topic: topic.name.clone(),
            batch: Batch::new(target.clone(), topic),
            target,
            destination,
            spool: None,
            bytes: 0,
            erasures: 0,
            is_held: false,
            shapes: Vec::new(),
            closed: Vec::new(),
            dead: Vec::new(),
            refusals: BTreeMap::new(),
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The partitions begun, with the position after the last record taken.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Partition, Offset)> {
        self.batch.positions()
    }

    /// Claims that nothing is in hand.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.closed.is_empty()
    }

    /// Begins a partition at its stored position; what was in hand of it is dropped.
    pub(crate) fn begin(&mut self, partition: Partition, from: Offset) {
        self.forget(partition);
        self.batch.begin(partition, from);
    }

    /// Drops a partition that is another loader's.
    pub(crate) fn drop_partition(&mut self, partition: Partition) -> usize {
        self.refusals.retain(|(held, _), _| *held != partition);
        self.forget(partition) + self.batch.drop_partitions([partition])
    }

    /// Drops everything in hand and all partitions, which are returned.
    pub(crate) fn give_up(&mut self) -> Vec<Partition> {
        (self.spool, self.bytes) = (None, 0);
        self.closed.clear();
        self.dead.clear();
        let partitions: Vec<Partition> = self.positions().map(|(partition, _)| partition).collect();
        self.batch.drop_partitions(partitions.iter().copied());
        partitions
    }

    /// Drops what is in hand of a partition beside the batch; returns the number of rows.
    fn forget(&mut self, partition: Partition) -> usize {
        self.dead.retain(|dead| dead.partition() != partition);
        let closed: usize = self.closed.iter_mut().map(|load| load.drop_partition(partition)).sum();
        self.closed.retain(|load| !load.flush.covers.is_empty());
        let spool = self.spool.as_mut();
        closed + spool.map_or(0, |spool| spool.drop_partition(partition))
    }

    /// Claims that rows of this shape go into a spool, which is made now if need be; `erasures` tells how many the
    /// destination has been told of, all of which whoever brings the rows cleans them by.
    pub(crate) fn has_spool_of(&mut self, shape: &Arc<TableShape>, erasures: impl FnOnce() -> u64) -> bool {
        if self.is_held {
            return false;
        }
        if self.spool.as_ref().is_some_and(|spool| spool.takes(shape)) {
            return true;
        }
        if !self.shapes.iter().any(|held| Arc::ptr_eq(held, shape)) {
            self.shapes.push(shape.clone());
        }
        if self.spool.is_some() {
            self.close();
        }
        self.spool = self.destination.spool(&self.shapes);
        if self.spool.is_some() {
            self.erasures = erasures();
        }
        self.spool.is_some()
    }

    /// Takes a row. Contract: [`Table::has_spool_of`] was asked for its shape.
    pub(crate) fn row(&mut self, row: Row) -> Result<(), LoadError> {
        if let Some(refusal) = self.refusals.get(&(row.partition, row.offset)) {
            self.dead(Dead::refused(&self.topic, &row, refusal));
            return Ok(());
        }
        let Some(spool) = &mut self.spool else {
            self.batch.row(row);
            return Ok(());
        };
        if !self.batch.pass(row.partition, row.offset) {
            return Ok(());
        }
        match spool.push(&row)? {
            None => self.bytes += row.size(),
            Some(refusal) => self.dead.push(Dead::refused(&self.topic, &row, &refusal)),
        }
        Ok(())
    }

    /// Keeps rows in memory until a flush is in. Contract: nothing is in hand.
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Claims that rows in hand are in spools.
    pub(crate) fn is_spooled(&self) -> bool {
        self.spool.is_some() || self.closed.iter().any(|load| load.spool.is_some())
    }

    /// Claims that a row may become a letter for what has been said of it before.
    pub(crate) fn has_refusals(&self) -> bool {
        !self.refusals.is_empty()
    }

    pub(crate) fn fence(&mut self, partition: Partition, offset: Offset, fence: Fence) {
        self.batch.fence(partition, offset, fence);
    }

    /// Moves beyond a record that brings nothing.
    pub(crate) fn pass(&mut self, partition: Partition, offset: Offset) {
        self.batch.pass(partition, offset);
    }

    /// Moves a partition to where its reader stands.
    pub(crate) fn advance(&mut self, partition: Partition, to: Offset) {
        self.batch.advance(partition, to);
    }

    /// Takes a record that cannot be a row.
    pub(crate) fn dead(&mut self, dead: Dead) {
        if self.batch.pass(dead.partition(), dead.offset()) {
            self.dead.push(dead);
        }
    }

    /// Remembers rows that were refused; returns whether one of them is new.
    pub(crate) fn remember(&mut self, refused: &[RefusedRow]) -> bool {
        let known = self.refusals.len();
        let place = |refused: &RefusedRow| ((refused.partition, refused.offset), refused.clone());
        self.refusals.extend(refused.iter().map(place));
        self.refusals.len() > known
    }

    /// Notes that a flush is in: refusals are loaded as letters.
    pub(crate) fn loaded(&mut self, flush: &Flush) {
        self.is_held = false;
        for cover in &flush.covers {
            self.refusals
                .retain(|(partition, offset), _| *partition != cover.partition || *offset >= cover.to);
        }
    }

    /// Everything in hand, to be loaded in this order.
    pub(crate) fn take(&mut self) -> Vec<Load> {
        self.close();
        std::mem::take(&mut self.closed)
    }

    fn close(&mut self) {
        let spool = self.spool.take();
        let bytes = std::mem::take(&mut self.bytes);
        let erasures = spool.as_ref().map_or(0, |_| self.erasures);
        if let Some(flush) = self.batch.take() {
            let flush = Flush { erasures, ..flush };
            let dead = std::mem::take(&mut self.dead);
            self.closed.push(Load::new(flush, dead, spool, bytes));
        }
    }

    pub(crate) fn rows(&self) -> usize {
        let spooled = self.spool.as_ref().map_or(0, |spool| spool.rows());
        let closed: usize = self.closed.iter().map(Load::rows).sum();
        self.batch.rows() + self.dead.len() + spooled + closed
    }

    /// What is in memory, in bytes.
    pub(crate) fn in_memory(&self) -> usize {
        let dead: usize = self.dead.iter().map(Dead::size).sum();
        let closed: usize = self.closed.iter().map(Load::in_memory).sum();
        self.batch.size() + dead + closed + self.spool.as_ref().map_or(0, |spool| spool.in_memory())
    }

    /// What is on disk or on its way there, in bytes.
    pub(crate) fn spooled(&self) -> usize {
        let closed = self.closed.iter().filter_map(|load| load.spool.as_ref());
        let spools = closed.chain(&self.spool);
        spools.map(|spool| spool.on_disk() + spool.in_memory()).sum()
    }

    /// Moves rows to disk, where there is a way.
    pub(crate) fn settle(&mut self) -> Result<(), LoadError> {
        let closed = self.closed.iter_mut().filter_map(|load| load.spool.as_mut());
        for spool in closed.chain(&mut self.spool) {
            spool.settle()?;
        }
        Ok(())
    }
}
