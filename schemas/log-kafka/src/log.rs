//! The [`Log`] of a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;
use zenfloe_log::{Bounds, Log, LogError, Reader, ReaderSpec, Record, TopicInfo, TopicSpec, Writer};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::cluster::{Cluster, committed_by};
use crate::config::{KafkaConfig, broken};
use crate::reader::KafkaReader;
use crate::writer::KafkaWriter;

/// A connection to a Kafka cluster; clones share it.
#[derive(Clone)]
pub struct KafkaLog(Arc<Cluster>);

impl KafkaLog {
    /// Connects and returns when a broker has answered.
    ///
    /// Errors: [`LogError::Broken`] for a faulty configuration, [`LogError::Forbidden`] where sign-in or the brokers'
    /// certificate is refused, [`LogError::Unavailable`] when nobody answers within `request_timeout`.
    pub async fn connect(config: KafkaConfig) -> Result<Self, LogError> {
        blocking(move || Cluster::connect(config))
            .await
            .map(|cluster| Self(Arc::new(cluster)))
    }

    /// Works on the cluster off the async runtime's threads.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Cluster>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let cluster = self.0.clone();
        blocking(move || work(&cluster)).await
    }
}

/// Runs what blocks. It goes on to its end when the caller no longer waits.
///
/// On a thread of its own, not one of the runtime's: a commit whose outcome is still waited for must not keep the
/// program from ending.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let (reply, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("kafka-call".to_owned())
        .spawn(move || drop(reply.send(work())))
        .map_err(|error| broken(format!("no thread for a call: {error}")))?;
    answer
        .await
        .unwrap_or_else(|_| Err(broken("a call of the Kafka client ended without an answer")))
}

#[async_trait]
impl Log for KafkaLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let topics = topics.to_vec();
        self.ask(move |cluster| cluster.ensure(&topics)).await
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        let name = name.to_owned();
        self.ask(move |cluster| Ok(cluster.topics_info(&[&name])?.remove(&name)))
            .await
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        let prefix = prefix.to_owned();
        self.ask(move |cluster| cluster.names(&prefix)).await
    }

    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        let at = at.clone();
        self.ask(move |cluster| cluster.bounds(&at)).await
    }

    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        let at = at.clone();
        self.ask(move |cluster| cluster.offset_at(&at, timestamp)).await
    }

    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        let at = at.clone();
        self.ask(move |cluster| cluster.scan(&at, from)).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        let (group, partitions) = (group.to_owned(), partitions.to_vec());
        self.ask(move |cluster| committed_by(cluster, &group, &partitions))
            .await
    }

    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        let id = id.to_owned();
        let writer = self.ask(move |cluster| KafkaWriter::open(cluster.clone(), id)).await?;
        Ok(Box::new(writer))
    }

    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        let reader = self
            .ask(move |cluster| KafkaReader::open(cluster.clone(), spec))
            .await?;
        Ok(Box::new(reader))
    }
}
