//! Answers that real brokers give too rarely to wait for, injected into librdkafka's mock cluster.
//!
//! The mock shows aborted records to everyone, so nothing is read here: that is for the tests against real brokers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Answer};
use zenfloe_log::{Append, Class, LogError, TopicInfo};
use zenfloe_record::{Headers, TopicPartition};

use crate::cluster::Cluster;
use crate::config::KafkaConfig;
use crate::transaction::Sender;

struct Mock {
    brokers: MockCluster<'static, DefaultProducerContext>,
    sender: Sender,
}

impl Mock {
    fn start() -> Self {
        Self::of(Duration::from_secs(5))
    }

    /// With transactions that last so long.
    fn of(transaction_timeout: Duration) -> Self {
        let brokers = MockCluster::new(1).expect("a mock cluster");
        brokers.create_topic("t", 1, 1).expect("a topic");
        let config = KafkaConfig {
            brokers: vec![brokers.bootstrap_servers()],
            transaction_timeout,
            ..KafkaConfig::default()
        };
        let cluster = Cluster::connect(config).expect("connected");
        let info = TopicInfo {
            id: "t".to_owned(),
            partitions: 1,
            max_message_bytes: None,
        };
        cluster.remember(&HashMap::from([("t".to_owned(), info)])); // the mock does not describe topics
        let sender = Sender::open(Arc::new(cluster), "w".to_owned()).expect("a writer");
        Self { brokers, sender }
    }

    fn commit(&mut self) -> Result<(), LogError> {
        let append = Append {
            at: TopicPartition::new("t", 0),
            timestamp: None,
            key: "key".into(),
            value: Some("value".into()),
            headers: Headers::new(),
        };
        self.sender.commit(&[append], None)
    }
}

#[track_caller]
fn check(api: Api, answers: &[Answer], expected: Option<Class>, afterwards: Option<Class>) {
    let mut mock = Mock::start();
    mock.commit().expect("nothing is wrong yet");
    mock.brokers.request_errors(api, answers);
    let first = mock.commit();
    // librdkafka may need another transaction to count its records anew.
    let is_retry = |outcome: &Result<(), LogError>| matches!(outcome, Err(error) if error.class() == Class::Retry);
    let tries: Vec<_> = (0..3).map(|_| mock.commit()).collect();
    let second = tries.iter().find(|outcome| !is_retry(outcome)).unwrap_or(&tries[2]);
    let class = |outcome: &Result<(), LogError>| outcome.as_ref().err().map(LogError::class);
    assert_eq!(class(&first), expected, "with the answers: {first:?}");
    assert_eq!(class(second), afterwards, "afterwards: {second:?}");
}

#[test]
fn a_coordinator_that_is_not_ready_is_waited_for() {
    let passing = [
        Answer::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Answer::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
        Answer::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    ];
    check(Api::EndTxn, &passing, None, None);
    check(Api::AddPartitionsToTxn, &passing, None, None);
}

#[test]
fn a_refused_record_ends_its_commit_alone() {
    let refused = [Answer::RD_KAFKA_RESP_ERR_POLICY_VIOLATION];
    check(Api::Produce, &refused, Some(Class::Stop), None);
}

#[test]
fn a_fence_is_final() {
    let fenced = [Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED];
    check(
        Api::AddPartitionsToTxn,
        &fenced,
        Some(Class::Fenced),
        Some(Class::Fenced),
    );
}

/// The end of a transaction whose record was refused, answered so.
#[track_caller]
fn check_end(transaction_timeout: Duration, answers: &[Answer], lives_on: bool) {
    let mut mock = Mock::of(transaction_timeout);
    mock.commit().expect("nothing is wrong yet");
    mock.brokers
        .request_errors(Api::Produce, &[Answer::RD_KAFKA_RESP_ERR_POLICY_VIOLATION]);
    mock.brokers.request_errors(Api::EndTxn, answers);
    mock.commit().expect_err("the record was refused");
    let told = loop {
        match mock.commit().expect_err("the transaction ended otherwise") {
            error if error.class() == Class::Retry => {}
            error => break error,
        }
    };
    if lives_on {
        assert!(matches!(told, LogError::Lapsed { .. }), "{told}");
        mock.commit().expect("the writer lives on");
    } else {
        assert!(matches!(told, LogError::Fenced { .. }), "{told}");
        assert_eq!(mock.commit().expect_err("for good").class(), Class::Fenced);
    }
}

/// The first word that the brokers hear of a transaction is its end: librdkafka gives its producer up.
#[test]
fn a_producer_that_librdkafka_gave_up_is_replaced() {
    let unknown = [Answer::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE];
    check_end(Duration::from_secs(5), &unknown, true);
}

/// Brokers say the same to a writer that was replaced and to one whose transaction they ended for its age.
#[test]
fn only_a_transaction_that_grew_old_is_not_fenced_by_another_writer() {
    let mut answers = vec![Answer::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 8];
    answers.push(Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    check_end(Duration::from_secs(1), &answers, true);
    check_end(Duration::from_secs(60), &answers, false);
}
