//! Brokers and writers that die at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::time::{Instant, sleep};
use zenfloe_harness::{Kafka, KafkaConfig as HarnessConfig};
use zenfloe_log::{Append, Class, Log, LogError};
use zenfloe_log_kafka::KafkaLog;
use zenfloe_record::TopicPartition;

use crate::cluster::Cluster;
use crate::hop::{Copier, Met, append, counted, note, soon, topic};

const LANES: i32 = 4;

/// Claims that a writer whose commit failed may go on. That nobody else writes under its id, these tests know.
fn lives_on(error: &LogError) -> bool {
    matches!(error.class(), Class::Retry | Class::Reread)
}

/// Appends numbers to every lane, in order, until it is told to stop; returns how many records there are.
async fn produce(log: KafkaLog, lanes: Vec<TopicPartition>, stop: Arc<AtomicBool>) -> (usize, Met) {
    let mut writer = log.writer("producer").await.expect("a writer");
    let (mut next, mut met) = (0_usize, Met::new());
    while !stop.load(Ordering::SeqCst) {
        let numbers = next..next + 25;
        let of_lane = |at: &TopicPartition| {
            numbers
                .clone()
                .map(|number| append(at, number.to_string()))
                .collect::<Vec<_>>()
        };
        let out: Vec<Append> = lanes.iter().flat_map(of_lane).collect();
        while let Err(error) = writer.commit(out.clone(), None).await {
            note(&mut met, &error);
            assert!(lives_on(&error), "{error}");
            sleep(Duration::from_millis(50)).await;
        }
        next = numbers.end;
    }
    (next * lanes.len(), met)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_costs_nothing_but_time() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let cluster = Cluster::start().await;
    let log = cluster.log().await;
    let from = topic(&log, "from", LANES).await;
    let to = topic(&log, "to", LANES).await;

    let stop = Arc::new(AtomicBool::new(false));
    let producer = tokio::spawn(produce(log.clone(), from.clone(), stop.clone()));
    let copied = Arc::new(AtomicUsize::new(0));
    let finish = Arc::new(AtomicBool::new(false));
    let copier = {
        let (log, copied, finish) = (cluster.log().await, copied.clone(), finish.clone());
        tokio::spawn(async move {
            let mut copier = Copier::open(&log, Some("pod-0"), "from", "to").await;
            while !finish.load(Ordering::SeqCst) {
                copied.fetch_add(copier.turn().await, Ordering::SeqCst);
            }
            copier.met
        })
    };
    for round in 0..4 {
        let before = copied.load(Ordering::SeqCst);
        let since = Instant::now();
        while copied.load(Ordering::SeqCst) == before {
            assert!(since.elapsed() < Duration::from_secs(180), "nothing moves");
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(rng.u64(500..2_500))).await;
        let mut kafka = cluster.kafka.lock().await;
        kafka.kill().expect("killed");
        sleep(Duration::from_millis(rng.u64(0..3_000))).await;
        kafka.restart().await.expect("the broker again");
        println!(
            "broker killed and back, round {round}: {} copied",
            copied.load(Ordering::SeqCst)
        );
    }
    sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    let (total, met) = producer.await.expect("the producer ends");
    println!("producer: {total} records, met {met:?}");
    counted(&log, &from, total).await;
    let begun = Instant::now();
    while copied.load(Ordering::SeqCst) < total {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{} of {total}",
            copied.load(Ordering::SeqCst)
        );
        sleep(Duration::from_millis(50)).await;
    }
    finish.store(true, Ordering::SeqCst);
    println!("copier met {:?}", copier.await.expect("the copier ends"));
    counted(&log, &to, total).await;
}

/// A broker that looks for dead transactions more often than the 10 s of production, first so long after its start.
///
/// A clean-up right at a start is where Kafka 4.3.0 to 4.4.0 leave markers out (KAFKA-20734): what had been sent stayed
/// open, and the writer's next commit showed it, unless it was swept.
async fn quick_to_clean_up() -> Cluster {
    let quick = HarnessConfig {
        properties: vec![(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms".to_owned(),
            "500".to_owned(),
        )],
        ..HarnessConfig::default()
    };
    Cluster::of(Kafka::start_with(quick).await.expect("a broker"))
}

/// A writer that dies between its last record and its commit: records delivered, positions sent, nothing decided.
struct Dead {
    _producer: BaseProducer,
}

