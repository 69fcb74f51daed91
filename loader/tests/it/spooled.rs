//! A destination that takes rows as they arrive, of one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use async_trait::async_trait;
use zenfloe_destination::contract::Line;
use zenfloe_destination::{
    Destination, Flush, LoadError, Loaded, Mode, RefusedRow, Row, Spool, Suppression, TableShape, Target, TopicRef,
};
use zenfloe_record::{Partition, Positions};

use crate::bench::Bench;

/// The inner destination, with spools whose disk is full for some calls.
pub(crate) struct Spooled(pub(crate) Arc<dyn Destination>, pub(crate) Arc<FullDisk>);

/// How many rows fit until the disk is full, again and again, and how often it is.
#[derive(Default)]
pub(crate) struct FullDisk {
    pub(crate) after: AtomicU64,
    pub(crate) times: AtomicU64,
}

impl FullDisk {
    /// One more row.
    fn take(&self) -> Result<(), LoadError> {
        let is_full = self
            .after
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
            .is_err();
        let is_limited = is_full
            && self
                .times
                .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                .is_ok();
        match is_limited {
            true => Err(LoadError::Unavailable {
                what: "no space is left".into(),
            }),
            false => Ok(()),
        }
    }
}

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
            disk: self.1.clone(),
            is_lost: false,
        }))
    }

    async fn erased(&self, target: &Target) -> Result<BTreeMap<String, bool>, LoadError> {
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
    disk: Arc<FullDisk>,
    is_lost: bool,
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
        self.disk.take()?;
        self.rows.push(row.clone());
        Ok(None)
    }

    fn settle(&mut self) -> Result<(), LoadError> {
        self.settled = self.size();
        Ok(())
    }

    fn is_lost(&self) -> bool {
        self.is_lost
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
        if let Err(full) = self.disk.take() {
            (self.is_lost, self.rows) = (true, Vec::new());
            return Err(full);
        }
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

/// Whatever row the disk is full at, or the end of a file, all rows arrive once.
#[tokio::test]
async fn a_full_disk_is_waited_for_and_nothing_is_lost_or_doubled() {
    for after in 0..12 {
        let mut bench = Bench::new(Mode::Append).await;
        (bench.is_spooled, bench.config.flush_rows) = (true, 5);
        bench.disk.after.store(after, SeqCst);
        bench.disk.times.store(3, SeqCst);
        for id in 0..10 {
            bench.append(&[Line::new(id, 1)]).await;
        }
        bench.load_all().await;
        let rows = bench.query("SELECT id FROM things ORDER BY id");
        assert_eq!(rows, (0..10).map(|id| id.to_string()).collect::<Vec<_>>(), "{after}");
        assert_eq!(bench.disk.times.load(SeqCst), 0, "{after}: the disk was full");
    }
}
