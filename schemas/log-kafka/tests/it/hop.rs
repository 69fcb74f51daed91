//! Reading, appending and committing in a loop, as the stages do, for tests that disturb it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use zenfloe_log::{
    Append, Assign, Class, Cleanup, Done, Limit, Log, LogError, Read, Reader, ReaderSpec, Record, Start, TopicSpec,
    Writer, partitions_of,
};
use zenfloe_log_kafka::KafkaLog;
use zenfloe_record::{Headers, Partition, TopicPartition};

/// Makes a topic and returns its partitions.
pub(crate) async fn topic(log: &dyn Log, name: &str, partitions: Partition) -> Vec<TopicPartition> {
    log.ensure(&[spec(name, partitions)]).await.expect("the topic is made");
    partitions_of(name, partitions)
}

pub(crate) fn spec(name: &str, partitions: Partition) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        partitions,
        cleanup: Cleanup::Delete(Duration::from_secs(86_400)),
        max_message_bytes: 8 << 20,
    }
}

pub(crate) fn append(at: &TopicPartition, value: impl Into<Vec<u8>>) -> Append {
    Append {
        at: at.clone(),
        timestamp: None,
        key: "key".into(),
        value: Some(value.into().into()),
        headers: Headers::new(),
    }
}

/// Numbers, one per record.
pub(crate) fn numbers(records: &[Record]) -> Vec<usize> {
    let number = |record: &Record| std::str::from_utf8(record.value.as_ref()?).ok()?.parse().ok();
    records.iter().map(|record| number(record).expect("a number")).collect()
}

pub(crate) fn soon() -> Limit {
    Limit {
        wait: Duration::from_millis(200),
        ..Limit::default()
    }
}

/// How often a loop met which class of error.
pub(crate) type Met = BTreeMap<&'static str, usize>;

pub(crate) fn note(met: &mut Met, error: &LogError) {
    let class = match error.class() {
        Class::Retry => "retry",
        Class::Reread => "reread",
        Class::Fenced => "fenced",
        Class::Stop => "stop",
    };
    let times = met.entry(class).or_default();
    *times += 1;
    if *times == 1 {
        println!("  {class}: {error}");
    }
}

/// Copies a topic to another one, partition by partition.
pub(crate) struct Copier {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) writer: Box<dyn Writer>,
    pub(crate) owned: Vec<TopicPartition>,
    pub(crate) met: Met,
    to: String,
}

impl Copier {
    pub(crate) async fn open(log: &KafkaLog, member: Option<&str>, from: &str, to: &str) -> Self {
        let spec = ReaderSpec {
            group: format!("copy-{from}"),
            member: member.map(str::to_owned),
            assign: Assign::Shared(vec![from.to_owned()]),
        };
        let id = format!("copy-{from}-{}", member.unwrap_or("0"));
        Self {
            writer: log.writer(&id).await.expect("a writer"),
            reader: log.reader(spec).await.expect("a reader"),
            owned: Vec::new(),
            met: Met::new(),
            to: to.to_owned(),
        }
    }

    /// One turn: an event, and for a batch its commit. Returns how many records were copied.
    pub(crate) async fn turn(&mut self) -> usize {
        match self.reader.read(soon()).await {
            Ok(Read::Assigned(new)) => {
                self.owned.extend(new);
                self.rewind().await;
                0
            }
            Ok(Read::Revoked(lost)) => {
                self.owned.retain(|at| !lost.contains(at));
                0
            }
            Ok(Read::Batch(batch)) if batch.records.is_empty() => 0,
            Ok(Read::Batch(batch)) => {
                let out: Vec<Append> = batch.records.iter().map(|record| self.copy(record)).collect();
                let done = Done {
                    by: self.reader.membership(),
                    positions: batch.positions,
                };
                self.commit(out, done).await
            }
            Err(error) => {
                note(&mut self.met, &error);
                assert_eq!(error.class(), Class::Retry, "{error}");
                0
            }
        }
    }

    fn copy(&self, record: &Record) -> Append {
        Append {
            at: TopicPartition::new(self.to.as_str(), record.at.partition),
            timestamp: Some(record.timestamp),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        }
    }

    /// Commits; the same again while the log asks for it.
    async fn commit(&mut self, out: Vec<Append>, done: Done) -> usize {
        loop {
            let Err(error) = self.writer.commit(out.clone(), Some(done.clone())).await else {
                return out.len();
            };
            note(&mut self.met, &error);
            match error.class() {
                Class::Retry => sleep(Duration::from_millis(50)).await,
                Class::Reread => {
                    self.rewind().await;
                    return 0;
                }
                _ => panic!("{error}"),
            }
        }
    }

    async fn rewind(&mut self) {
        let starts: Vec<_> = self.owned.iter().map(|at| (at.clone(), Start::Committed)).collect();
        while let Err(error) = self.reader.begin(&starts).await {
            note(&mut self.met, &error);
            assert_eq!(error.class(), Class::Retry, "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Reads every partition of a topic until it holds so many records, and claims that each counts up from 0.
pub(crate) async fn counted(log: &dyn Log, partitions: &[TopicPartition], expected: usize) {
    let begun = Instant::now();
    loop {
        let mut total = 0;
        for at in partitions {
            let (records, _) = log.scan(at, 0).await.expect("a scan");
            let found = numbers(&records);
            let right: Vec<usize> = (0..found.len()).collect();
            assert!(
                found == right,
                "{at}: a record is missing, doubled or out of order: {found:?}"
            );
            total += found.len();
        }
        assert!(total <= expected, "{total} records of {expected}");
        if total == expected {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{total} records of {expected}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

/// The records of a partition once there are so many: what is committed may show a moment later.
pub(crate) async fn scanned(log: &dyn Log, at: &TopicPartition, count: usize) -> Vec<Record> {
    let begun = Instant::now();
    loop {
        let (records, _) = log.scan(at, 0).await.expect("a scan");
        if records.len() >= count {
            return records;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{} of {count}",
            records.len()
        );
        sleep(Duration::from_millis(20)).await;
    }
}