impl Dead {
    fn leave(cluster: &Cluster, id: &str, to: &TopicPartition, group: &str, from: &TopicPartition, next: i64) -> Self {
        let client = |name: &str, value: &str| {
            let mut config = ClientConfig::new();
            config
                .set("bootstrap.servers", &cluster.brokers)
                .set("transaction.timeout.ms", "3000")
                .set(name, value);
            config
        };
        let producer: BaseProducer = client("transactional.id", id).create().expect("a producer");
        let consumer: BaseConsumer = client("group.id", group).create().expect("a consumer");
        let wait = Duration::from_secs(10);
        producer.init_transactions(wait).expect("initialised");
        producer.begin_transaction().expect("begun");
        let record = BaseRecord::<str, str>::to(&to.topic)
            .partition(to.partition)
            .payload("999");
        producer.send(record).map_err(|(error, _)| error).expect("sent");
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(10));
        }
        let mut positions = TopicPartitionList::new();
        positions
            .add_partition_offset(&from.topic, from.partition, At::Offset(next))
            .expect("an offset");
        let metadata = consumer.group_metadata().expect("a group");
        producer
            .send_offsets_to_transaction(&positions, &metadata, wait)
            .expect("positions are sent");
        Self { _producer: producer }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_ends_what_a_dead_writer_left() {
    let cluster = quick_to_clean_up().await;
    let log = cluster.log().await;
    let (from, to) = (
        topic(&log, "from", 1).await.remove(0),
        topic(&log, "to", 1).await.remove(0),
    );
    let mut writer = log.writer("w").await.expect("a writer");
    writer.commit(vec![append(&to, "0")], None).await.expect("committed");
    let _dead = Dead::leave(&cluster, "w", &to, "g", &from, 7);

    let begun = Instant::now();
    let mut successor = log.writer("w").await.expect("a successor");
    println!("a successor is ready after {:?}", begun.elapsed());
    let committed = log
        .committed("g", std::slice::from_ref(&from))
        .await
        .expect("positions");
    assert!(committed.is_empty(), "{committed:?}");
    successor.commit(vec![append(&to, "1")], None).await.expect("committed");
    counted(&log, std::slice::from_ref(&to), 2).await;
    let fenced = writer.commit(vec![append(&to, "2")], None).await.expect_err("fenced");
    assert_eq!(fenced.class(), Class::Fenced, "{fenced}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_hang_are_waited_for() {
    let cluster = quick_to_clean_up().await;
    let log = cluster.log().await;
    let (from, to) = (
        topic(&log, "from", 1).await.remove(0),
        topic(&log, "to", 1).await.remove(0),
    );
    let begun = Instant::now();
    let _dead = Dead::leave(&cluster, "w", &to, "g", &from, 7);
    let committed = log
        .committed("g", std::slice::from_ref(&from))
        .await
        .expect("positions");
    println!("the dead writer's positions were decided after {:?}", begun.elapsed());
    assert!(committed.is_empty(), "the dead writer committed nothing: {committed:?}");
    let (records, _) = log.scan(&to, 0).await.expect("a scan");
    assert!(records.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_was_replaced_ends_and_its_successor_does_not() {
    let cluster = Cluster::start().await;
    let log = cluster.log().await;
    topic(&log, "from", LANES).await;
    topic(&log, "to", LANES).await;
    let mut older = Copier::open(&log, Some("pod-0"), "from", "to").await;
    while older.owned.len() < LANES as usize {
        older.turn().await;
    }
    let mut newer = Copier::open(&log, Some("pod-0"), "from", "to").await;
    let begun = Instant::now();
    let ended = loop {
        newer.turn().await;
        match older.reader.read(soon()).await {
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(180), "it goes on"),
            Err(error) => break error,
        }
    };
    println!("the older one ended after {:?}: {ended}", begun.elapsed());
    assert_eq!(ended.class(), Class::Fenced, "{ended}");
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        newer.turn().await;
    }
    assert_eq!(newer.owned.len(), LANES as usize);
    assert!(newer.met.is_empty(), "{:?}", newer.met);
}

/// A broker that dies while records are under way and comes back when it has to end their transaction for its age.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_outlives_a_broker_fences_nobody() {
    let cluster = quick_to_clean_up().await;
    let mut config = cluster.config();
    config.transaction_timeout = Duration::from_secs(3);
    let log = KafkaLog::connect(config).await.expect("connected");
    let at = topic(&log, "to", 1).await.remove(0);
    let mut writer = log.writer("w").await.expect("a writer");
    let mut met = Met::new();
    let mut written = 0_usize;
    for round in 0..3 {
        let numbers = written..written + 1_000;
        let out: Vec<Append> = numbers.clone().map(|number| append(&at, wide(number))).collect();
        let committing = async {
            let error = loop {
                match writer.commit(out.clone(), None).await {
                    Ok(()) => break None,
                    Err(error) if error.class() == Class::Retry => note(&mut met, &error),
                    Err(error) => break Some(error),
                }
            };
            if let Some(error) = &error {
                note(&mut met, error);
                assert_eq!(error.class(), Class::Reread, "{error}");
            }
        };
        let disturbing = async {
            sleep(Duration::from_millis(20 + 40 * round)).await;
            let mut kafka = cluster.kafka.lock().await;
            kafka.kill().expect("killed");
            sleep(Duration::from_secs(4)).await;
            kafka.restart().await.expect("the broker again");
        };
        tokio::join!(committing, disturbing);
        // As a stage does after any error: what is there decides.
        written = log.scan(&at, 0).await.expect("a scan").0.len();
        assert!(
            written == numbers.start || written == numbers.end,
            "{written} of {numbers:?}"
        );
    }
    println!("met {met:?}");
    let numbers = written..written + 10;
    let out = |numbers: std::ops::Range<usize>| numbers.map(|number| append(&at, wide(number))).collect();
    while let Err(error) = writer.commit(out(numbers.clone()), None).await {
        note(&mut met, &error);
        assert!(lives_on(&error), "{error}");
    }
    counted(&log, std::slice::from_ref(&at), numbers.end).await;

    // A newer writer is another matter, however old the transaction that it ends.
    let mut newer = log.writer("w").await.expect("a newer one");
    let fenced = writer.commit(out(0..1), None).await.expect_err("fenced");
    assert_eq!(fenced.class(), Class::Fenced, "{fenced}");
    newer
        .commit(out(numbers.end..numbers.end + 1), None)
        .await
        .expect("it lives");
}

