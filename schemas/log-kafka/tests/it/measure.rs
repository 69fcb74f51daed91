//! Figures, printed; none of them fails a test.

use std::time::Instant;

use zenfloe_log::{Append, Assign, Limit, Log, Read, ReaderSpec, Start};
use zenfloe_record::TopicPartition;

use crate::cluster::Cluster;
use crate::hop::{Copier, append, topic};

const RECORDS: usize = 100_000;
const LANES: i32 = 12;

/// Text as records have it: names repeat, values do not.
fn body(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = String::with_capacity(1_500);
    while text.len() < 1_480 {
        text.push_str(&format!("\"custom_field_{}\":\"{:08x}\",", rng.u8(0..40), rng.u32(..)));
    }
    text.into_bytes()
}

fn kilobytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak is set back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed_and_memory() {
    let cluster = Cluster::start().await;
    let before = kilobytes("VmRSS");
    let log = cluster.log().await;
    let from = topic(&log, "from", LANES).await;
    topic(&log, "to", LANES).await;
    fill(&log, &from).await;
    read(&log, &from).await;
    forget_peak();
    copy(&log).await;
    println!(
        "resident memory: {} MB at the start of the log, now {} MB, peak of reading and writing {} MB",
        before / 1024,
        kilobytes("VmRSS") / 1024,
        kilobytes("VmHWM") / 1024
    );
}

async fn fill(log: &impl Log, lanes: &[TopicPartition]) {
    let mut rng = fastrand::Rng::with_seed(4);
    let mut writer = log.writer("fill").await.expect("a writer");
    for size in [1_000, 5_000] {
        let rounds = RECORDS / 2 / size;
        let mut took = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let out: Vec<Append> = (0..size)
                .map(|number| append(&lanes[number % lanes.len()], body(&mut rng)))
                .collect();
            let begun = Instant::now();
            writer.commit(out, None).await.expect("committed");
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let middle = took[rounds / 2];
        println!(
            "commits of {size} records of 1.5 KB: {middle:?} in the middle, {:?} at best, {:.0} records/s",
            took[0],
            size as f64 / middle.as_secs_f64()
        );
    }
}

async fn read(log: &impl Log, lanes: &[TopicPartition]) {
    let mut reader = log
        .reader(ReaderSpec {
            group: "measure".to_owned(),
            member: None,
            assign: Assign::Exact(lanes.to_vec()),
        })
        .await
        .expect("a reader");
    let starts: Vec<_> = lanes.iter().map(|at| (at.clone(), Start::Earliest)).collect();
    let begun = Instant::now();
    reader.begin(&starts).await.expect("begun");
    let mut found = 0;
    let mut batches = 0;
    while found < RECORDS {
        if let Read::Batch(batch) = reader.read(Limit::default()).await.expect("a read") {
            found += batch.records.len();
            batches += 1;
        }
    }
    let took = begun.elapsed();
    println!(
        "reading {found} records of 1.5 KB: {took:?}, {:.0} records/s, {} a batch",
        found as f64 / took.as_secs_f64(),
        found / batches
    );
}

async fn copy(log: &zenfloe_log_kafka::KafkaLog) {
    let begun = Instant::now();
    let mut copier = Copier::open(log, Some("pod-0"), "from", "to").await;
    let mut copied = 0;
    let mut first = None;
    while copied < RECORDS {
        copied += copier.turn().await;
        if copied > 0 {
            first.get_or_insert_with(|| begun.elapsed());
        }
    }
    let took = begun.elapsed();
    println!(
        "reading, writing and committing {copied} records: {took:?}, {:.0} records/s; the first after {:?}",
        copied as f64 / took.as_secs_f64(),
        first.unwrap_or_default()
    );
    copier.reader.close().await.expect("closed");
}
