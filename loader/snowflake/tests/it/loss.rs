//! Three loaders, each of which believes that it owns every partition, while sessions are lost between any two
//! statements, commits lose their replies, and the account is busy.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use snowflake_sim::{Fault, Front};
use zenfloe_destination::contract::Line;
use zenfloe_destination::{Class, Cover, Destination, Faults, Flush, Mode, Row};
use zenfloe_record::{Offset, Partition, RowVersion, TopicPartition};

use crate::bench::Bench;
use crate::pass;
use crate::store::{Store, settings};

const PARTITIONS: Partition = 3;
const RECORDS: usize = 600;

/// Records of few keys, their versions in no order, some of them twice.
fn topic(bench: &Bench, rng: &mut Rng) -> Vec<Vec<Row>> {
    let mut partitions = vec![Vec::new(); PARTITIONS as usize];
    for number in 0..RECORDS {
        let id = rng.i64(0..80);
        let version = RowVersion {
            version: rng.i64(0..25),
            extracted_at: rng.i64(0..4),
            raw_offset: number as i64,
            revision: 1,
        };
        let line = Line::new(id, 0).version(version).note(number.to_string());
        let partition = (id % i64::from(PARTITIONS)) as Partition;
        let records: &mut Vec<Row> = &mut partitions[partition as usize];
        for _ in 0..1 + usize::from(rng.u8(0..15) == 0) {
            records.push(bench.sample.row_at(partition, records.len() as Offset, &line));
        }
    }
    partitions
}

#[derive(Default, Clone, Copy)]
struct Counts {
    committed: usize,
    repeated: usize,
    moved: usize,
    retried: usize,
}

struct Loader {
    bench: Bench,
    faults: Arc<Faults>,
    topic: Arc<Vec<Vec<Row>>>,
    rng: Rng,
    counts: Counts,
}

impl Loader {
    async fn run(mut self) -> Counts {
        loop {
            let all: Vec<_> = (0..PARTITIONS).collect();
            let found = self
                .bench
                .snowflake
                .positions(&self.bench.target, &self.bench.topic, &all)
                .await;
            let Ok(found) = found else { continue };
            let at = |partition| {
                let place = TopicPartition::new(self.bench.topic.name.clone(), partition);
                found.get(&place).expect("entered")
            };
            let positions: Vec<_> = all.iter().map(|partition| at(*partition)).collect();
            let Some(flush) = self.next(&positions) else {
                return self.counts;
            };
            self.offer(Arc::new(flush)).await;
        }
    }

    fn next(&mut self, positions: &[Offset]) -> Option<Flush> {
        let (mut covers, mut rows) = (Vec::new(), Vec::new());
        for (partition, from) in positions.iter().enumerate() {
            let records = &self.topic[partition];
            let to = (from + self.rng.i64(1..40)).min(records.len() as Offset);
            if to > *from {
                let partition = partition as Partition;
                covers.push(Cover {
                    partition,
                    from: *from,
                    to,
                });
                rows.extend_from_slice(&records[*from as usize..to as usize]);
            }
        }
        let (target, topic) = (self.bench.target.clone(), self.bench.topic.clone());
        (!covers.is_empty()).then(|| Flush::new(target, topic, covers, rows, Vec::new()))
    }

    async fn offer(&mut self, flush: Arc<Flush>) {
        loop {
            match self.rng.u8(0..5) {
                0 => self.faults.crash_before(self.rng.u64(1..8)),
                1 => self.faults.lose_commit_reply(),
                _ => {}
            }
            match self.bench.snowflake.flush(flush.clone()).await {
                Ok(loaded) if loaded.repeated => self.counts.repeated += 1,
                Ok(_) => self.counts.committed += 1,
                Err(error) if error.class() == Class::Retry => {
                    self.counts.retried += 1;
                    continue;
                }
                Err(error) if error.class() == Class::Moved => self.counts.moved += 1,
                Err(error) => panic!("{error}"),
            }
            return;
        }
    }
}

