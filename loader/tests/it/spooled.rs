//! A destination that takes rows as they arrive, of one that does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_destination::{
    Destination, Flush, LoadError, Loaded, RefusedRow, Row, Spool, Suppression, TableShape, Target, TopicRef,
};
use zenfloe_record::{Partition, Positions};

/// The inner destination, with spools.
pub(crate) struct Spooled(pub(crate) Arc<dyn Destination>);

#[async_trait]
impl Destination for Spooled {
    async fn open(&self) -> Result<(), LoadError> {
        self.0.open().await
    }

    async fn prepare(&self, target: &Target, shape: &TableShape) -> Result<(), LoadError> {
        self.0.prepare(target, shape).await
    }

    async fn positions(
        &self,
        target: &Target,
        topic: &TopicRef,
        partitions: &[Partition],
    ) -> Result<Positions, LoadError> {
        self.0.positions(target, topic, partitions).await
    }

    async fn flush(&self, flush: Arc<Flush>) -> Result<Loaded, LoadError> {
        self.0.flush(flush).await
    }

    fn spool(&self, shapes: &[Arc<TableShape>]) -> Option<Box<dyn Spool>> {
        Some(Box::new(Pile {
            destination: self.0.clone(),
            shapes: shapes.to_vec(),
            rows: Vec::new(),
            settled: 0,
        }))
    }

    async fn erased(&self, target: &Target) -> Result<BTreeSet<String>, LoadError> {
        self.0.erased(target).await
    }

    async fn suppress(&self, target: &Target, what: &[Suppression]) -> Result<u64, LoadError> {
        self.0.suppress(target, what).await
    }
}

/// Rows in memory that pass for rows on disk once they are settled.
struct Pile {
    destination: Arc<dyn Destination>,
    shapes: Vec<Arc<TableShape>>,
    rows: Vec<Row>,
    settled: usize,
}

impl Pile {
    fn size(&self) -> usize {
        self.rows.iter().map(Row::size).sum()
    }
}

#[async_trait]
impl Spool for Pile {
    fn takes(&self, shape: &Arc<TableShape>) -> bool {
        self.shapes.iter().any(|held| Arc::ptr_eq(held, shape))
    }

    fn push(&mut self, row: &Row) -> Result<Option<RefusedRow>, LoadError> {
        self.rows.push(row.clone());
        Ok(None)
    }

    fn settle(&mut self) -> Result<(), LoadError> {
        self.settled = self.size();
        Ok(())
    }

    fn drop_partition(&mut self, partition: Partition) -> usize {
        let before = self.rows.len();
        self.rows.retain(|row| row.partition != partition);
        self.settled = self.settled.min(self.size());
        before - self.rows.len()
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn in_memory(&self) -> usize {
        self.size() - self.settled
    }

    fn on_disk(&self) -> usize {
        self.settled
    }

    async fn flush(&mut self, head: &Flush) -> Result<Loaded, LoadError> {
        assert_eq!(head.len(), 0, "its rows are in the spool");
        let (target, topic) = (head.target.clone(), head.topic.clone());
        let flush = Flush::new(
            target,
            topic,
            head.covers.clone(),
            self.rows.clone(),
            head.fences.clone(),
        );
        assert_eq!(flush.batch, head.batch);
        let flush = Flush {
            erasures: head.erasures,
            ..flush
        };
        self.destination.flush(Arc::new(flush)).await
    }
}