/// A number that takes 20 KB, so that many of them are under way for long.
fn wide(number: usize) -> String {
    format!("{number:020000}")
}

/// Brokers that are away for longer than a transaction and a session last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_absence_is_waited_for() {
    let cluster = Cluster::start().await;
    let mut config = cluster.config();
    config.transaction_timeout = Duration::from_secs(4);
    let log = KafkaLog::connect(config).await.expect("connected");
    let from = topic(&log, "from", 2).await;
    let to = topic(&log, "to", 2).await;
    let mut copier = Copier::open(&log, Some("pod-0"), "from", "to").await;
    let mut writer = log.writer("w").await.expect("a writer");
    let out = |numbers: std::ops::Range<usize>| -> Vec<Append> {
        let of_lane = |at: &TopicPartition| {
            numbers
                .clone()
                .map(|number| append(at, number.to_string()))
                .collect::<Vec<_>>()
        };
        from.iter().flat_map(of_lane).collect()
    };
    writer.commit(out(0..10), None).await.expect("committed");
    while copier.turn().await == 0 {}

    cluster.kafka.lock().await.kill().expect("killed");
    let begun = Instant::now();
    let (mut writing, mut reading) = (Met::new(), None);
    while begun.elapsed() < Duration::from_secs(10) {
        if let Err(error) = writer.commit(out(10..20), None).await {
            note(&mut writing, &error);
            assert!(lives_on(&error), "{error}");
        }
        if let Err(error) = copier.reader.read(soon()).await {
            assert_eq!(error.class(), Class::Retry, "{error}");
            reading.get_or_insert_with(|| (begun.elapsed(), error.to_string()));
        }
    }
    println!("writing met {writing:?}; reading met {reading:?}");
    assert!(writing.contains_key("retry") && reading.is_some());
    cluster.kafka.lock().await.restart().await.expect("the broker again");
    while let Err(error) = writer.commit(out(10..20), None).await {
        note(&mut writing, &error);
        assert!(lives_on(&error), "{error}");
    }
    let mut copied = 0;
    let begun = Instant::now();
    while copied < 20 {
        copied += copier.turn().await;
        assert!(begun.elapsed() < Duration::from_secs(180), "{copied} copied");
    }
    counted(&log, &from, 40).await;
    counted(&log, &to, 40).await;
}