async fn storm(front: Option<&Front>, seed: u64) {
    let Some(front) = front else {
        return std::future::pending().await;
    };
    let mut rng = Rng::with_seed(seed);
    loop {
        let (part, fault) = match rng.u8(0..7) {
            0 => ("COMMIT", Fault::LostReply),
            1 => ("COMMIT", Fault::Gone),
            2 => ("", Fault::Status(503, None)),
            3 => ("UPDATE", Fault::Refused("000625", "has locked table")),
            4 => ("", Fault::Expired),
            5 => ("RENEW", Fault::Gone),
            _ => ("MERGE", Fault::Gone),
        };
        front.fail(part, fault, rng.u32(0..8), 1);
        pass(front, rng.u64(3..20)).await;
    }
}

async fn check(store: &Store, what: &str, seed: u64, mode: Mode) {
    let mut rng = Rng::with_seed(seed);
    let table = format!("l_{}_{seed}", if mode == Mode::Upsert { "upsert" } else { "append" });
    let bench = Bench::new(store, &table, mode, PARTITIONS).await;
    let topic = Arc::new(topic(&bench, &mut rng));
    let mut loaders = tokio::task::JoinSet::new();
    for number in 0..3 {
        let faults = Faults::none();
        let loader = Loader {
            bench: Bench::of(store.snowflake(faults.clone()), &table, mode),
            faults,
            topic: topic.clone(),
            rng: Rng::with_seed(seed * 10 + number),
            counts: Counts::default(),
        };
        loaders.spawn(loader.run());
    }
    let done = loaders.join_all();
    let counts = tokio::select! {
        () = storm(store.front.as_ref(), seed) => unreachable!("a storm has no end"),
        counts = done => counts,
    };
    let sum = |field: fn(&Counts) -> usize| counts.iter().map(field).sum::<usize>();
    let records: usize = topic.iter().map(Vec::len).sum();
    let (mut all, mut newest) = (Vec::new(), BTreeMap::<String, RowVersion>::new());
    for row in topic.iter().flatten() {
        let id = String::from_utf8_lossy(&row.key).into_owned();
        all.push(format!("{id}|{}", row.version.raw_offset));
        let held = newest.entry(id).or_insert(row.version);
        *held = row.version.max(*held);
    }
    let mut expected = match mode {
        Mode::Append => all,
        Mode::Upsert => newest
            .iter()
            .map(|(id, version)| format!("{id}|{}", version.raw_offset))
            .collect(),
    };
    let mut found = store.rows(&table, &["id", "_raw_offset"]).await;
    expected.sort_unstable();
    found.sort_unstable();
    println!(
        "{what}, seed {seed}, {mode:?}: {records} records, {} rows; {} flushes committed, {} found committed, {} lost to another loader, {} tried again",
        found.len(),
        sum(|counts| counts.committed),
        sum(|counts| counts.repeated),
        sum(|counts| counts.moved),
        sum(|counts| counts.retried),
    );
    assert_eq!(found, expected, "{what}, seed {seed}");
    let ends = bench
        .snowflake
        .positions(&bench.target, &bench.topic, &[0, 1, 2])
        .await
        .expect("entered");
    let ends: Vec<_> = ends.iter().map(|(_, next)| next).collect();
    let lengths: Vec<_> = topic.iter().map(|records| records.len() as Offset).collect();
    assert_eq!(ends, lengths, "{what}, seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_on_fakesnow_as_it_is_published() {
    let store = Store::published().await;
    for seed in 11..14 {
        check(&store, "fakesnow", seed, Mode::Upsert).await;
        check(&store, "fakesnow", seed, Mode::Append).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_behind_the_front_in_a_storm() {
    let store = Store::fronted(settings()).await;
    for seed in 21..24 {
        check(&store, "front", seed, Mode::Upsert).await;
        check(&store, "front", seed, Mode::Append).await;
    }
}
