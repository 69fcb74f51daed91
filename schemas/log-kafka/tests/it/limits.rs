//! Sizes: of messages, of batches, of the window.

use std::path::Path;

use zenfloe_log::{Log, LogError, TopicSpec};

use crate::cluster::Cluster;
use crate::hop::{append, counted, numbers, scanned, spec, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_are_kept() {
    let cluster = Cluster::start().await;
    batches_are_compressed_by_zstd(&cluster).await;
    a_topic_of_its_own_limit_refuses_what_is_larger(&cluster).await;
    a_narrow_topic_takes_many_small_records(&cluster).await;
    a_commit_may_be_larger_than_the_window(&cluster).await;
    topics_that_may_not_be_made_are_named(&cluster).await;
}

async fn batches_are_compressed_by_zstd(cluster: &Cluster) {
    let log = cluster.log().await;
    let at = topic(&log, "compressed", 1).await.remove(0);
    let mut writer = log.writer("compressed").await.expect("a writer");
    let out = (0..100).map(|number: usize| append(&at, number.to_string())).collect();
    writer.commit(out, None).await.expect("committed");
    counted(&log, &[at], 100).await;
    let folder = cluster.kafka.lock().await.folder().to_owned();
    let segment = folder.join("node-1/data/compressed-0/00000000000000000000.log");
    assert_eq!(codec_of_first_batch(&segment), 4, "4 is zstd");
}

/// The lowest three bits of a batch's attributes, see <https://kafka.apache.org/documentation/#recordbatch>.
fn codec_of_first_batch(segment: &Path) -> u8 {
    std::fs::read(segment).expect("a segment")[22] & 7
}

async fn a_topic_of_its_own_limit_refuses_what_is_larger(cluster: &Cluster) {
    let log = cluster.log().await;
    let narrow = TopicSpec {
        max_message_bytes: 50_000,
        ..spec("refuses", 1)
    };
    log.ensure(&[narrow, spec("wide", 1)]).await.expect("made");
    let (narrow, wide) = (topic_partition("refuses"), topic_partition("wide"));
    let mut writer = log.writer("refuses").await.expect("a writer");
    let out = vec![append(&wide, "0"), append(&narrow, noise(60_000))];
    match writer.commit(out, None).await.expect_err("60,000 bytes") {
        LogError::TooLarge { at, size, limit } => {
            assert_eq!((at, limit), (narrow.clone(), 50_000));
            assert!(size > 60_000);
        }
        other => panic!("{other}"),
    }
    // More than any topic takes: librdkafka's own limit is the configuration's.
    let error = writer
        .commit(vec![append(&wide, noise(33 << 20))], None)
        .await
        .expect_err("33 MB");
    assert!(matches!(error, LogError::TooLarge { .. }), "{error}");
    writer
        .commit(vec![append(&wide, noise(5_000_000))], None)
        .await
        .expect("5 MB");
    assert_eq!(scanned(&log, &wide, 1).await.len(), 1, "nothing of the refused commits");
}

fn topic_partition(topic: &str) -> zenfloe_record::TopicPartition {
    zenfloe_record::TopicPartition::new(topic, 0)
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(9);
    (0..bytes).map(|_| rng.u8(..)).collect()
}

/// One batch would be larger than the topic takes, although each record is small.
async fn a_narrow_topic_takes_many_small_records(cluster: &Cluster) {
    let log = cluster.log().await;
    let narrow = TopicSpec {
        max_message_bytes: 5_000,
        ..spec("narrow", 2)
    };
    log.ensure(&[narrow]).await.expect("made");
    let lanes = zenfloe_log::partitions_of("narrow", 2);
    let mut writer = log.writer("narrow").await.expect("a writer");
    let record = |number: usize| {
        append(
            &lanes[number % 2],
            [noise(900), number.to_string().into_bytes()].concat(),
        )
    };
    writer
        .commit((0..400).map(record).collect(), None)
        .await
        .expect("committed");
    for at in &lanes {
        assert_eq!(scanned(&log, at, 200).await.len(), 200);
    }
}

async fn a_commit_may_be_larger_than_the_window(cluster: &Cluster) {
    let mut config = cluster.config();
    config.window_records = 50;
    config.window_bytes = bytesize::ByteSize::mib(1);
    let log = zenfloe_log_kafka::KafkaLog::connect(config).await.expect("connected");
    let at = topic(&log, "window", 1).await.remove(0);
    let mut writer = log.writer("window").await.expect("a writer");
    let mut out: Vec<_> = (0..1_000)
        .map(|number: usize| append(&at, number.to_string()))
        .collect();
    writer
        .commit(out.clone(), None)
        .await
        .expect("20 times the window's records");
    out = (0..8).map(|_| append(&at, noise(700_000))).collect();
    writer.commit(out, None).await.expect("5 times the window's bytes");
    writer
        .commit(vec![append(&at, noise(3 << 20))], None)
        .await
        .expect("one record larger than the window");
    let records = scanned(&log, &at, 1_009).await;
    assert_eq!(numbers(&records[..1_000]), (0..1_000).collect::<Vec<_>>());
    assert_eq!(records.len(), 1_009);
}

async fn topics_that_may_not_be_made_are_named(cluster: &Cluster) {
    let mut config = cluster.config();
    config.create_topics = false;
    let log = zenfloe_log_kafka::KafkaLog::connect(config).await.expect("connected");
    topic(&cluster.log().await, "there", 3).await;
    log.ensure(&[spec("there", 3)]).await.expect("it exists");
    let error = log
        .ensure(&[spec("there", 3), spec("not.there", 12)])
        .await
        .expect_err("it may not be made");
    assert!(matches!(error, LogError::Forbidden { .. }));
    let said = error.to_string();
    assert!(
        said.contains("`not.there` with 12 partitions, max.message.bytes=8388608"),
        "{said}"
    );
    assert!(
        said.contains("retention.ms=86400000") && !said.contains("`there`"),
        "{said}"
    );
    let error = log.ensure(&[spec("there", 4)]).await.expect_err("another count");
    assert!(
        matches!(
            error,
            LogError::PartitionCount {
                found: 3,
                wanted: 4,
                ..
            }
        ),
        "{error}"
    );
}
