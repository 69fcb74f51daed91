//! Readers that are busy for longer than their group is patient.

use std::time::Duration;

use tokio::time::Instant;
use zenfloe_log::{Assign, Limit, Log, Read, Reader, ReaderSpec, Start};
use zenfloe_log_kafka::KafkaLog;
use zenfloe_record::TopicPartition;

use crate::cluster::Cluster;
use crate::hop::{append, numbers, soon, topic};

const RECORDS: usize = 2_000;

/// The least that brokers allow.
const PATIENCE: Duration = Duration::from_secs(6);

struct Bench {
    _cluster: Cluster,
    reader: Box<dyn Reader>,
    at: TopicPartition,
}

impl Bench {
    /// A reader of a filled partition that has begun.
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let mut config = cluster.config();
        config.handover_timeout = PATIENCE;
        let log = KafkaLog::connect(config).await.expect("connected");
        let at = topic(&log, "t", 1).await.remove(0);
        let mut writer = log.writer("w").await.expect("a writer");
        let out = (0..RECORDS).map(|number| append(&at, number.to_string())).collect();
        writer.commit(out, None).await.expect("committed");
        let spec = ReaderSpec {
            group: "g".to_owned(),
            member: Some("pod-0".to_owned()),
            assign: Assign::Shared(vec!["t".to_owned()]),
        };
        let mut reader = log.reader(spec).await.expect("a reader");
        while !matches!(reader.read(soon()).await.expect("an event"), Read::Assigned(_)) {}
        let mut bench = Self {
            _cluster: cluster,
            reader,
            at,
        };
        bench.begin(0).await;
        bench
    }

    async fn begin(&mut self, offset: i64) {
        let starts = [(self.at.clone(), Start::At(offset))];
        self.reader.begin(&starts).await.expect("begun");
    }

    /// Some numbers.
    async fn some(&mut self) -> Vec<usize> {
        let limit = Limit { records: 100, ..soon() };
        match self.reader.read(limit).await.expect("an event") {
            Read::Batch(batch) => numbers(&batch.records),
            event => panic!("a member that gave signs of life is left alone: {event:?}"),
        }
    }

    /// All numbers from `from` on.
    async fn rest(&mut self, from: usize) {
        let mut found = Vec::new();
        let begun = Instant::now();
        while found.len() < RECORDS - from {
            found.extend(self.some().await);
            assert!(begun.elapsed() < Duration::from_secs(180), "{} found", found.len());
        }
        let expected: Vec<usize> = (from..RECORDS).collect();
        assert!(found == expected, "each once and in order");
    }

    async fn stay(&mut self, so_long: Duration) {
        let until = Instant::now() + so_long;
        while Instant::now() < until {
            self.reader.stay(Duration::from_millis(300)).await.expect("it stays");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_signs_of_life_keeps_its_partitions_and_its_place() {
    let mut bench = Bench::start().await;
    let mut next = 0;
    while next == 0 {
        next = bench.some().await.len();
    }
    bench.stay(PATIENCE + Duration::from_secs(3)).await;
    bench.rest(next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_begun_during_a_rest_counts() {
    let mut bench = Bench::start().await;
    while bench.some().await.is_empty() {}
    bench.stay(Duration::from_millis(500)).await;
    bench.begin(7).await;
    bench.stay(Duration::from_millis(500)).await;
    bench.rest(7).await;
}
