//! The contract that every destination passes.
//!
//! A destination's tests implement [`Subject`] over one empty store and call [`all`]; each case uses tables of its own.
//! Failures panic with the case and, where chance is involved, the seed.

mod compete;
mod crash;
mod erase;
mod gone;
mod sample;
mod upsert;

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_record::{Fence, Offset, Partition, TopicPartition};

pub use sample::{Line, Sample};

use crate::{Cover, Destination, Faults, Flush, LoadError, Mode, Row, Target, TopicRef};

/// The destination under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Opens the store as one more process would, with a session of its own.
    async fn open(&self, faults: Arc<Faults>) -> Arc<dyn Destination>;

    /// Returns these columns of every row, ordered by them, as text: numbers in decimal, `true` and `false`, times as
    /// `2026-01-31 23:59:59.000001`, dates as `2026-01-31`, JSON in any spelling.
    async fn select(&self, table: &str, columns: &[&str]) -> Vec<Vec<Option<String>>>;
}

/// Runs every case, one after the other.
pub async fn all(subject: &dyn Subject) {
    upsert::all(subject).await;
    gone::all(subject).await;
    erase::all(subject).await;
    crash::all(subject).await;
    compete::all(subject).await;
}

/// A table of one case and its topic.
pub(crate) struct Bench<'s> {
    subject: &'s dyn Subject,
    pub(crate) faults: Arc<Faults>,
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) sample: Sample,
    pub(crate) target: Target,
    pub(crate) topic: TopicRef,
}

impl<'s> Bench<'s> {
    /// Opens the store, makes the table, enters partition 0.
    pub(crate) async fn new(subject: &'s dyn Subject, table: &str, mode: Mode) -> Self {
        println!("case {table}");
        let faults = Faults::none();
        let bench = Self {
            subject,
            destination: subject.open(faults.clone()).await,
            faults,
            sample: Sample::new(table),
            target: Target {
                table: table.into(),
                mode,
            },
            topic: TopicRef {
                name: format!("acme.clean.{table}").into(),
                id: "first".into(),
            },
        };
        bench.prepare(&bench.sample).await;
        assert_eq!(bench.position().await, 0);
        bench
    }

    /// The same table seen by one more process.
    pub(crate) async fn another(&self) -> Self {
        let faults = Faults::none();
        Self {
            subject: self.subject,
            destination: self.subject.open(faults.clone()).await,
            faults,
            sample: self.sample.clone(),
            target: self.target.clone(),
            topic: self.topic.clone(),
        }
    }

    pub(crate) async fn prepare(&self, sample: &Sample) {
        let done = self.destination.prepare(&self.target, &sample.shape()).await;
        done.expect("the table can be made");
    }

    /// The stored position of partition 0.
    pub(crate) async fn position(&self) -> Offset {
        self.positions(&[0]).await[0]
    }

    pub(crate) async fn positions(&self, partitions: &[Partition]) -> Vec<Offset> {
        let found = self.destination.positions(&self.target, &self.topic, partitions).await;
        let found = found.expect("positions can be read");
        let next = |partition: &Partition| found.get(&TopicPartition::new(self.topic.name.clone(), *partition));
        partitions
            .iter()
            .map(|partition| next(partition).expect("every partition is entered"))
            .collect()
    }

    /// A flush of partition 0.
    pub(crate) fn of(&self, from: Offset, to: Offset, lines: Vec<Line>, fences: Vec<Fence>) -> Arc<Flush> {
        let rows = rows_at(&self.sample, 0, from, lines);
        self.of_rows(vec![Cover { partition: 0, from, to }], rows, fences)
    }

    pub(crate) fn of_rows(&self, covers: Vec<Cover>, rows: Vec<Row>, fences: Vec<Fence>) -> Arc<Flush> {
        Arc::new(Flush::new(
            self.target.clone(),
            self.topic.clone(),
            covers,
            rows,
            fences,
        ))
    }

    pub(crate) async fn flush(&self, flush: Arc<Flush>) -> Result<crate::Loaded, LoadError> {
        self.destination.flush(flush).await
    }

    /// Loads lines after what is there, each at one offset.
    pub(crate) async fn load(&self, lines: Vec<Line>) -> crate::Loaded {
        let from = self.position().await;
        let to = from + lines.len() as Offset;
        self.flush(self.of(from, to, lines, Vec::new()))
            .await
            .expect("the flush is in order")
    }

    /// Loads one fence after what is there.
    pub(crate) async fn fence(&self, fence: Fence) -> crate::Loaded {
        let from = self.position().await;
        self.flush(self.of(from, from + 1, Vec::new(), vec![fence]))
            .await
            .expect("the flush is in order")
    }

    /// The table's rows, columns joined by `|`, null as `-`.
    pub(crate) async fn rows(&self, columns: &[&str]) -> Vec<String> {
        let rows = self.subject.select(&self.target.table, columns).await;
        rows.iter().map(|row| joined(row)).collect()
    }

    /// Panics unless the table holds exactly these rows.
    pub(crate) async fn expect(&self, columns: &[&str], rows: &[&str]) {
        assert_eq!(self.rows(columns).await, rows, "`{}`", self.target.table);
    }
}

/// Lines at consecutive offsets of a partition.
pub(crate) fn rows_at(sample: &Sample, partition: Partition, from: Offset, lines: Vec<Line>) -> Vec<Row> {
    let place = |(step, line): (usize, Line)| sample.row_at(partition, from + step as Offset, &line);
    lines.into_iter().enumerate().map(place).collect()
}

fn joined(row: &[Option<String>]) -> String {
    let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
    cells.join("|")
}
