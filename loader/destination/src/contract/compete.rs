//! Several loaders that each believe they own every partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use zenfloe_record::{Offset, Partition, RowVersion, TopicPartition};

use super::{Bench, Line, Sample, Subject};
use crate::{Class, Cover, Destination, Faults, Flush, Mode, Row, Target, TopicRef};

const PARTITIONS: Partition = 3;
const RECORDS: usize = 400;
const LOADERS: usize = 3;

pub(super) async fn all(subject: &dyn Subject) {
    for seed in 1..=4 {
        competing_loaders(subject, seed, Mode::Upsert).await;
        competing_loaders(subject, seed, Mode::Append).await;
    }
}

/// Records of few keys in no order of versions, some of them twice.
fn topic_of(sample: &Sample, seed: u64) -> Vec<Vec<Row>> {
    let mut rng = Rng::with_seed(seed);
    let mut partitions: Vec<Vec<Row>> = vec![Vec::new(); PARTITIONS as usize];
    for number in 0..RECORDS {
        let id = rng.i64(0..60);
        let version = RowVersion {
            version: rng.i64(0..20),
            extracted_at: rng.i64(0..5),
            raw_offset: number as i64,
            revision: 1,
        };
        let line = Line {
            deleted: rng.u8(0..10) == 0,
            ..Line::new(id, 0).version(version).note(version.encode())
        };
        let partition = (id % i64::from(PARTITIONS)) as Partition;
        let records = &mut partitions[partition as usize];
        records.push(sample.row_at(partition, records.len() as Offset, &line));
        if rng.u8(0..20) == 0 {
            records.push(sample.row_at(partition, records.len() as Offset, &line));
        }
    }
    partitions
}

struct Loader {
    destination: Arc<dyn Destination>,
    faults: Arc<Faults>,
    target: Target,
    topic: TopicRef,
    partitions: Arc<Vec<Vec<Row>>>,
    rng: Rng,
}

impl Loader {
    /// Loads to the end; returns the flushes that it knows it committed.
    async fn run(mut self) -> usize {
        let mut committed = 0;
        loop {
            let Some(positions) = self.positions().await else {
                continue;
            };
            let Some(flush) = self.next(&positions) else {
                return committed;
            };
            match self.rng.u8(0..6) {
                0 => self.faults.crash_before(self.rng.u64(1..8)),
                1 => self.faults.lose_commit_reply(),
                _ => {}
            }
            committed += usize::from(self.offer(Arc::new(flush)).await);
        }
    }

    /// Offers a flush until it is in or another loader's is.
    async fn offer(&self, flush: Arc<Flush>) -> bool {
        loop {
            match self.destination.flush(flush.clone()).await {
                Ok(_) => return true,
                Err(error) if error.class() == Class::Retry => {}
                Err(error) if error.class() == Class::Moved => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn positions(&self) -> Option<BTreeMap<Partition, Offset>> {
        let all: Vec<_> = (0..PARTITIONS).collect();
        let found = self.destination.positions(&self.target, &self.topic, &all).await.ok()?;
        let next = |partition: Partition| found.get(&TopicPartition::new(self.topic.name.clone(), partition));
        Some(
            all.iter()
                .map(|partition| (*partition, next(*partition).expect("entered")))
                .collect(),
        )
    }

    /// Some records after the positions; `None` at the end.
    fn next(&mut self, positions: &BTreeMap<Partition, Offset>) -> Option<Flush> {
        let (mut covers, mut rows) = (Vec::new(), Vec::new());
        for (partition, from) in positions {
            let records = &self.partitions[*partition as usize];
            let to = (from + self.rng.i64(1..25)).min(records.len() as Offset);
            if to > *from {
                covers.push(Cover {
                    partition: *partition,
                    from: *from,
                    to,
                });
                rows.extend_from_slice(&records[*from as usize..to as usize]);
            }
        }
        (!covers.is_empty()).then(|| Flush::new(self.target.clone(), self.topic.clone(), covers, rows, Vec::new()))
    }
}

async fn competing_loaders(subject: &dyn Subject, seed: u64, mode: Mode) {
    let kind = if mode == Mode::Upsert { "upsert" } else { "append" };
    let bench = Bench::new(subject, &format!("k_compete_{kind}_{seed}"), mode).await;
    let partitions = Arc::new(topic_of(&bench.sample, seed));
    let mut loaders = tokio::task::JoinSet::new();
    for number in 0..LOADERS {
        let faults = Faults::none();
        let loader = Loader {
            destination: subject.open(faults.clone()).await,
            faults,
            target: bench.target.clone(),
            topic: bench.topic.clone(),
            partitions: partitions.clone(),
            rng: Rng::with_seed(seed * 100 + number as u64),
        };
        loader
            .destination
            .prepare(&bench.target, &bench.sample.shape())
            .await
            .expect("the table exists");
        loaders.spawn(loader.run());
    }
    let committed: usize = loaders.join_all().await.into_iter().sum();
    let all: Vec<_> = (0..PARTITIONS).collect();
    let ends: Vec<_> = partitions.iter().map(|records| records.len() as Offset).collect();
    assert_eq!(bench.positions(&all).await, ends, "seed {seed}");
    let mut expected: Vec<(String, RowVersion)> = Vec::new();
    let mut newest: BTreeMap<String, RowVersion> = BTreeMap::new();
    for row in partitions.iter().flatten() {
        let id = String::from_utf8_lossy(&row.key).into_owned();
        expected.push((id.clone(), row.version));
        let held = newest.entry(id).or_insert(row.version);
        *held = row.version.max(*held);
    }
    if mode == Mode::Upsert {
        expected = newest.into_iter().collect();
    }
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(id, version)| format!("{id}|{}", version.raw_offset))
        .collect();
    let mut found = bench.rows(&["id", "_raw_offset"]).await;
    expected.sort_unstable();
    found.sort_unstable();
    let records: usize = partitions.iter().map(Vec::len).sum();
    let (lost, more) = (missing(&expected, &found), missing(&found, &expected));
    println!(
        "seed {seed}, {kind}: {records} records, {} rows, {lost} lost, {more} doubled or stale; {committed} flushes",
        found.len()
    );
    assert_eq!(found, expected, "seed {seed}, {mode:?}");
}

/// How many of the sorted rows are not among the others.
fn missing(rows: &[String], others: &[String]) -> usize {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for row in others {
        *left.entry(row).or_default() += 1;
    }
    let mut gone = 0;
    for row in rows {
        match left.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => gone += 1,
        }
    }
    gone
}
