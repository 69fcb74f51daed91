//! Read, append, commit: every record arrives once, whoever comes and goes meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use zenfloe_record::{Partition, TopicPartition};

use super::bench::{append, commit, texts, values};
use super::{Bench, Case, Subject};
use crate::{
    Append, Assign, Batch, Class, Done, Limit, Log, LogError, Membership, Read, Reader, ReaderSpec, Start, Writer,
};

pub(super) fn cases() -> Vec<Case> {
    cases![a_hop_loses_and_repeats_nothing]
}

async fn a_hop_loses_and_repeats_nothing(bench: &Bench<'_>) {
    let storm = Storm {
        seed: 1,
        partitions: 4,
        records: 1_500,
        workers: 2,
    };
    storm.run(bench).await;
}

/// Workers that share a topic and copy it, while chance stops, replaces and interrupts them.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// Decides what happens, as far as it is ours to decide.
    pub seed: u64,
    /// Of both topics.
    pub partitions: Partition,
    /// Appended while the workers run.
    pub records: usize,
    /// Reading at the same time.
    pub workers: u64,
}

/// Runs one storm; panics with the seed unless every record is in the second topic once and in order.
pub async fn storm(subject: &dyn Subject, storm: Storm) {
    println!("{storm:?}");
    storm.run(&Bench::new(subject, "storm").await).await;
}

impl Storm {
    async fn run(self, bench: &Bench<'_>) {
        let from = bench.topic("from", self.partitions).await;
        let to = bench.topic("to", self.partitions).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for number in 0..self.workers {
            let worker = Worker {
                log: bench.subject.open().await,
                writer_id: bench.name(&format!("w{number}")),
                group: bench.name("g"),
                from: bench.name("from"),
                to: bench.name("to").into(),
                rng: Rng::with_seed(self.seed.wrapping_mul(1_000) + number),
                stop: stop.clone(),
            };
            workers.spawn(worker.run());
        }
        self.produce(bench, &from).await;
        self.watch(bench, &from, &to, &mut workers).await;
        stop.store(true, Ordering::SeqCst);
        while let Some(ended) = workers.join_next().await {
            ended.unwrap_or_else(|panic| panic!("{self:?}: a worker: {panic}"));
        }
        self.compare(bench, &from, &to).await;
    }

    /// Appends numbers, each lane counting for itself.
    async fn produce(self, bench: &Bench<'_>, from: &[TopicPartition]) {
        let mut rng = Rng::with_seed(self.seed);
        let mut next = vec![0; from.len()];
        let mut writer = bench.writer("producer").await;
        let mut left = self.records;
        while left > 0 {
            let size = rng.usize(1..=60).min(left);
            left -= size;
            let mut record = || {
                let lane = rng.usize(0..from.len());
                next[lane] += 1;
                append(&from[lane], "", (next[lane] - 1).to_string())
            };
            let out = (0..size).map(|_| record()).collect();
            commit(&mut *writer, out, None).await.expect("committed");
            sleep(Duration::from_millis(rng.u64(0..5))).await;
        }
    }

