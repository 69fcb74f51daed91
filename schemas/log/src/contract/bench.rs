//! What the cases work with.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use zenfloe_record::{Headers, Offset, Partition, Positions, TopicPartition};

use super::Subject;
use crate::{
    Append, Assign, Batch, Class, Cleanup, Done, Limit, Log, LogError, Read, Reader, ReaderSpec, Record, Start,
    TopicSpec, Writer, partitions_of,
};

/// A month, so that nothing of a case expires by itself.
pub(crate) const KEPT: Cleanup = Cleanup::Delete(Duration::from_secs(30 * 86_400));
/// The largest message of a case's topics.
pub(crate) const LARGEST: usize = 8 << 20;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// One case's log and names.
#[derive(Clone)]
pub(crate) struct Bench<'s> {
    pub(crate) subject: &'s dyn Subject,
    pub(crate) log: Arc<dyn Log>,
    prefix: String,
}

impl<'s> Bench<'s> {
    pub(crate) async fn new(subject: &'s dyn Subject, case: &str) -> Self {
        // Kafka takes names of up to 249 letters.
        let prefix = format!("contract-{case}-{:08x}", fastrand::u32(..));
        Self {
            subject,
            log: subject.open().await,
            prefix,
        }
    }

    /// The same case after a restart, with new connections.
    pub(crate) async fn reopened(&self) -> Self {
        Self {
            log: self.subject.open().await,
            ..self.clone()
        }
    }

    /// A name of this case alone.
    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }

    pub(crate) fn spec(&self, topic: &str, partitions: Partition) -> TopicSpec {
        TopicSpec {
            name: self.name(topic).into(),
            partitions,
            cleanup: KEPT,
            max_message_bytes: LARGEST,
        }
    }

    /// Makes a topic.
    pub(crate) async fn topic(&self, topic: &str, partitions: Partition) -> Vec<TopicPartition> {
        let spec = self.spec(topic, partitions);
        self.log
            .ensure(std::slice::from_ref(&spec))
            .await
            .expect("the topic can be made");
        partitions_of(&spec.name, partitions)
    }

    /// Makes a topic of one partition.
    pub(crate) async fn lane(&self, topic: &str) -> TopicPartition {
        self.topic(topic, 1).await.remove(0)
    }

    pub(crate) async fn writer(&self, id: &str) -> Box<dyn Writer> {
        self.log.writer(&self.name(id)).await.expect("a writer")
    }

    /// Appends with a writer of this purpose alone.
    pub(crate) async fn put(&self, out: Vec<Append>) {
        commit(&mut *self.writer("put").await, out, None)
            .await
            .expect("committed");
    }

    /// A reader of exactly these partitions, begun.
    pub(crate) async fn exact(&self, group: &str, starts: &[(TopicPartition, Start)]) -> Box<dyn Reader> {
        let partitions = starts.iter().map(|(at, _)| at.clone()).collect();
        let mut reader = self.unbegun(group, partitions).await;
        reader.begin(starts).await.expect("the reader begins");
        reader
    }

    /// A reader of exactly these partitions.
    pub(crate) async fn unbegun(&self, group: &str, partitions: Vec<TopicPartition>) -> Box<dyn Reader> {
        let spec = ReaderSpec {
            group: self.name(group),
            member: None,
            assign: Assign::Exact(partitions),
        };
        self.log.reader(spec).await.expect("a reader")
    }

    /// A reader that shares topics with its group.
    pub(crate) async fn shared(&self, group: &str, member: Option<&str>, topics: &[&str]) -> Follower {
        let spec = ReaderSpec {
            group: self.name(group),
            member: member.map(|member| self.name(member)),
            assign: Assign::Shared(topics.iter().map(|topic| self.name(topic)).collect()),
        };
        Follower::new(self.log.reader(spec).await.expect("a reader"))
    }

    /// Looks until something shows.
    pub(crate) async fn eventually<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            let patience = self.subject.patience();
            assert!(
                begun.elapsed() < patience,
                "{}: {what}: not within {patience:?}",
                self.prefix
            );
            sleep(PAUSE).await;
        }
    }

    /// All records of a partition, once there are at least so many.
    pub(crate) async fn records(&self, at: &TopicPartition, count: usize) -> Vec<Record> {
        let look = || async {
            let from = self.log.bounds(at).await.expect("bounds").start;
            let (records, _) = self.log.scan(at, from).await.expect("a scan");
            (records.len() >= count).then_some(records)
        };
        self.eventually(&format!("{count} records in {at}"), look).await
    }

    /// The values of a partition after one more record was appended, which proves that nothing else is on its way.
    pub(crate) async fn settled(&self, at: &TopicPartition) -> Vec<String> {
        let last = "the last one";
        self.put(vec![append(at, "", last)]).await;
        let look = || async {
            let from = self.log.bounds(at).await.expect("bounds").start;
            let (records, _) = self.log.scan(at, from).await.expect("a scan");
            let mut values = values(&records);
            (values.pop().as_deref() == Some(last)).then_some(values)
        };
        self.eventually(&format!("the last record of {at}"), look).await
    }

    /// Committed positions once they are so many.
    pub(crate) async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Positions {
        self.log
            .committed(&self.name(group), partitions)
            .await
            .expect("committed positions")
    }

    /// Waits until a group's committed position of a partition is this one.
    pub(crate) async fn until_committed(&self, group: &str, at: &TopicPartition, next: Offset) {
        let look = || async {
            let found = self.committed(group, std::slice::from_ref(at)).await.get(at);
            (found == Some(next)).then_some(())
        };
        self.eventually(&format!("position {next} of {at}"), look).await;
    }

    /// Reads until there are so many records (or more come with the last of them).
    pub(crate) async fn read(&self, reader: &mut dyn Reader, count: usize) -> Vec<Record> {
        let mut records = Vec::new();
        let begun = Instant::now();
        while records.len() < count {
            let patience = self.subject.patience();
            assert!(
                begun.elapsed() < patience,
                "{}: {} of {count} records",
                self.prefix,
                records.len()
            );
            if let Read::Batch(batch) = reader.read(soon()).await.expect("a read") {
                records.extend(batch.records);
            }
        }
        records
    }
}

