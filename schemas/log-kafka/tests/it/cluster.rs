//! Brokers for the tests, and what the tests do to them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset as At, TopicPartitionList};
use tokio::sync::Mutex;
use zenfloe_harness::Kafka;
use zenfloe_log::Log;
use zenfloe_log::contract::Subject;
use zenfloe_log_kafka::{KafkaConfig, KafkaLog};
use zenfloe_record::{Offset, TopicPartition};

/// One open broker.
pub(crate) struct Cluster {
    pub(crate) brokers: String,
    pub(crate) kafka: Mutex<Kafka>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::of(Kafka::start().await.expect("a broker"))
    }

    pub(crate) fn of(kafka: Kafka) -> Self {
        Self {
            brokers: kafka.brokers.clone(),
            kafka: Mutex::new(kafka),
        }
    }

    /// Settings for this cluster, as quick to notice the dead as brokers allow.
    pub(crate) fn config(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: self.brokers.split(',').map(str::to_owned).collect(),
            session_timeout: Duration::from_secs(6),
            ..KafkaConfig::default()
        }
    }

    pub(crate) async fn log(&self) -> KafkaLog {
        KafkaLog::connect(self.config()).await.expect("connected")
    }
}

#[async_trait]
impl Subject for Cluster {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(self.log().await)
    }

    async fn restart(&self) {
        self.kafka.lock().await.restart().await.expect("the broker again");
    }

    /// A machine that builds and tests at once may be slow.
    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    async fn expire(&self, at: &TopicPartition, before: Offset) {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .create()
            .expect("an admin client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&at.topic, at.partition, At::Offset(before))
            .expect("an offset");
        admin
            .delete_records(&list, &AdminOptions::new())
            .await
            .expect("deleted");
    }
}