    /// Waits until everything has arrived, or a worker has failed.
    async fn watch(self, bench: &Bench<'_>, from: &[TopicPartition], to: &[TopicPartition], workers: &mut JoinSet<()>) {
        let begun = Instant::now();
        let limit = bench.subject.patience() * 4;
        loop {
            let (there, arrived) = (count(bench, from).await, count(bench, to).await);
            if there == self.records && arrived >= self.records {
                return;
            }
            if let Some(ended) = workers.try_join_next() {
                panic!("{self:?}: a worker ended early: {ended:?}");
            }
            assert!(
                begun.elapsed() < limit,
                "{self:?}: {arrived} of {there} records arrived within {limit:?}"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn compare(self, bench: &Bench<'_>, from: &[TopicPartition], to: &[TopicPartition]) {
        for (from, to) in from.iter().zip(to) {
            let sent = values(&bench.records(from, 0).await);
            assert_eq!(sent, texts(0..sent.len()), "{self:?}: what was produced");
            assert_eq!(bench.settled(to).await, sent, "{self:?}: {to}");
        }
    }
}

async fn count(bench: &Bench<'_>, partitions: &[TopicPartition]) -> usize {
    let mut count = 0;
    for at in partitions {
        count += bench.log.scan(at, 0).await.expect("a scan").0.len();
    }
    count
}

struct Worker {
    log: Arc<dyn Log>,
    writer_id: String,
    group: String,
    from: String,
    to: Arc<str>,
    rng: Rng,
    stop: Arc<AtomicBool>,
}

/// How a life ends before its time.
enum End {
    /// With a goodbye.
    Left,
    /// Without one.
    Died,
}

impl Worker {
    async fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            let batches = self.rng.usize(3..40);
            self.live(batches).await;
        }
    }

    /// Opens writer and reader, works for so many events, and leaves or dies.
    async fn live(&mut self, events: usize) {
        // Fence first, read second.
        let mut writer = self.log.writer(&self.writer_id).await.expect("a writer");
        let spec = ReaderSpec {
            group: self.group.clone(),
            member: None,
            assign: Assign::Shared(vec![self.from.clone()]),
        };
        let mut reader = self.log.reader(spec).await.expect("a reader");
        let mut owned = BTreeSet::new();
        for _ in 0..events {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let Some(batch) = self.next(&mut *reader, &mut owned).await else {
                continue;
            };
            if self.work(&mut writer, reader.membership(), &batch).await.is_err() {
                begin(&mut *reader, owned.iter()).await;
            }
        }
        match self.end() {
            End::Left => reader.close().await.expect("closed"),
            End::Died => drop(reader),
        }
    }

    fn end(&mut self) -> End {
        match self.rng.bool() {
            true => End::Left,
            false => End::Died,
        }
    }

    /// The next batch with records, if the next event is one.
    async fn next(&mut self, reader: &mut dyn Reader, owned: &mut BTreeSet<TopicPartition>) -> Option<Batch> {
        let limit = Limit {
            records: self.rng.usize(1..80),
            wait: Duration::from_millis(50),
            ..Limit::default()
        };
        match reader.read(limit).await {
            Ok(Read::Assigned(new)) => {
                begin(reader, new.iter()).await;
                owned.extend(new);
                None
            }
            Ok(Read::Revoked(lost)) => {
                owned.retain(|at| !lost.contains(at));
                None
            }
            Ok(Read::Batch(batch)) => (!batch.records.is_empty()).then_some(batch),
            Err(error) if matches!(error.class(), Class::Retry | Class::Reread) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Copies a batch. After an error the caller begins again at what is committed.
    async fn work(&mut self, writer: &mut Box<dyn Writer>, by: Membership, batch: &Batch) -> Result<(), LogError> {
        let out: Vec<Append> = batch.records.iter().map(|record| self.copy(record)).collect();
        let done = Done {
            by,
            positions: batch.positions.clone(),
        };
        let committing = commit(&mut **writer, out, Some(done));
        let outcome = match self.rng.u8(0..8) {
            // Interrupted: whoever drops a commit opens the writer anew, which settles it, before reading on.
            0 => timeout(Duration::from_micros(self.rng.u64(0..5_000)), committing)
                .await
                .unwrap_or(Err(LogError::Rebalanced)),
            _ => committing.await,
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if error.class() == Class::Reread => {
                *writer = self.log.writer(&self.writer_id).await.expect("a writer");
                Err(error)
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn copy(&self, record: &crate::Record) -> Append {
        Append {
            at: TopicPartition::new(self.to.clone(), record.at.partition),
            timestamp: Some(record.timestamp),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        }
    }
}

async fn begin(reader: &mut dyn Reader, partitions: impl Iterator<Item = &TopicPartition>) {
    let starts: Vec<_> = partitions.map(|at| (at.clone(), Start::Committed)).collect();
    reader.begin(&starts).await.expect("what is committed can be begun at");
}