/// A limit that returns quickly.
pub(crate) fn soon() -> Limit {
    Limit {
        wait: Duration::from_millis(100),
        ..Limit::default()
    }
}

/// Commits; while the log asks for it, again.
pub(crate) async fn commit(writer: &mut dyn Writer, out: Vec<Append>, done: Option<Done>) -> Result<(), LogError> {
    for _ in 0..200 {
        match writer.commit(out.clone(), done.clone()).await {
            Err(error) if error.class() == Class::Retry => sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
    writer.commit(out, done).await
}

/// A record to append.
pub(crate) fn append(at: &TopicPartition, key: &str, value: impl Into<String>) -> Append {
    Append {
        at: at.clone(),
        timestamp: None,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(value.into().into()),
        headers: Headers::new(),
    }
}

/// Records to append with the numbers of a range as values.
pub(crate) fn numbered(at: &TopicPartition, numbers: std::ops::Range<usize>) -> Vec<Append> {
    numbers.map(|number| append(at, "key", number.to_string())).collect()
}

/// The texts of a range of numbers.
pub(crate) fn texts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// The values of records as texts; a tombstone is `-`.
pub(crate) fn values(records: &[Record]) -> Vec<String> {
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    records
        .iter()
        .map(|record| record.value.as_ref().map_or_else(|| "-".to_owned(), text))
        .collect()
}

/// A shared reader that does what a stage does: it begins what it is assigned at the committed positions.
pub(crate) struct Follower {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) owned: BTreeSet<TopicPartition>,
}

impl Follower {
    pub(crate) fn new(reader: Box<dyn Reader>) -> Self {
        Self {
            reader,
            owned: BTreeSet::new(),
        }
    }

    /// Follows one event; a batch is returned.
    pub(crate) async fn step(&mut self) -> Option<Batch> {
        match self.reader.read(soon()).await.expect("a read") {
            Read::Assigned(new) => {
                for at in &new {
                    assert!(self.owned.insert(at.clone()), "{at} was assigned twice");
                }
                self.begin(&new).await;
                None
            }
            Read::Revoked(lost) => {
                for at in &lost {
                    assert!(self.owned.remove(at), "{at} was revoked, but never assigned");
                }
                None
            }
            Read::Batch(batch) => {
                let foreign = batch.records.iter().find(|record| !self.owned.contains(&record.at));
                assert!(
                    foreign.is_none(),
                    "a record of a partition that is not assigned: {foreign:?}"
                );
                Some(batch)
            }
        }
    }

    /// Goes back to the committed positions, after a commit that was refused.
    pub(crate) async fn rewind(&mut self) {
        let owned: Vec<_> = self.owned.iter().cloned().collect();
        self.begin(&owned).await;
    }

    async fn begin(&mut self, partitions: &[TopicPartition]) {
        let starts: Vec<_> = partitions.iter().map(|at| (at.clone(), Start::Committed)).collect();
        self.reader
            .begin(&starts)
            .await
            .expect("what is committed can be begun at");
    }

    /// Marks a batch as read, with what was made of it.
    pub(crate) async fn commit(
        &mut self,
        writer: &mut dyn Writer,
        out: Vec<Append>,
        batch: &Batch,
    ) -> Result<(), LogError> {
        let done = Done {
            by: self.reader.membership(),
            positions: batch.positions.clone(),
        };
        commit(writer, out, Some(done)).await
    }

    /// Follows events until partitions are assigned as `is_right` says; what is read on the way is read again.
    pub(crate) async fn until(&mut self, bench: &Bench<'_>, is_right: impl Fn(&BTreeSet<TopicPartition>) -> bool) {
        let begun = Instant::now();
        while !is_right(&self.owned) {
            let patience = bench.subject.patience();
            assert!(begun.elapsed() < patience, "{}: has {:?}", bench.prefix, self.owned);
            self.step().await;
        }
        self.rewind().await;
    }

    /// Reads until there are so many records; nothing is committed. The positions are those behind all of them.
    pub(crate) async fn take(&mut self, bench: &Bench<'_>, count: usize) -> Batch {
        let mut taken = Batch::default();
        let begun = Instant::now();
        while taken.records.len() < count {
            let patience = bench.subject.patience();
            assert!(
                begun.elapsed() < patience,
                "{}: {} of {count} records",
                bench.prefix,
                taken.records.len()
            );
            if let Some(batch) = self.step().await {
                taken.records.extend(batch.records);
                taken.positions.merge(&batch.positions);
            }
        }
        taken
    }
}
